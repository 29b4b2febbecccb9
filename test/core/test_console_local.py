"""The assistant behind `aura console`: the decisions are as without it, and a page is told them."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from console_rig import WAIT_S, entered, picture, run, serving
from engine_rig import free
from local_rig import folder, opened, scripted

from aura_core.config import AssistantConfig, MemoryConfig, ModelConfig
from aura_core.console import feed as feeds
from aura_core.console import protocol as p
from aura_core.console.feed import PHONE, Source
from aura_core.console.local import LocalRobot, wanted
from aura_core.console.robot import Seen
from aura_core.console.state import Past
from aura_core.console.tape import read_tape
from aura_core.errors import InputError
from aura_core.live.events import Stepped
from aura_core.models import load
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep, drive
from aura_core.sources import open_source
from aura_core.stream.engine import StreamEngine
from aura_core.types import NS, Frame, Query, Step

SECONDS = 6
VOLATILE = ("step_ms", "decide_ms", "response_id", "query_id", "watches")  # times, ids of a run


@pytest.fixture
def unpaced(monkeypatch: pytest.MonkeyPatch) -> Callable[[LocalRobot], None]:
    """Plays a robot's files as fast as its model is: no second is dropped."""
    made: list[LocalRobot] = []

    def paced(events: Iterable[Frame | Query], sleep: Any) -> Iterator[Frame | Query]:
        for event in events:
            made[0].host.drain(WAIT_S)
            yield event

    monkeypatch.setattr(feeds, "paced", paced)
    return made.append


# ---- decisions -----------------------------------------------------------------------------------


def decisions(steps: Iterable[Step]) -> list[str]:
    """All of each step but its times and ids. Floats are exact."""
    lines = []
    for step in steps:
        fields = step.as_json() | {"p_silent": step.decision.p_silent.hex()}
        lines.append(json.dumps({k: v for k, v in fields.items() if k not in VOLATILE}))
    return lines


def test_the_console_changes_no_decision_by_a_bit(unpaced: Callable[[LocalRobot], None]) -> None:
    config = AssistantConfig(model=ModelConfig(path="aura_tiny", device="cpu"))
    question = Query("Tell me when a ball appears.", stamp_ns=2 * NS)
    with open_source("sim:7", config.sampling.fps, SECONDS) as source:
        events = [*source]
    at = next(i for i, frame in enumerate(events) if frame.stamp_ns >= 2 * NS)
    with_question = [*events[:at], question, *events[at:]]
    lockstep = Lockstep(StreamEngine(load(config.model), config))
    alone = decisions(drive(lockstep, with_question, on_refused=_fail, on_lost=_fail))

    robot = LocalRobot(Source.parse_all(["sim:7"]), config, SECONDS)
    unpaced(robot)
    asking(robot, question)
    steps: queue.Queue[Step] = queue.Queue()
    robot.host.listen(lambda e: steps.put(e.step) if isinstance(e, Stepped) else None)

    async def test() -> None:
        with serving(robot) as server:
            async with entered(server) as page, entered(server) as other:
                for one in (page, other):
                    await one.do("view", cameras=[""], fps=10)
                    while decided(one.messages) < len(alone):
                        await one.next()
                    await one.picture(p.LIVE)

    run(test)
    assert decisions(steps.get() for _ in range(steps.qsize())) == alone
    assert len(alone) >= SECONDS


def decided(messages: list[dict[str, Any]]) -> int:
    """The seconds that a page was told, at its start and later."""
    later = sum(m["type"] == "second" for m in messages)
    return later + sum(len(m["seconds"]) for m in messages if m["type"] == "snapshot")


def _fail(*what: object) -> None:
    raise AssertionError(what)


def asking(robot: LocalRobot, question: Query) -> None:
    """Ask a question just before the frame of its stamp."""
    (feed,) = robot._feeds.values()
    take, asked = feed._take, []

    def ask_first(event: Frame | Query) -> None:
        if event.stamp_ns >= question.stamp_ns and not asked:
            asked.append(robot.host.ask(question, source="test"))
        take(event)

    feed._take = ask_first


# ---- what is told --------------------------------------------------------------------------------


def test_a_folder_is_played_to_its_end(
    tmp_path: Path, unpaced: Callable[[LocalRobot], None]
) -> None:
    robot = scripted(folder(tmp_path / "pictures"), script={1: "A cup!"})
    unpaced(robot)
    with opened(robot) as told:
        seconds = [told.next(p.Second) for _ in range(3)]
        assert [s.state for s in seconds] == ["silent", "speak", "silent"]
        assert [s.stamp_ns for s in seconds] == [NS // 2, 3 * NS // 2, 5 * NS // 2]
        while robot.camera_status()[0].trouble != "stopped":
            pass
        status = robot.camera_status()[0]
        assert status.detail == "the source has ended"
        assert status.frames_received == 6
        assert robot.status().model == "scripted: no model, says what its script says"


def test_a_watch_its_alert_and_their_frame(
    tmp_path: Path, unpaced: Callable[[LocalRobot], None]
) -> None:
    gate = threading.Event()
    robot = scripted(folder(tmp_path / "pictures", 4), script={2: "A cup!"})
    unpaced(robot)
    waiting(robot, gate)
    with opened(robot) as told:
        told.next(Seen)
        result = robot.watch(p.AddWatch("a cup", severity="critical", limit=3))
        gate.set()
        asked = told.next(p.Asked)
        assert (asked.watch, asked.source, asked.id) == (True, "console", result["watch_id"])
        begun = told.next(p.Watches).watches[0]
        assert (begun.text, begun.kind, begun.limit, begun.open) == ("a cup", "proactive", 3, True)
        evidence = told.next(Seen, lambda s: s.role == "evidence")
        said, alert = told.next(p.Said), told.next(p.Alert)
        assert alert.key == f"{said.id}/{asked.id}"
        assert (alert.text, alert.severity, alert.instruction) == ("A cup!", "critical", "a cup")
        assert alert.stamp_ns == said.stamp_ns == evidence.stamp_ns
        answered = told.next(p.Watches, lambda w: w.watches[0].answers > 0).watches[0]
        assert (answered.last_text, answered.last_stamp_ns) == ("A cup!", alert.stamp_ns)
        assert not answered.open
        with pytest.raises(InputError, match="no open watch"):
            robot.unwatch(p.Unwatch(asked.id))


def waiting(robot: LocalRobot, gate: threading.Event) -> None:
    """Let no frame but the first come before the gate opens."""
    (feed,) = robot._feeds.values()
    take, count = feed._take, [0]

    def later(event: Frame | Query) -> None:
        count[0] += 1
        assert count[0] == 1 or gate.wait(WAIT_S)
        take(event)

    feed._take = later


def test_a_question_and_its_words(tmp_path: Path, unpaced: Callable[[LocalRobot], None]) -> None:
    gate = threading.Event()
    robot = scripted(folder(tmp_path / "pictures"), script=lambda *_: "Two red cups.")
    unpaced(robot)
    waiting(robot, gate)
    with opened(robot) as told:
        told.next(Seen)
        result = robot.ask(p.Ask("what is it?"))
        gate.set()
        asked = told.next(p.Asked)
        assert (asked.id, asked.watch) == (result["query_id"], False)
        words = told.next(p.Words)
        said = told.next(p.Said)
        assert said.id == words.id
        assert said.query_id == asked.id
        assert said.text.startswith(words.text)


def test_pausing_shows_frames_on_and_decides_nothing(tmp_path: Path) -> None:
    robot = scripted(PHONE)
    with opened(robot) as told:
        robot.look_through(p.Phone(True))
        while robot.status().trouble == "model_loading":
            pass
        assert robot.camera_status()[0].trouble == "waiting"
        robot.pause(p.Pause(True))
        assert (robot.status().trouble, robot.status().paused) == ("paused", True)
        assert robot.camera_status()[0].state == "inactive"
        with pytest.raises(InputError, match="no frame has come"):
            robot.ask(p.Ask("what?"))
        robot.see("", jpeg())
        assert told.next(Seen).role == "live"
        with pytest.raises(InputError, match="inactive"):
            robot.ask(p.Ask("what?"))
        robot.pause(p.Pause(False))
        assert not robot.status().paused
        assert not [t for t in told.all() if isinstance(t, p.Second)]


def jpeg(grey: int = 9) -> bytes:
    return cv2.imencode(".jpg", picture(grey))[1].tobytes()


def test_a_phone_is_a_camera(tmp_path: Path) -> None:
    robot = scripted(f"left={folder(tmp_path / 'pictures')}", "right=phone")
    assert [(c.name, c.phone) for c in robot.cameras] == [("left", False), ("right", True)]
    with opened(robot) as told:
        with pytest.raises(InputError, match="no camera takes"):
            robot.look_through(p.Phone(True, "left"))
        with pytest.raises(InputError, match="takes no pictures now"):
            robot.see("right", jpeg())
        robot.look_through(p.Phone(True, "right"))
        for bad in (b"", b"garbage", b"\xff\xd8\xff", jpeg()[:100], cv2_png()):
            with pytest.raises(InputError):
                robot.see("right", bad)
        robot.see("right", jpeg())
        shown = told.next(Seen, lambda s: s.camera == "right")
        assert isinstance(shown.image, np.ndarray) and shown.image.shape == (48, 64, 3)
        robot.look_through(p.Phone(False, "right"))
        with pytest.raises(InputError, match="takes no pictures now"):
            robot.see("right", jpeg())


def test_a_recording_holds_the_watches_that_were_open_before_it(
    tmp_path: Path, unpaced: Callable[[LocalRobot], None]
) -> None:
    """Regression: a replay showed no watches until one of them changed."""
    gate = threading.Event()
    robot = scripted(folder(tmp_path / "pictures", 4), recordings=tmp_path / "recordings")
    unpaced(robot)
    waiting(robot, gate)
    with opened(robot) as told:
        told.next(Seen)
        robot.watch(p.AddWatch("tell me when it rains"))
        gate.set()
        told.next(p.Watches, lambda w: bool(w.watches))
        robot.record(p.Record(True))
        (status,) = robot.camera_status()
        place = Path(str(robot.record(p.Record(False))["place"]))
    tape = read_tape(place)
    past = Past()
    for _, event in tape.events:
        past.take(event)
    assert [w.text for w in past.snapshot().watches] == ["tell me when it rains"]
    assert [e.state for _, e in tape.events if isinstance(e, p.CameraStatus)] == [status.state]


def cv2_png() -> bytes:
    return cv2.imencode(".png", picture())[1].tobytes()


def test_a_model_that_cannot_be_loaded_is_told_and_the_page_stays(tmp_path: Path) -> None:
    def broken() -> ScriptedBackend:
        raise InputError("no such model")

    complaints: list[str] = []
    robot = LocalRobot(
        Source.parse_all([folder(tmp_path / "p")]),
        free(),
        load_model=broken,
        complain=complaints.append,
    )
    with opened(robot) as told:
        assert told.next(p.Problem).text == "no such model"
        status = robot.status()
        assert (status.trouble, status.detail) == ("model_failed", "no such model")
        assert complaints == ["no such model"]
        with pytest.raises(InputError, match="stopping"):
            robot.ask(p.Ask("what?"))


def test_a_step_that_fails_is_a_trouble_until_one_works(
    tmp_path: Path, unpaced: Callable[[LocalRobot], None]
) -> None:
    from host_rig import GatedBackend

    backend = GatedBackend({}, broken=(1,))
    robot = LocalRobot(
        Source.parse_all([folder(tmp_path / "p", 4)]), free(), load_model=lambda: backend
    )
    unpaced(robot)
    troubles: list[str] = []
    robot.listen(lambda t: troubles.append(robot.camera_status()[0].trouble))
    with opened(robot) as told:
        assert "out of memory" in told.next(p.Problem).text
        told.next(p.Second, lambda s: s.chunk == 3)
    assert "step_failed" in troubles
    assert troubles[-1] != "step_failed"


class LostCamera:
    """A camera that gives some frames and is unplugged, as often as it is opened."""

    live, description = True, "a camera"
    opened = 0
    back = threading.Event()

    def __init__(self, *_: object) -> None:
        if LostCamera.opened and not LostCamera.back.is_set():
            raise InputError("cannot open the camera")
        LostCamera.opened += 1
        self._first = LostCamera.opened * 10 * NS

    def events(self) -> Iterator[Frame]:
        for i in range(4):
            yield Frame(picture(i), self._first + i * NS // 2)
        raise InputError("the camera gives no more frames")

    def close(self) -> None:
        pass


def test_a_camera_that_is_lost_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "open_events", LostCamera)
    monkeypatch.setattr(feeds, "REOPEN_S", 0.01)
    robot = scripted("camera:0")
    with opened(robot) as told:
        assert told.next(p.Problem).text == "the camera gives no more frames"
        assert told.next(p.Problem).text == "cannot open the camera"
        while robot.status().trouble == "model_loading":
            pass
        status = robot.camera_status()[0]
        assert (status.trouble, status.detail) == ("no_frames", "cannot open the camera")
        LostCamera.back.set()
        assert told.next(Seen, lambda s: s.stamp_ns >= 20 * NS)


def test_a_source_that_cannot_be_opened_is_refused_at_once() -> None:
    robot = scripted("no/such/file.mp4")
    with pytest.raises(InputError, match="no/such/file"):
        robot.open()
    robot.close()


def test_a_folder_begins_again_at_its_end(
    tmp_path: Path, unpaced: Callable[[LocalRobot], None]
) -> None:
    robot = scripted(folder(tmp_path / "pictures", 2, grey=100), loop=True)
    unpaced(robot)
    with opened(robot) as told:
        assert [told.next(p.Second).chunk for _ in range(6)] == list(range(6))
        assert robot.camera_status()[0].trouble == ""


def test_the_memory_is_searched_and_forgotten(
    tmp_path: Path, unpaced: Callable[[LocalRobot], None]
) -> None:
    gate = threading.Event()
    config = free(memory=MemoryConfig(path=str(tmp_path / "notes.db")))
    robot = scripted(folder(tmp_path / "pictures"), script=lambda *_: "A cup.", config=config)
    unpaced(robot)
    waiting(robot, gate)
    with opened(robot) as told:
        told.next(Seen)
        robot.ask(p.Ask("what is it?"))
        gate.set()
        noted = told.next(p.Note, lambda n: n.kind == "question")
        assert robot.host.memory.recorder.flush(WAIT_S)
        (found,) = robot.recall(p.Recall("cup"))["notes"]
        assert (found.id, found.question, found.text) == (noted.id, "what is it?", "A cup.")
        assert abs(found.end_ms - noted.end_ms) < 1.0
        assert robot.recall(p.Recall("cup", end_ms=1e12))["notes"] == ()
        assert robot.forget(p.Forget((noted.id,)))["count"] == 1
        gone = told.next(p.Forgotten)
        assert not gone.everything and noted.id in gone.ids and noted.query_id in gone.ids
        assert [round(s.end_ms) for s in gone.spans] == [round(found.end_ms)]
        assert robot.recall(p.Recall("cup"))["notes"] == ()
        assert robot.memory_pause(p.MemoryPause(True)) == {"warning": ""}
        assert robot.status().memory == "paused"


def test_without_a_memory_the_reason_is_told(tmp_path: Path) -> None:
    robot = scripted(folder(tmp_path / "pictures"))
    assert "--memory" in robot.abilities()["recall"]
    with pytest.raises(InputError, match="--memory"):
        robot.recall(p.Recall())
    assert set(robot.abilities()) == set(p.ABILITIES)


@pytest.mark.parametrize(
    "command",
    [
        p.Forget(),
        p.Forget(("a",), everything=True),
        p.Forget(begin_ms=1.0, everything=True),
        p.Forget(begin_ms=2.0, end_ms=1.0),
    ],
)
def test_forgetting_must_say_what(command: p.Forget) -> None:
    with pytest.raises(InputError):
        wanted(command)


def test_what_is_to_be_forgotten() -> None:
    assert wanted(p.Forget(everything=True)) is None
    asked = wanted(p.Forget(begin_ms=1.5))
    assert asked is not None and asked.begin_wall_ns == 1_500_000 and asked.end_wall_ns is None


def test_sources_have_names(tmp_path: Path) -> None:
    (tmp_path / "a=b.mp4").touch()
    assert Source.parse_all(["camera:0"]) == (Source("camera:0"),)
    assert Source.parse_all(["left=camera:0", "sim:1"]) == (
        Source("camera:0", "left"),
        Source("sim:1", "camera2"),
    )
    assert Source.parse_all([str(tmp_path / "a=b.mp4")])[0].name == ""
    secret = "http://user:secret@host/stream?token=x"
    assert "secret" not in Source.parse_all([secret])[0].title
    with pytest.raises(InputError, match="'a'"):
        Source.parse_all(["a=sim:1", "a=sim:2"])
