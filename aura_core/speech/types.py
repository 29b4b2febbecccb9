"""What flows between microphone, ears, mouth and speaker. Frozen; times are integers in
nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

NS = 1_000_000_000


@dataclass(frozen=True, eq=False)
class Audio:
    """A run of sound: `samples` is mono int16 (n,), `rate` in Hz, `stamp_ns` the time of the first
    sample."""

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
    """What an utterance has become."""

    PARTIAL = "partial"  # still being spoken: the words so far
    FINAL = "final"  # a question for the assistant
    REJECTED = "rejected"  # not for the assistant, or not understood: see `reason`


@dataclass(frozen=True)
class Transcript:
    """Words of one utterance. `start_ns` and `end_ns` are the times of speech, without the silence
    around it.

    `confidence` is in [0, 1], 1 where a recogniser gives none. `reason` says why it was rejected:
    `no_wake_phrase`, `off_grammar`, `low_confidence`, `empty`, `too_long`, `failed: <why>`.
    """

    state: TranscriptState
    text: str
    confidence: float
    start_ns: int
    end_ns: int
    reason: str = ""
