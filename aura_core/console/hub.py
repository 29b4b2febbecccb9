"""The middle of the console: takes what a robot tells, keeps the past, and sends it to all pages.

    robot, any thread ── take ──► waiting ── the server's loop ──► Past, every page's Outgoing

`take` only stores: the model's thread waits for nothing here. Everything else is on the loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from aura_core.console import protocol as p
from aura_core.console.clients import Outgoing
from aura_core.console.clock import now_ms
from aura_core.console.robot import Robot, Seen, Told
from aura_core.console.state import Past
from aura_core.console.thumbnails import Thumbnails, live
from aura_core.errors import InputError, one_line

log = logging.getLogger(__name__)
STATUS_S = 1.0  # how often the state is told
LOOK_S = 0.25  # how often it is looked at whether something went wrong, or is well again
EARLY = 0.75  # of the time between two pictures: frames do not come evenly
FEW = 4  # pages: what is sent to more of them slows a decision that is made meanwhile
GIVE_WAY_S = 0.05  # how long a picture waits for a decision at most
WAITING = 20_000  # messages that wait for the loop; more means that it hangs


@dataclass(eq=False)
class Page:
    """A page that is connected."""

    outgoing: Outgoing = field(default_factory=Outgoing)
    cameras: tuple[str, ...] = ()  # that it shows
    fps: float = 0.0  # most pictures of each camera in a second
    sent: dict[str, Seen] = field(default_factory=dict)  # the newest frame that it got, by camera
    sent_s: dict[str, float] = field(default_factory=dict)  # when

    def send(self, message: p.Message) -> None:
        """Send a message to this page alone."""
        self.outgoing.put(p.encode(message))


class Hub:
    """Call `open` and `close` on the server's loop.

    Args:
        robot: what the pages show; `open` and `close` of it are the caller's.
    """

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self.pages: list[Page] = []
        self.past = Past(len(robot.cameras))
        self.thumbnails = Thumbnails(len(robot.cameras))
        self.microphone: Page | None = None  # the page that sends sound
        self.phones: dict[str, Page] = {}  # the pages that send pictures, by camera
        self._places = {camera.name: i for i, camera in enumerate(robot.cameras)}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._waiting: deque[p.Event] = deque()
        self._woken = False
        self._live: dict[str, Seen] = {}  # newest frame of each camera
        self._encoded: dict[str, tuple[Seen, bytes]] = {}  # the newest one that was sent
        self._pictures_due: set[str] = set()
        self._held_s: dict[str, float] = {}  # since when a picture waits for a decision, by camera
        self._encoding: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}  # of frames that come too early to send
        self._tasks: set[asyncio.Task[None]] = set()
        self._trouble: object = None
        self._abilities: Mapping[str, str] = {}  # as they were told last
        self.lost = 0  # messages that were left out because the loop hung

    # ---- from any thread ---------------------------------------------------------------------

    def take(self, told: Told) -> None:
        """Take what the robot tells. A listener of the robot."""
        if isinstance(told, Seen):
            if told.role == "live":
                self._wake(told)
            else:
                self.thumbnails.put(told)
            return
        with self._lock:
            if len(self._waiting) >= WAITING:
                self.lost += 1
                return
            self._waiting.append(told)
        self._wake()

    def _wake(self, seen: Seen | None = None) -> None:
        with self._lock:
            if seen is not None:
                self._live[seen.camera] = seen
                if seen.camera in self._pictures_due or not self.pages:
                    return
                self._pictures_due.add(seen.camera)
            if self._woken or self._loop is None:
                return
            self._woken = True
            self._loop.call_soon_threadsafe(self._serve)

    # ---- on the loop -------------------------------------------------------------------------

    def open(self) -> None:
        """Begin to send."""
        self.thumbnails.open()
        self._encoder = ThreadPoolExecutor(1, "console picture")
        with self._lock:
            self._loop = asyncio.get_running_loop()
        self._start(self._tell_status())
        self._wake_now()

    async def close(self, reason: str, again: bool, code: str) -> None:
        """Tell all pages that this ends."""
        with self._lock:
            self._loop = None
        for page in list(self.pages):
            self.leave(page, p.Bye(reason, again, code))
        for task in self._tasks:
            task.cancel()
        for timer in self._timers.values():
            timer.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._encoder.shutdown(wait=False, cancel_futures=True)
        self.thumbnails.close()

    def enter(self, page: Page, hello: p.Hello) -> None:
        """A page begins: it gets what it has missed."""
        self._serve()  # what waits is part of the past
        self._tell_abilities(hello.abilities)  # to the others, who know older ones
        page.send(hello)
        page.send(self.past.snapshot())
        if self.past.playback is not None:
            page.send(self.past.playback)
        self.pages.append(page)
        self._tell_now([page])

    def leave(self, page: Page, bye: p.Bye | None = None) -> None:
        """A page ends. `bye`: why, if the server ends it."""
        if page in self.pages:
            self.pages.remove(page)
        if bye is not None:
            page.send(bye)
        page.outgoing.close()

    def view(self, page: Page, command: p.View) -> None:
        """A page shows these cameras, so often."""
        page.cameras, page.fps = command.cameras, command.fps
        page.sent, page.sent_s = {}, {}
        with self._lock:
            self._pictures_due |= set(command.cameras) & set(self._live)
        self._wake_now()

    def broadcast(self, event: p.Event) -> None:
        """Keep a message, and send it to all pages."""
        if isinstance(event, p.Forgotten):
            self.thumbnails.keep(self.past.forget(event))
        else:
            self.past.take(event)
        self._send(event)
        if isinstance(event, p.Forgotten):  # pages hold the same words: they get what is left
            self._send(self.past.snapshot())

    def _send(self, event: p.Event) -> None:
        text, newest_of = p.encode(event), _newest_of(event)
        for page in self.pages:
            page.outgoing.put(text, newest_of)

    def _wake_now(self) -> None:
        asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        with self._lock:
            self._woken = False
            events, self._waiting = self._waiting, deque()
            due, self._pictures_due = self._pictures_due, set()
        for event in events:
            self.broadcast(event)
        for camera in (due | self._held_s.keys()) - self._encoding:
            self._send_picture(camera)

    def _send_picture(self, camera: str) -> None:
        """Send the newest frame to the pages whose time for it has come."""
        seen, now_s = self._live.get(camera), time.monotonic()
        if seen is None or camera not in self._places:
            return
        pages = [
            q
            for q in self.pages
            if camera in q.cameras and q.fps > 0 and q.sent.get(camera) is not seen
        ]
        waits_s = [q.sent_s.get(camera, -1e9) + EARLY / q.fps - now_s for q in pages]
        due = [q for q, wait_s in zip(pages, waits_s, strict=True) if wait_s <= 0]
        later = [wait_s for wait_s in waits_s if wait_s > 0]
        if len(due) > FEW and (wait_s := self._gives_way_s(camera, now_s)) > 0:
            due = []
            later.append(wait_s)
        else:
            self._held_s.pop(camera, None)
        if later:  # no frame may come after this one
            self._send_later(camera, min(later))
        if due:
            for page in due:
                page.sent_s[camera], page.sent[camera] = now_s, seen
            self._encoding.add(camera)
            self._start(self._encode(camera, seen, due))

    def _gives_way_s(self, camera: str, now_s: float) -> float:
        """How long a picture for many pages still waits for a decision [s].

        The frame that begins a decision is the one that is to be shown, and one Python interpreter
        does both: to encode it and to send it to twenty pages takes 3 ms, in which the model's
        thread stands. What is told when the decision has ended lets it go at once.
        """
        if not self.robot.deciding():
            return 0.0
        return self._held_s.setdefault(camera, now_s) + GIVE_WAY_S - now_s

    def _send_later(self, camera: str, wait_s: float) -> None:
        if (timer := self._timers.pop(camera, None)) is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._timers[camera] = loop.call_later(wait_s, self._send_next, camera)

    def _send_next(self, camera: str) -> None:
        if camera not in self._encoding:
            self._send_picture(camera)

    async def _encode(self, camera: str, seen: Seen, pages: list[Page]) -> None:
        known = self._encoded.get(camera)
        try:
            if known is not None and known[0] is seen:
                picture = known[1]
            else:
                loop = asyncio.get_running_loop()
                picture = await loop.run_in_executor(self._encoder, live, seen.image)
                self._encoded[camera] = seen, picture
        except InputError as e:
            log.debug("a frame of '%s' cannot be shown: %s", camera, one_line(e))
        else:
            place = self._places[camera]
            message = p.Binary(p.LIVE, place, seen.stamp_ns, picture).encode()
            for page in pages:
                page.outgoing.put_picture(place, message)
        finally:
            self._encoding.discard(camera)
        self._send_picture(camera)  # a newer one that came meanwhile

    async def _tell_status(self) -> None:
        told_s = 0.0
        while True:
            await asyncio.sleep(LOOK_S)
            if not self.pages:
                continue
            now_s = time.monotonic()
            status, cameras = self._status()
            trouble = _kind(status, cameras)
            if trouble != self._trouble or now_s - told_s >= STATUS_S - LOOK_S / 2:
                told_s, self._trouble = now_s, trouble
                self._send_status(self.pages, status, cameras)
                self._tell_abilities(self.robot.abilities())

    def _tell_abilities(self, abilities: Mapping[str, str]) -> None:
        if abilities != self._abilities:
            self._abilities = dict(abilities)
            for page in self.pages:
                page.send(p.Abilities(self._abilities))

    def tell_now(self) -> None:
        """Tell all pages how it is doing."""
        self._tell_now(self.pages)

    def _tell_now(self, pages: list[Page]) -> None:
        if pages:
            self._send_status(pages, *self._status())

    def _status(self) -> tuple[p.Status, tuple[p.CameraStatus, ...]]:
        """The state of the robot, with the worst trouble of its cameras."""
        cameras, status = self.robot.camera_status(), self.robot.status()
        worst, detail = status.trouble, status.detail
        for camera in cameras:
            if _rank(camera.trouble) < _rank(worst):
                worst, detail = camera.trouble, camera.detail
        clients, server_ms = len(self.pages), now_ms()
        return (
            replace(status, trouble=worst, detail=detail, clients=clients, server_ms=server_ms),
            cameras,
        )

    def _send_status(
        self, pages: list[Page], status: p.Status, cameras: tuple[p.CameraStatus, ...]
    ) -> None:
        others = p.encode(replace(status, microphone="other" if self.microphone else ""))
        own = p.encode(replace(status, microphone="you")) if self.microphone else others
        texts = [(p.encode(camera), _newest_of(camera)) for camera in cameras]
        for page in pages:
            page.outgoing.put(own if page is self.microphone else others, "status")
            for text, newest_of in texts:
                page.outgoing.put(text, newest_of)

    def _start(self, coroutine: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(coroutine)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the console's server has a bug", exc_info=error)


def _newest_of(event: p.Event) -> object:
    """The name of messages of which a page needs the newest alone; None: it needs all."""
    match event:
        case p.Words():
            return "words", event.id
        case p.CameraStatus():
            return "camera", event.camera
        case p.Playback():
            return "playback"
        case p.Heard(state="partial"):
            return "heard", event.camera
        case _:
            return None


def _kind(status: p.Status, cameras: tuple[p.CameraStatus, ...]) -> Mapping[str, object]:
    """What is told at once where it changes."""
    return {
        "own": (status.trouble, status.run, status.paused, status.recording, status.memory),
        "cameras": [(c.trouble, c.state in ("silent", "speaking")) for c in cameras],
    }


def _rank(trouble: str) -> int:
    """How bad a trouble is, 0 the worst. One that a later version has recorded is the least."""
    named = [t for t in p.TROUBLES if t]
    return named.index(trouble) if trouble in named else len(named) + (trouble == "")
