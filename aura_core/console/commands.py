"""The commands of one page: each is checked, made in its turn, and answered once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from aura_core import __version__
from aura_core.console import protocol as p
from aura_core.console.clock import now_ms
from aura_core.console.hub import Page
from aura_core.console.reasons import beside
from aura_core.console.security import Bucket
from aura_core.errors import AuraError, InputError, one_line

if TYPE_CHECKING:
    from aura_core.console.server import Server

log = logging.getLogger(__name__)
UNDER_WAY = 16  # commands of a page that may wait for their results
COMMANDS = (50.0, 200.0)  # of a page in a second, and at once
BINARY = (100.0, 200.0)  # the same for pictures and sound
BYTES = (12e6, 24e6)  # the same for their bytes
BAD = (1.0, 20.0)  # the same for what cannot be read


class Connection:
    """The commands of one page."""

    def __init__(self, server: Server, page: Page) -> None:
        self._server, self._hub, self._robot = server, server.hub, server.robot
        self.page, self._entered, self._ended = page, False, False
        self._commands, self._binary = Bucket(*COMMANDS), Bucket(*BINARY)
        self._bytes, self._bad = Bucket(*BYTES), Bucket(*BAD)
        self._tasks: set[asyncio.Task[None]] = set()
        # what ends each device that the page has begun, by the name of its turn
        self._ends: dict[Hashable, Callable[[], Awaitable[None]]] = {}

    def enter(self, text: str) -> p.Bye | None:
        """Let a page in. Returns why it is not."""
        try:
            enter = p.parse_enter(text[: p.MOST_TEXT])
        except InputError as e:
            return p.Bye(str(e), False, "version")
        if not self._server.gate.knows(enter.token):
            self._server.complaints.warn("token", "a page with a wrong token was refused")
            return p.Bye("the token is wrong: open the address that was printed", False, "token")
        if enter.version != p.VERSION:
            return p.Bye("the page is of another version: load it again", False, "version")
        most = self._server.config.max_clients
        if len(self._hub.pages) >= most:
            return p.Bye(f"{most} pages are open already", True, "many")
        robot = self._robot
        hello = p.Hello(
            p.VERSION,
            now_ms(),
            robot.title,
            robot.cameras,
            robot.abilities(),
            robot.max_question_chars,
            robot.replay,
            robot.marks(),
            __version__,
        )
        self._hub.enter(self.page, hello)
        self._entered = True
        return None

    def close(self) -> None:
        """The page has ended: so have its microphone and its camera."""
        self._ended = True
        for task in self._tasks:
            task.cancel()
        for name, end in self._ends.items():  # also of a device that is being begun
            self._server.turns.begin(name, partial(self._leave, end))
        if self._entered:
            self._hub.tell_now()

    @staticmethod
    async def _leave(end: Callable[[], Awaitable[None]]) -> None:
        try:
            await end()
        except AuraError as e:
            log.debug("a page has ended: %s", one_line(e))

    # ---- commands ----------------------------------------------------------------------------

    def command(self, text: str) -> p.Bye | None:
        """Do a command; its answer is sent when it is done. Returns why the page is to end."""
        if len(text) > p.MOST_TEXT:
            return self._unreadable(None, f"a message has more than {p.MOST_TEXT} characters")
        try:
            number, command = p.parse(text)
        except p.BadCommand as e:
            return self._unreadable(e.id, str(e))
        if not self._commands.take():
            self._refuse(number, "too many commands in a short time")
            return None if self._bad.take() else _BAD_PAGE
        if isinstance(command, p.Acknowledge | p.View):  # at once: a page may send many of them
            self._at_once(number, command)
            return None
        if len(self._tasks) >= UNDER_WAY:
            self._refuse(number, "too many commands are under way; wait for their answers")
            return None
        task = asyncio.create_task(self._do(number, command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return None

    def _at_once(self, number: int, command: p.Acknowledge | p.View) -> None:
        try:
            if isinstance(command, p.View):
                self._hub.view(self.page, command)
            elif (alert := self._hub.past.acknowledge(command.key)) is not None:
                self._hub.broadcast(alert)
        except AuraError as e:
            self._refuse(number, one_line(e))
        else:
            self.page.send(p.Answer(number, True))

    def _unreadable(self, number: int | None, why: str) -> p.Bye | None:
        self._refuse(number or 0, why)
        return None if self._bad.take() else _BAD_PAGE

    def _refuse(self, number: int, why: str) -> None:
        self.page.send(p.Answer(number, False, why))

    async def _do(self, number: int, command: p.Command) -> None:
        try:
            data = await self._in_turn(number, command)
        except AuraError as e:
            self._refuse(number, one_line(e))
        except asyncio.CancelledError:
            raise
        except Exception as e:  # a bug must not leave the page without an answer
            log.error("the console's command %s failed", p.type_name(type(command)), exc_info=e)
            self._refuse(number, f"the console has a bug: {one_line(e, 200)}")
        else:
            self.page.send(p.Answer(number, True, data=data))

    async def _in_turn(self, number: int, command: p.Command) -> Mapping[str, Any]:
        """The result of a command, after those of the same thing that came before it."""
        work = partial(self._result, number, command)
        match command:
            case p.Microphone():
                name: Hashable = "microphone"
                self._ends[name] = self._end_microphone
            case p.Phone():
                name = "camera", command.camera
                if any(camera.name == command.camera for camera in self._robot.cameras):
                    self._ends[name] = partial(self._end_phone, command.camera)
            case p.Pause() | p.MemoryPause() | p.Record():
                name = p.type_name(type(command))
            case p.Seek() | p.Play():
                name = "replay"
            case p.Ask() | p.AddWatch() | p.Unwatch():  # it ends with the page, as the next one
                return await self._server.turns.begin((self, "questions"), work)
            case p.Recall() | p.Forget():
                return await self._server.turns.begin((self, "memory"), work)
            case _:
                return await work()
        return await self._server.turns.take(name, work)

    async def _result(self, number: int, command: p.Command) -> Mapping[str, Any]:
        robot = self._robot
        match command:
            case p.Picture():
                await self._picture(number, command)
            case p.Export():
                return await self._export(command)
            case p.Microphone():
                await self._microphone(command)
            case p.Phone():
                await self._phone(command)
            case p.Ask():
                return await self._call(robot.ask, command)
            case p.AddWatch():
                return await self._call(robot.watch, command)
            case p.Unwatch():
                return await self._call(robot.unwatch, command)
            case p.Pause():
                return await self._told(robot.pause, command)
            case p.Recall():
                return await self._call(robot.recall, command)
            case p.Forget():
                return await self._call(robot.forget, command)
            case p.MemoryPause():
                result = await self._told(robot.memory_pause, command)
                return {**result, **beside("warning", str(result.get("warning", "")))}
            case p.Record():
                return await self._told(robot.record, command)
            case p.Seek():
                return await self._call(robot.seek, command)
            case p.Play():
                return await self._call(robot.play, command)
        return {}

    async def _call(self, call: Callable[..., Any], *args: object) -> Any:
        """Do what may take long, on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._server.pool, call, *args)

    async def _told(self, call: Callable[..., Any], *args: object) -> Any:
        """The same; all pages are told how it is doing then."""
        result = await self._call(call, *args)
        self._hub.tell_now()
        return result

    async def _picture(self, number: int, command: p.Picture) -> None:
        places = {camera.name: i for i, camera in enumerate(self._robot.cameras)}
        if command.camera not in places:
            raise InputError(f"there is no camera '{command.camera}'")
        found = await self._call(self._find, command)
        if found is None:
            raise InputError("this picture is not kept any more")
        place = places[command.camera]
        message = p.Binary(p.FOUND, place, command.stamp_ns, found, number).encode()
        self.page.outgoing.put(message)

    def _find(self, command: p.Picture) -> bytes | None:
        kept = self._hub.thumbnails.get(command.camera, command.stamp_ns)
        return kept if kept is not None else self._robot.picture(command)

    async def _export(self, command: p.Export) -> Mapping[str, Any]:
        from aura_core.console.export import export

        past, title = self._hub.past, self._robot.title
        work = partial(export, past.snapshot(), command.form, title, now_ms())
        name, text = await self._call(partial(work, left_out=past.left_out))
        return {"name": name, "text": text}

    async def _microphone(self, command: p.Microphone) -> None:
        hub = self._hub
        if not command.on:
            await self._end_microphone()
            return
        self._must_be_there()
        if hub.microphone not in (None, self.page):
            if hub.microphone in hub.pages:
                raise InputError("another page uses its microphone already")
            await self._call(self._robot.listen_to, 0)  # its page has left a moment ago
        await self._call(self._robot.listen_to, command.rate)
        hub.microphone = self.page
        hub.tell_now()

    async def _end_microphone(self) -> None:
        if self._hub.microphone is self.page:
            self._hub.microphone = None
            await self._call(self._robot.listen_to, 0)
            self._hub.tell_now()

    async def _phone(self, command: p.Phone) -> None:
        hub, camera = self._hub, command.camera
        if not command.on:
            await self._end_phone(camera)
            return
        self._must_be_there()
        if hub.phones.get(camera) not in (None, self.page):
            if hub.phones[camera] in hub.pages:
                raise InputError("another page is this camera already")
            await self._call(self._robot.look_through, p.Phone(False, camera))
        await self._call(self._robot.look_through, command)
        hub.phones[camera] = self.page

    async def _end_phone(self, camera: str) -> None:
        if self._hub.phones.get(camera) is self.page:
            del self._hub.phones[camera]
            await self._call(self._robot.look_through, p.Phone(False, camera))

    def _must_be_there(self) -> None:
        """A device of a page that has left meanwhile is not begun."""
        if self._ended:
            raise InputError("the page has ended")

    # ---- sound and pictures ------------------------------------------------------------------

    async def binary(self, data: bytes) -> p.Bye | None:
        """Take sound or a picture. The next message is read when this one is taken, so nothing
        queues here. Returns why the page is to end."""
        if not (self._binary.take() and self._bytes.take(len(data))):
            return self._refuse_binary(
                data, "too many pictures, or too much sound, in a short time"
            )
        try:
            message = p.parse_binary(data)
            await self._call(*self._taken(message))
        except AuraError as e:
            return self._refuse_binary(data, one_line(e))
        return None

    def _refuse_binary(self, data: bytes, why: str) -> p.Bye | None:
        """No command waits for this answer: it has no id, and names the kind of the message."""
        self.page.send(p.Answer(0, False, why, {"kind": data[0] if data else 0}))
        return None if self._bad.take() else _BAD_PAGE

    def _taken(self, message: p.Binary) -> tuple[Any, ...]:
        """What is to be called with a binary message."""
        if message.kind == p.SOUND:
            if self._hub.microphone is not self.page:
                raise InputError("sound comes before the microphone was begun")
            if len(message.content) % 2:
                raise InputError("sound must be samples of 2 bytes")
            return self._robot.hear, message.content
        cameras = self._robot.cameras
        name = cameras[message.camera].name if message.camera < len(cameras) else None
        if name is None or self._hub.phones.get(name) is not self.page:
            raise InputError("a picture comes before its camera was begun")
        return self._robot.see, name, message.content


_BAD_PAGE = p.Bye("the page sends what cannot be read, or too much", False, "rate")
