"""Futures of several streams as one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def gathered(futures: Sequence[Future[T]], together: Callable[[list[T]], R]) -> Future[R]:
    """A future of all `futures`: what `together` makes of their results, or the first error."""
    left, lock = len(futures), threading.Lock()
    whole: Future[R] = Future()

    def one_more(_: Future[T]) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            errors = [e for f in futures if (e := f.exception()) is not None]
            if errors:
                whole.set_exception(errors[0])
            else:
                whole.set_result(together([f.result() for f in futures]))

    for future in futures:
        future.add_done_callback(one_more)
    return whole
