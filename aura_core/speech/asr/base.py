"""The interface of every recogniser, and its result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError
from aura_core.speech.resample import Resampler
from aura_core.speech.types import Audio

RATE = 16_000


@dataclass(frozen=True)
class Recognition:
    """The words that were recognised.

    `confidence` is in [0, 1]. `in_grammar` is False for speech that matches no sentence of the
    grammar. `reason` says why the recogniser itself does not take the sound for words of the user:
    no_speech, repeated, unlikely, language; "" if it does. `language` is a code of two letters, ""
    where the recogniser cannot tell. `called` says whether the wake phrase is in the sound; if so,
    `text` has it in its usual spelling. None: the words decide.
    """

    text: str
    confidence: float = 1.0
    in_grammar: bool = True
    reason: str = ""
    language: str = ""
    called: bool | None = None


class Recognizer(Protocol):
    """Recognises one utterance at a time.

    Call `begin`, then `feed` as the sound comes, then `finish`.
    """

    def begin(self) -> None:
        """Begin a new utterance. One that is under way is dropped."""
        ...

    def feed(self, samples: NDArray[np.int16]) -> str | None:
        """Add samples (n,) int16 at 16 kHz, and return the words so far.

        None means that there are no words yet, or that the backend gives no partial results.
        """
        ...

    def finish(self) -> Recognition:
        """End the utterance, and return its words."""
        ...


def transcribe(recognizer: Recognizer, audio: Audio, piece: int = 1_600) -> Recognition:
    """Return the words of a whole sound of any rate, fed in pieces of `piece` samples.

    Raises InputError where the sound is not mono int16 (n,).
    """
    samples = audio.samples
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise InputError(f"audio must be mono int16 (n,), not {samples.dtype} {samples.shape}")
    if audio.rate != RATE:
        resampler = Resampler(audio.rate, RATE)
        samples = np.concatenate([resampler.push(samples), resampler.flush()])
    recognizer.begin()
    for start in range(0, len(samples), piece):
        recognizer.feed(samples[start : start + piece])
    return recognizer.finish()


class BufferedUtterance(ABC):
    """Base of backends that transcribe the whole utterance at once.

    `recognise` keeps nothing between two calls, so it may run on another thread.
    """

    def __init__(self) -> None:
        self._pieces: list[NDArray[np.int16]] = []

    @abstractmethod
    def recognise(self, samples: NDArray[np.int16]) -> Recognition:
        """Return the words of samples (n,) int16 at 16 kHz."""

    def begin(self) -> None:
        self._pieces = []

    def feed(self, samples: NDArray[np.int16]) -> str | None:
        self._pieces.append(samples)
        return None

    def finish(self) -> Recognition:
        pieces, self._pieces = self._pieces, []
        return self.recognise(np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int16))


def as_float(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return int16 samples as float32 in [-1, 1)."""
    return samples.astype(np.float32) / 32768.0
