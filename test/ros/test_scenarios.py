"""What happens to a robot, with processes on real DDS: crashes, clocks that jump, odd cameras.

They take minutes: `make test-scenarios`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest
from aura_ros.msg import AssistantState, AudioChunk, Watches
from aura_ros.srv import Ask, ListWatches
from lifecycle_msgs.msg import Transition
from rig import DECIDED, Process, Rig
from sensor_msgs.msg import Image
from test_lifecycle import Manager
from test_voice_nodes import VOICE, needs_voice

from aura_core.types import NS, Frame
from aura_ros import qos
from aura_ros.conversions import header, to_image, to_ns

pytestmark = pytest.mark.scenario

Rigs = Callable[[], tuple[str, Rig]]
WATCH = "tell me every time the brightness changes"
HOUR_NS = 3600 * NS
SCRIPTED = ("-p", "model.path:=scripted")


class Camera:
    """A camera in a thread of its own. Its stamps are the time of day, moved by `shift_ns`.

    `garbage` is published after each good image.
    """

    def __init__(self, rig: Rig, fps: float, size: tuple[int, int] = (48, 64)) -> None:
        self._rig, self._period_s, self._size = rig, 1 / fps, size
        self.shift_ns, self.grey = 0, 20
        self.garbage: list[Image] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _main(self) -> None:
        while not self._stop.wait(self._period_s):
            pixels = np.full((*self._size, 3), self.grey, np.uint8)
            stamp_ns = time.time_ns() + self.shift_ns
            self._rig.camera.publish(to_image(Frame(pixels, stamp_ns), "rig"))
            for broken in self.garbage:
                broken.header = header(stamp_ns, "rig")
                self._rig.camera.publish(broken)


def answered(rig: Rig, question: str) -> None:
    """Ask again and again until it is answered: a node that was killed stays in the graph for some
    seconds, so that nobody knows whether its successor hears already."""
    heard, asked_s = len(rig.responses), 0.0

    def answer() -> bool:
        nonlocal asked_s
        if time.monotonic() - asked_s > 2.0:
            rig.ask(question)
            asked_s = time.monotonic()
        return any(r.final and question in r.text and not r.refused for r in rig.responses[heard:])

    rig.until(answer, f"the answer to {question}")


def brightness_alerts(rig: Rig, camera: Camera) -> str:
    """Change the brightness until the watch tells it. Returns the watch's id."""
    heard, changed_s = len(rig.alerts), 0.0

    def alert() -> bool:
        nonlocal changed_s
        if time.monotonic() - changed_s > 3.0:
            camera.grey = 240 - camera.grey
            changed_s = time.monotonic()
        return len(rig.alerts) > heard

    rig.until(alert, "an alert")
    return rig.alerts[-1].watch_id


def listed(manager: Manager) -> list[str]:
    watches = manager.call(ListWatches, "aura/list_watches").watches
    return [w.id for w in watches if w.open]


@contextmanager
def room(namespace: str, *args: str) -> Iterator[Process]:
    """A simulated camera of 30 Hz."""
    ideal = ("-p", "camera:=ideal", "-p", "fps:=30.0", "-p", "width:=320")
    with Process("sim_camera_node", namespace, *ideal, *args) as process:
        yield process


def test_the_embedded_model_answers_about_the_room(rigs: Rigs) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace), room(namespace):
        rig.state("silent")
        rig.ask("what is on the table?")
        (answer,) = rig.until(
            lambda: [r for r in rig.responses if r.final and r.kind == "real-time"], "the answer"
        )
    assert answer.text and not answer.refused and answer.query_id


def test_an_assistant_that_is_killed_under_load_goes_on(rigs: Rigs, tmp_path: Path) -> None:
    namespace, rig = rigs()
    args = (*SCRIPTED, "-p", f"watch_file:={tmp_path / 'watches.json'}")
    with Camera(rig, 30.0, (480, 640)) as camera:
        with Process("assistant_node", namespace, *args) as first:
            rig.state("silent")
            manager = Manager(rig, "assistant_node")
            watch = manager.call(Ask, "aura/ask", text=WATCH).query_id
            assert brightness_alerts(rig, camera) == watch
            rig.ask("are you there?")  # it dies with a question in it
            first.kill()
        for _ in range(2):
            with Process("assistant_node", namespace, *args) as again:
                answered(rig, "and now?")
                assert brightness_alerts(rig, camera) == watch
                output = again.kill()
                assert "1 watches go on from an earlier run" in output
        with Process("assistant_node", namespace, *args) as last:
            answered(rig, "and at last?")
            last.end_cleanly()
    assert [a.index for a in rig.alerts] == list(range(len(rig.alerts)))


def test_watches_outlive_a_start_that_fails(rigs: Rigs, tmp_path: Path) -> None:
    namespace, rig = rigs()
    file = ("-p", f"watch_file:={tmp_path / 'watches.json'}")
    with Process("assistant_node", namespace, *SCRIPTED, *file) as first:
        watch = Manager(rig, "assistant_node").call(Ask, "aura/ask", text=WATCH).query_id
        rig.until(lambda: (tmp_path / "watches.json").exists(), "the file")
        first.kill()
    for _ in range(2):
        with Process("assistant_node", namespace, "-p", "model.path:=/nope", *file) as broken:
            assert broken.wait()[0] == 1
    with Process("assistant_node", namespace, *SCRIPTED, *file), Camera(rig, 10.0) as camera:
        rig.state("silent", after=len(rig.heartbeats))
        assert brightness_alerts(rig, camera) == watch


def test_a_camera_that_is_killed_under_load_is_missed_and_comes_back(rigs: Rigs) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, *SCRIPTED, "-p", "stale_after_s:=1.0"):
        for _ in range(2):
            begun_ns = time.time_ns()
            with room(namespace) as camera:
                rig.state("silent", since_ns=begun_ns)
                answered(rig, "is it there?")
                camera.kill()
            rig.state("no_frames", after=len(rig.heartbeats))
        begun_ns = time.time_ns()
        with room(namespace):
            rig.state("silent", since_ns=begun_ns)
            answered(rig, "is it back?")
    chunks = [h.chunk for h in rig.heartbeats if h.state in DECIDED]
    assert chunks == sorted(chunks)


@needs_voice
def test_a_voice_that_is_killed_speaks_again(rigs: Rigs) -> None:
    namespace, rig = rigs()
    sound: list[AudioChunk] = []
    rig.node.create_subscription(AudioChunk, "speaker/audio", sound.append, qos.AUDIO)
    voice = ("-p", "backend:=flite", "-p", f"voice:={VOICE}", "-p", "stale_after_s:=60.0")
    with Process("assistant_node", namespace, *SCRIPTED), Camera(rig, 10.0):
        rig.state("silent")
        for voices in range(1, 4):
            with Process("tts_node", namespace, *voice) as mouth:
                asked_s = 0.0

                def speaks(voices: int = voices) -> bool:
                    """A voice of its own: an utterance's name begins with the run of its node."""
                    nonlocal asked_s
                    if time.monotonic() - asked_s > 3.0:
                        rig.ask("what is it?")
                        asked_s = time.monotonic()
                    return len({m.utterance.partition(":")[0] for m in sound}) == voices

                rig.until(speaks, "sound of this node")
                mouth.kill()
        answered(rig, "are you there?")


def test_two_robots_in_one_domain_do_not_hear_each_other(rigs: Rigs) -> None:
    (one, first), (other, second) = rigs(), rigs()
    with (
        Process("assistant_node", one, *SCRIPTED),
        Process("assistant_node", other, *SCRIPTED),
        Camera(first, 10.0) as mine,
        Camera(second, 10.0),
    ):
        for rig in (first, second):
            rig.state("silent")
        manager = Manager(first, "assistant_node")
        watch = manager.call(Ask, "aura/ask", text=WATCH).query_id
        assert brightness_alerts(first, mine) == watch
        answered(first, "who are you?")
        assert listed(Manager(second, "assistant_node")) == []
        heard = len(second.heartbeats)
        second.until(lambda: len(second.heartbeats) > heard + 2, "heartbeats of the other robot")
    assert second.responses == [] and second.alerts == []
    assert {h.state for h in second.heartbeats[heard:]} == {"silent"}


def test_late_subscribers_get_the_states(rigs: Rigs) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, *SCRIPTED), Camera(rig, 10.0):
        rig.state("silent")
        manager = Manager(rig, "assistant_node")
        watch = manager.call(Ask, "aura/ask", text=WATCH).query_id
        rig.until(lambda: listed(manager) == [watch], "the watch")
        for _ in range(2):
            late = Rig(namespace)
            states: list[AssistantState] = []
            watches: list[Watches] = []
            for kind, topic, into in (
                (AssistantState, "aura/state", states),
                (Watches, "aura/watches", watches),
            ):
                late.node.create_subscription(kind, topic, into.append, qos.LATCHED)
            late.until(lambda s=states, w=watches: s and w, "what is latched")
            assert states[0].state == "watching" and states[0].model == "scripted"
            assert [w.id for w in watches[0].watches] == [watch]
            late.close()


@pytest.mark.parametrize("fps", [0.5, 60.0])
def test_a_slow_and_a_fast_camera_are_watched(rigs: Rigs, fps: float) -> None:
    namespace, rig = rigs()
    args = (*SCRIPTED, "-p", "stale_after_s:=10.0")
    with Process("assistant_node", namespace, *args) as process, Camera(rig, fps) as camera:
        rig.state("silent")
        manager = Manager(rig, "assistant_node")
        watch = manager.call(Ask, "aura/ask", text=WATCH).query_id
        answered(rig, "what is it?")
        if fps > 1.0:  # a change is one between two seconds that follow each other
            assert brightness_alerts(rig, camera) == watch
        process.end_cleanly()
    beats = [h for h in rig.heartbeats if h.state in DECIDED]
    chunks = [h.chunk for h in beats]
    assert chunks == sorted(chunks) and "error" not in {h.state for h in beats}


@pytest.mark.parametrize("jump_ns", [HOUR_NS, -HOUR_NS], ids=["forward", "back"])
def test_the_stamps_may_jump_by_an_hour(rigs: Rigs, jump_ns: int) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, *SCRIPTED) as process, Camera(rig, 10.0) as camera:
        rig.state("silent")
        manager = Manager(rig, "assistant_node")
        watch = manager.call(Ask, "aura/ask", text=WATCH).query_id
        assert brightness_alerts(rig, camera) == watch
        for _ in range(2):
            before_ns = to_ns(rig.heartbeats[-1].header.stamp)
            camera.shift_ns += jump_ns

            def arrived(before_ns: int = before_ns) -> bool:
                stamp_ns = to_ns(rig.heartbeats[-1].header.stamp)
                return abs(stamp_ns - before_ns) > HOUR_NS // 2

            rig.until(arrived, "a heartbeat behind the jump")
            answered(rig, "what time is it?")
            assert brightness_alerts(rig, camera) == watch
        assert listed(manager) == [watch]
        output = process.end_cleanly()
    chunks = [h.chunk for h in rig.heartbeats if h.state in DECIDED]
    assert chunks == sorted(chunks) and chunks[-1] < 3600  # no hour is counted as lost
    assert "the clock of the stamps jumped (2 times so far)" in output


def garbage() -> list[Image]:
    """Images that a broken driver may send."""
    return [
        Image(encoding="rgb8", height=48, width=64, step=192, data=bytes(100)),  # too short
        Image(encoding="rgb8", height=0, width=0, step=0),
        Image(encoding="rgb8", height=48, width=64, step=1, data=bytes(48 * 192)),
        Image(encoding="rgb8", height=2**32 - 1, width=2**32 - 1, step=2**32 - 1, data=bytes(9)),
        Image(encoding="klingon8", height=2, width=2, step=6, data=bytes(12)),
        Image(encoding="", height=2, width=2, step=6, data=bytes(12)),
    ]


def test_garbage_between_good_images_costs_nothing_but_itself(rigs: Rigs) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, *SCRIPTED) as process, Camera(rig, 10.0) as camera:
        rig.state("silent")
        camera.garbage = garbage()
        manager = Manager(rig, "assistant_node")
        watch = manager.call(Ask, "aura/ask", text=WATCH).query_id
        answered(rig, "what is it?")
        assert brightness_alerts(rig, camera) == watch
        rig.until(lambda: [s for s in problems(rig) if s.message], "a problem in the diagnostics")
        camera.garbage = []
        rig.state("silent", after=len(rig.heartbeats))
        answered(rig, "and now?")
        output = process.end_cleanly()
    assert "image encoding 'klingon8' is not supported" in output


def problems(rig: Rig) -> list[Any]:
    """The states of the assistant that are not ok."""
    return [
        s
        for d in rig.diagnostics
        for s in d.status
        if s.name.endswith("assistant_node") and s.level != b"\x00"
    ]


def test_a_lifecycle_manager_stops_and_starts_it_under_load(rigs: Rigs) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, *SCRIPTED), Camera(rig, 30.0, (480, 640)) as camera:
        rig.state("silent")
        manager = Manager(rig, "assistant_node")
        watch = manager.call(Ask, "aura/ask", text=WATCH).query_id
        for round in range(3):
            assert manager.change(Transition.TRANSITION_DEACTIVATE)
            rig.state("inactive", after=len(rig.heartbeats))
            assert manager.change(Transition.TRANSITION_ACTIVATE)
            rig.state("silent", after=len(rig.heartbeats))
            answered(rig, f"round {round}?")
            assert brightness_alerts(rig, camera) == watch
        assert listed(manager) == [watch]
        assert manager.change(Transition.TRANSITION_DEACTIVATE)
        assert manager.change(Transition.TRANSITION_CLEANUP)
        rig.state("unconfigured", after=len(rig.heartbeats))
        assert manager.change(Transition.TRANSITION_CONFIGURE)
        assert manager.change(Transition.TRANSITION_ACTIVATE)
        answered(rig, "and after all?")
