"""Lines of the log about what strangers do: one line each, and few of them, whatever they send."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from aura_core.words import shorten

EVERY_S = 60.0  # a kind of line is logged once in so long
LOOK_S = 1.0


class Complaints:
    """Logs the first line of a kind at once. Those of the same kind that come within `every_s`
    seconds are counted; the newest of them is logged with their number when the time is over.

    All of it is called on one loop. `now` is a steady clock in seconds.
    """

    def __init__(
        self,
        log: logging.Logger,
        every_s: float = EVERY_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._every_s, self._now = log, every_s, now
        self._told_s: dict[str, float] = {}  # by kind
        self._held: dict[str, tuple[int, str]] = {}  # how many were not logged, and the newest

    def warn(self, kind: str, line: str) -> None:
        """Log a line, or count it. `kind`: one of a few names."""
        now_s = self._now()
        if now_s - self._told_s.get(kind, -self._every_s) < self._every_s:
            self._held[kind] = self._held.get(kind, (0, ""))[0] + 1, line
            return
        self._told_s[kind] = now_s
        self._log.warning("%s", line)

    def tell(self, at_once: bool = False) -> None:
        """Log the lines that were counted and whose time is over; `at_once`: all of them."""
        now_s = self._now()
        for kind, (count, line) in list(self._held.items()):
            if at_once or now_s - self._told_s[kind] >= self._every_s:
                del self._held[kind]
                span_s = now_s - self._told_s[kind]
                self._told_s[kind] = now_s
                self._log.warning("%s (%d more like it in %.0f s)", line, count, span_s)

    async def tend(self) -> None:
        """Call `tell` now and then, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.tell()


class RequestLog(logging.LoggerAdapter):  # type: ignore[type-arg]
    """The log of aiohttp's server. A request that is no HTTP is one line, and no traceback.

    `malformed` are the errors of what is sent; others are bugs, and keep their tracebacks.
    """

    def __init__(
        self, log: logging.Logger, complaints: Complaints, malformed: type[Exception]
    ) -> None:
        super().__init__(log, {})
        self._complaints, self._malformed = complaints, malformed

    def exception(self, msg: object, *args: object, exc_info: Any = True, **kwargs: Any) -> None:
        """See `logging.Logger`."""
        if isinstance(exc_info, self._malformed):
            sender = f" from {args[0]}" if args else ""
            why = shorten(f"{type(exc_info).__name__}: {exc_info}", 120)
            self._complaints.warn("request", f"a malformed request{sender} was refused: {why}")
        else:
            super().exception(msg, *args, exc_info=exc_info, **kwargs)
