"""Work on the same thing one after another, in the order in which it was asked for.

    pause on ──┐
    pause off ─┴─► turn "pause":      on, then off
    ask ─────────► turn of a page:    at the same time

What is asked for second may be done first where each command has a task and a thread of its own.
A turn ends when its work has ended, also where nobody waits for it any more: a thread cannot be
stopped, and what follows must not overtake it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

T = TypeVar("T")


class Turns:
    """Call it on one loop. What has different names does not wait for each other."""

    def __init__(self) -> None:
        self._newest: dict[Hashable, asyncio.Task[object]] = {}  # by name, while it is not done
        self._tasks: set[asyncio.Task[object]] = set()

    def begin(self, name: Hashable, work: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        """Do `work` when all that was begun with this name has ended."""
        task = asyncio.create_task(_after(self._newest.get(name), work))
        self._newest[name] = task  # type: ignore[assignment]
        self._tasks.add(task)  # type: ignore[arg-type]
        task.add_done_callback(lambda done: self._ended(name, done))
        return task

    async def take(self, name: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The same, and its result. Who waits may be cancelled; the work is not."""
        return await asyncio.shield(self.begin(name, work))

    async def close(self) -> None:
        """Cancel what has not ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, name: Hashable, task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)  # type: ignore[arg-type]
        if self._newest.get(name) is task:
            del self._newest[name]
        if not task.cancelled():
            task.exception()  # who waits is told; where nobody does, it is no news


async def _after(before: asyncio.Task[object] | None, work: Callable[[], Awaitable[T]]) -> T:
    if before is not None:
        await asyncio.wait([before])
    return await work()
