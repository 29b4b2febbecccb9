"""Connections that ask for nothing: bounded in number and in time, so that they keep nobody out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    import ssl

    from aiohttp import web

LOOK_S = 1.0


class Connections:
    """Makes the protocol of each connection that is accepted; the factory of `create_server`.

    Of more than `most` that have asked for nothing yet, the oldest one is closed, and each one
    after `wait_s` seconds.
    """

    def __init__(self, server: web.Server, most: int, wait_s: float) -> None:
        self._server, self._most, self._wait_s = server, most, wait_s
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[asyncio.Protocol, float] = {}  # when it was accepted; the oldest first

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        if len(self._waiting) >= self._most:
            self._close(next(iter(self._waiting)))
        protocol = self._server()
        self._waiting[protocol] = self._loop.time()
        return protocol

    def asked(self, protocol: asyncio.Protocol | None) -> None:
        """A connection has made a request: from now on others look after it."""
        if protocol is not None:
            self._waiting.pop(protocol, None)

    async def tend(self) -> None:
        """Close those that wait too long, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            until_s = self._loop.time() - self._wait_s
            for protocol in [p for p, since_s in self._waiting.items() if since_s < until_s]:
                self._close(protocol)

    def _close(self, protocol: asyncio.Protocol) -> None:
        del self._waiting[protocol]
        if getattr(protocol, "transport", None) is None:  # just accepted: it has none yet
            self._loop.call_later(LOOK_S, _abort, protocol)
        else:
            _abort(protocol)


@asynccontextmanager
async def accepted(
    server: web.Server,
    listening: socket.socket,
    most: int,
    wait_s: float,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Connections]:
    """Accept connections of a socket, bounded as `Connections` says; those over TLS agree on their
    encryption within `wait_s` seconds. At the end the socket is closed."""
    loop = asyncio.get_running_loop()
    connections = Connections(server, most, wait_s)
    limit = {} if tls is None else {"ssl_handshake_timeout": wait_s}
    site = await loop.create_server(connections, sock=listening, ssl=tls, **limit)
    tending = asyncio.create_task(connections.tend())
    try:
        yield connections
    finally:
        site.close()
        tending.cancel()


def _abort(protocol: asyncio.Protocol) -> None:
    # None: it is gone, or still agrees on its encryption, which has a time limit of its own
    if (transport := getattr(protocol, "transport", None)) is not None:
        transport.abort()
