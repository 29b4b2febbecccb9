"""One lock for each key: threads with the same key wait for one another, others do not."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from weakref import WeakValueDictionary


class Locks:
    """Use `with locks.of(key):`. A lock exists as long as a thread holds it or waits for it."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[Hashable, _Held] = WeakValueDictionary()
        self._lock = threading.Lock()

    def of(self, key: Hashable) -> _Held:
        """Return the lock of `key`."""
        with self._lock:
            held = self._known.get(key)
            if held is None:
                held = self._known[key] = _Held()
            return held


class _Held:
    """A `threading.Lock` as a context manager.

    The `with` statement keeps a reference to it, so that the weak dictionary does not drop it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
