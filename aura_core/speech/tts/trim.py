"""Removes the silence around a sentence.

The answer then sounds sooner, and the microphone is muted for a shorter time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from aura_core.speech.tts.base import Synthesizer
from aura_core.speech.types import Audio

_LOUD = 200  # of 32767: less than the softest sound of a voice
_BEFORE_S = 0.010  # silence kept before the first sound, where a soft consonant may begin
_AFTER_S = 0.120  # silence kept after the last sound, as the pause between two sentences


class Trimmed:
    """The sentences of another synthesiser, without the silence before and after them."""

    def __init__(self, voice: Synthesizer) -> None:
        self.rate = voice.rate
        self.description = voice.description
        self._voice = voice

    def speak(self, sentence: str) -> Iterator[Audio]:
        """See `Synthesizer.speak`. Silence is held back until sound follows it."""
        pieces = self._voice.speak(sentence)
        held = np.empty(0, np.int16)
        begun = False
        try:
            for piece in pieces:
                held = np.concatenate([held, piece.samples])
                loud = np.flatnonzero((held >= _LOUD) | (held <= -_LOUD))
                if not len(loud):
                    continue
                first = 0 if begun else max(0, int(loud[0]) - int(_BEFORE_S * self.rate))
                begun = True
                yield Audio(held[first : loud[-1] + 1], self.rate)
                held = held[loud[-1] + 1 :]
            if begun and len(held):
                yield Audio(held[: int(_AFTER_S * self.rate)], self.rate)
        finally:
            pieces.close()  # type: ignore[attr-defined]  # a generator: cancels the rest

    def close(self) -> None:
        """See `Synthesizer.close`."""
        self._voice.close()
