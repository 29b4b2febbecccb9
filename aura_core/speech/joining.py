"""A pause within a question: "tell me when ..." [pause] "the soup boils over" is one question.

The sound of both parts is recognised again in one piece, where the recogniser takes whole
utterances: Whisper makes more of "where is my red cup" than of "red cup".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aura_core.speech.endpointing import Completeness, End
from aura_core.speech.types import NS, Audio, Transcript, TranscriptState
from aura_core.words import spoken_words

_END = re.compile(r"[\s.…,;:?!。，；：？！—-]+$")
_ASKED = re.compile(r"[?？][\s.…]*$")
_AFTER_NS = 160_000_000  # of the pause, so much of the sound stays between the two parts
_UNCLEAR = frozenset({"low_confidence", "unlikely"})  # may become clear with the rest
_KEPT = 0.5  # share of the words of the first part that a transcript of both has
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


class Joiner:
    """Holds a question whose last word needs another one, until the rest comes.

    Args:
        within_ns: the rest must begin so soon after the end of the first part; 0: nothing is held.
        complete: tells how complete a text is.
    """

    def __init__(self, within_ns: int, complete: Callable[[str], Completeness]) -> None:
        self._within_ns, self._complete = within_ns, complete
        self._held: Transcript | None = None

    @property
    def holds(self) -> bool:
        """Whether a question waits for its rest."""
        return self._held is not None

    def continues(self, start_ns: int) -> bool:
        """Whether an utterance that begins at `start_ns` may be the rest of the question."""
        held = self._held
        return held is not None and 0 <= start_ns - held.end_ns <= self._within_ns

    def add(self, heard: Transcript, whole: bool = False) -> list[Transcript]:
        """Take the next utterance, and return the transcripts that are ready.

        `whole`: no rest of it can come, whatever its words are.
        """
        if heard.state is not TranscriptState.FINAL:
            return [heard]
        ready: list[Transcript] = []
        held = self._held
        if held is not None and self.continues(heard.start_ns):
            heard = joined(held, heard)
        elif held is not None:
            ready.append(held)
        self._held = None
        if not whole and self._within_ns and self._complete(heard.text) is Completeness.INCOMPLETE:
            self._held = heard
            return ready
        return [*ready, heard]

    def replace(self, both: Transcript, whole: bool = False) -> list[Transcript]:
        """Take the transcript of the held question together with its rest. `whole`: see `add`."""
        held, self._held = self._held, None
        kept = set(spoken_words(held.text if held else "")) & set(spoken_words(both.text))
        if held is not None and len(kept) < _KEPT * len(set(spoken_words(held.text))):
            both = joined(held, both)  # the recogniser left the first part out
        return self.add(both, whole)

    def due(self, now_ns: int) -> list[Transcript]:
        """Return the question that is held, if no rest can come any more."""
        if self._held is None or now_ns - self._held.end_ns <= self._within_ns:
            return []
        return self.release()

    def release(self) -> list[Transcript]:
        """Return the question that is held, if any."""
        held, self._held = self._held, None
        return [] if held is None else [held]


class FirstPart:
    """The sound of a question that may have a rest.

    Args:
        within_ns, complete: see `Joiner`.
        limit_s: longest sound of both parts.
    """

    def __init__(
        self, within_ns: int, complete: Callable[[str], Completeness], limit_s: float
    ) -> None:
        self._within_ns, self._complete, self._limit_s = within_ns, complete, limit_s
        self._end: End | None = None

    def remember(self, end: End, heard: Transcript, held: bool) -> None:
        """Take an utterance. `held`: it waits for its rest.

        One of which the words are unclear counts too, where a word must follow them.
        """
        unclear = heard.reason in _UNCLEAR and len(spoken_words(heard.text)) > 1
        waits = unclear and self._complete(heard.text) is Completeness.INCOMPLETE
        self._end = end if (held or waits) and self._within_ns else None

    def before(self, start_ns: int) -> End | None:
        """The first part of an utterance that begins at `start_ns`, if there is one."""
        end = self._end
        near = end is not None and 0 <= start_ns - end.end_ns <= self._within_ns
        return end if near else None

    def forget(self) -> None:
        """The sound was interrupted."""
        self._end = None

    def with_rest(self, first: End, rest: Audio) -> NDArray[np.int16]:
        """The samples of both parts, with a short pause between them.

        Only those of the rest, where both are longer than the limit.
        """
        spoken_ns = first.end_ns - first.audio.stamp_ns + _AFTER_NS
        head = first.audio.samples[: spoken_ns * rest.rate // NS]
        if len(head) + len(rest.samples) > self._limit_s * rest.rate:
            return rest.samples
        return np.concatenate([head, rest.samples])

    def both(self, first: End, rest: End) -> End:
        """Both parts as one utterance."""
        samples = self.with_rest(first, rest.audio)
        # its stamps are right at its end
        stamp_ns = rest.audio.end_ns - len(samples) * NS // rest.audio.rate
        audio = Audio(samples, rest.audio.rate, stamp_ns)
        return replace(rest, audio=audio, start_ns=first.start_ns)


def joined(first: Transcript, rest: Transcript) -> Transcript:
    """Return two parts of a question as one, with the confidence of the worse one."""
    head, tail = _END.sub("", first.text), rest.text.strip()
    asked = _ASKED.search(first.text)
    if asked is not None:  # the mark belongs to the end of the whole question
        tail = _END.sub("", tail) + asked.group()[0]
    word = tail.partition(" ")[0]
    if word[:1].isupper() and word[1:].islower():  # a capital letter that only begins a sentence
        tail = tail[0].lower() + tail[1:]
    gap = "" if _CJK.match(head[-1:]) and _CJK.match(tail[:1]) else " "
    return Transcript(
        TranscriptState.FINAL,
        f"{head}{gap}{tail}",
        min(first.confidence, rest.confidence),
        first.start_ns,
        rest.end_ns,
        language=first.language,
    )
