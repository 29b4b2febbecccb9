"""Ends a process that does not end after a signal: it may hang in a driver, or in the middleware.

Seen once in many runs: a node hung at Ctrl-C after another node of its topic had been killed on a
busy machine.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading

LIMIT_S = 10.0  # nodes need up to 1.5 s; on a busy machine more


class Leaving:
    """From the first SIGINT or SIGTERM on, the process has `limit_s` seconds.

    Then it writes where each of its threads is, and ends with code 0, as a signal should. It
    notices a signal also where the main thread is in a call that lets no Python run.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._ended = threading.Event()
        self._read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="leaving", daemon=True).start()

    def ended(self) -> None:
        """All work has ended: what comes now is short."""
        self._ended.set()

    def _watch(self) -> None:
        while os.read(self._read, 1)[0] not in (signal.SIGINT, signal.SIGTERM):
            pass
        if self._ended.wait(self._limit_s):
            return
        print(
            f"warning: the process did not end within {self._limit_s:g} s of the signal and is"
            " ended now; its threads are here:",
            file=sys.stderr,
            flush=True,
        )
        faulthandler.dump_traceback()
        os._exit(0)
