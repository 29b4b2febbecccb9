"""Talk that goes on in the room: a television, a conversation. A user must be louder than that."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

OVER_DB = 8.0  # a voice that is louder by this is another one
LEARN_FRAMES = 250  # 8 s: talk without a pause for so long may be background
# The same for a shorter time. Nobody becomes so much louder within a sentence, but a user near the
# microphone is so much louder than talk in the next room.
FAR_OVER_DB, SOON_FRAMES = 14.0, 48
NEWEST_FRAMES = 16  # 0.5 s: may already be the louder voice, and are not learnt from
KEPT_FRAMES = 940  # 30 s
FORGET_FRAMES = 47  # 1.5 s without a voice: the talk has ended
SMOOTHED = 4  # frames of 32 ms whose mean power is compared
# Percentile of the levels that stands for the talk: its pauses do not count, nor do words of a user
# that are among it already.
LOUD = 70
EVERY = 16  # frames after which the level of the talk under way is computed again


class Background:
    """Follows the level of the talk.

    `level` is in dB of one step of a sample, or None while no talk is known to go on.
    """

    def __init__(self) -> None:
        self.level: float | None = None
        self._powers: deque[float] = deque(maxlen=SMOOTHED)
        self._levels: deque[float] = deque(maxlen=KEPT_FRAMES)
        self._silent = 0
        self._maybe: float | None = None

    def measure(self, frame: NDArray[np.int16], voice: bool) -> float:
        """Return the level of the newest four frames in dB.

        `voice` tells whether the frame holds a voice; without one for some seconds the talk is
        forgotten.
        """
        self._powers.append(float(np.mean(np.square(frame, dtype=np.float32))))
        self._silent = 0 if voice else self._silent + 1
        if self._silent >= FORGET_FRAMES:
            self.level = None
        return 10.0 * float(np.log10(max(np.mean(self._powers), 1e-3)))

    def begin(self) -> None:
        """An utterance begins."""
        self._levels.clear()
        self._maybe = None

    def learn(self, level: float) -> None:
        """Take the level of a frame with a voice, of the utterance under way."""
        self._levels.append(level)
        if len(self._levels) < SOON_FRAMES or len(self._levels) % EVERY:
            return
        levels = list(self._levels)
        talk = self._loudness(levels[:-NEWEST_FRAMES])
        # A louder voice that has begun already would be cut: it is too late to tell the two apart.
        if self._loudness(levels[-NEWEST_FRAMES:]) < talk + self._margin:
            self._maybe = talk

    def settle(self) -> None:
        """The utterance under way is talk, and goes on."""
        if self._levels:
            self.level = self._loudness(list(self._levels))

    @property
    def under_way(self) -> float | None:
        """The level of the talk, or of an utterance that lasts so long that it may be talk."""
        return self._maybe if self.level is None else self.level

    def is_over(self, level: float) -> bool:
        """Whether a voice of this level is another one than the talk under way."""
        talk = self.under_way
        return talk is None or level >= talk + self._margin

    @property
    def _margin(self) -> float:
        """How much louder another voice is [dB]."""
        known = self.level is not None or len(self._levels) >= LEARN_FRAMES
        return OVER_DB if known else FAR_OVER_DB

    def is_still_over(self, level: float) -> bool:
        """The same for the quieter parts of a voice that was louder."""
        return self.level is None or level >= self.level + OVER_DB / 2

    @staticmethod
    def _loudness(levels: list[float]) -> float:
        return float(np.percentile(levels, LOUD))


def quietest(frames: list[NDArray[np.int16]]) -> int:
    """Return the number of frames before the quietest point in the last third; the last of several.

    Talk is cut there, because a word is hardly ever spoken at its quietest point.
    """
    powers = np.array([np.mean(np.square(f, dtype=np.float32)) for f in frames])
    first, best = len(frames) * 2 // 3, len(frames)
    least = np.inf
    for k in range(max(first, 1), len(frames) + 1):
        power = float(np.mean(powers[max(k - 3, 0) : k + 3]))
        if power <= least:
            best, least = k, power
    return best
