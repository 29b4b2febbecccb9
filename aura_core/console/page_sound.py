"""The sound of a page, with stamps: it comes in bursts, and has no gaps of its own."""

from __future__ import annotations

import numpy as np

from aura_core.speech.types import Audio
from aura_core.types import NS

_GAP_NS = NS // 2  # sound that is later than this follows a gap


class PageSound:
    """Gives the sound of a page its stamps, by the clock of who takes it."""

    def __init__(self) -> None:
        self._rate, self._next_ns = 0, 0  # samples a second, and the stamp of the next one

    def begin(self, rate: int) -> None:
        """A page begins to send samples of this rate; 0: it has ended."""
        self._rate, self._next_ns = rate, 0

    def take(self, samples: bytes, now_ns: int) -> Audio | None:
        """The sound that came at `now_ns`; None where there is none.

        Args:
            samples: signed 16-bit little-endian samples, one channel.
        """
        rate = self._rate
        sound = np.frombuffer(samples[: len(samples) & ~1], "<i2").astype(np.int16)
        if not rate or not len(sound):
            return None
        length_ns = len(sound) * NS // rate
        begins_ns = now_ns - length_ns
        if begins_ns - self._next_ns > _GAP_NS:  # some was lost
            self._next_ns = begins_ns
        audio = Audio(sound, rate, self._next_ns)
        self._next_ns += length_ns
        return audio
