"""What the page's tests stand on: a robot that does what a test tells it, behind the real server.

It watches the simulated room and has no model, so that a test decides what is said and when.
"""

from __future__ import annotations

import base64
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.console import protocol as p
from aura_core.console.clock import now_ms
from aura_core.console.robot import Result, Robot, Seen
from aura_core.console.server import Server
from aura_core.console.settings import ConsoleConfig
from aura_core.errors import InputError
from aura_core.memory.pictures import jpeg
from aura_core.sources.encodings import decode_compressed
from aura_core.sources.folder import SimSource

NS = 1_000_000_000
SEED, WIDTH = 900001, 640
WAIT_S = 60.0  # a busy machine is slow; nothing else waits so long


@cache
def look(chunk: int, seed: int = SEED) -> NDArray[np.uint8]:
    """The simulated room at a second of its minute. RGB uint8 (height, 640, 3)."""
    return _camera(seed).frame(chunk % 60)


@cache
def _camera(seed: int) -> Any:
    return SimSource(seed, width=WIDTH)._camera


class Room(Robot):
    """A robot that a test plays.

    Attributes:
        done: the commands that came, oldest first.
        chunk: the second of the room that it sees.
        plays: whether new frames come, two a second.
        step: where set, each word of an answer waits for its `release`.
        answers: what it answers, by question.
        cannot: abilities that it has not, and why.
        fails: abilities that it has, whose commands fail, and why.
    """

    title = "living room"
    max_question_chars = 400

    def __init__(self, *cameras: str) -> None:
        super().__init__()
        names = cameras or ("",)
        self.cameras = tuple(
            p.Camera(name, name or "living room", name == "phone") for name in names
        )
        self.done: list[p.Command] = []
        self.chunk, self.plays = 0, True
        self.step: threading.Semaphore | None = None
        self.answers: dict[str, str] = {}
        self.cannot: dict[str, str] = {"replay": "this is no recording"}
        self.fails: dict[str, str] = {}
        self.now = p.Status(0.0, model="a scripted robot, no model", device="cpu", run="run-1")
        self.now = replace(self.now, step_ms=61.0, rss_mb=412.0, memory="on")
        self.trouble: dict[str, tuple[str, str]] = {}  # of a camera: trouble and detail
        self.age_ms: float | None = 0.0
        self.ages_ms: dict[str, float] = {}  # of a camera, where it is another one
        self.watches: list[p.Watch] = []
        self.notes: list[p.Note] = []
        self.heard: list[bytes] = []
        self.pictures: list[NDArray[np.uint8]] = []  # of the page's camera
        self._numbers = itertools.count(1)
        self._ends = threading.Event()
        self._live: threading.Thread | None = None

    # ---- life --------------------------------------------------------------------------------

    def open(self) -> None:
        self._ends.clear()
        self._live = threading.Thread(target=self._show, daemon=True)
        self._live.start()

    def close(self) -> None:
        self._ends.set()
        if self._live is not None:
            self._live.join(WAIT_S)

    def _show(self) -> None:
        while not self._ends.wait(0.5):
            if self.plays:
                self.show()

    def show(self) -> None:
        """A new frame of every camera, now."""
        for at, camera in enumerate(self.cameras):
            if not camera.phone and self.trouble.get(camera.name, ("",))[0] != "no_frames":
                image = look(self.chunk + 7 * at, SEED + at)
                self.tell(Seen(camera.name, time.time_ns(), image))

    def abilities(self) -> Mapping[str, str]:
        return dict.fromkeys(p.ABILITIES, "") | self.cannot

    def status(self) -> p.Status:
        return self.now

    def camera_status(self) -> tuple[p.CameraStatus, ...]:
        return tuple(self._camera_status(camera.name) for camera in self.cameras)

    def _camera_status(self, name: str) -> p.CameraStatus:
        trouble, detail = self.trouble.get(name, ("", ""))
        state = trouble if trouble in ("no_frames", "waiting") else "silent"
        age = self.ages_ms.get(name, self.age_ms) if trouble != "waiting" else None
        return p.CameraStatus(name, state, trouble, detail, age, window_chunks=41, window_max=60)

    # ---- what happens ------------------------------------------------------------------------

    def second(
        self, p_silent: float = 0.98, at_ms: float | None = None, camera: str = "", **fields: Any
    ) -> p.Second:
        """A second is decided; its frame is kept."""
        number = next(self._numbers)
        at_ms = now_ms() if at_ms is None else at_ms
        stamp_ns = round(at_ms * 1e6) + number
        image = look(self.chunk)
        self.tell(Seen(camera, stamp_ns, image, "second"))
        values = {"step_ms": 58.0, "decide_ms": 42.0, "window_chunks": 41, "window_max": 60}
        second = p.Second(
            camera,
            number,
            stamp_ns,
            at_ms,
            fields.pop("state", "speak" if fields.get("response_id") else "silent"),
            p_silent,
            **{**values, **fields},
        )
        self.tell(second)
        return second

    def alert(self, watch: p.Watch, text: str, at_ms: float | None = None) -> p.Alert:
        """A watch is answered."""
        number = next(self._numbers)
        at_ms = now_ms() if at_ms is None else at_ms
        stamp_ns = round(at_ms * 1e6) + number
        alert = p.Alert(
            f"r{number}/{watch.id}",
            f"r{number}",
            watch.id,
            watch.camera,
            watch.text,
            text,
            stamp_ns,
            at_ms,
            kind=watch.kind,
            severity=watch.severity,
            urgent=watch.urgent,
            confidence=0.97,
            index=watch.answers,
        )
        self.tell(Seen(watch.camera, stamp_ns, look(self.chunk), "evidence"))
        said = p.Said(alert.id, watch.camera, text, stamp_ns, at_ms, watch.id, watch.kind)
        self.tell(said)
        self.tell(alert)
        self._change(watch.id, answers=watch.answers + 1, last_text=text, last_stamp_ns=stamp_ns)
        self.second(0.03, at_ms, watch.camera, response_id=alert.id)
        return alert

    def _change(self, watch_id: str, **fields: Any) -> None:
        self.watches = [
            replace(watch, **fields) if watch.id == watch_id else watch for watch in self.watches
        ]
        self.tell(p.Watches(tuple(self.watches)))

    def note(self, text: str, chunk: int, kind: str = "seen", at_ms: float | None = None) -> p.Note:
        """The memory takes a note."""
        at_ms = now_ms() if at_ms is None else at_ms
        thumbnail = base64.b64encode(jpeg(look(chunk), 160)).decode()
        note = p.Note(
            f"n{next(self._numbers)}",
            "",
            kind,
            text,
            at_ms - 1000.0,
            at_ms,
            thumbnail=thumbnail if kind == "seen" else "",
        )
        self.notes.append(note)
        self.tell(replace(note, thumbnail=""))
        return note

    # ---- commands ----------------------------------------------------------------------------

    def ask(self, command: p.Ask) -> Result:
        self._take("ask", command)
        if command.text.lower().startswith("tell me"):
            added = p.AddWatch(command.text, "multi-response", camera=command.camera)
            return {"query_id": self._add(added).id, "watch": True}
        query_id = f"q{next(self._numbers)}"
        at_ms = now_ms()
        self.tell(p.Asked(query_id, command.camera, command.text, "console", False, at_ms))
        threading.Thread(target=self._answer, args=(query_id, command), daemon=True).start()
        return {"query_id": query_id, "watch": False}

    def _answer(self, query_id: str, command: p.Ask) -> None:
        text = self.answers.get(command.text, "a red cone and a blue cube")
        response_id, words = f"r{next(self._numbers)}", text.split(" ")
        for end in range(1, len(words) + 1):
            if self.step is not None and not self.step.acquire(timeout=WAIT_S):
                return
            self.tell(p.Words(response_id, command.camera, " ".join(words[:end]), now_ms()))
        if self.step is not None and not self.step.acquire(timeout=WAIT_S):
            return
        stamp_ns, at_ms = time.time_ns(), now_ms()
        self.tell(Seen(command.camera, stamp_ns, look(self.chunk), "evidence"))
        self.tell(p.Said(response_id, command.camera, text, stamp_ns, at_ms, query_id, "real-time"))
        self.second(
            0.02,
            at_ms,
            command.camera,
            reason="asked",
            query_id=query_id,
            response_id=response_id,
            step_ms=184.0,
        )

    def watch(self, command: p.AddWatch) -> Result:
        self._take("watch", command)
        return {"watch_id": self._add(command).id}

    def _add(self, command: p.AddWatch, at_ms: float | None = None) -> p.Watch:
        watch = p.Watch(
            f"w{next(self._numbers)}",
            command.camera,
            command.text,
            command.kind or "proactive",
            True,
            limit=command.limit,
            cooldown_s=command.cooldown_s or 0.0,
            urgent=command.urgent,
            severity=command.severity,
        )
        self.watches.append(watch)
        at_ms = now_ms() if at_ms is None else at_ms
        self.tell(p.Asked(watch.id, command.camera, command.text, "console", True, at_ms))
        self.tell(p.Watches(tuple(self.watches)))
        return watch

    def unwatch(self, command: p.Unwatch) -> Result:
        self._take("watch", command)
        if not any(watch.id == command.watch_id and watch.open for watch in self.watches):
            raise InputError(f"there is no open watch {command.watch_id}")
        self._change(command.watch_id, open=False, cancelled=True)
        return {}

    def pause(self, command: p.Pause) -> Result:
        self._take("pause", command)
        self.now = replace(self.now, paused=command.on, trouble="paused" if command.on else "")
        return {}

    def recall(self, command: p.Recall) -> Result:
        self._take("recall", command)
        begin, end = command.begin_ms, command.end_ms
        found = [
            note
            for note in sorted(self.notes, key=lambda note: -note.end_ms)
            if command.text.lower() in note.text.lower()
            and (begin is None or note.end_ms >= begin)
            and (end is None or note.begin_ms <= end)
        ]
        return {"notes": tuple(found[: command.limit])}

    def forget(self, command: p.Forget) -> Result:
        self._take("forget", command)
        gone = [note for note in self.notes if self._forgets(command, note)]
        self.notes = [note for note in self.notes if note not in gone]
        spans = tuple(p.Span(n.begin_ms, n.end_ms, not command.ids) for n in gone)
        ids = tuple(i for n in gone for i in (n.id, n.response_id) if i)
        self.tell(p.Forgotten(now_ms(), command.everything, spans, ids))
        return {"count": len(gone)}

    @staticmethod
    def _forgets(command: p.Forget, note: p.Note) -> bool:
        if command.everything or note.id in command.ids:
            return True
        if command.begin_ms is None and command.end_ms is None:
            return False
        begin, end = command.begin_ms or 0.0, command.end_ms or 1e14
        return begin <= note.end_ms <= end

    def memory_pause(self, command: p.MemoryPause) -> Result:
        self._take("memory_pause", command)
        self.now = replace(self.now, memory="paused" if command.on else "on")
        return {"warning": ""}

    def record(self, command: p.Record) -> Result:
        self._take("record", command)
        self.now = replace(self.now, recording="2026-01-05_10-30-00" if command.on else "")
        return {"name": "2026-01-05_10-30-00", "place": "/recordings/2026-01-05_10-30-00"}

    def listen_to(self, rate: int) -> None:
        self._take("microphone", p.Microphone(rate > 0, rate or 16000))

    def hear(self, samples: bytes) -> None:
        self.heard.append(samples)

    def look_through(self, command: p.Phone) -> None:
        self._take("camera", command)

    def see(self, camera: str, jpeg: bytes) -> None:
        image = decode_compressed(jpeg)
        self.pictures.append(image)
        self.tell(Seen(camera, time.time_ns(), image))

    def _take(self, ability: str, command: p.Command) -> None:
        if why := self.abilities()[ability] or self.fails.get(ability):
            raise InputError(why)
        self.done.append(command)


def entered(page: Any) -> Any:
    """A page when the server has let it in: before, it gets what was, and no words under way."""
    page.wait_for_selector('#state[data-level="good"]')
    return page


def wait_until(page: Any, done: Callable[[], bool]) -> None:
    """Wait until something is so that the page does not show."""
    for _ in range(300):
        if done():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it has not come")


@contextmanager
def serving(robot: Robot, **settings: Any) -> Iterator[Server]:
    """The console's server with this robot, on a free port."""
    server = Server(robot, ConsoleConfig(**{"port": 0, **settings}))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def serve_for_ever(robot: Robot, port: int) -> None:
    """Serve until the process is killed. Prints the port."""
    with serving(robot, port=port) as server:
        print(server.port, flush=True)
        threading.Event().wait()


def a_while(room: Room, seconds: int = 170, settle: Callable[[], None] = lambda: None) -> None:
    """Some minutes of a quiet afternoon are over: seconds, a question, a watch, alerts, notes.

    `settle` is called now and then: it waits until the pictures so far are kept.
    """
    begin_ms = now_ms() - seconds * 1000.0
    added = p.AddWatch("tell me every time something appears", "multi-response")
    watch = room._add(added, begin_ms)
    happened = {35: (20, "a blue cube appeared"), 88: (32, "a red cone appeared")}
    asked = {61: ("is the lamp on or off?", "on"), 122: ("what do you see?", "a cat and a cube")}
    window = 30
    for i in range(seconds):
        if i % 8 == 0:
            settle()
        at_ms = begin_ms + i * 1000.0
        room.chunk = min(58, i * 58 // seconds)
        window = 30 if window == 60 else window + 1
        values = {"window_chunks": window, "switched": window == 30 and i > 0}
        noise = 0.5 + 0.5 * float(np.sin(i * 1.7)) ** 2
        if i in happened:
            chunk, text = happened[i]
            room.chunk = chunk + 2
            watch = next(one for one in room.watches if one.id == watch.id)
            room.alert(watch, text, at_ms)
            room.note(text, room.chunk, at_ms=at_ms)
        elif i in asked:
            question, answer = asked[i]
            _asked(room, question, answer, at_ms, values)
        else:
            dropped = 2 if i in (100, 101) else 0
            shown = 0.999 - 0.05 * noise * (i % 7 == 0) - 0.3 * (i in (34, 87))
            room.second(shown, at_ms, step_ms=48 + 30 * noise, dropped=dropped, **values)
    room.note("the lamp went on", 10, at_ms=begin_ms + 12_000.0)
    room.note("on", 30, "question", at_ms=begin_ms + 61_000.0)


def _asked(room: Room, question: str, answer: str, at_ms: float, values: dict[str, Any]) -> None:
    number = next(room._numbers)
    room.tell(p.Asked(f"q{number}", "", question, "console", False, at_ms - 800.0))
    stamp_ns = round(at_ms * 1e6)
    room.tell(Seen("", stamp_ns, look(room.chunk), "evidence"))
    room.tell(p.Said(f"r{number}", "", answer, stamp_ns, at_ms, f"q{number}", "real-time"))
    room.second(
        0.04,
        at_ms,
        reason="asked",
        query_id=f"q{number}",
        response_id=f"r{number}",
        step_ms=171.0,
        **values,
    )
