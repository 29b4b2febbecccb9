"""Who may write into a stage's folder: one run, with its worker processes.

    .lock      held by the run alone
    .writers   held by the run, and inherited by its worker processes

A run that is killed leaves its workers behind for a moment (`orphans.py`), and they may still
finish a file. The operating system frees a lock when the last process that holds it has ended,
however it ended. So a run that has got `.lock` waits for `.writers` too. From then on nobody else
writes, and what was left half-written can be removed.
"""

from __future__ import annotations

import fcntl
import os
import time
from multiprocessing import reduction
from pathlib import Path
from typing import Any

from aura_core.errors import InputError

WAIT_S = 60.0  # for the workers of a run that was killed: they notice it within a second


class Writers:
    """The lock that worker processes inherit: pickle it for a process that is being started."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __reduce__(self) -> tuple[Any, ...]:
        return _inherited, (reduction.DupFd(self.fd),)


def _inherited(handle: Any) -> Writers:
    return Writers(handle.detach())


class Lock:
    """Keeps a second run from writing into a folder. It raises `InputError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Writers:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._run = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        if not _locked(self._run):
            os.close(self._run)
            raise InputError(f"{self._folder}: another run is writing here; wait for it or end it")
        self._writers = os.open(self._folder / ".writers", os.O_RDWR | os.O_CREAT, 0o644)
        end = time.monotonic() + WAIT_S
        while not _locked(self._writers):
            if time.monotonic() > end:
                self.__exit__()
                raise InputError(
                    f"{self._folder}: processes of a run that has ended still write here; end them"
                    " and run again"
                )
            time.sleep(0.02)
        return Writers(self._writers)

    def __exit__(self, *_: object) -> None:
        # by closing, not by unlocking: that would free the lock for the processes that inherited it
        os.close(self._writers)
        os.close(self._run)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
