"""A pause within a question: "tell me when ..." [pause] "the soup boils over" is one question."""

from __future__ import annotations

import re
from collections.abc import Callable

from aura_core.speech.endpointing import Completeness
from aura_core.speech.types import Transcript, TranscriptState

_END = re.compile(r"[\s.…,;:?!。，；：？！—-]+$")
_ASKED = re.compile(r"[?？][\s.…]*$")
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

    def add(self, heard: Transcript) -> list[Transcript]:
        """Take the next utterance, and return the transcripts that are ready."""
        if heard.state is not TranscriptState.FINAL:
            return [heard]
        ready: list[Transcript] = []
        held = self._held
        if held is not None and self.continues(heard.start_ns):
            heard = joined(held, heard)
        elif held is not None:
            ready.append(held)
        self._held = None
        if self._within_ns and self._complete(heard.text) is Completeness.INCOMPLETE:
            self._held = heard
            return ready
        return [*ready, heard]

    def due(self, now_ns: int) -> list[Transcript]:
        """Return the question that is held, if no rest can come any more."""
        if self._held is None or now_ns - self._held.end_ns <= self._within_ns:
            return []
        return self.release()

    def release(self) -> list[Transcript]:
        """Return the question that is held, if any."""
        held, self._held = self._held, None
        return [] if held is None else [held]


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
