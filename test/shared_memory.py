"""What killed processes leave of Fast DDS in shared memory: 17 MB each, with our profile."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

FOLDER = Path("/dev/shm")
YOUNGEST_S = 10.0  # a process that starts makes its lock file a moment before it holds the lock
_LOCK = re.compile(r"(fastdds_[0-9a-f]{16})_el")


def sweep(since_s: float, now_s: float, folder: Path = FOLDER) -> list[Path]:
    """Delete the segments that no process holds any more, as `fastdds shm clean` does.

    A process holds the lock of its segment (`..._el`) until it ends, however it ends.

    Args:
        since_s, now_s: only what was made between, in seconds since the epoch: of this run.
        folder: where the segments are.

    Returns:
        The segments that were deleted.
    """
    gone = []
    for lock in sorted(folder.glob("fastdds_*_el")):
        name = _LOCK.fullmatch(lock.name)
        if name is None:
            continue
        segment = folder / name[1]
        try:
            made_s = lock.stat().st_mtime
            if not since_s <= made_s <= now_s - YOUNGEST_S:
                continue
            with lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                segment.unlink(missing_ok=True)
                os.unlink(lock)
        except OSError:  # held by a process, of another user, or deleted by another sweep
            continue
        gone.append(segment)
    return gone
