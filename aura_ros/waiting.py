"""Waiting for other threads in an `async` callback, while the executor goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from typing import TypeVar

from rclpy.node import Node
from rclpy.task import Future

T = TypeVar("T")


async def done(node: Node, future: futures.Future[T]) -> T:
    """What another thread returns or raises."""
    answer: Future[T] = Future(executor=node.executor)

    def hand_over(done: futures.Future[T]) -> None:
        error = done.exception()
        if error is None:
            answer.set_result(done.result())
        else:
            answer.set_exception(error)

    future.add_done_callback(hand_over)
    return await answer


async def in_thread(node: Node, work: Callable[[], T]) -> T:
    """Do `work` in a thread of its own; what it returns or raises."""
    future: futures.Future[T] = futures.Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as e:  # it is raised again where the caller waits
            future.set_exception(e)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="transition", daemon=True).start()
    return await done(node, future)
