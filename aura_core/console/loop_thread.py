"""An asyncio loop on a thread of its own: it begins or says why not, and is ended from outside."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine

Serve = Callable[[Callable[[], None], asyncio.Event], Coroutine[object, object, None]]


class LoopThread:
    """Runs a coroutine until `stop`.

    Args:
        name: of the thread.
        serve: called on the loop with a function to call when it serves, and an event after which
            it has to return.
        listening: a socket that is closed at the end, however it comes.
    """

    def __init__(self, name: str, serve: Serve, listening: socket.socket | None = None) -> None:
        self._name, self._serve, self._listening = name, serve, listening
        self._begun = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def start(self) -> None:
        """Return when it serves. Raises what it raised before that."""
        self._begun.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._main, name=self._name, daemon=True)
        self._thread.start()
        self._begun.wait()
        if self._failure is not None:
            self._thread.join()
            self._thread = None
            raise self._failure

    def stop(self) -> None:
        """End it, and wait for the end. Nothing happens where it does not run."""
        if self._thread is None:
            return
        assert self._loop is not None and self._stopping is not None
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as e:
            if self._begun.is_set():
                raise  # a bug: the traceback is printed
            self._failure = e
        finally:
            if self._listening is not None:
                self._listening.close()
            self._begun.set()

    async def _run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        await self._serve(self._begun.set, self._stopping)
