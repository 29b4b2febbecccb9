"""A console under test: a robot, a server on a free port, and pages that speak real web sockets."""

from __future__ import annotations

import asyncio
import json
import socket as sockets
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import aiohttp
import numpy as np

from aura_core.console import protocol as p
from aura_core.console.robot import Result, Robot, Seen
from aura_core.console.server import Server
from aura_core.console.settings import ConsoleConfig
from aura_core.errors import InputError

WAIT_S = 20.0
T = TypeVar("T")
JSON = dict[str, Any]


def is_closed(connection: sockets.socket, timeout_s: float) -> bool:
    """Whether the other side closes a connection within this time."""
    connection.settimeout(timeout_s)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


class FakeRobot(Robot):
    """A robot that keeps what it is told to do, and tells what a test wants."""

    title = "a room"
    cameras = (p.Camera("", "a room"), p.Camera("phone", "phone", phone=True))

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[str, object]] = []
        self.now = p.Status(0.0, model="a model")
        self.reasons: dict[str, str] = {}
        self.of_cameras: tuple[p.CameraStatus, ...] = ()
        self.gate = threading.Event()  # `recall` waits for it
        self.gate.set()
        self.opened = self.closed = 0

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        self.closed += 1

    def abilities(self) -> Mapping[str, str]:
        known = dict.fromkeys(p.ABILITIES, "") | {"replay": "this is no recording"}
        return known | self.reasons

    def status(self) -> p.Status:
        return self.now

    def camera_status(self) -> tuple[p.CameraStatus, ...]:
        return self.of_cameras

    def ask(self, command: p.Ask) -> Result:
        if "?" not in command.text:
            raise InputError("that is\nno question")
        self.done.append(("ask", command))
        return {"query_id": "q1", "watch": False}

    def watch(self, command: p.AddWatch) -> Result:
        self.done.append(("watch", command))
        return {"watch_id": "w1"}

    def recall(self, command: p.Recall) -> Result:
        assert self.gate.wait(WAIT_S)
        return {"notes": (p.Note("n1", "", "seen", "a cat", 1.0, 2.0, thumbnail="AA=="),)}

    def pause(self, command: p.Pause) -> Result:
        raise ZeroDivisionError("a bug")

    def listen_to(self, rate: int) -> None:
        self.done.append(("listen_to", rate))

    def hear(self, samples: bytes) -> None:
        self.done.append(("hear", samples))

    def look_through(self, command: p.Phone) -> None:
        self.done.append(("look_through", command.on))

    def see(self, camera: str, jpeg: bytes) -> None:
        if not jpeg.startswith(b"\xff\xd8"):
            raise InputError("no JPEG")
        self.done.append(("see", (camera, jpeg)))

    def second(self, at_ms: float, stamp_ns: int = 0, camera: str = "") -> None:
        """A second that was decided."""
        self.tell(p.Second(camera, 0, stamp_ns, at_ms, "silent", 0.5))


def picture(grey: int = 0, width: int = 64) -> np.ndarray:
    return np.full((48, width, 3), grey, np.uint8)


def seen(stamp_ns: int, grey: int = 0, role: Any = "live", camera: str = "") -> Seen:
    return Seen(camera, stamp_ns, picture(grey), role)


class PageDouble:
    """A page: one web socket. `messages` are all that came."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.messages: list[JSON] = []
        self.pictures: list[tuple[int, int, int, int, bytes]] = []  # kind, camera, id, stamp, JPEG
        self._unread: deque[JSON] = deque()
        self._number = 0

    async def send(self, kind: str, **fields: Any) -> int:
        """Send a command. Returns its id."""
        self._number += 1
        await self.ws.send_str(json.dumps({"id": self._number, "type": kind, **fields}))
        return self._number

    async def _receive(self) -> bool:
        """Take one message of either kind; False: the server has closed."""
        message = await asyncio.wait_for(self.ws.receive(), WAIT_S)
        if message.type is aiohttp.WSMsgType.TEXT:
            self.messages.append(json.loads(message.data))
            self._unread.append(self.messages[-1])
        elif message.type is aiohttp.WSMsgType.BINARY:
            kind, camera, _, number, stamp_ns = p.HEADER.unpack_from(message.data)
            jpeg = message.data[p.HEADER.size :]
            self.pictures.append((kind, camera, number, stamp_ns, jpeg))
        else:
            return False
        return True

    async def next(self) -> JSON | None:
        """The next text message; None: the server has closed."""
        while not self._unread:
            if not await self._receive():
                return None
        return self._unread.popleft()

    async def until(self, wanted: str | Callable[[JSON], bool]) -> JSON:
        """The next message of a type, or that a test wants."""
        while (message := await self.next()) is not None:
            if message["type"] == wanted if isinstance(wanted, str) else wanted(message):
                return message
        raise AssertionError(f"closed before {wanted}: {self.messages[-3:]}")

    async def picture(self, kind: int) -> tuple[int, int, int, int, bytes]:
        """The next picture of a kind."""
        while not any(one[0] == kind for one in self.pictures):
            assert await self._receive()
        found = next(one for one in self.pictures if one[0] == kind)
        self.pictures.remove(found)
        return found

    async def do(self, kind: str, **fields: Any) -> JSON:
        """Send a command, and wait for its answer."""
        number = await self.send(kind, **fields)
        return await self.until(lambda m: m["type"] == "answer" and m["id"] == number)

    async def closed(self) -> JSON:
        """The last message before the server has closed: why it did."""
        while await self.next() is not None:
            pass
        return self.messages[-1]


@contextmanager
def serving(robot: Robot, **settings: Any) -> Iterator[Server]:
    """A server of a robot on a free port."""
    server = Server(robot, ConsoleConfig(**{"port": 0, **settings}))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def socket(server: Server, **options: Any) -> Any:
    """A web socket to the server; over TLS where `ssl` is what the page trusts."""
    url = f"{'wss' if 'ssl' in options else 'ws'}://127.0.0.1:{server.port}/socket"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, max_msg_size=0, **options) as ws,
    ):
        yield PageDouble(ws)


@asynccontextmanager
async def entered(server: Server, token: str = "", **options: Any) -> Any:
    """A page that has entered, after its `Hello` and `Snapshot`."""
    async with socket(server, **options) as page:
        await page.ws.send_str(json.dumps({"type": "enter", "version": p.VERSION, "token": token}))
        await page.until("snapshot")
        yield page


def run(test: Callable[[], Awaitable[T]]) -> T:
    return asyncio.run(asyncio.wait_for(test(), 3 * WAIT_S))
