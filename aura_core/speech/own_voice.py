"""The robot's own voice: when it sounded, and whether heard words are its own."""

from __future__ import annotations

from collections import deque
from difflib import SequenceMatcher

from aura_core.speech.types import NS
from aura_core.words import spoken_words

FOREVER_NS = 2**62
KEPT_NS = 120 * NS  # windows and words older than this are forgotten
MOST_WORDS = 400  # of what the robot said; a comparison takes about a millisecond
AFTER_NS = 2 * NS  # words that begin so soon after the voice are compared with it
CLOSE_NS = 7 * NS // 10  # words that begin so soon after it must be recognised more surely


class Windows:
    """Times [ns] in which something holds, such as a muted microphone.

    There may be several: on a busy machine the robot has begun to speak again before the sound of
    its last sentence has been looked at.
    """

    def __init__(self) -> None:
        self._windows: list[tuple[int, int]] = []

    def open(self, from_ns: int, until_ns: int = FOREVER_NS) -> None:
        """Add a window [from_ns, until_ns)."""
        self._windows.append((from_ns, until_ns))

    def close(self, at_ns: int) -> None:
        """End at `at_ns` the windows that began before."""
        self._windows = [
            (start, min(until, at_ns) if start <= at_ns else until)
            for start, until in self._windows
        ]

    def hold(self, stamp_ns: int) -> bool:
        """Whether a window holds at this time."""
        return any(start <= stamp_ns < until for start, until in self._windows)

    def ended_ns(self, stamp_ns: int) -> int | None:
        """The end of the last window that ended at or before `stamp_ns`; None without one."""
        return max((until for _, until in self._windows if until <= stamp_ns), default=None)

    def met(self, start_ns: int, end_ns: int, after_ns: int) -> bool:
        """Whether [start_ns, end_ns) meets a window, or begins at most `after_ns` after one."""
        return any(start < end_ns and start_ns < until + after_ns for start, until in self._windows)

    def forget(self, before_ns: int) -> None:
        """Forget the windows that ended before this time."""
        self._windows = [w for w in self._windows if w[1] >= before_ns]


class OwnVoice:
    """What the robot says, and when it is heard."""

    def __init__(self) -> None:
        self.windows = Windows()
        self._words: deque[str] = deque(maxlen=MOST_WORDS)

    def says(self, text: str) -> None:
        """Take words that the robot is about to say, or says."""
        self._words.extend(spoken_words(text))

    def close(self, start_ns: int) -> bool:
        """Whether words that begin at this time must be recognised more surely."""
        return self.windows.met(start_ns, start_ns + 1, CLOSE_NS)

    def heard(self, text: str, start_ns: int, end_ns: int) -> bool:
        """Whether words heard in this time are the robot's own."""
        return self.windows.met(start_ns, end_ns, AFTER_NS) and self.resembles(text)

    def resembles(self, text: str) -> bool:
        """Whether `text` is a part of what the robot said, with some words misheard.

        A user may ask with the robot's words in another order ("is the red cup on the table" after
        "the red cup is on the table"), so most words must stand in one piece. One or two words are
        never enough: "stop" is a user's, whatever the robot says.
        """
        words = spoken_words(text)
        if len(words) < 3:
            return False
        said = list(self._words)
        blocks = SequenceMatcher(None, said, words, autojunk=False).get_matching_blocks()
        near = [b for b in blocks if b.size]
        matched, longest = sum(b.size for b in near), max((b.size for b in near), default=0)
        part = matched / len(words)
        return (part >= 0.9 and longest >= 2) or (part >= 0.65 and 2 * longest >= len(words))
