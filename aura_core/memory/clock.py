"""Whether the machine's clock was set: a computer that boots without the time, NTP, or a user.

A suspended machine is no such case: `steady_ns` goes on while it sleeps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

SET_NS = 50_000_000  # by less it is disciplined, and never goes back


def steady_ns() -> int:
    """A clock that nobody sets, in nanoseconds; it goes on while the machine is suspended."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


class ClockWatch:
    """Compares the wall clock with a steady one. For any thread.

    Args:
        apart: gives the wall clock less a clock that nobody sets, in nanoseconds; None: this
            machine's.
    """

    def __init__(self, apart: Callable[[], int] | None = None) -> None:
        self._now = apart or (lambda: time.time_ns() - steady_ns())
        self._lock = threading.Lock()
        self._apart = self._now()

    def set_by(self) -> int:
        """By how many nanoseconds the wall clock was set since the last call; 0: it was not."""
        with self._lock:
            before, self._apart = self._apart, self._now()
            by = self._apart - before
        return by if abs(by) >= SET_NS else 0
