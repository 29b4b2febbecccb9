"""What is wrong with a server and lasts, although it answers: said once, shown until it ends."""

from __future__ import annotations

import logging
import threading

_log = logging.getLogger(__name__)


class Condition:
    """The lasting troubles of one server, each under a name. Thread-safe.

    A trouble is logged when it is new, not each second.
    """

    def __init__(self) -> None:
        self._troubles: dict[str, str] = {}
        self._lock = threading.Lock()

    def say(self, name: str, trouble: str) -> None:
        """Begin a trouble: one line with its cause and what to do. A known one stays as it is."""
        with self._lock:
            if name in self._troubles:
                return
            self._troubles[name] = trouble
        _log.warning("%s", trouble)

    def end(self, name: str) -> None:
        """End a trouble."""
        with self._lock:
            self._troubles.pop(name, None)

    @property
    def trouble(self) -> str:
        """All troubles, separated by "; "; "" where there is none."""
        with self._lock:
            return "; ".join(self._troubles.values())
