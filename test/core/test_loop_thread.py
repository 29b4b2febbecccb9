"""A loop on a thread of its own: it begins, fails or ends, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

import pytest

from aura_core.console.loop_thread import LoopThread


def test_it_serves_until_it_is_stopped_and_may_begin_again() -> None:
    seen: list[str] = []

    async def serve(begun: Callable[[], None], stopping: asyncio.Event) -> None:
        seen.append(threading.current_thread().name)
        begun()
        await stopping.wait()
        seen.append("ended")

    one = LoopThread("a server", serve)
    one.stop()
    for _ in range(2):
        one.start()
        one.stop()
    assert seen == ["a server", "ended"] * 2


@pytest.mark.parametrize("error", [OSError("no such address"), KeyboardInterrupt()])
def test_what_fails_before_it_serves_is_raised(error: BaseException) -> None:
    async def serve(begun: Callable[[], None], stopping: asyncio.Event) -> None:
        raise error

    listening = socket.socket()
    one = LoopThread("a server", serve, listening)
    with pytest.raises(type(error)):
        one.start()
    one.stop()
    assert listening.fileno() == -1, "it is closed"


def test_one_that_ends_by_itself_can_be_stopped() -> None:
    async def serve(begun: Callable[[], None], stopping: asyncio.Event) -> None:
        begun()

    one = LoopThread("a server", serve)
    one.start()
    one.stop()

    async def forgets(begun: Callable[[], None], stopping: asyncio.Event) -> None:
        """It returns without having begun."""

    LoopThread("a server", forgets).start()
