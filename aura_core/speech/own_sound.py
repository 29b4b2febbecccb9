"""How much of what the microphone hears is the robot's own voice.

An echo canceller follows a room that stays as it is. When the loudspeaker runs out of sound for a
moment, as on a busy machine, the echo comes at another time than before, and passes for a second
until the canceller has learnt it. It is a clear voice then, and so the VAD takes it for a user.
Two facts tell the two apart: that the loudspeaker's sound has jumped, and that the loudspeaker's
sound, delayed, explains what the microphone hears as well as it does when nobody else speaks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
WINDOW = 2048  # samples of the microphone that are compared: 128 ms
DELAY = 3072  # samples by which the echo may come later: 192 ms
_FFT = 8192  # at least WINDOW + DELAY + WINDOW
_FAINT = 1e5  # energy of the window below which nothing is explained: 7 steps of a sample

NO_USER = 0.2  # p(voice) below which the microphone is taken to hear the robot alone
LEARNT, LEAST = 60, 20  # shares that are remembered, and how many of them are needed
RARELY = 0.05  # of the time when the robot alone speaks, its share is lower than the limit
EVERY = 3  # of the frames without a voice every third is compared


@dataclass(frozen=True)
class EchoState:
    """What an echo canceller knows of the newest sound.

    Attributes:
        settled: the loudspeaker's sound has not jumped lately, so its echo is cancelled.
        own: gives the part of the microphone's sound that is the loudspeaker's, delayed, as the
            highest absolute value of their normalised cross-correlation, [0, 1]. It costs some
            tenths of a millisecond.
    """

    settled: bool
    own: Callable[[], float]


class OwnSound:
    """The newest sound of microphone and loudspeaker, at `RATE`, sample by sample."""

    def __init__(self) -> None:
        self._near = np.zeros(WINDOW, np.float32)
        self._far = np.zeros(WINDOW + DELAY, np.float32)

    def push(self, near: NDArray[np.int16], far: NDArray[np.int16]) -> None:
        """Add what the microphone heard, (n,), and what the loudspeaker played then, (n,)."""
        for held, new in ((self._near, near), (self._far, far)):
            n = min(len(new), len(held))
            held[: len(held) - n] = held[n:].copy()
            held[len(held) - n :] = new[len(new) - n :]

    def share(self) -> float:
        """See `EchoState.own`."""
        spectrum = np.fft.rfft(self._far, _FFT) * np.conj(np.fft.rfft(self._near, _FFT))
        products = np.fft.irfft(spectrum, _FFT)[: DELAY + 1]
        energy = np.concatenate([[0.0], np.cumsum(np.square(self._far, dtype=np.float64))])
        own = float(np.sum(np.square(self._near, dtype=np.float64)))
        norms = np.sqrt((energy[WINDOW:] - energy[:-WINDOW]) * own + _FAINT**2)
        return float((np.abs(products) / norms).max())


class Doubt:
    """Decides whether a voice that is heard while the robot speaks may be a user's."""

    def __init__(self) -> None:
        self._shares: deque[float] = deque(maxlen=LEARNT)
        self._frames = 0

    def voice(self, probability: float, echo: EchoState) -> float:
        """The p(voice) of a frame: as it is, or 0 where it may well be the robot's own voice."""
        self._frames += 1
        if probability < NO_USER:
            if echo.settled and self._frames % EVERY == 0 and (share := echo.own()) > 0.0:
                self._shares.append(share)
            return probability
        return probability if echo.settled and echo.own() < self._limit() else 0.0

    def _limit(self) -> float:
        """From this share on it is no user. None is so high until enough was learnt."""
        if len(self._shares) < LEAST:
            return 2.0
        return float(np.quantile(self._shares, RARELY))
