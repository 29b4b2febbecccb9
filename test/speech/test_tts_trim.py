"""Silence around a sentence is removed; silence within it, and every sound, stays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from aura_core.speech.tts.trim import Trimmed
from aura_core.speech.types import Audio

RATE = 1000


class Voice:
    """Says a fixed sound in pieces."""

    rate, description = RATE, "made up"

    def __init__(self, sound: np.ndarray, piece: int) -> None:
        self.sound, self.piece, self.closed = sound, piece, False

    def speak(self, sentence: str) -> Iterator[Audio]:
        try:
            for start in range(0, len(self.sound), self.piece):
                yield Audio(self.sound[start : start + self.piece], RATE)
        finally:
            self.closed = True

    def close(self) -> None:
        pass


def runs(*lengths_and_levels: tuple[int, int]) -> np.ndarray:
    return np.concatenate([np.full(n, level, np.int16) for n, level in lengths_and_levels])


@pytest.mark.parametrize("piece", [1, 7, 64, 5000])
def test_what_stays(piece: int) -> None:
    voice = Voice(runs((211, 3), (50, -4000), (300, 0), (40, 5000), (301, -2)), piece)
    sound = np.concatenate([a.samples for a in Trimmed(voice).speak("x")])
    assert sound.tolist() == runs((10, 3), (50, -4000), (300, 0), (40, 5000), (120, -2)).tolist()


def test_silence_alone_is_nothing() -> None:
    assert list(Trimmed(Voice(runs((500, 10)), 100)).speak("x")) == []


def test_cancelling_reaches_the_voice() -> None:
    voice = Voice(runs((500, 4000)), 100)
    pieces = Trimmed(voice).speak("x")
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert voice.closed
