"""The server's clock, which all times of the console's messages are of."""

from __future__ import annotations

import time

MS = 1_000_000  # nanoseconds


def now_ms() -> float:
    """This machine's wall clock, in milliseconds since the UNIX epoch."""
    return time.time_ns() / MS
