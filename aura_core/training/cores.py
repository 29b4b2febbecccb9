"""The number of processor cores that this process may use."""

from __future__ import annotations

import os


def cores() -> int:
    """Return the number of cores that the process is allowed to run on.

    On a shared machine they may be fewer than the machine has.
    """
    return len(os.sched_getaffinity(0))
