"""How many processor cores this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Those it is allowed to run on, which on a shared machine may be fewer than there are."""
    return len(os.sched_getaffinity(0))
