"""Types that pass between microphone, ears, mouth and speaker. All are frozen.

Times are integers in nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

NS = 1_000_000_000


@dataclass(frozen=True, eq=False)
class Audio:
    """A piece of sound: `samples`, mono int16 (n,), at `rate` Hz.

    `stamp_ns` is the time of the first sample.
    """

    samples: NDArray[np.int16]
    rate: int
    stamp_ns: int = 0

    @property
    def duration_ns(self) -> int:
        """Length in nanoseconds."""
        return len(self.samples) * NS // self.rate

    @property
    def end_ns(self) -> int:
        """Time just after the last sample."""
        return self.stamp_ns + self.duration_ns


class TranscriptState(StrEnum):
    """The state of an utterance."""

    PARTIAL = "partial"  # still being spoken: the words so far
    FINAL = "final"  # a question for the assistant
    REJECTED = "rejected"  # not for the assistant, or not understood: see `reason`


@dataclass(frozen=True)
class Transcript:
    """The words of one utterance.

    `start_ns` and `end_ns` are the times of the speech, without the silence around it. `confidence`
    is in [0, 1]; it is 1 if the recogniser gives none. `reason` says why the utterance was
    rejected: one of `REASONS`, or `failed: <why>`. `language` is a code of two letters, "" where it
    is not known.
    """

    state: TranscriptState
    text: str
    confidence: float
    start_ns: int
    end_ns: int
    reason: str = ""
    language: str = ""


# Why an utterance is not sent, and what that means.
REASONS = {
    "no_wake_phrase": "it does not begin with the wake phrase, which is needed",
    "wake_phrase_alone": "the question may follow without the phrase, within wake_armed_s",
    "not_understood": "it begins with the wake phrase, and the rest is not clear: it is asked back",
    "own_voice": "it is what the robot said itself",
    "beginning_muted": "its beginning was not heard, because the robot was speaking",
    "off_grammar": "it is no sentence of the grammar",
    "low_confidence": "the recogniser is less sure of it than min_confidence",
    "empty": "no words were heard",
    "filler": "only hesitation, a laugh or a remark: hmm, haha, okay",
    "no_speech": "whisper says that it is no speech",
    "unlikely": "whisper's words are a guess",
    "repeated": "whisper's text says the same again and again, which is a fault of its decoder",
    "language": "it is in a language that is not among asr.languages",
    "too_long": "it was longer than max_s",
}
