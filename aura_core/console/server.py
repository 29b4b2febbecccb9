"""The console's server: the page, and one web socket for each page that is open.

It has a thread and a loop of its own, so that it never waits for the model, nor the model for it.
No path of a client is ever opened: the files of the page are read at the start.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import resources

from aura_core.console import protocol as p
from aura_core.console.commands import Connection
from aura_core.console.complaints import Complaints, RequestLog
from aura_core.console.connections import Bounds, Connections, accepted
from aura_core.console.hub import Hub, Page
from aura_core.console.listening import listen, url_of
from aura_core.console.loop_thread import LoopThread
from aura_core.console.robot import Robot
from aura_core.console.security import CSP, HEADERS, Gate, token_of
from aura_core.console.settings import ConsoleConfig
from aura_core.console.turns import Turns
from aura_core.errors import ConfigError, InputError
from aura_core.extras import how_to_install

try:
    from aiohttp import WSMessage, WSMsgType, web
    from aiohttp.http import HttpProcessingError
except ImportError:  # `Server` raises an error that names the extra
    web = None  # type: ignore[assignment]

log = logging.getLogger(__name__)
ENTER_S = 10.0  # a page that has not entered after so long is closed
WAIT_S = 10.0  # so long a connection without a page may ask for nothing
SEND_S = 20.0  # a page that takes nothing for so long is closed
ALIVE_S = 15.0  # how often a page must show that it is there
THREADS = 32  # that make commands: slow ones of some pages leave room for others
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]
MISSING = "the files of the page are missing: install the package again"


@dataclass(frozen=True)
class File:
    """A file of the page."""

    content: bytes
    small: bytes  # the same with gzip
    type: str
    etag: str

    @classmethod
    def of(cls, name: str, content: bytes) -> File | None:
        """The file of this name; None for what is no part of a page."""
        kind = TYPES.get("." + name.rpartition(".")[2])
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        return None if kind is None else cls(content, gzip.compress(content, 9), kind, tag)


def page_files() -> dict[str, File]:
    """The files of the page, by name. The page itself is "index.html"."""
    found: dict[str, File] = {}
    folder = resources.files("aura_core.console") / "page"
    for file in folder.iterdir() if folder.is_dir() else ():
        if file.is_file() and (made := File.of(file.name, file.read_bytes())) is not None:
            found[file.name] = made
    return found


class Server:
    """Serves a robot to browsers. `start` returns when the address is taken; `stop` ends it.

    `start` opens the robot after the address is taken, and `stop` closes it.

    Args:
        robot: what is shown.
        config: see there.
        tls: for https; None: made from the settings.

    Raises:
        ConfigError: without aiohttp.
        InputError: the robot has too many cameras, or the certificate cannot be read or made.

    Attributes:
        url: the address to open; with the token, where one is needed. After `start`.
    """

    def __init__(
        self, robot: Robot, config: ConsoleConfig, tls: ssl.SSLContext | None = None
    ) -> None:
        if web is None:
            raise ConfigError(f"aiohttp is not installed: {how_to_install('console')}")
        if (count := len(robot.cameras)) > p.MOST_CAMERAS:
            raise InputError(
                f"{robot.title}: it has {count} cameras; the console takes at most {p.MOST_CAMERAS}"
            )
        if tls is None and config.https:
            from aura_core.console.tls import context

            tls = context(config)
        self.robot, self.config, self.tls = robot, config, tls
        self.gate = Gate(token_of(config), config.host)
        self.port, self.url = 0, ""
        self.hub, self.turns, self.complaints = Hub(robot), Turns(), Complaints(log)
        self._files = page_files()
        self._connections: Connections | None = None
        # what pages that have not entered yet say first, the oldest page first
        self._entering: dict[asyncio.Task[WSMessage], None] = {}
        self._thread: LoopThread | None = None

    def start(self) -> None:
        """Take the address, open the robot, and serve. Raises `InputError`."""
        listening = self._listen()
        self._thread = LoopThread("console server", partial(self._serve, listening), listening)
        self._thread.start()
        if (count := len(self.robot.cameras)) > p.MOST_SHOWN:
            log.warning("a page shows the first %d of %d cameras", p.MOST_SHOWN, count)
        end = self.robot.listen(self.hub.take)
        try:
            self.robot.open()
        except BaseException:
            end()
            self.stop()
            raise

    def stop(self) -> None:
        """Say goodbye to the pages, close the robot, and end."""
        if self._thread is not None:
            self._thread.stop()
        self.robot.close()

    def _listen(self) -> socket.socket:
        listening = listen(self.config.host, self.config.port, "console")
        self.port = listening.getsockname()[1]
        secure = self.tls is not None
        self.url = url_of(listening, self.config.host, self.gate.fragment, secure)
        return listening

    # ---- on the server's thread --------------------------------------------------------------

    async def _serve(
        self, listening: socket.socket, begun: Callable[[], None], stopping: asyncio.Event
    ) -> None:
        self.pool = pool = ThreadPoolExecutor(THREADS, "console command")
        app = web.Application()
        app.on_response_prepare.append(self._with_headers)
        app.router.add_get("/", self._checked(self._index))
        app.router.add_get("/socket", self._checked(self._socket))
        app.router.add_get("/{name}", self._checked(self._file))
        requests = RequestLog(log, self.complaints, HttpProcessingError)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=requests,
            shutdown_timeout=2.0,
            handle_signals=False,
            keepalive_timeout=WAIT_S / 2,
        )
        await runner.setup()
        assert runner.server is not None
        bounds = Bounds.of(self.config.max_clients, WAIT_S)
        accepting = accepted(runner.server, listening, bounds, self.complaints, self.tls)
        tending = asyncio.create_task(self.complaints.tend())
        try:
            async with accepting as self._connections:
                self.hub.open()
                begun()
                await stopping.wait()
        finally:
            tending.cancel()
            await self.hub.close("the console has ended", True, "stopping")
            await runner.cleanup()
            await self.turns.close()
            self.complaints.tell(at_once=True)
            pool.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    async def _with_headers(request: web.Request, response: web.StreamResponse) -> None:
        # Safari before version 15.4 does not take a web socket as 'self'.
        socket = f" ws://{request.host} wss://{request.host}" if _plain(request.host) else ""
        response.headers["Content-Security-Policy"] = CSP.format(socket=socket)
        for name, value in HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")

    def _checked(self, handler: Handler) -> Handler:
        """The handler, for requests to one of the server's own names."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if self._connections is not None:
                self._connections.asked(request.protocol)
            if refused := self.gate.refuse_host(request.host):
                return web.Response(status=403, text=f"{refused}\n")
            return await handler(request)

        return handle

    async def _index(self, request: web.Request) -> web.Response:
        return self._answer(request, "index.html")

    async def _file(self, request: web.Request) -> web.Response:
        return self._answer(request, request.match_info["name"])

    def _answer(self, request: web.Request, name: str) -> web.Response:
        file = self._files.get(name)
        if file is None:
            missing = MISSING if name == "index.html" else "there is no such file"
            return web.Response(status=404, text=f"{missing}\n")
        headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("If-None-Match") == file.etag:
            return web.Response(status=304, headers=headers)
        body, headers["Content-Type"] = file.content, file.type
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body, headers["Content-Encoding"] = file.small, "gzip"
        return web.Response(body=body, headers=headers)

    # ---- web sockets -------------------------------------------------------------------------

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        refused = self.gate.refuse_origin(request.headers.get("Origin"), request.host)
        if refused:
            return web.Response(status=403, text=f"{refused}\n")
        ws = web.WebSocketResponse(
            heartbeat=ALIVE_S, max_msg_size=p.MOST_BINARY, compress=False, timeout=2.0
        )
        await ws.prepare(request)
        assert self._connections is not None
        self._connections.asked(request.protocol, lasts=True)
        page = Page()
        sending = asyncio.create_task(self._send(ws, page, request.transport))
        connection = Connection(self, page)
        try:
            entered = partial(self._connections.remove, request.protocol)
            bye = await self._receive(ws, connection, entered)
            self.hub.leave(page, bye)
            await asyncio.wait([sending], timeout=SEND_S)
        finally:
            connection.close()
            self.hub.leave(page)
            sending.cancel()
            await asyncio.wait([sending])
            with contextlib.suppress(ConnectionError):
                await ws.close()
        return ws

    async def _receive(
        self, ws: web.WebSocketResponse, connection: Connection, entered: Callable[[], None]
    ) -> p.Bye | None:
        """Take messages until the page ends. Returns why the server ends it, where it does."""
        first = await self._first(ws)
        if isinstance(first, p.Bye):
            return first
        if first.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            return None
        if bye := connection.enter(first.data if first.type is WSMsgType.TEXT else ""):
            return bye
        entered()
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                bye = connection.command(message.data)
            elif message.type is WSMsgType.BINARY:
                bye = await connection.binary(message.data)
            else:
                bye = None
            if bye is not None:
                return bye
        return None

    async def _first(self, ws: web.WebSocketResponse) -> WSMessage | p.Bye:
        """What a page says first, or why it is not waited for any longer.

        Of more than `max_clients` that say nothing the oldest has to leave: who knows no token
        keeps nobody out.
        """
        said = asyncio.ensure_future(ws.receive())
        if len(self._entering) >= self.config.max_clients:
            oldest = next(iter(self._entering))
            del self._entering[oldest]
            oldest.cancel()
        self._entering[said] = None
        try:
            await asyncio.wait([said], timeout=ENTER_S)
            if said.cancelled():
                return p.Bye("too many pages are open", True, "many")
            if not said.done():
                return p.Bye("the page has not said who it is", True, "token")
            return said.result()
        finally:
            self._entering.pop(said, None)
            said.cancel()

    async def _send(
        self, ws: web.WebSocketResponse, page: Page, transport: asyncio.Transport | None
    ) -> None:
        """Send what waits, until nothing more comes or the page takes nothing."""
        try:
            while (message := await page.outgoing.next()) is not None:
                async with asyncio.timeout(SEND_S):
                    if isinstance(message, bytes):
                        await ws.send_bytes(message)
                    else:
                        await ws.send_str(message)
        except (ConnectionError, RuntimeError):  # it is gone
            pass
        except TimeoutError:
            page.outgoing.overflowed = True
        if page.outgoing.overflowed:
            line = "a page of the console did not read what it was sent, and was closed"
            self.complaints.warn("slow", line)
            self.hub.leave(page)
            await self._slow(ws, transport)
        elif page.outgoing.closed and not ws.closed:
            with contextlib.suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(ws.close(), 2.0)

    @staticmethod
    async def _slow(ws: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        """Close a page that does not read. It may read the reason later, or never."""
        bye = p.encode(p.Bye("the page did not read what it was sent", True, "slow"))
        with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
            await asyncio.wait_for(ws.send_str(bye), 0.5)
            await asyncio.wait_for(ws.close(code=1008, message=b"slow"), 0.5)
        if transport is not None:
            transport.abort()


def _plain(host: str) -> bool:
    """Whether a `Host` may stand in a header: letters, digits and what an address needs."""
    return bool(host) and all(c.isascii() and (c.isalnum() or c in "-.:[]") for c in host)
