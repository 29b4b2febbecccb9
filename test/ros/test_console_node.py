"""The console of a robot over real DDS: node processes, and a page that speaks the web socket."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
import pytest
from aura_ros.msg import AudioChunk, Transcript
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rig import WAIT_S, Process, Rig

from aura_core.console import protocol as p
from aura_core.console.tape import Tape, read_tape
from aura_core.replay.bag import Bag
from aura_core.types import NS, Frame, Query
from aura_ros import qos
from aura_ros.conversions import to_ns

aiohttp = pytest.importorskip("aiohttp")
WATCH = "Tell me whenever the brightness changes."
SCRIPTED = ("-p", "model.path:=scripted", "-p", "stale_after_s:=1.0", "-p", "watch_file:=''")
_numbers = itertools.count()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Page:
    """A page of the console: a web socket on a thread of its own. The rig spins while it waits."""

    def __init__(self, rig: Rig, port: int, token: str = "") -> None:
        self._rig, self._port, self._token = rig, port, token
        self.messages: list[dict[str, Any]] = []
        self.pictures: list[tuple[int, int, int, bytes]] = []  # kind, id, stamp, JPEG
        self._ids = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._entered = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._main = asyncio.run_coroutine_threadsafe(self._receive(), self._loop)
        self._rig.until(self._entered.is_set, "the console")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._ws.close(), self._loop).result(WAIT_S)
        self._main.result(WAIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _receive(self) -> None:
        url = f"http://127.0.0.1:{self._port}/socket"
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    self._ws = await session.ws_connect(url, max_msg_size=0)
                    break
                except aiohttp.ClientConnectorError:  # the node is starting
                    await asyncio.sleep(0.1)
            enter = {"type": "enter", "version": p.VERSION, "token": self._token}
            await self._ws.send_json(enter)
            async for message in self._ws:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self.messages.append(json.loads(message.data))
                    if self.messages[-1]["type"] == "snapshot":
                        self._entered.set()
                else:
                    kind, _, _, number, stamp_ns = p.HEADER.unpack_from(message.data)
                    found = message.data[p.HEADER.size :]
                    self.pictures.append((kind, number, stamp_ns, found))

    def send(self, data: str | bytes) -> None:
        sent = self._ws.send_str(data) if isinstance(data, str) else self._ws.send_bytes(data)
        asyncio.run_coroutine_threadsafe(sent, self._loop).result(WAIT_S)

    def do(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a command. Returns its answer."""
        number = next(self._ids)
        self.send(json.dumps({"id": number, "type": kind, **fields}))
        return self.until("answer", id=number)

    def until(self, kind: str, after: int = 0, /, **fields: Any) -> dict[str, Any]:
        """The first message of this kind with these values, of those after the first `after`."""
        return self._rig.until(
            lambda: next(
                (
                    m
                    for m in list(self.messages[after:])
                    if m["type"] == kind and all(m.get(k) == v for k, v in fields.items())
                ),
                None,
            ),
            f"{kind} with {fields}",
        )

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [m for m in list(self.messages) if m["type"] == kind]

    def picture(self, stamp_ns: str, camera: str = "") -> np.ndarray:
        """The picture of a stamp, in grey."""
        answer = self.do("picture", stamp_ns=stamp_ns, camera=camera)
        assert answer["ok"], answer
        jpeg = next(data for _, number, _, data in self.pictures if number == answer["id"])
        return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)


class Robot:
    """A console and perhaps an assistant in a namespace of their own."""

    def __init__(self, *args: str, assistant: tuple[str, ...] | None = SCRIPTED) -> None:
        self.namespace = f"/c{os.getpid()}_{next(_numbers)}"
        self.rig, self.port = Rig(self.namespace), free_port()
        self.assistant_args = assistant
        words = ("-p", f"port:={self.port}", *args)
        self.console = Process("console_node", self.namespace, *words)
        self.assistant: Process | None = None
        if assistant is not None:
            self.start_assistant()

    def start_assistant(self) -> None:
        self.assistant = Process("assistant_node", self.namespace, *self.assistant_args)

    def __enter__(self) -> Self:
        self.page = Page(self.rig, self.port)
        try:
            self.page.__enter__()
        except BaseException as e:
            self._end(type(e), e)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(kind, error)

    def _end(self, kind: type[BaseException] | None, error: BaseException | None) -> None:
        try:
            self.page.__exit__(kind, error, None)
        finally:
            for process in (self.assistant, self.console):
                if process is not None:
                    process.__exit__(kind, error, None)
            self.rig.close()

    def watched(self, publishers: int = 1) -> Self:
        """Wait until frames reach both, and the console sees the assistant's seconds."""
        self.rig.matched()
        self.rig.met("console_node")
        self.rig.until(
            lambda: self.rig.camera.get_subscription_count() == 2, "both subscribers of images"
        )
        self.rig.until(self._is_heard, "the assistant's heartbeats")
        self.second()
        return self

    def _is_heard(self) -> bool:
        newest = self.page.of("status")[-1:]
        return bool(newest) and newest[0]["trouble"] != "server_away"

    def second(self, grey: int = 0) -> dict[str, Any]:
        """Publish a second, and wait until it is told to the page.

        One that is not told is followed by another: a best-effort frame may be lost.
        """
        sent: list[str] = []
        next_s = 0.0

        def told() -> dict[str, Any] | None:
            nonlocal next_s
            if time.monotonic() >= next_s:
                sent.append(str(self.rig.frames(grey)[-1]))
                next_s = time.monotonic() + 3.0
            return next((s for s in self.page.of("second") if s["stamp_ns"] in sent), None)

        return self.rig.until(told, f"a second of {sent}")

    def well(self, kind: str = "status", after: int = 0, /, **fields: Any) -> dict[str, Any]:
        """Play seconds until the page is told that nothing is wrong; see `Page.until`.

        A status comes once a second. Of one second alone it may come too late: frames have ended.
        """
        wanted = {"trouble": "", **fields}
        greys = itertools.cycle((100, 105))  # black or frozen pictures would be told too
        return self.rig.until(
            lambda: (
                self.second(next(greys))
                and next(
                    (
                        m
                        for m in list(self.page.messages[after:])
                        if m["type"] == kind and wanted.items() <= m.items()
                    ),
                    None,
                )
            ),
            f"{kind} with {wanted}",
        )


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    folder = tmp_path_factory.mktemp("console")
    memory = ("-p", f"memory.path:={folder / 'notes.db'}")
    place = ("-p", f"recordings:={folder / 'recordings'}", "-p", "fps:=30.0")
    with Robot(*place, assistant=(*SCRIPTED, *memory)) as made:
        made.folder = folder
        yield made.watched()


def test_a_page_sees_the_robot_asks_and_sees_the_answer_come(robot: Robot) -> None:
    page = robot.page
    hello = page.of("hello")[0]
    assert [(c["name"], c["phone"]) for c in hello["cameras"]] == [("", False)]
    assert hello["title"] == robot.namespace.strip("/")
    page.do("view", cameras=[""], fps=10)
    robot.second(200)
    asked = page.do("ask", text="what is it?")
    assert asked["ok"] and asked["data"] == {"query_id": asked["data"]["query_id"], "watch": False}
    query_id = asked["data"]["query_id"]
    assert page.until("asked", id=query_id)["source"] == "aura/ask"
    said = page.until("said", query_id=query_id)
    second = page.until("second", response_id=said["id"])
    assert (second["state"], second["query_id"]) == ("speak", query_id)
    assert second["stamp_ns"] == said["stamp_ns"]
    assert abs(float(page.picture(said["stamp_ns"]).mean()) - 200) < 3
    robot.rig.until(lambda: any(kind == p.LIVE for kind, *_ in page.pictures), "a live picture")
    status = robot.well("status")
    assert (status["model"], status["memory"], status["run"] != "") == ("scripted", "on", True)
    camera = robot.well("camera_status", state="silent")
    assert camera["window_max"] == 60 and camera["frame_age_ms"] is not None


def test_a_watch_tells_with_its_evidence_and_is_cancelled(robot: Robot) -> None:
    page = robot.page
    added = page.do("add_watch", text=WATCH, severity="warning", cooldown_s=0.0)
    watch_id = added["data"]["watch_id"]
    robot.second(0)
    grey = 120
    stamp = robot.second(grey)["stamp_ns"]
    alert = page.until("alert", watch_id=watch_id, stamp_ns=stamp)
    assert (alert["instruction"], alert["severity"]) == (WATCH, "warning")
    assert abs(float(page.picture(stamp).mean()) - grey) < 3
    robot.rig.until(lambda: _watch(page, watch_id).get("last_text") == alert["text"], "the words")
    assert _watch(page, watch_id)["open"]
    assert page.do("unwatch", watch_id=watch_id)["ok"]
    robot.rig.until(lambda: _watch(page, watch_id).get("cancelled"), "the watch to be cancelled")
    again = page.do("unwatch", watch_id=watch_id)
    assert not again["ok"] and watch_id in again["error"]


def _watch(page: Page, watch_id: str) -> dict[str, Any]:
    newest = page.of("watches")[-1:]
    return next((w for m in newest for w in m["watches"] if w["id"] == watch_id), {})


def test_what_the_assistant_refuses_is_refused_with_its_reason(robot: Robot) -> None:
    refused = robot.page.do("ask", text="what?", camera="cellar")
    assert not refused["ok"] and "cellar" in refused["error"]
    refused = robot.page.do("forget")
    assert not refused["ok"] and "say what to forget" in refused["error"]


def test_a_lost_camera_is_told_and_its_return(robot: Robot) -> None:
    page = robot.page
    robot.second()
    after = len(page.messages)
    lost = page.until("camera_status", after, trouble="no_frames")
    assert lost["state"] in ("no_frames", "silent", "speaking")
    assert page.until("status", after, trouble="no_frames")["detail"]
    page.until("camera_status", after, state="no_frames")
    refused = page.do("ask", text="what is it?")
    assert refused["ok"] or "no frames" in refused["error"]
    after = len(page.messages)

    def well() -> bool:
        robot.second(100)  # a black picture would be told too
        return any(m["type"] == "camera_status" and not m["trouble"] for m in page.messages[after:])

    robot.rig.until(well, "a camera that is well")


def test_a_pause_is_told_and_ends(robot: Robot) -> None:
    page = robot.page
    robot.second()
    assert page.do("pause", on=True)["ok"]
    after = len(page.messages)
    page.until("status", after, trouble="paused", paused=True)
    refused = page.do("ask", text="what is it?")
    assert not refused["ok"] and "inactive" in refused["error"]
    assert page.do("pause", on=False)["ok"]
    robot.second()
    page.until("status", len(page.messages), paused=False)


def test_the_memory_is_searched_paused_and_forgotten(robot: Robot) -> None:
    page = robot.page
    robot.second()
    asked = page.do("ask", text="what is it?")
    said = page.until("said", query_id=asked["data"]["query_id"])
    note = page.until("note", kind="question", response_id=said["id"])
    found = page.do("recall", text="what is it?")
    assert note["id"] in [n["id"] for n in found["data"]["notes"]]
    assert page.do("memory_pause", on=True) == {
        **page.of("answer")[-1],
        "ok": True,
        "data": {"warning": ""},
    }
    page.until("status", len(page.messages), memory="paused")
    assert page.do("memory_pause", on=False)["ok"]
    gone = page.do("forget", ids=[note["id"]])
    assert gone["data"] == {"count": 1} and page.until("forgotten")
    kept = page.do("recall", text="what is it?")["data"]["notes"]
    assert note["id"] not in [n["id"] for n in kept]


def test_sound_of_a_page_reaches_the_asr_that_runs_and_is_refused_without(robot: Robot) -> None:
    page, rig = robot.page, robot.rig
    refused = page.do("microphone", on=True, rate=16000)
    assert not refused["ok"] and "no speech input runs" in refused["error"]
    heard: list[AudioChunk] = []
    ears = rig.node.create_subscription(AudioChunk, "microphone/audio", heard.append, qos.AUDIO)
    rig.until(lambda: page.do("microphone", on=True, rate=48000)["ok"], "the microphone")
    sound = np.arange(4800, dtype="<i2")
    for _ in range(3):
        page.send(p.Binary(p.SOUND, 0, 0, sound.tobytes()).encode())
    rig.until(lambda: len(heard) == 3, "the sound")
    assert [(c.rate, list(c.samples) == sound.tolist()) for c in heard] == [(48000, True)] * 3
    first, second, third = (to_ns(c.header.stamp) for c in heard)
    assert second - first == third - second == NS // 10, (
        "sound without a gap, though it came at once"
    )
    words = rig.node.create_publisher(Transcript, "asr/transcript", qos.EVENTS)
    rig.met("console_node")
    words.publish(Transcript(state="rejected", text="hm", reason="filler"))
    assert page.until("heard", state="rejected")["reason"] == "filler"
    assert page.do("microphone", on=False)["ok"]
    other = rig.node.create_publisher(AudioChunk, "microphone/audio", qos.AUDIO)

    def refused_now() -> bool:
        answer = page.do("microphone", on=True, rate=16000)
        return not answer["ok"] and "rig is heard already" in answer["error"]

    rig.until(refused_now, "the refusal")
    for made in (other, words):
        rig.node.destroy_publisher(made)
    rig.node.destroy_subscription(ears)


def test_a_recording_is_a_bag_of_what_was_seen_and_said(robot: Robot) -> None:
    page = robot.page
    begun = page.do("record", on=True)
    place = Path(begun["data"]["place"])
    assert page.until("status", recording=begun["data"]["name"])
    assert not page.do("record", on=True)["ok"]
    robot.rig.until(
        lambda: robot.rig.node.count_subscribers("aura/heartbeat") == 3, "the recorder's topics"
    )
    time.sleep(0.5)  # the publishers may find the recorder a little later
    first = robot.second(10)
    asked = page.do("ask", text="what is it?")
    said = page.until("said", query_id=asked["data"]["query_id"])
    last = robot.second(90)
    ended = page.do("record", on=False)
    assert ended["ok"] and Path(ended["data"]["place"]) == place
    assert not page.do("record", on=False)["ok"]
    tape = read_tape(place)
    seconds = {s.stamp_ns: s for s in of(tape, p.Second)}
    assert {int(first["stamp_ns"]), int(last["stamp_ns"])} <= set(seconds)
    for told, grey in ((first, 10), (last, 90)):
        jpeg = tape.film.picture("", int(told["stamp_ns"]))
        shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert abs(float(shown.mean()) - grey) < 3
    assert said["id"] in [s.id for s in of(tape, p.Said)]
    assert asked["data"]["query_id"] in [a.id for a in of(tape, p.Asked)]
    assert of(tape, p.Watches) and tape.notice == ""
    tape.film.close()
    with Bag(place) as bag:  # what a replay needs is in it
        events = list(bag.events())
    assert any(isinstance(e, Frame) for e in events)
    assert [e.text for e in events if isinstance(e, Query)] == ["what is it?"]


def of(tape: Tape, kind: type) -> list[Any]:
    return [event for _, event in tape.events if isinstance(event, kind)]


def test_a_killed_assistant_is_told_and_its_return() -> None:
    with Robot() as robot:
        page = robot.watched().page
        run = robot.well()["run"]
        robot.assistant.kill()
        after = len(page.messages)
        status = page.until("status", after, trouble="server_away")
        assert "aura/heartbeat" in status["detail"]
        robot.rig.until(lambda: _refused(page, "nobody offers"), "the refusal")
        robot.start_assistant()
        after = len(page.messages)
        robot.watched()
        robot.well("camera_status", after, state="silent")
        again = robot.rig.until(
            lambda: next((s for s in page.of("status") if s["run"] not in ("", run)), None),
            "the other run",
        )
        assert again["run"] != run
        robot.second()
        answered = page.do("ask", text="what is it?")
        assert page.until("said", query_id=answered["data"]["query_id"])


def _refused(page: Page, why: str) -> bool:
    answer = page.do("ask", text="what is it?")
    return not answer["ok"] and why in answer["error"]


def test_without_an_assistant_the_page_says_what_is_missing() -> None:
    with Robot(assistant=None) as robot:
        status = robot.page.until("status", trouble="server_away")
        assert "no assistant is heard" in status["detail"]
        abilities = robot.page.of("hello")[0]["abilities"]
        assert "is the assistant running" in abilities["ask"] and abilities["export"] == ""
        assert abilities["camera"] == "no camera takes it: set the parameter phone"
        assert not robot.page.do("phone", on=True)["ok"]


def test_a_recording_of_a_console_that_is_killed_can_be_read(tmp_path: Path) -> None:
    with Robot("-p", f"recordings:={tmp_path}", "-p", "record_images:=raw") as robot:
        page = robot.watched().page
        assert page.do("record", on=True)["ok"]
        robot.rig.until(
            lambda: robot.rig.node.count_subscribers("aura/heartbeat") == 3, "the topics"
        )
        time.sleep(0.5)
        told = [robot.second(10 * k) for k in range(4)]
        time.sleep(1.5)  # what was told more than a second ago is on the disk
        robot.second(70)  # it may be lost
        robot.console.kill()
    (place,) = tmp_path.iterdir()
    assert not (place / "metadata.yaml").exists()
    tape = read_tape(place)
    kept = [s.stamp_ns for s in of(tape, p.Second)]
    assert int(told[0]["stamp_ns"]) in kept and len(kept) >= 3
    assert tape.film.picture("", int(told[0]["stamp_ns"])) is not None
    tape.film.close()


def test_a_phone_is_the_camera_and_several_cameras_are_told_apart() -> None:
    cameras = ("-p", "cameras:=['front', 'phone']")
    phone = ("-p", "phone:=true", "-p", "phone_camera:=phone")
    with Robot(*cameras, *phone, assistant=(*SCRIPTED, *cameras)) as robot:
        page, rig = robot.page, robot.rig
        assert [(c["name"], c["phone"]) for c in page.of("hello")[0]["cameras"]] == [
            ("front", False),
            ("phone", True),
        ]
        rig.until(lambda: rig.node.count_subscribers("phone/image_raw") == 2, "the subscribers")
        assert not page.do("phone", on=True, camera="front")["ok"]
        assert page.do("phone", on=True, camera="phone")["ok"]
        _ok, jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 77, np.uint8))
        sent = p.Binary(p.SEEN, 1, 0, jpeg.tobytes()).encode()

        def decided() -> dict[str, Any] | None:
            page.send(sent)
            time.sleep(0.2)
            return next((s for s in page.of("second") if s["camera"] == "phone"), None)

        second = rig.until(decided, "a second of the phone")
        assert abs(float(page.picture(second["stamp_ns"], "phone").mean()) - 77) < 3
        page.send(p.Binary(p.SEEN, 1, 0, b"\xff\xd8\xff no picture").encode())
        refused = page.until("answer", ok=False, id=0)
        assert refused["error"]
        states = {c["camera"]: c for c in page.of("camera_status")[-2:]}
        assert states["front"]["trouble"] == "waiting" and "front" in states["front"]["detail"]


def test_the_node_is_configured_again_and_a_port_in_use_is_named(tmp_path: Path) -> None:
    with Robot(assistant=None) as robot:
        page, rig = robot.page, robot.rig
        args = ("-p", f"port:={robot.port}")
        with Process("console_node", f"{robot.namespace}/second", *args) as second:
            code, output = second.wait()
        assert code == 1 and f"port {robot.port} of 127.0.0.1 cannot be used" in output
        client = rig.node.create_client(ChangeState, "console_node/change_state")
        rig.until(client.service_is_ready, "the node")

        def change(transition: int) -> bool:
            done = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
            rig.until(done.done, "the transition")
            return done.result().success

        assert change(Transition.TRANSITION_DEACTIVATE)
        assert page.until("bye")["again"]
        assert change(Transition.TRANSITION_CLEANUP)
        assert change(Transition.TRANSITION_CONFIGURE)
        assert change(Transition.TRANSITION_ACTIVATE)
        with Page(rig, robot.port) as again:
            assert again.until("status", trouble="server_away")
            robot.console.end_cleanly(signal.SIGTERM)  # with a page open
