"""A lock for each key: threads that want the same thing wait for one of them, all others go on."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from weakref import WeakValueDictionary


class Locks:
    """`with locks.of(key)`. A lock lives as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[Hashable, _Held] = WeakValueDictionary()
        self._lock = threading.Lock()

    def of(self, key: Hashable) -> _Held:
        """The lock of `key`."""
        with self._lock:
            held = self._known.get(key)
            if held is None:
                held = self._known[key] = _Held()
            return held


class _Held:
    """`threading.Lock`, held for the length of a `with`. `with locks.of(key)` keeps it alive
    meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
