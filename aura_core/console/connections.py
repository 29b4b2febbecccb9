"""Connections of strangers: bounded in number and in time, so that they keep nobody out.

Everything that has not entered is a stranger: what asks for nothing, what asks for files again and
again, and a web socket that has not said who it is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    import ssl

    from aiohttp import web

    from aura_core.console.complaints import Complaints

LOOK_S = 1.0
PAUSE_S = 1.0  # nothing is accepted for so long after the system has refused


@dataclass(frozen=True)
class Bounds:
    """Of connections that have not entered.

    Attributes:
        most: of all addresses together.
        most_of_one: of one address.
        wait_s: seconds in which a connection must make its request, and after it the next one.
    """

    most: int
    most_of_one: int
    wait_s: float

    @classmethod
    def of(cls, pages: int, wait_s: float) -> Bounds:
        """Those of a server for so many pages. A browser opens six connections for a page."""
        return cls(max(12, 5 * pages), max(8, 4 * pages), wait_s)


@dataclass(eq=False)
class _Stranger:
    """A connection that has not entered."""

    address: str
    beginning: asyncio.Task[object]  # it is accepted, and agrees on its encryption
    since_s: float  # when it was accepted, or has made its newest request
    lasts: bool = False  # a web socket: it has its own time limit


class Connections:
    """Those that have not entered, the one that was quiet for longest first.

    Of too many the oldest of the address with most of them is closed.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._loop = asyncio.get_running_loop()
        self._strangers: dict[asyncio.Protocol, _Stranger] = {}

    def add(
        self, protocol: asyncio.Protocol, address: str, beginning: asyncio.Task[object]
    ) -> None:
        """A connection was accepted, and has its transport when `beginning` is done."""
        self._sweep()
        counts = Counter(one.address for one in self._strangers.values())
        if counts[address] >= self._bounds.most_of_one:
            self._close_of(address)
        elif len(self._strangers) >= self._bounds.most:
            self._close_of(counts.most_common(1)[0][0])
        self._strangers[protocol] = _Stranger(address, beginning, self._loop.time())

    def asked(self, protocol: asyncio.Protocol | None, lasts: bool = False) -> None:
        """A connection has made a request. `lasts`: it is a web socket now."""
        if protocol is not None and (one := self._strangers.pop(protocol, None)) is not None:
            one.since_s, one.lasts = self._loop.time(), lasts
            self._strangers[protocol] = one  # to the end

    def remove(self, protocol: asyncio.Protocol | None) -> None:
        """A connection has entered, and others look after it; or it is gone."""
        if protocol is not None:
            self._strangers.pop(protocol, None)

    def shed(self) -> None:
        """Close the older half: there is no room for others."""
        self._sweep()
        for protocol in list(self._strangers)[: (len(self._strangers) + 1) // 2]:
            self._close(protocol)

    async def tend(self) -> None:
        """Close those that wait too long, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._sweep()
            until_s = self._loop.time() - self._bounds.wait_s
            late = [k for k, v in self._strangers.items() if v.since_s < until_s and not v.lasts]
            for protocol in late:
                self._close(protocol)

    def _sweep(self) -> None:
        """Let go of those that have ended by themselves."""
        for protocol, one in list(self._strangers.items()):
            if one.beginning.done() and _transport(protocol) is None:
                del self._strangers[protocol]

    def _close_of(self, address: str) -> None:
        """Close the oldest of an address; web sockets, which are told why they end, last of all."""
        own = [(v.lasts, k) for k, v in self._strangers.items() if v.address == address]
        self._close(min(own, key=lambda one: one[0])[1])

    def _close(self, protocol: asyncio.Protocol) -> None:
        one = self._strangers.pop(protocol)
        one.beginning.cancel()
        if (transport := _transport(protocol)) is not None:
            transport.abort()


def _transport(protocol: asyncio.Protocol) -> asyncio.Transport | None:
    """The transport of a connection; None: it has not begun, or is gone."""
    return getattr(protocol, "transport", None)


class _Door:
    """Accepts connections.

    asyncio's own server logs a hundred tracebacks a second when the system has no file descriptor
    left, and makes itself accept in a hundred places at once.
    """

    def __init__(
        self,
        server: web.Server,
        listening: socket.socket,
        connections: Connections,
        complaints: Complaints,
        tls: ssl.SSLContext | None,
        handshake_s: float,
    ) -> None:
        self._server, self._listening, self._tls = server, listening, tls
        self._connections, self._complaints = connections, complaints
        self._limit = {} if tls is None else {"ssl_handshake_timeout": handshake_s}
        self._loop = asyncio.get_running_loop()
        self._beginning: set[asyncio.Task[object]] = set()

    async def accept(self) -> None:
        """Accept for ever."""
        while True:
            try:
                accepted, address = await self._loop.sock_accept(self._listening)
            except ConnectionError:  # it is gone already
                continue
            except OSError as e:
                self._connections.shed()
                line = f"a connection could not be accepted: {e.strerror}; the oldest are closed"
                self._complaints.warn("accept", line)
                await asyncio.sleep(PAUSE_S)
            else:
                self._begin(accepted, str(address[0]))

    async def close(self) -> None:
        """End those that still agree on their encryption; the others are the server's."""
        for task in self._beginning:
            task.cancel()
        await asyncio.gather(*self._beginning, return_exceptions=True)

    def _begin(self, accepted: socket.socket, address: str) -> None:
        protocol = self._server()
        beginning = self._loop.create_task(
            self._loop.connect_accepted_socket(
                lambda: protocol, accepted, ssl=self._tls, **self._limit
            )
        )
        self._connections.add(protocol, address, beginning)
        self._beginning.add(beginning)

        def begun(task: asyncio.Task[object]) -> None:
            self._beginning.discard(task)
            if not task.cancelled() and (error := task.exception()) is None:
                return
            accepted.close()
            self._connections.remove(protocol)
            if not task.cancelled() and not isinstance(error, OSError):
                raise error

        beginning.add_done_callback(begun)


@asynccontextmanager
async def accepted(
    server: web.Server,
    listening: socket.socket,
    bounds: Bounds,
    complaints: Complaints,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Connections]:
    """Accept connections of a socket, bounded as `bounds` says; those over TLS agree on their
    encryption within `wait_s` seconds. At the end the socket is closed.

    Where the system refuses one (no file descriptor is left), one line is logged and nothing is
    accepted for a moment.
    """
    listening.setblocking(False)
    connections = Connections(bounds)
    door = _Door(server, listening, connections, complaints, tls, bounds.wait_s)
    tasks = [asyncio.create_task(door.accept()), asyncio.create_task(connections.tend())]
    try:
        yield connections
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await door.close()
        listening.close()
