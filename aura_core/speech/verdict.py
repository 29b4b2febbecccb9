"""What becomes of an utterance: a question for the assistant, or a rejection with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.speech.asr.base import Recognition
from aura_core.speech.endpointing import End
from aura_core.speech.fillers import Fillers
from aura_core.speech.own_voice import OwnVoice
from aura_core.speech.short_answers import least_confidence
from aura_core.speech.types import Transcript, TranscriptState
from aura_core.speech.wake import WakeRule

# Reasons that a user who called the robot by its phrase is told of.
UNCLEAR = frozenset({"low_confidence", "unlikely", "repeated", "no_speech"})
SURER = 0.15  # more confidence is needed for words that begin in the robot's voice or just after


@dataclass(frozen=True)
class Said:
    """An utterance that has ended, and what was known of it then.

    Attributes:
        needed: it must begin with the wake phrase.
        answers: the robot had just spoken.
        clipped: its beginning fell into the time in which the robot spoke and nothing was heard.
        rest: it may be the rest of a question that waits for it.
        first: the part of the question before it, with which it was recognised.
    """

    end: End
    needed: bool
    answers: bool
    clipped: bool
    rest: bool = False
    first: End | None = None


class Judge:
    """Decides about utterances.

    Args:
        least: the confidence below which words are rejected.
        surer: the same, for words that begin in the robot's voice or just after it.
        free: any words may come, not only those of a grammar.
        fillers: what is no question.
    """

    def __init__(
        self,
        wake: WakeRule,
        voice: OwnVoice,
        least: float,
        surer: float,
        free: bool,
        fillers: Fillers | None = None,
    ) -> None:
        self._wake, self._voice, self._fillers = wake, voice, fillers or Fillers()
        self._least, self._surer, self._free = least, surer, free

    def transcript(self, said: Said, heard: Recognition, failure: str = "") -> Transcript:
        """Return the transcript of an utterance of which `heard` was recognised.

        `failure` says why the recogniser failed; "" if it did not.
        """
        called, text = self._called(said, heard)
        reason = self._reason(said, heard, called, text, failure)
        # A grammar turns any talk into its sentences, and may find its phrase in them.
        if self._free and called and self._wake.used and reason in UNCLEAR:
            reason = "not_understood"
        state = TranscriptState.REJECTED if reason else TranscriptState.FINAL
        if reason in ("wake_phrase_alone", "not_understood"):
            self._wake.arm(said.end.end_ns)
        elif not reason:
            self._wake.disarm()
        return Transcript(
            state,
            text,
            heard.confidence,
            said.end.start_ns,
            said.end.end_ns,
            f"{reason}: {failure}" if failure else reason,
            heard.language,
        )

    def _called(self, said: Said, heard: Recognition) -> tuple[bool, str]:
        """Return whether the phrase was said, and the words without it."""
        if heard.called is False:  # whatever is written
            return False, heard.text
        called, text = self._wake.without_phrase(heard.text)
        inside = said.needed or (self._wake.used and said.end.too_long)
        if not called and self._free and inside:
            called, text = self._wake.after_phrase(heard.text)
        return called, text

    def _reason(self, said: Said, heard: Recognition, called: bool, text: str, failure: str) -> str:
        end = said.end
        least = self._surer if self._voice.close(end.start_ns) else self._least
        if end.too_long and not (called and self._wake.used):
            return "too_long"
        if failure:
            return "failed"
        filler = self._free and self._fillers.is_filler(text, said.answers, heard.language)
        alone = not text.strip() or filler
        if called and self._wake.used and alone:
            return "wake_phrase_alone"
        if not text.strip():
            # The rest of a question is hardly ever a sentence of the grammar.
            rest = said.clipped and not self._free and not said.needed
            return "beginning_muted" if rest else "empty"
        if self._voice.heard(text, end.start_ns, end.end_ns):
            return "own_voice"
        if heard.reason:
            return heard.reason
        if said.needed and not called:
            return "no_wake_phrase"
        understood = not self._free or heard.confidence >= self._least
        if said.clipped and not called and not filler and understood:
            return "beginning_muted"
        if not heard.in_grammar:
            return "off_grammar"
        if filler:
            return "filler"
        if self._free:
            needed = least_confidence(text, least)
            least = min(least, needed) if said.rest else needed  # two words of a longer question
        return "low_confidence" if heard.confidence < least else ""
