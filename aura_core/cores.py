"""How many processor cores this process may use, and how many threads a model gets of them."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
# Below this many parameters a matrix product is over before a second thread has woken up.
SMALL = 50_000_000


def cores(cgroup: Path = CGROUP) -> int:
    """Those it is allowed to run on and has the time for: its affinity, and the CPU quota of its
    container (`cgroup`: version 2, or 1); at least 1."""
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def model_threads(parameters: int, asked: int | None = None) -> int:
    """CPU threads for a model of so many parameters. `asked`: the setting `model.threads`, None or
    0 for automatic: 1 for a small model, else all cores but one.

    torch's own choice is every core. Its threads wait for each other within each operation, so that
    one busy neighbour stops all of them: a step of `aura_tiny` then takes a hundred times as long.
    `OMP_NUM_THREADS`, by which a launcher of several processes shares the cores out, is a limit.
    """
    if asked:
        return asked
    threads = 1 if parameters < SMALL else max(1, cores() - 1)
    limit = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(threads, int(limit)) if limit.isdigit() and int(limit) else threads


def _quota(cgroup: Path) -> float | None:
    """Cores' worth of time in a second; None where there is no limit."""
    try:
        if (cgroup / "cpu.max").exists():
            quota, period = (cgroup / "cpu.max").read_text().split()
        else:
            quota, period = (
                (cgroup / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
        return float(quota) / float(period) if float(quota) > 0 else None
    except (OSError, ValueError):  # no such file, or "max"
        return None
