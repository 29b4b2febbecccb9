"""How much sound a device has to hold so that it does not run dry.

A device that holds little answers soon, and stutters where the machine is busy: each stutter is a
gap in a word, and a jump that an echo canceller has to learn. So it begins with the least it
offers, and holds half as much again after it has stuttered several times in a short while.
"""

from __future__ import annotations

from collections import deque

FIRST_S, MOST_S = 0.04, 0.12  # after the first stutters; beyond this a user waits too long
MORE = 1.5
STUTTERS, WITHIN_S = 3, 10.0  # so many in so long a time ask for more


class Steadying:
    """The length of sound that a device shall hold.

    Args:
        fixed_s: length that the user has set, in seconds; it stays. None: chosen here.

    Attributes:
        latency_s: what the device is to be opened with, in seconds; None: the least it offers.
    """

    def __init__(self, fixed_s: float | None = None) -> None:
        self.latency_s = fixed_s
        self._fixed = fixed_s is not None
        self._at_s: deque[float] = deque(maxlen=STUTTERS)

    @property
    def chosen_s(self) -> float:
        """`latency_s` where it was chosen here, else 0."""
        return 0.0 if self._fixed else self.latency_s or 0.0

    def stuttered(self, now_s: float) -> None:
        """The device has run dry, or lost sound, at a time of any steady clock, in seconds."""
        self._at_s.append(now_s)

    @property
    def _most(self) -> bool:
        return self._fixed or (self.latency_s or 0.0) >= MOST_S

    def wants_more(self) -> bool:
        """Whether the device should be opened again with more (`more`)."""
        often = len(self._at_s) == STUTTERS and self._at_s[-1] - self._at_s[0] <= WITHIN_S
        return often and not self._most

    def more(self, held_s: float) -> float:
        """Choose more than the device holds now, in seconds. Returns the new `latency_s`."""
        self.latency_s = min(MOST_S, max(FIRST_S, MORE * held_s, MORE * (self.latency_s or 0.0)))
        self._at_s.clear()
        return self.latency_s
