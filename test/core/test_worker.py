"""The worker thread and its inbox, without ROS: nothing lost without being counted, nothing fatal but the load."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from aura_core.config import AssistantConfig, ChunkerConfig, DeciderConfig, SpeakerConfig
from aura_core.errors import InputError, ModelError
from aura_core.models.backend import Video
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.sim.render import Camera
from aura_core.sim.world import World
from aura_core.stream.assistant import StreamingAssistant
from aura_core.types import Chunk, Frame, Kind, Query, Step
from aura_ros.inbox import EndOfFrames, Inbox, PendingFrame, PendingQuestion
from aura_ros.pulse import Quiet, idle_state
from aura_ros.worker import Events, Health, Worker

NS = 1_000_000_000
WAIT_S = 20.0
TIMES = ("step_ms", "decide_ms")


def frame(stamp_ns: int, grey: int = 0) -> Frame:
    return Frame(np.full((4, 4, 3), grey, np.uint8), stamp_ns)


class GatedBackend(ScriptedBackend):
    """Encodes only while `gate` is set; `broken` names chunks at which the model fails."""

    def __init__(self, script: Any = None, broken: tuple[int, ...] = ()) -> None:
        super().__init__(script)
        self.gate, self.encoding, self.broken = threading.Event(), threading.Event(), broken
        self.gate.set()

    def encode(self, chunk: Chunk) -> Video:
        if self.sessions[2:]:  # the first two, a window and its shadow, are the warm-up's
            self.encoding.set()
            assert self.gate.wait(WAIT_S)
            if chunk.index in self.broken:
                raise RuntimeError("out of memory\n  tried to allocate 2 GiB")
        return super().encode(chunk)


@dataclass
class Run:
    """A started worker and what it has reported."""

    backend: ScriptedBackend
    config: AssistantConfig = field(default_factory=AssistantConfig)
    backlog: int = 3
    load: Callable[[], ScriptedBackend] | None = None

    def __post_init__(self) -> None:
        self.reports: queue.Queue[tuple[Any, ...]] = queue.Queue()
        put = self.reports.put
        events = Events(
            ready=lambda text: put(("ready", text)), step=lambda step, asked: put(("step", step, asked)),
            text=lambda text, stamp: put(("text", text, stamp)), error=lambda text, chunk: put(("error", text, chunk)),
            failed=lambda text: put(("failed", text)),
        )  # fmt: skip
        self.worker = Worker(self.load or (lambda: self.backend), self.config, events, self.backlog)
        self.inbox = self.worker.inbox

    def start(self) -> Run:
        self.worker.start()
        assert self.next("ready") == ("ready", self.backend.description)
        return self

    def next(self, kind: str) -> tuple[Any, ...]:
        """The next report of this kind; others before it are passed over."""
        while True:
            report = self.reports.get(timeout=WAIT_S)
            if report[0] == kind:
                return report

    def steps(self, n: int) -> list[Step]:
        return [self.next("step")[1] for _ in range(n)]

    def second(self, index: int, grey: int = 0) -> None:
        for half in (0, NS // 2):
            stamp = index * NS + half
            self.inbox.offer(stamp, lambda stamp=stamp: frame(stamp, grey))


@pytest.fixture
def runs() -> Iterator[Callable[..., Run]]:
    made: list[Run] = []

    def make(backend: ScriptedBackend | None = None, **kwargs: Any) -> Run:
        made.append(Run(backend or ScriptedBackend({}), **kwargs))
        return made[-1]

    yield make
    for run in made:
        if isinstance(run.backend, GatedBackend):
            run.backend.gate.set()
        assert run.worker.stop(WAIT_S)


Make = Callable[..., Run]


def comparable(step: Step) -> dict[str, object]:
    return {k: v for k, v in step.as_json().items() if k not in TIMES}


def test_a_30_hz_camera_gives_the_very_steps_of_the_engine_and_two_conversions_a_second(runs: Make) -> None:
    camera, seconds = Camera(World.generate(7, 12), 32), 12
    stamps = [round(i * NS / 30) for i in range(seconds * 30)]
    questions = {100: "what is on the table?", 201: "Tell me whenever it gets darker."}

    engine = StreamingAssistant(ScriptedBackend())
    expected: list[Step] = []
    for i, stamp in enumerate(stamps):
        if i in questions:
            engine.ask(Query(questions[i]))
        engine.push(Frame(camera.frame(stamp / NS), stamp))
        while (step := engine.step()) is not None:
            expected.append(step)

    run = runs(ScriptedBackend(), backlog=60).start()
    converted: list[int] = []
    steps: list[Step] = []

    def make(stamp: int) -> Frame:
        converted.append(stamp)
        return Frame(camera.frame(stamp / NS), stamp)

    for i, stamp in enumerate(stamps):
        if i in questions:
            run.inbox.ask(questions[i])
        run.inbox.offer(stamp, lambda stamp=stamp: make(stamp))
        if i % 30 == 29:  # as a camera does: the next second comes when this one has been decided
            steps += run.steps(1)
    assert [comparable(s) for s in steps] == [comparable(s) for s in expected]
    assert [s.response.kind for s in steps if s.question] == [Kind.REAL_TIME] * 2
    assert len(converted) == 2 * seconds + 1  # the last one belongs to the second after
    health = run.worker.health()
    assert (health.frames_received, health.frames_dropped, health.chunks_dropped, health.chunks_lost) == (360, 0, 0, 0)


def test_when_the_model_is_slow_whole_old_seconds_are_dropped_and_counted(runs: Make) -> None:
    backend = GatedBackend({})
    run = runs(backend, backlog=2).start()
    backend.gate.clear()
    run.second(0)
    assert backend.encoding.wait(WAIT_S)  # chunk 0 is in the model
    for index in range(1, 10):
        run.second(index)
    backend.gate.set()
    # Two seconds may wait beside the one that is being filled.
    assert [s.chunk for s in run.steps(4)] == [0, 7, 8, 9]
    health = run.worker.health()
    assert (health.frames_dropped, health.chunks_dropped, health.chunks_lost) == (12, 6, 0)


def test_what_came_during_an_answer_is_seen_together_and_the_newest_decides(runs: Make) -> None:
    run = runs(ScriptedBackend({0: "Well, well."}), backlog=3)
    told, go_on = threading.Event(), threading.Event()
    tell = run.worker.events.text

    def slow(text: str, stamp_ns: int) -> None:
        tell(text, stamp_ns)
        told.set()
        assert go_on.wait(WAIT_S)

    run.worker.events = replace(run.worker.events, text=slow)
    run.start()
    run.second(0)
    assert told.wait(WAIT_S)
    for index in (1, 2, 3):
        run.second(index)
    go_on.set()
    first, second = run.steps(2)
    assert first.response is not None and first.response.text == "Well, well."
    assert (second.chunk, second.missed_chunks, second.window_chunks) == (3, 2, 4)
    assert run.worker.health().chunks_dropped == 0


def test_questions_survive_the_drop_of_frames(runs: Make) -> None:
    backend = GatedBackend()
    run = runs(backend, backlog=1).start()
    backend.gate.clear()
    run.second(0)
    assert backend.encoding.wait(WAIT_S)
    run.second(1)
    run.inbox.ask("still there?")
    for index in range(2, 6):
        run.second(index)
    backend.gate.set()
    assert [(s.chunk, s.question) for s in run.steps(3)] == [(0, None), (4, "still there?"), (5, None)]


def test_seconds_without_frames_are_lost_not_dropped(runs: Make) -> None:
    run = runs().start()
    run.second(0)
    run.second(4)
    assert [s.chunk for s in run.steps(2)] == [0, 4]
    assert (run.worker.health().chunks_lost, run.worker.health().chunks_dropped) == (3, 0)


def test_a_question_before_the_model_is_ready_is_answered_in_the_first_second(runs: Make) -> None:
    run = runs(ScriptedBackend())
    run.inbox.ask("what do you see?")
    run.start()
    run.second(0, grey=9)
    _, step, asked = run.next("step")
    assert step.response.text == "You asked: what do you see? The brightness is 9."
    assert asked == step.question == "what do you see?"


def test_an_unasked_answer_names_its_watch(runs: Make) -> None:
    run = runs(ScriptedBackend({0: "I will tell you.", 2: "It is dark now."})).start()
    run.inbox.ask("Tell me when it is dark.")
    reports = []
    for index in range(3):
        run.second(index)
        reports.append(run.next("step"))
    (_, ack, _), (_, silent, none), (_, alert, asked) = reports
    assert ack.response.acknowledgment and ack.response.index == 0
    assert silent.response is None and none == ""
    assert (alert.response.kind, alert.response.index, alert.response.stamp_ns) == (Kind.PROACTIVE, 0, 2 * NS + NS // 2)
    assert asked == "Tell me when it is dark."


def test_partial_texts_grow_and_repeat_nothing(runs: Make) -> None:
    run = runs(ScriptedBackend({1: "a b é"})).start()
    run.second(0)
    run.second(1)
    run.next("step")
    texts = []
    while (report := run.reports.get(timeout=WAIT_S))[0] == "text":
        texts.append(report[1:])
    stamp = NS + NS // 2
    assert texts == [("a", stamp), ("a b", stamp), ("a b é", stamp)]
    assert report[1].response.text == "a b é"


def test_a_frame_that_cannot_be_converted_is_reported_and_repeated(runs: Make) -> None:
    run = runs().start()

    def bad() -> Frame:
        raise InputError("image data has 3 bytes,\n  too few")

    run.inbox.offer(0, lambda: frame(0))
    run.inbox.offer(NS // 2, bad)
    run.second(1)
    assert run.next("error") == ("error", "image data has 3 bytes, too few", None)
    assert [s.chunk for s in run.steps(2)] == [0, 1]
    assert run.worker.health().errors == 1


@pytest.mark.parametrize("text", ["", "   \n"])
def test_an_empty_question_is_refused_at_once(runs: Make, text: str) -> None:
    with pytest.raises(InputError, match=r"^the question is empty$"):
        runs().inbox.ask(text)


def test_an_overlong_question_is_reported_and_the_next_one_answered(runs: Make) -> None:
    run = runs(ScriptedBackend()).start()
    run.inbox.ask("word " * 10_000)
    run.inbox.ask("short?")
    run.second(0)
    assert run.next("error") == ("error", "the question has 49999 tokens; at most 512 are allowed", None)
    assert run.steps(1)[0].question == "short?"


def test_too_many_questions_are_refused(runs: Make) -> None:
    inbox = runs(config=AssistantConfig(speaker=SpeakerConfig(max_pending_questions=2))).inbox
    inbox.ask("one?")
    inbox.ask("two?")
    with pytest.raises(InputError, match=r"^2 questions are waiting already"):
        inbox.ask("three?")


def test_a_model_that_fails_in_a_step_goes_on_with_an_empty_window(runs: Make) -> None:
    run = runs(GatedBackend({}, broken=(1,))).start()
    for index in range(3):
        run.second(index)
    first, second = run.steps(1)[0], run.next("error")
    assert second[1:] == (
        "the model failed at chunk 1, its window is emptied: out of memory tried to allocate 2 GiB", 1
    )  # fmt: skip
    third = run.steps(1)[0]
    assert (first.chunk, first.window_chunks) == (0, 1)
    assert (third.chunk, third.window_chunks, third.stamp_ns) == (2, 1, 2 * NS + NS // 2)
    assert run.worker.health().phase == "ready"


@pytest.mark.parametrize(
    "error", [ModelError("no such\nfolder"), OSError("no such folder"), RuntimeError("no such folder")]
)
def test_a_model_that_cannot_be_loaded_ends_the_worker_with_one_line(runs: Make, error: Exception) -> None:
    def load() -> ScriptedBackend:
        raise error

    run = runs(load=load)
    run.worker.start()
    assert run.next("failed") == ("failed", "no such folder")
    assert run.worker.stop(WAIT_S)
    assert run.worker.health().phase == "failed"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_the_thread_does_not_leave_a_dead_node(runs: Make) -> None:
    def script(moment: Moment) -> str | None:
        raise KeyError("bug")

    run = runs(ScriptedBackend(lambda moment: script(moment) if moment.now.brightness == 9 else None)).start()
    run.second(0, grey=9)
    assert "bug" in run.next("failed")[1]
    assert run.worker.stop(WAIT_S)


def test_stop_ends_a_long_answer(runs: Make) -> None:
    backend = GatedBackend({0: "word " * 1000})
    run = runs(backend, config=AssistantConfig(speaker=SpeakerConfig(max_new_tokens=100_000))).start()
    texts = threading.Semaphore(0)
    blocked = threading.Event()
    worker = run.worker

    def on_text(_text: str, _stamp: int) -> None:
        texts.release()
        assert blocked.wait(WAIT_S)

    object.__setattr__(worker.events, "text", on_text)
    run.second(0)
    assert texts.acquire(timeout=WAIT_S)
    assert not worker.stop(0.0)  # the answer is under way
    blocked.set()
    assert worker.stop(WAIT_S)
    assert run.steps(1)[0].decode_tokens <= 3
    assert worker.health().phase == "stopped"


def test_the_end_of_the_frames_decides_the_half_filled_second(runs: Make) -> None:
    run = runs().start()
    run.inbox.offer(0, lambda: frame(0))
    run.inbox.end_of_frames()
    assert run.steps(1)[0].stamp_ns == 0
    run.inbox.end_of_frames()
    run.second(5)
    assert run.steps(1)[0].chunk == 5


def test_the_threshold_can_change_while_running(runs: Make) -> None:
    run = runs(config=AssistantConfig(decider=DeciderConfig(threshold=0.5)))
    run.worker.set_threshold(0.6)
    run.start()
    run.second(0)
    assert run.steps(1)[0].decision.silent
    run.worker.set_threshold(0.999999)
    run.second(1)
    assert not run.steps(1)[0].decision.silent
    run.worker.set_threshold(None)
    run.second(2)
    assert run.steps(1)[0].decision.silent


def test_the_inbox_keeps_order_and_ends_when_closed() -> None:
    inbox = Inbox(ChunkerConfig(), 3, 8)
    assert inbox.offer(0, lambda: frame(0))
    assert not inbox.offer(1, lambda: frame(1))
    inbox.ask("q?")
    inbox.end_of_frames()
    assert [type(inbox.take()) for _ in range(3)] == [PendingFrame, PendingQuestion, EndOfFrames]
    threading.Timer(0.05, inbox.close).start()
    assert inbox.take() is None


def test_a_second_whose_first_frame_is_taken_is_not_dropped() -> None:
    inbox = Inbox(ChunkerConfig(), 1, 8)
    for half in range(2):
        inbox.offer(half * NS // 2, lambda: frame(0))
    assert isinstance(inbox.take(), PendingFrame)
    for half in range(2, 10):
        inbox.offer(half * NS // 2, lambda: frame(0))
    inbox.end_of_frames()
    items = list(iter(inbox.take, EndOfFrames()))
    assert [item.chunk for item in items if isinstance(item, PendingFrame)] == [0, 3, 3, 4, 4]
    assert inbox.counters().dropped_chunks == 2


HEALTH = Health("ready", 3.25, 10, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("phase", "quiet", "expected"),
    [
        ("loading", Quiet(None, 9.0), ("waiting", "loading model m")),
        ("ready", Quiet(None, 9.0), ("waiting", "no frame has come yet on /image_raw")),
        ("ready", Quiet(2.0, 0.5), ("no_frames", "no frame for 2.0 s on /image_raw")),
        ("ready", Quiet(0.1, 2.0), ("waiting", "the model has been busy for 3.2 s")),
        ("ready", Quiet(1.9, 1.9), ("", "")),
    ],
)
def test_idle_state(phase: str, quiet: Quiet, expected: tuple[str, str]) -> None:
    health = Health(phase, *list(vars(HEALTH).values())[1:])
    assert idle_state(health, quiet, 2.0, "m", "/image_raw") == expected
