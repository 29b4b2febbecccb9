"""Background requests, one at a time: the server reads the next window while nobody waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from aura_core.errors import AuraError
from aura_core.models.server.counters import Counters

_log = logging.getLogger(__name__)
Job = Callable[[], None]


class Warmer:
    """One daemon thread, started with the first job. Of each session only the newest job waits."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._jobs: dict[int, Job] = {}
        self._changed = threading.Condition()
        self._busy = self._closed = False
        self._thread: threading.Thread | None = None

    def submit(self, key: int, job: Job) -> None:
        """Run `job` soon. A job with the same `key` that still waits is dropped."""
        with self._changed:
            if self._closed:
                return
            if self._jobs.pop(key, None) is not None:
                self._counters.add(warm_skipped=1)
            self._jobs[key] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="aura warmer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is left to do. Returns False when it takes longer than `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, timeout_s)

    def close(self) -> None:
        """Take no more jobs. The running one is not waited for."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._jobs or self._closed)
                if self._closed:
                    return
                job = self._jobs.pop(next(iter(self._jobs)))
                self._busy = True
            self._counters.add(warm_requests=1)
            try:
                job()
            except AuraError as e:  # if it lasts, the decision that needs this prefix reports it
                _log.warning("a background request failed: %s", e)
                self._counters.add(warm_failures=1)
