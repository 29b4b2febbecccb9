"""Who may write into a stage's folder: one run, with its worker processes.

    .lock      held by the run
    .writers   the run's name; a worker shares its lock while it makes a shard

A run that is killed leaves its workers behind for a moment, on this machine (`orphans.py`) or on
the others of a Ray cluster, and they may still finish a file. The operating system frees a lock
when the process that holds it has ended, however it ended. So a run that has got `.lock` waits
until no worker makes a shard any more, and writes its own name. A worker of an earlier run that
begins a shard later finds another name, and makes nothing. From then on nobody else writes, and
what was left half-written can be removed.

The locks are those of flock(2): a shared folder must keep them for all of its machines, as NFS on
Linux does.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aura_core.errors import InputError

WAIT_S = 60.0  # for the workers of a run that was killed: they notice it within a second


@dataclass(frozen=True)
class Writers:
    """The workers of one run of a folder. It may be pickled for any process and machine."""

    folder: Path
    run: str

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Keep other runs out while a shard is made.

        Raises `InputError` where the run has ended, so that nothing may be made for it.
        """
        ended = InputError(f"{self.folder}: the run of this worker has ended")
        try:
            file = (self.folder / ".writers").open("rb")
        except FileNotFoundError as e:
            raise ended from e
        with file:
            fcntl.flock(file, fcntl.LOCK_SH)  # a run holds it for itself only for a moment
            if file.read() != self.run.encode():
                raise ended
            yield


class Lock:
    """Keeps a second run from writing into a folder. It raises `InputError`.

    `writers` is for the run's worker processes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.writers = Writers(folder, uuid.uuid4().hex)

    def __enter__(self) -> Lock:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._held = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not self._locked(self._held):
                raise InputError(
                    f"{self._folder}: another run is writing here; wait for it or end it"
                )
            self._admit(self.writers.run)
        except BaseException:
            os.close(self._held)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._held)

    def settle(self) -> None:
        """Wait until no worker makes a shard. From then on none begins one."""
        self._admit("")

    def _admit(self, run: str) -> None:
        """Wait until no worker makes a shard. From then on only those of `run` may."""
        file = os.open(self._folder / ".writers", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            end = time.monotonic() + WAIT_S
            while not self._locked(file):
                if time.monotonic() > end:
                    raise InputError(
                        f"{self._folder}: processes of a run that has ended still write here; end"
                        " them and run again"
                    )
                time.sleep(0.02)
            os.ftruncate(file, 0)
            os.pwrite(file, run.encode(), 0)
        finally:
            os.close(file)

    def _locked(self, file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as e:
            raise InputError(f"{self._folder}: cannot be locked: {e.strerror}") from e
        return True
