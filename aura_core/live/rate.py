"""How many questions each source may ask in a minute, live."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from aura_core.errors import InputError

MINUTE_S = 60.0


class Rate:
    """Takes at most `most` questions of each source in any minute. Thread-safe.

    Args:
        most: questions and watches a minute; 0: no limit.
        clock: seconds that never go back.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._clock, self._lock = clock, threading.Lock()
        self._taken_s: dict[str, deque[float]] = {}  # times of the newest minute, by source

    def take(self, source: str) -> None:
        """Count a question of `source`.

        Raises `InputError`, which names the limit, when the source has asked as many already.
        A question that is refused is not counted.
        """
        if not self.most:
            return
        with self._lock:
            now_s = self._clock()
            for known in list(self._taken_s):
                times = self._taken_s[known]
                while times and now_s - times[0] >= MINUTE_S:
                    times.popleft()
                if not times:
                    del self._taken_s[known]
            times = self._taken_s.setdefault(source, deque())
            if len(times) >= self.most:
                wait_s = max(1, math.ceil(MINUTE_S - (now_s - times[0])))
                of = f" from {source}" if source else ""
                raise InputError(
                    f"at most {self.most} questions a minute are taken{of}"
                    f" (generation.questions_per_minute); ask again in {wait_s} s"
                )
            times.append(now_s)
