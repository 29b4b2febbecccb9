"""The debug image, and the picture that comes with an alert."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rig import WAIT_S, Process, Rig
from sensor_msgs.msg import CompressedImage

from aura_core.config import AssistantConfig
from aura_core.live.events import Alert, Delegated, Event, Ready, Stepped, Told
from aura_core.live.health import Health
from aura_core.live.host import Host
from aura_core.live.overlay import Overlay
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import (
    NS,
    Answered,
    Decision,
    Delegate,
    Frame,
    Kind,
    Query,
    Response,
    Step,
)
from aura_ros import pictures
from aura_ros.conversions import to_frame, to_ns
from aura_ros.pictures import Pictures

DEBUG, EVIDENCE = "aura/debug_image/compressed", "aura/alert/image/compressed"
TASKS = "aura/delegate/image/compressed"
HEALTH = Health("ready", 0.0, 9, 4, 2, 7, 0, 3, 0)
Assistant = tuple[Process, Rig]
Rigs = Callable[[], tuple[str, Rig]]


def grey_of(msg: CompressedImage) -> float:
    """Mean of the first eight rows: the camera's picture, in the debug image too."""
    return float(to_frame(msg, 0).image[:8].mean())


# ---- without DDS -----------------------------------------------------------------------------


@dataclass
class Topic:
    """A publisher that keeps what it gets."""

    subscribers: int = 1
    sent: list[CompressedImage] = field(default_factory=list)

    def get_subscription_count(self) -> int:
        return self.subscribers

    def publish(self, msg: CompressedImage) -> None:
        self.sent.append(msg)


class Desk:
    """A node for `Pictures`, with publishers that keep what they get."""

    def __init__(self) -> None:
        self.topics = {DEBUG: Topic(), EVIDENCE: Topic(), TASKS: Topic()}
        self.complaints: list[str] = []
        self.complain = self.complaints.append
        self.asked = 0  # how often the health of the host was asked for

    def health(self, camera: str) -> Health:
        self.asked += 1
        return HEALTH

    def publish_on(self, kind: Any, topic: str, qos: Any) -> Topic:
        return self.topics[topic]

    def work(self, name: str, main: Callable[[threading.Event], None]) -> None:
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=main, args=(self.stopping,), daemon=True)
        self.thread.start()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def shown(desk: Desk) -> Any:
    shown = Pictures(desk, "", desk, 60)  # type: ignore[arg-type]
    shown.open()
    yield shown
    desk.stopping.set()
    desk.thread.join(WAIT_S)
    assert not desk.thread.is_alive()


def stepped(chunk: int, alert: bool = False) -> Stepped:
    """A decision about a picture whose grey is the number of the chunk."""
    stamp = chunk * NS
    watch = Answered("q1", Kind.PROACTIVE, 0)
    said = Response("Look!", Kind.PROACTIVE, "q1", 0, False, stamp) if alert else None
    decision = Decision(not alert, 0.1 if alert else 0.9, 1)
    step = Step(chunk, stamp, decision, said, None, None, 3.0, 2.0, 1, 1, 0, 1, 5, 99, False)
    frame = Frame(np.full((8, 8, 3), chunk, np.uint8), stamp, frame_id="cam")
    return Stepped("", step, frame, (Alert(watch, "look out"),) if alert else ())


def until(found: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_evidence_of_a_task_and_of_its_result(desk: Desk, shown: Pictures) -> None:
    task = Delegate("d1", "look it up", "q1", 3 * NS)
    made = stepped(3, alert=True)
    assert made.step.response is not None
    shown.on_event(Delegated("", None, task, made.frame, 9.0))
    until(lambda: desk.topics[TASKS].sent)
    assert [to_ns(m.header.stamp) for m in desk.topics[TASKS].sent] == [3 * NS]
    assert not desk.topics[EVIDENCE].sent and not desk.topics[DEBUG].sent
    shown.on_event(Told("", task, made.step.response, made.frame, made.alerts))
    until(lambda: desk.topics[EVIDENCE].sent)
    assert [to_ns(m.header.stamp) for m in desk.topics[EVIDENCE].sent] == [3 * NS]
    shown.on_event(Delegated("other camera", None, task, made.frame, 9.0))
    shown.on_event(stepped(4))
    until(lambda: desk.topics[DEBUG].sent)
    assert len(desk.topics[TASKS].sent) == 1


def test_nothing_is_made_while_nobody_subscribes(
    desk: Desk, shown: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    draw, jpeg = pictures.draw, pictures.jpeg_msg
    monkeypatch.setattr(pictures, "draw", lambda *a: made.append("drawn") or draw(*a))
    monkeypatch.setattr(pictures, "jpeg_msg", lambda *a: made.append("jpeg") or jpeg(*a))
    debug, evidence = desk.topics[DEBUG], desk.topics[EVIDENCE]
    debug.subscribers = evidence.subscribers = 0
    for chunk in range(5):
        shown.on_event(stepped(chunk, alert=True))
    assert desk.asked == 0
    debug.subscribers = 1
    shown.on_event(stepped(5))
    until(lambda: debug.sent)
    assert made == ["drawn", "jpeg"]  # of the last one
    assert [to_ns(m.header.stamp) for m in debug.sent] == [5 * NS]
    assert evidence.sent == []


def test_the_models_thread_never_waits_for_a_picture_and_the_newest_one_wins(
    desk: Desk, shown: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing, go = threading.Event(), threading.Event()

    def slow(image: np.ndarray, overlay: Overlay) -> np.ndarray:
        drawing.set()
        assert go.wait(WAIT_S)
        return image

    monkeypatch.setattr(pictures, "draw", slow)
    shown.on_event(stepped(0))
    assert drawing.wait(WAIT_S)
    for chunk in range(1, 7):  # returns, though the first is still being drawn
        shown.on_event(stepped(chunk, alert=chunk in (2, 3)))
    go.set()
    debug, evidence = desk.topics[DEBUG].sent, desk.topics[EVIDENCE].sent
    until(lambda: len(debug) == 2 and len(evidence) == 2)
    assert [to_ns(m.header.stamp) // NS for m in debug] == [0, 6]
    assert [(to_ns(m.header.stamp) // NS, round(grey_of(m))) for m in evidence] == [(2, 2), (3, 3)]


def test_a_picture_that_cannot_be_drawn_costs_nothing_else(
    desk: Desk, shown: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(image: np.ndarray, overlay: Overlay) -> np.ndarray:
        raise OSError("cannot open resource")

    with monkeypatch.context() as patched:
        patched.setattr(pictures, "draw", broken)
        shown.on_event(stepped(0))
        until(lambda: desk.complaints)
    assert desk.complaints == ["a picture could not be published: cannot open resource"]
    shown.on_event(stepped(1))
    until(lambda: desk.topics[DEBUG].sent)


def test_the_overlay_tells_the_step(
    desk: Desk, shown: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    overlays: list[Overlay] = []
    monkeypatch.setattr(pictures, "draw", lambda image, o: overlays.append(o) or image)
    for chunk in (1, 4):
        shown.on_event(stepped(chunk, alert=chunk == 1))
        until(lambda wanted=chunk: overlays and overlays[-1].stamp_ns == wanted * NS)
    first, second = overlays
    assert (first.state, first.p_silent, first.words_age_s) == ("speaking", 0.1, 0.0)
    assert (second.state, second.p_silent, second.words, second.words_age_s) == (
        "silent",
        0.9,
        "Look!",
        3.0,
    )
    assert (second.watches, second.dropped, second.step_ms) == (3, 2, 3.0)
    assert (second.window_chunks, second.window_max) == (5, 60)
    assert [(d.p_silent, d.spoke) for d in second.history] == [(0.1, True), (0.9, False)]


def test_decisions_are_the_same_to_the_bit_with_pictures_and_without(
    desk: Desk, shown: Pictures
) -> None:
    rng, config = np.random.default_rng(4), AssistantConfig()
    frames = []
    for i in range(24):
        image = rng.integers(0, 60, (24, 32, 3)).astype(np.uint8) + np.uint8(90 * (i in (12, 13)))
        image.flags.writeable = False  # who draws on it fails
        frames.append(Frame(image, i * NS // 2, frame_id="cam"))
    lockstep = Lockstep(StreamEngine(ScriptedBackend(), config))
    expected = []
    for i, frame in enumerate(frames):
        if i == 4:
            lockstep.ask(Query("Tell me whenever the brightness changes."))
        lockstep.push(frame)
        while (step := lockstep.step()) is not None:
            expected.append(step)
    assert sum(s.response is not None for s in expected) == 3

    host = Host(ScriptedBackend, config)
    events: list[Event] = []
    steps = lambda: [e.step for e in events if isinstance(e, Stepped)]  # noqa: E731

    host.listen(events.append)
    host.listen(shown.on_event)
    host.start()
    until(lambda: any(isinstance(e, Ready) for e in events))
    for i, frame in enumerate(frames):
        if i == 4:
            host.inbox.ask("Tell me whenever the brightness changes.")
            until(lambda: len(steps()) == 3)
        host.inbox.offer(frame.stamp_ns, lambda frame=frame: frame)
        if i % 2:
            until(lambda wanted=i // 2 + (2 if i > 4 else 1): len(steps()) == wanted)
    assert host.stop(WAIT_S)
    plain = [replace(s, step_ms=0, decide_ms=0, response=None, question_id="") for s in expected]
    assert plain == [
        replace(s, step_ms=0, decide_ms=0, response=None, question_id="") for s in steps()
    ]
    assert [s.response and s.response.text for s in expected] == [
        s.response and s.response.text for s in steps()
    ]
    until(lambda: len(desk.topics[EVIDENCE].sent) == 2)
    assert desk.topics[DEBUG].sent and not desk.complaints


# ---- over DDS --------------------------------------------------------------------------------


def test_the_debug_image_of_each_second_has_the_header_of_its_frame(assistant: Assistant) -> None:
    _, rig = assistant
    rig.live_second(10)
    debug = rig.pictures(DEBUG)
    rig.until(lambda: rig.live_second(10) and debug, "a debug image")
    for grey, frame_id in ((60, "left"), (90, "right")):
        stamp = rig.frames(grey, frame_id=frame_id)[-1]
        (msg,) = rig.until(
            lambda stamp=stamp: [m for m in debug if to_ns(m.header.stamp) == stamp],
            "the debug image",
        )
        assert (msg.header.frame_id, msg.format) == (frame_id, "jpeg")
        assert grey_of(msg) == pytest.approx(grey, abs=2)
        height, width, _ = to_frame(msg, 0).image.shape
        assert width == 480 and height > 480  # the picture, enlarged, and the panel
    rig.live_second()


def test_the_picture_of_an_alert_is_its_evidence(assistant: Assistant) -> None:
    _, rig = assistant
    evidence, greys = rig.pictures(EVIDENCE), dict[int, tuple[int, str]]()
    rig.live_second()
    rig.ask("Tell me whenever the brightness changes.")
    rig.until(lambda: [r for r in rig.final() if r.acknowledgment], "the acknowledgment")

    def second(frame_id: str) -> None:
        grey = rig.second * 67 % 256  # a change of 67 or more each time, and never the same words
        greys.update({stamp: (grey, frame_id) for stamp in rig.frames(grey, frame_id=frame_id)})

    def seen() -> bool:
        second("left")
        rig.decided(max(greys))
        return bool(evidence)

    rig.until(seen, "the first picture")  # the publisher knows its subscriber
    begin = max(greys)
    for frame_id in ("left", "right") * 3:
        second(frame_id)  # newer frames come while this one is decided
        if frame_id == "right":
            rig.decided(max(greys))

    def since(messages: list[Any]) -> list[Any]:
        return [m for m in messages if to_ns(m.header.stamp) > begin]

    rig.until(lambda: len(since(rig.alerts)) >= 3, "three alerts")
    rig.until(lambda: len(since(evidence)) >= len(since(rig.alerts)), "their pictures")
    assert [m.header for m in since(evidence)] == [a.header for a in since(rig.alerts)]
    for msg in since(evidence):
        grey, frame_id = greys[to_ns(msg.header.stamp)]
        image = to_frame(msg, 0).image
        assert image.shape == (8, 8, 3)  # clean: as the camera gave it
        assert np.abs(image.astype(int) - grey).max() <= 1
        assert msg.header.frame_id == frame_id


def test_two_cameras_on_one_topic_are_told_apart_by_the_frame_that_was_decided(
    assistant: Assistant,
) -> None:
    """Regression: messages had the frame_id of the newest image, which was not decided yet."""
    _, rig = assistant
    rig.live_second()
    stamp = rig.frames(30, frame_id="left")[-1]
    assert rig.decided(stamp).header.frame_id == "left"
    rig.second -= 1
    rig.diagnostics.clear()
    rig.frames(30, halves=(1.4,), frame_id="right")  # not sampled: its half second has a frame
    rig.until(
        lambda: any(s.hardware_id == "right" for d in rig.diagnostics for s in d.status),
        "the other camera",
    )
    rig.responses.clear()
    before = len(rig.heartbeats)
    rig.ask("how bright is it?")
    rig.until(lambda: rig.final("how bright is it?"), "the answer")
    assert {(to_ns(r.header.stamp), r.header.frame_id) for r in rig.responses} == {(stamp, "left")}
    assert len(rig.responses) > 1  # the words as they came, too
    beat = rig.until(
        lambda: [h for h in rig.heartbeats[before:] if h.state == "speaking"], "its heartbeat"
    )[0]
    assert (to_ns(beat.header.stamp), beat.header.frame_id) == (stamp, "left")
    assert beat.state_code == beat.CODE_SPEAKING
    stamp = rig.frames(30, frame_id="right")[-1]
    assert rig.decided(stamp).header.frame_id == "right"


def test_the_pictures_end_with_a_cleanup_and_come_again(rigs: Rigs) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=scripted"):
        debug = rig.pictures(DEBUG)
        change = rig.node.create_client(ChangeState, "assistant_node/change_state")

        def go(*transitions: int) -> None:
            for transition in transitions:
                rig.until(change.service_is_ready, "the transitions")
                request = ChangeState.Request(transition=Transition(id=transition))
                done = change.call_async(request)
                rig.until(done.done, "the transition")
                assert done.result().success

        for _ in range(2):
            rig.matched()
            debug.clear()
            rig.until(lambda: rig.live_second() and debug, "a debug image")
            go(Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)
            for topic in (DEBUG, EVIDENCE):
                rig.until(lambda topic=topic: not rig.node.count_publishers(topic), "no publisher")
            go(Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
