"""Under which conditions something was measured: the machine, and the load beside it."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from aura_core.cores import cores


def conditions() -> dict[str, Any]:
    """The CPU, the cores of this process, and the machine's load average of the last minute."""
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "load_average": round(os.getloadavg()[0], 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def told(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The conditions in one line."""
    return (
        f"{before['cpu']}, {before['cores']} cores, load average {before['load_average']} at the"
        f" start and {after['load_average']} at the end, {before['system']},"
        f" Python {before['python']}"
    )


def _cpu(path: Path = Path("/proc/cpuinfo")) -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", path.read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()
