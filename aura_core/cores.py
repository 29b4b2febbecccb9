"""The number of processor cores of this process, and the number of threads that a model gets."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
# Parameters of a small model: its matrix products end before a second thread has woken up.
SMALL = 50_000_000


def cores(cgroup: Path = CGROUP) -> int:
    """Number of cores that this process may use; at least 1.

    It is limited by the process's CPU affinity and by the CPU quota of its container (`cgroup`,
    version 2 or 1).
    """
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(cgroup)
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def model_threads(parameters: int, asked: int | None = None) -> int:
    """Number of CPU threads for a model.

    Args:
        parameters: number of the model's parameters.
        asked: the setting `model.threads`; None or 0: automatic, which is 1 for a small model and
            else all cores but one.

    torch's own choice is every core. Its threads wait for each other within each operation, so one
    other busy process stops all of them: a step of `aura_tiny` then takes a hundred times as long.
    `OMP_NUM_THREADS` limits the automatic number; a launcher of several processes sets it to share
    the cores.
    """
    if asked:
        return asked
    threads = 1 if parameters < SMALL else max(1, cores() - 1)
    limit = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(threads, int(limit)) if limit.isdigit() and int(limit) else threads


def _quota(cgroup: Path) -> float | None:
    """The container's CPU quota in cores; None where there is no limit."""
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
