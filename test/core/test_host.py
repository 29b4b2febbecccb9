"""The host: it makes the engine's steps, and counts everything that it drops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from engine_rig import FREE, free
from host_rig import NS, WAIT_S, GatedBackend, Make, frame, made_runs

from aura_core.live.events import Alert, Event, Problem, Ready, Stepped, Unheard, Words
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.sim.render import Camera
from aura_core.sim.world import World
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Kind, Query, Step

OWN = ("step_ms", "decide_ms", "query_id", "response_id", "watches")  # times, and names of a run


@pytest.fixture
def runs() -> Iterator[Make]:
    with made_runs() as make:
        yield make


def comparable(step: Step) -> dict[str, object]:
    return {k: v for k, v in step.as_json().items() if k not in OWN}


def test_a_30_hz_camera_gives_the_engines_steps_with_two_conversions_a_second(
    runs: Make,
) -> None:
    camera, seconds = Camera(World.generate(7, 12), 32), 12
    stamps = [round(i * NS / 30) for i in range(seconds * 30)]
    # asked between two chunks (which close at 15, 45, 75 ...), so that it is clear which is newest
    questions = {100: "what is on the table?", 190: "Tell me whenever it gets darker."}

    lockstep = Lockstep(StreamEngine(ScriptedBackend(), free()))
    expected: list[Step] = []
    for i, stamp in enumerate(stamps):
        if i in questions:
            lockstep.ask(Query(questions[i]))
        lockstep.push(Frame(camera.frame(stamp / NS), stamp))
        while (step := lockstep.step()) is not None:
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
            steps += run.steps(1)  # answered at once, on the newest second
        run.inbox.offer(stamp, lambda stamp=stamp: make(stamp))
        if i % 30 == 29:  # as a camera does: the next second comes when this one has been decided
            steps += run.steps(1)
    assert [comparable(s) for s in steps] == [comparable(s) for s in expected]
    assert [s.response.kind for s in steps if s.question] == [Kind.REAL_TIME] * 2
    assert len(converted) == 2 * seconds
    health = run.host.health()
    assert (
        health.frames_received,
        health.frames_dropped,
        health.chunks_dropped,
        health.chunks_lost,
    ) == (360, 0, 0, 0)


def test_words_for_two_watches_are_an_alert_of_each(runs: Make) -> None:
    def say(moment: Moment) -> str | None:
        if moment.question:
            return "I will."
        causes = {3: ("cat", "lamp"), 6: ("lamp",)}.get(moment.now.chunk, ())
        return "Look!" if any(c in moment.words for c in causes) else None

    run = runs(ScriptedBackend(say)).start()
    run.second(0)
    run.steps(1)
    texts = [f"Tell me whenever there is a {x}." for x in ("cat", "lamp", "dog")]
    for text in texts:
        run.inbox.ask(Query(text, urgent="lamp" in text))
        run.steps(1)
    alerts = []
    for index in range(1, 7):
        run.second(index)
        alerts.append([(a.instruction, a.watch.index, a.watch.urgent) for a in run.alerts()])
    assert [sorted(a) for a in alerts] == [
        [],
        [],
        [(texts[0], 0, False), (texts[1], 0, True)],
        [],
        [],
        [(texts[1], 1, True)],
    ]


def test_a_watch_whose_answer_nobody_heard_is_open_again_and_answers_again(runs: Make) -> None:
    def say(moment: Moment) -> str | None:
        return "I will." if moment.question else "It rains." if moment.now.chunk in (2, 4) else None

    run = runs(ScriptedBackend(say)).start()
    run.second(0)
    run.steps(1)
    run.inbox.ask(Query("Tell me when it rains."))
    run.steps(1)
    responses = []
    for index in range(1, 5):
        run.second(index)
        (step,) = run.steps(1)
        if step.response is not None:
            responses.append(step.response)
        if index == 2:
            run.host.heard(responses[0].id, "It")  # a part of it is enough
            run.host.heard("unknown", "")
            ((_, watch),) = run.host.watches().result(WAIT_S)
            assert not watch.open
            run.host.heard(responses[0].id, "")
            ((_, watch),) = run.host.watches().result(WAIT_S)
            assert watch.open and watch.answers == 0 and watch.last_ns is None
    assert [(r.text, r.kind, r.index) for r in responses] == [
        ("It rains.", Kind.PROACTIVE, 0),
        ("It rains.", Kind.PROACTIVE, 0),
    ]
    assert responses[0].id != responses[1].id


def test_an_alert_that_nobody_can_hear_is_not_lost_without_a_word(runs: Make) -> None:
    """Regression: after three times its watch stayed closed, and nothing told of it."""

    def say(moment: Moment) -> str | None:
        return "I will." if moment.question else "It rains."

    run = runs(ScriptedBackend(say)).start()
    run.second(0)
    run.steps(1)
    run.inbox.ask(Query("Tell me when it rains.", id="w1"))
    run.steps(1)
    opened = []
    for index in range(1, 5):
        run.second(index)
        (step,) = run.steps(1)
        assert step.response is not None
        run.host.heard(step.response.id, "")
        ((_, watch),) = run.host.watches().result(WAIT_S)
        opened.append(watch.open)
    assert opened == [True, True, True, False]
    problem = "nobody heard the alert of watch w1, 'Tell me when it rains.': it is lost"
    assert run.next(Problem).message == problem
    told = run.next(Unheard)
    assert told.query.id == "w1"
    assert told.message == (
        'I could not make myself heard about "Tell me when it rains.", in 4 tries. I watch for it'
        " no more."
    )
    assert run.host.health().errors == 1


def test_when_the_model_is_slow_whole_old_seconds_are_dropped_and_counted(runs: Make) -> None:
    backend = GatedBackend({})
    run = runs(backend, backlog=2).start()
    backend.gate.clear()
    run.second(0)
    assert backend.encoding.wait(WAIT_S)  # chunk 0 is in the model
    for index in range(1, 10):
        run.second(index)
    backend.gate.set()
    # Two closed chunks may wait.
    assert [s.chunk for s in run.steps(3)] == [0, 8, 9]
    health = run.host.health()
    assert (health.frames_dropped, health.chunks_dropped, health.chunks_lost) == (14, 7, 0)


def test_chunks_that_close_during_an_answer_are_seen_and_the_newest_is_decided(runs: Make) -> None:
    run = runs(ScriptedBackend({0: "Well, well."}), backlog=3)
    told, go_on = threading.Event(), threading.Event()

    def slow(event: Event) -> None:
        if isinstance(event, Words):
            told.set()
            assert go_on.wait(WAIT_S)

    run.host.listen(slow)
    run.start()
    run.second(0)
    assert told.wait(WAIT_S)
    for index in (1, 2, 3):
        run.second(index)
    go_on.set()
    first, second = run.steps(2)
    assert first.response is not None and first.response.text == "Well, well."
    assert (second.chunk, second.missed_chunks, second.window_chunks) == (3, 2, 4)
    assert run.host.health().chunks_missed == 2
    assert run.host.health().chunks_dropped == 0


def test_words_are_reported_while_generated_with_whether_they_were_asked_for(runs: Make) -> None:
    run = runs(ScriptedBackend({0: "Yes.", 1: "Ah.", 2: "No."})).start()
    asked = []
    for index, question in enumerate(("is it dark?", "", "is it light?")):
        if question:
            run.inbox.ask(question)
        run.second(index)
        words, step = run.next(Words), run.next(Stepped).step
        assert words.text == step.response.text[:1] and words.response_id == step.response.id
        assert words.stamp_ns == step.response.stamp_ns == index * NS + NS // 2
        asked.append(words.asked)
    assert asked == [True, False, True]


def test_it_decides_from_the_beginning_of_a_step_to_its_first_word(runs: Make) -> None:
    backend = GatedBackend({0: "Well."})
    run = runs(backend).start()
    during_words: list[bool] = []

    def listen(event: Event) -> None:
        if isinstance(event, Words):
            during_words.append(run.host.deciding)

    run.host.listen(listen)
    assert not run.host.deciding
    backend.gate.clear()
    run.second(0)
    assert backend.encoding.wait(WAIT_S)
    assert run.host.deciding
    backend.gate.set()
    run.steps(1)
    assert during_words and not any(during_words)
    end_s = time.monotonic() + WAIT_S
    while run.host.deciding:  # the step is told before it ends
        assert time.monotonic() < end_s
        time.sleep(0.01)


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
    assert [(s.chunk, s.question) for s in run.steps(2)] == [(0, None), (5, "still there?")]


def test_seconds_without_frames_are_lost_not_dropped(runs: Make) -> None:
    run = runs().start()
    run.second(0)
    run.second(4)
    assert [s.chunk for s in run.steps(2)] == [0, 4]
    assert (run.host.health().chunks_lost, run.host.health().chunks_dropped) == (3, 0)


def test_a_question_before_the_model_is_ready_is_answered_in_the_first_second(runs: Make) -> None:
    run = runs(ScriptedBackend())
    run.inbox.ask("what do you see?")
    run.start()
    run.second(0, grey=9)
    event = run.next(Stepped)
    step = event.step
    assert step.response.text == "You asked: what do you see? The brightness is 9."
    assert step.question == "what do you see?" and event.alerts == ()


def test_an_unasked_answer_names_its_watch(runs: Make) -> None:
    run = runs(ScriptedBackend({0: "I will tell you.", 2: "It is dark now."})).start()
    run.inbox.ask("Tell me when it is dark.")
    events = []
    for index in range(3):
        run.second(index)
        events.append(run.next(Stepped))
    ack, silent, alert = (event.step for event in events)
    none, (told,) = events[1].alerts, events[2].alerts
    assert ack.response.acknowledgment and ack.response.index == 0
    assert silent.response is None and none == ()
    assert (alert.response.kind, alert.response.index, alert.response.stamp_ns) == (
        Kind.PROACTIVE,
        0,
        2 * NS + NS // 2,
    )
    assert told == Alert(alert.response.watches[0], "Tell me when it is dark.")
    assert told.watch.query_id == alert.response.query_id == ack.response.query_id


def test_partial_texts_grow_and_repeat_nothing(runs: Make) -> None:
    run = runs(ScriptedBackend({1: "a b é"})).start()
    run.second(0)
    run.second(1)
    run.next(Stepped)
    texts = []
    while isinstance(event := run.events.get(timeout=WAIT_S), Words):
        texts.append((event.text, event.stamp_ns, event.asked))
    stamp = NS + NS // 2
    assert texts == [("a", stamp, False), ("a b", stamp, False), ("a b é", stamp, False)]
    assert event.step.response.text == "a b é"


def test_the_end_of_the_frames_decides_the_half_filled_second(runs: Make) -> None:
    run = runs().start()
    run.inbox.offer(0, lambda: frame(0))
    run.inbox.end_of_frames()
    assert run.steps(1)[0].stamp_ns == 0
    run.inbox.end_of_frames()
    run.second(5)
    assert run.steps(1)[0].chunk == 5


def test_the_threshold_can_change_while_running(runs: Make) -> None:
    run = runs(config=free(decider=replace(FREE, threshold=0.5)))

    def use(threshold: float | None) -> None:
        run.host.configure(free(decider=replace(FREE, threshold=threshold)))

    use(0.6)
    run.start()
    run.second(0)
    assert run.steps(1)[0].decision.silent
    use(0.999999)
    run.second(1)
    assert not run.steps(1)[0].decision.silent
    use(None)
    run.second(2)
    assert run.steps(1)[0].decision.silent


def test_any_number_of_listeners_can_come_and_go(runs: Make) -> None:
    run = runs().start()
    heard: list[list[int]] = [[], []]
    ends = [
        run.host.listen(lambda e, i=i: heard[i].append(e.step.chunk)) for i in range(len(heard))
    ]
    for index in range(3):
        run.second(index)
        run.steps(1)
        if index == 0:
            ends[0]()
    assert run.host.drain(WAIT_S)
    assert heard == [[0], [0, 1, 2]]


def test_a_host_that_was_stopped_can_be_started_again(runs: Make) -> None:
    loads: list[int] = []

    def load() -> ScriptedBackend:
        loads.append(1)
        return ScriptedBackend()

    run = runs(load=load)
    names = []
    for _ in range(2):
        run.host.start()
        run.next(Ready)
        run.inbox.ask("what is there?")
        run.second(0, grey=3)
        step = run.steps(1)[0]
        assert step.response.text == "You asked: what is there? The brightness is 3."
        assert run.host.health().frames_received == 2
        names += [step.question_id, step.response.id]
        assert run.host.stop(WAIT_S) and run.host.health().phase == "stopped"
    assert len(loads) == 2 and len(set(names)) == 4, "ids are unique over restarts"


def test_streams_share_the_model_and_take_turns(runs: Make) -> None:
    """A camera that is far behind does not make the other wait."""
    backend = GatedBackend()
    run = runs(backend, streams=("front", "back"), backlog=8).start()
    backend.gate.clear()
    run.second(0, stream="front")
    assert backend.encoding.wait(WAIT_S)
    for index in range(1, 4):
        run.second(index, stream="front")
    run.host.streams["back"].inbox.ask("what is there?")
    run.second(0, grey=7, stream="back")
    backend.gate.set()
    events = [run.next(Stepped) for _ in range(5)]
    assert [e.stream for e in events] == ["front", "back", "front", "front", "front"]
    assert [e.step.window_chunks for e in events] == [1, 1, 2, 3, 4]
    back = events[1].step
    assert back.response.text == "You asked: what is there? The brightness is 7."
    assert back.response.id.partition("-")[0].endswith(".back")
    assert run.host.health("front").frames_received == 8
    assert run.host.health("back").frames_received == 2


def test_a_step_comes_with_the_frame_that_it_describes_though_newer_ones_wait(runs: Make) -> None:
    backend = GatedBackend(lambda moment: f"{moment.now.brightness}" if moment.question else None)
    run = runs(backend, backlog=9).start()
    backend.gate.clear()
    for index, grey in enumerate((10, 20, 30)):
        for half in (0, 1):
            image = frame(0, grey + half).image
            made = Frame(image, index * NS + half * NS // 2, frame_id=f"camera {index}")
            run.inbox.offer(made.stamp_ns, lambda made=made: made)
    assert backend.encoding.wait(WAIT_S)  # chunk 0 is in the model, and the others wait
    backend.gate.set()
    for index, grey in enumerate((11, 21, 31)):
        event = run.next(Stepped)
        assert event.frame.stamp_ns == event.step.stamp_ns == index * NS + NS // 2
        assert (event.frame.image == grey).all()
        assert event.frame.frame_id == f"camera {index}"
    run.inbox.ask("how bright?")  # about the newest second, at once
    assert run.next(Words).frame_id == "camera 2"
    event = run.next(Stepped)
    assert event.step.response and event.step.response.stamp_ns == event.frame.stamp_ns
    assert (event.frame.image == 31).all()
