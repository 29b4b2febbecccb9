"""Serves the review page: its files, the samples, their pictures, and what is decided.

By default to this machine alone. On another address a page needs the token. No path of a client is
ever opened: samples and pictures have numbers. What a page sends is JSON of a few hundred bytes,
and a page of another origin is refused. Connections that ask for nothing are bounded like those of
the console.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import resources
from typing import Any

from aura_core.console.complaints import Complaints, RequestLog
from aura_core.console.connections import Bounds, Connections, accepted
from aura_core.console.listening import listen, url_of
from aura_core.console.loop_thread import LoopThread
from aura_core.console.security import CSP, HEADERS, Gate, token_of
from aura_core.console.server import WAIT_S, File
from aura_core.console.settings import ConsoleConfig
from aura_core.data.review.desk import Desk
from aura_core.errors import AuraError, ConfigError, InputError, one_line
from aura_core.extras import how_to_install

try:
    from aiohttp import web
    from aiohttp.http import HttpProcessingError
except ImportError:  # `ReviewServer` raises an error that names the extra
    web = None  # type: ignore[assignment]

log = logging.getLogger(__name__)
MOST_BYTES = 4096  # of what a page sends
Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


class ReviewServer:
    """Serves a desk. `start` returns when the address is taken; `stop` ends it.

    Args:
        desk: the samples.
        config: `host`, `port`, `token` and `max_clients`; the others are not used.

    Attributes:
        url: the address to open, with the token where one is needed. After `start`.
    """

    def __init__(self, desk: Desk, config: ConsoleConfig) -> None:
        if web is None:
            raise ConfigError(f"aiohttp is not installed: {how_to_install('console')}")
        if config.https:
            raise ConfigError("https: the review page is served without TLS; use a tunnel of ssh")
        self.desk, self.config = desk, config
        self.gate = Gate(token_of(config), config.host)
        self.url = ""
        self._files = _page()
        self._thread: LoopThread | None = None
        self._connections: Connections | None = None

    def start(self) -> None:
        """Take the address, and serve on a thread of its own. Raises `InputError`."""
        listening = self._listen()
        self._thread = LoopThread("review server", partial(self._serve, listening), listening)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end."""
        if self._thread is not None:
            self._thread.stop()

    def _listen(self) -> socket.socket:
        listening = listen(self.config.host, self.config.port, "review")
        self.url = url_of(listening, self.config.host, self.gate.fragment)
        return listening

    # ---- on the server's thread --------------------------------------------------------------

    async def _serve(
        self, listening: socket.socket, begun: Callable[[], None], stopping: asyncio.Event
    ) -> None:
        self._pool = ThreadPoolExecutor(2, "review")
        app = web.Application(client_max_size=MOST_BYTES)
        app.on_response_prepare.append(self._with_headers)
        app.router.add_get("/api/samples", self._entered(self._samples))
        app.router.add_get(r"/api/sample/{index:\d{1,9}}", self._entered(self._sample))
        app.router.add_get(
            r"/api/picture/{index:\d{1,9}}/{number:\d{1,3}}", self._entered(self._picture)
        )
        app.router.add_post("/api/decide", self._entered(self._decide))
        app.router.add_get("/", self._checked(self._file))
        app.router.add_get("/{name}", self._checked(self._file))
        complaints = Complaints(log)
        requests = RequestLog(log, complaints, HttpProcessingError)
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
        accepting = accepted(runner.server, listening, bounds, complaints)
        tending = asyncio.create_task(complaints.tend())
        try:
            async with accepting as self._connections:
                begun()
                await stopping.wait()
        finally:
            tending.cancel()
            await runner.cleanup()
            complaints.tell(at_once=True)
            self._pool.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    async def _with_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = CSP.format(socket="")
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

    def _entered(self, handler: Handler) -> Handler:
        """The handler, for pages that know the token, and are of this server."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if refused := self.gate.refuse_origin(request.headers.get("Origin"), request.host):
                return _failed(403, refused)
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not self.gate.knows(given):
                return _failed(
                    401, "the token is missing or wrong: open the address that was printed"
                )
            try:
                return await handler(request)
            except AuraError as e:
                return _failed(400, one_line(e))

        return self._checked(handle)

    async def _file(self, request: web.Request) -> web.Response:
        file = self._files.get(request.match_info.get("name", "index.html"))
        if file is None:
            return web.Response(status=404, text="there is no such file\n")
        return web.Response(body=file.content, headers={"Content-Type": file.type})

    async def _samples(self, request: web.Request) -> web.Response:
        return web.json_response(await self._call(self.desk.overview))

    async def _sample(self, request: web.Request) -> web.Response:
        index = int(request.match_info["index"])
        return web.json_response(await self._call(self.desk.sample, index))

    async def _picture(self, request: web.Request) -> web.Response:
        index, number = (int(request.match_info[n]) for n in ("index", "number"))
        body = await self._call(self.desk.picture, index, number)
        return web.Response(body=body, content_type="image/jpeg")

    async def _decide(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":  # what a form of another page cannot send
            return _failed(415, "expected JSON")
        try:
            told = json.loads(await request.read())
        except ValueError as e:
            raise InputError(f"not JSON: {one_line(e)}") from e
        index, accept, reason = (
            (told.get("index"), told.get("accept"), told.get("reason", ""))
            if isinstance(told, dict)
            else (None, None, "")
        )
        if type(index) is not int or not (accept is None or type(accept) is bool):
            raise InputError("expected index, a number, and accept: true, false or null")
        if not isinstance(reason, str):
            raise InputError("reason must be a text")
        return web.json_response(await self._call(self.desk.decide, index, accept, reason))

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run what may wait for a disk or a decoder beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)


def _failed(status: int, why: str) -> web.Response:
    return web.json_response({"error": why}, status=status)


def _page() -> dict[str, File]:
    """The files of the page, by name; the colours and the icon are the console's."""
    own = resources.files("aura_core.data.review") / "page"
    console = resources.files("aura_core.console") / "page"
    found = [*own.iterdir(), console / "base.css", console / "icon.svg"]
    made = {f.name: File.of(f.name, f.read_bytes()) for f in found if f.is_file()}
    return {name: file for name, file in made.items() if file is not None}
