"""One assistant at a time writes its notes into a file: a lock beside it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from aura_core.errors import StoreError


class Owner:
    """Holds the lock of a file of notes until it is closed, or until the process ends.

    The lock is a file of its own: SQLite's locks on the database would be lost when another
    descriptor of it is closed.

    Raises:
        StoreError: another assistant has it.
    """

    def __init__(self, path: Path) -> None:
        self._fd = -1
        lock = path.with_name(path.name + ".lock")
        try:
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as e:
            raise StoreError(f"{lock}: cannot be made: {e.strerror}") from e
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            who = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise StoreError(
                f"{path}: another assistant writes its notes there (process {who}); give this one"
                " another memory.path"
            ) from e
        except OSError as e:
            os.close(fd)
            raise StoreError(f"{lock}: cannot be locked: {e.strerror}; use a local disk") from e
        self._fd = fd
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Give the lock back. The lock's file stays: another may be waiting for it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
