"""What the assistant must not do: speak without a reason, meet a question with silence, keep a
question for ever."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from engine_rig import HALF, chunk, frame
from host_rig import WAIT_S, GatedBackend, Make, made_runs

from aura_core.config import AssistantConfig, DeciderConfig, GenerationConfig, ModelConfig
from aura_core.errors import InputError
from aura_core.live.events import Failed, Ready, Refused, Stepped
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.replay.lockstep import Lockstep, drive
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Kind, Query

MINUTES = 30
SHORT_TTL = AssistantConfig(generation=GenerationConfig(question_ttl_s=0.5))


@pytest.fixture
def runs() -> Iterator[Make]:
    with made_runs() as make:
        yield make


def foreign(seconds: int, side: int = 8) -> Iterator[np.ndarray]:
    """One picture a half second that nobody has asked about: grey, black, white, noise, gradients
    and blurred noise (which looks like a photograph to a model), in turns of some seconds."""
    rng = np.random.default_rng(5)
    ramp = np.linspace(0, 255, side)
    for slot in range(2 * seconds):
        kind = slot // 14 % 6
        if kind == 0:
            yield np.full((side, side, 3), 128, np.uint8)
        elif kind == 1:
            yield np.zeros((side, side, 3), np.uint8)
        elif kind == 2:
            yield np.full((side, side, 3), 255, np.uint8)
        elif kind == 3:
            yield rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        elif kind == 4:
            colour = rng.uniform(0, 1, 3)
            yield (ramp[:, None, None] * colour * np.ones((1, side, 1))).astype(np.uint8)
        else:
            coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            yield np.kron(coarse, np.ones((side // 4, side // 4, 1), np.uint8))


def watched(lockstep: Lockstep, pictures: Iterator[np.ndarray]) -> list[Any]:
    steps = []
    for slot, picture in enumerate(pictures):
        lockstep.push(Frame(picture, slot * HALF))
        while (step := lockstep.step()) is not None:
            steps.append(step)
    return steps


# ---- no unasked words without a watch ----------------------------------------------------------


def test_a_model_that_always_wants_to_talk_says_nothing_in_30_minutes_without_a_watch():
    lockstep = Lockstep(StreamEngine(ScriptedBackend(lambda moment: "Nothing.")))
    steps = watched(lockstep, foreign(60 * MINUTES))
    assert len(steps) == 60 * MINUTES
    assert [s.response for s in steps if s.response] == []
    assert {s.decision.reason for s in steps} == {"no_watch"}
    assert all(s.decode_tokens == 0 and s.decision.p_silent < 0.5 for s in steps)
    # the same model, let loose: the test can fail
    loose = AssistantConfig(decider=DeciderConfig(unsolicited=True))
    lockstep = Lockstep(StreamEngine(ScriptedBackend(lambda moment: "Nothing."), loose))
    assert all(s.response for s in watched(lockstep, foreign(3)))


def test_the_embedded_model_says_nothing_on_foreign_pictures():
    pytest.importorskip("torch")
    from aura_core.models import load

    backend = load(ModelConfig(device="cpu", dtype="float32"))
    steps = watched(Lockstep(StreamEngine(backend)), foreign(42, 96))
    assert len(steps) == 42 and not [s for s in steps if s.response]


def test_unasked_words_come_while_a_watch_is_open_and_belong_to_it():
    lockstep = Lockstep(StreamEngine(ScriptedBackend(lambda m: f"Second {m.now.chunk}.")))
    assert chunk(lockstep, 0).response is None
    lockstep.ask(Query("Tell me every time it changes.", "w"))
    assert chunk(lockstep, 1).response.acknowledgment
    assert chunk(lockstep, 2).response.query_id == "w"
    assert lockstep.unwatch("w")
    assert chunk(lockstep, 3).decision.reason == "no_watch"


def test_a_watch_that_is_over_allows_no_more_words():
    lockstep = Lockstep(StreamEngine(ScriptedBackend(lambda m: f"Second {m.now.chunk}.")))
    lockstep.ask(Query("Tell me when it changes.", "w"))
    said = [chunk(lockstep, i).response for i in range(5)]
    assert [r.kind if r else None for r in said] == [
        Kind.REAL_TIME,
        Kind.PROACTIVE,
        None,
        None,
        None,
    ]


def test_words_that_may_not_be_said_do_not_interrupt_an_answer():
    """With `interruptible`, a chunk that calls for words ends an answer. Without a watch none
    does."""
    config = AssistantConfig(generation=GenerationConfig(interruptible=True))
    engine = StreamEngine(ScriptedBackend(lambda m: "A long answer."), config)
    from engine_rig import made

    step = engine.step(made(0), Query("What?", "q"), None, lambda: made(1))
    assert step.response.text == "A long answer."


# ---- a question is never met with silence ------------------------------------------------------


def test_a_model_that_prefers_silence_answers_500_questions():
    lockstep = Lockstep(StreamEngine(ScriptedBackend({})))
    for i in range(500):
        lockstep.ask(f"Question {i}?")
        step = chunk(lockstep, i)
        assert step.response is not None and step.response.text.strip()
        assert step.decision.reason == "asked" and step.decision.p_silent > 0.5


def test_an_answer_without_words_is_replaced():
    lockstep = Lockstep(StreamEngine(ScriptedBackend({0: "   "})))
    lockstep.ask("What is that?")
    step = chunk(lockstep, 0)
    assert step.response.text == "I cannot answer that."
    turn = lockstep.engine.window.turns[-1]
    assert turn.answer == "I cannot answer that." and step.response.id == turn.response_id


def test_without_must_answer_the_model_may_be_silent():
    config = AssistantConfig(decider=DeciderConfig(must_answer=False))
    lockstep = Lockstep(StreamEngine(ScriptedBackend({}), config))
    lockstep.ask("What is that?")
    assert chunk(lockstep, 0).response is None


def test_an_answer_that_was_cancelled_before_its_first_word_is_not_replaced():
    engine = StreamEngine(ScriptedBackend({0: "  Well."}))
    from engine_rig import made

    step = engine.step(made(0), Query("What?", "q"), lambda _id, text: engine.cancel())
    assert step.response.text.strip() == ""


@pytest.mark.parametrize("text", ["any cats around?", "where's the cat"])
def test_the_embedded_model_answers_what_it_met_with_silence(text):
    pytest.importorskip("torch")
    from aura_core.models import load
    from aura_core.sim.render import Camera
    from aura_core.sim.world import World

    lockstep = Lockstep(StreamEngine(load(ModelConfig(device="cpu", dtype="float32"))))
    camera = Camera(World.generate(900_001, 8))
    watched(lockstep, (camera.frame(slot / 2) for slot in range(12)))
    lockstep.ask(text)
    step = lockstep.step()
    assert step is not None and step.question == text and step.response.text.strip()


# ---- several questions of one second -----------------------------------------------------------


def test_questions_of_one_second_are_answered_one_after_another_in_it():
    lockstep = Lockstep(StreamEngine(ScriptedBackend()))
    chunk(lockstep, 0)
    chunk(lockstep, 1)
    for text in ("a?", "b?", "c?"):
        lockstep.ask(text)
    steps = list(lockstep.steps())
    assert [(s.chunk, s.question) for s in steps] == [(1, "a?"), (1, "b?"), (1, "c?")]
    assert all(s.response.kind is Kind.REAL_TIME for s in steps)
    assert [t.chunk for t in lockstep.engine.window.turns] == [0, 1, 1, 1]


def test_live_questions_of_one_second_are_answered_without_another_frame(runs: Make):
    run = runs(ScriptedBackend(), config=AssistantConfig()).start()
    run.second(0)
    run.steps(1)
    futures = [run.host.ask(text) for text in ("a?", "b?", "c?")]
    steps = run.steps(3)
    assert [(s.chunk, s.question) for s in steps] == [(0, "a?"), (0, "b?"), (0, "c?")]
    assert [f.result(WAIT_S).id for f in futures] == [s.question_id for s in steps]


def test_the_stamp_of_a_question_decides_in_replay():
    """Up to half a second after the end of a chunk it is the newest; later, one was lost."""
    for stamp, asked_in in ((1.0, 0), (1.49, 0), (1.9, 1)):
        lockstep = Lockstep(StreamEngine(ScriptedBackend()))
        query = Query("hm?", stamp_ns=round(stamp * 2 * HALF))
        frames = [frame(slot) for slot in range(6)]
        events = sorted([*frames, query], key=lambda e: e.stamp_ns)
        asked = [s.chunk for s in drive(lockstep, events) if s.question]
        assert asked == [asked_in], stamp
    lockstep = Lockstep(StreamEngine(ScriptedBackend()))
    events = [frame(0), frame(1), Query("hm?", stamp_ns=10 * HALF), frame(11), frame(12), frame(13)]
    assert [s.chunk for s in drive(lockstep, events) if s.question] == [5]


# ---- time to live ------------------------------------------------------------------------------


def test_a_question_that_no_chunk_comes_for_is_refused_live(runs: Make):
    run = runs(ScriptedBackend(), config=SHORT_TTL).start()
    accepted = run.inbox.ask("what is there?")
    watch = run.inbox.ask("Tell me when it is dark.")
    refused = run.next(Refused)
    assert refused.query == accepted.result(WAIT_S)
    assert refused.reason == "no frames came for 0.5 s"
    run.second(0)
    assert run.steps(1)[0].question_id == watch.result(WAIT_S).id, "a watch waits without limit"


def test_a_question_that_no_chunk_comes_for_is_refused_in_replay_by_stream_time():
    lockstep = Lockstep(StreamEngine(ScriptedBackend()))
    refused: list[tuple[str, str]] = []
    late = Query("what?", stamp_ns=3 * HALF)
    watch = Query("Tell me when it rains.", stamp_ns=3 * HALF)
    # a gap of 20 s without frames follows
    events = [frame(0), frame(1), frame(2), late, watch, frame(43), frame(44), frame(45)]
    lockstep.engine.reset()
    first = Lockstep(StreamEngine(ScriptedBackend()))
    first.intake.ask(late)
    for event in events:
        if isinstance(event, Frame):
            first.push(event)
    assert first.expired() == [late]
    steps = list(
        drive(
            Lockstep(StreamEngine(ScriptedBackend())),
            [Query("what?", stamp_ns=0), watch, frame(40), frame(41), frame(42), frame(43)],
            on_refused=lambda q, e: refused.append((q.text, str(e))),
        )
    )
    assert refused == [("what?", "no frames came for 5 s")]
    assert [s.question for s in steps if s.question] == [watch.text]


def test_a_question_whose_step_failed_keeps_its_time_to_live():
    """Given back again and again, it would wait for ever otherwise."""
    lockstep = Lockstep(StreamEngine(ScriptedBackend()))
    lockstep.push(frame(0))
    lockstep.ask("what?")
    lockstep.push(frame(1))
    _, query = lockstep.intake.take()
    for slot in range(2, 10):  # its step takes 4 s, and fails
        lockstep.push(frame(slot))
    lockstep.intake.give_back(query)
    assert lockstep.expired() == []
    lockstep.push(frame(11))  # 5.5 s after it came
    assert lockstep.expired() == [query]


# ---- refusals at once --------------------------------------------------------------------------


def test_while_the_model_loads_a_question_is_refused_and_a_watch_is_accepted(runs: Make):
    gate = Future[None]()

    def load() -> ScriptedBackend:
        gate.result(WAIT_S)
        return ScriptedBackend()

    run = runs(load=load, config=AssistantConfig())
    run.host.start()
    with pytest.raises(InputError, match="the model is still loading"):
        run.host.ask("what is there?")
    watch = run.host.ask("Tell me when it is dark.")
    assert watch.done(), "aura/ask returns while the model loads"
    gate.set_result(None)
    run.next(Ready)
    run.second(0)
    assert run.steps(1)[0].question_id == watch.result(0).id


def test_a_watch_that_is_refused_after_the_load_is_told(runs: Make):
    run = runs(config=AssistantConfig(generation=GenerationConfig(max_question_chars=0)))
    watch = run.host.ask("Tell me when " + "it is dark " * 500).result(0)
    run.start()
    refused = run.next(Refused)
    assert refused.query.id == watch.id and "at most 512 are allowed" in refused.reason


def test_without_frames_a_question_is_refused_and_a_watch_waits(runs: Make):
    run = runs(ScriptedBackend(), config=SHORT_TTL).start()
    with pytest.raises(InputError, match="no frame has come from the camera yet"):
        run.host.ask("what is there?")
    watch = run.host.ask("Tell me when it is dark.")
    assert watch.result(WAIT_S).id
    run.second(0)
    assert run.steps(1)[0].question_id == watch.result(0).id
    assert run.host.ask("and now?").result(WAIT_S).id
    run.inbox.arrived_s = time.monotonic() - 7  # the camera stops
    with pytest.raises(InputError, match="no frames come from the camera; the last one came 7 s"):
        run.host.ask("what is there?")


def test_watches_do_not_use_up_the_places_of_questions(runs: Make):
    config = AssistantConfig(generation=GenerationConfig(max_pending_questions=2))
    inbox = runs(config=config).inbox
    for _ in range(5):
        inbox.ask("Tell me when it is dark.")
    inbox.ask("one?")
    inbox.ask("two?")
    with pytest.raises(InputError, match="2 questions are waiting already"):
        inbox.ask("three?")
    inbox.ask("Tell me when it is light.")


def test_a_host_without_a_model_refuses_questions_and_watches(runs: Make):
    def load() -> ScriptedBackend:
        raise OSError("no such folder")

    run = runs(load=load, config=AssistantConfig())
    early = run.host.ask("Tell me when it is dark.").result(0)
    run.host.start()
    told = [run.events.get(timeout=WAIT_S) for _ in range(3)]
    assert sorted(type(e).__name__ for e in told) == ["Asked", "Failed", "Refused"]
    assert next(e for e in told if isinstance(e, Refused)).query.id == early.id
    assert run.host.stop(WAIT_S)
    for text in ("what is there?", "Tell me when it is dark."):
        with pytest.raises(InputError, match="stopping"):
            run.host.ask(text)


def test_questions_that_wait_when_the_host_stops_are_refused(runs: Make):
    run = runs(ScriptedBackend(), config=AssistantConfig()).start()
    watch = run.host.ask("Tell me when it is dark.").result(WAIT_S)
    assert run.host.stop(WAIT_S)
    refused = run.next(Refused)
    assert (refused.query.id, refused.reason) == (watch.id, "the assistant is stopping")


def test_a_question_is_not_lost_while_the_model_is_busy(runs: Make):
    """It waits for the model, not for frames: after the step it is asked on the newest chunk."""
    backend = GatedBackend()
    run = runs(backend, config=AssistantConfig()).start()
    run.second(0)
    run.steps(1)
    backend.gate.clear()
    backend.encoding.clear()
    run.second(1)
    assert backend.encoding.wait(WAIT_S)
    asked = run.host.ask("what is there?")
    backend.gate.set()
    steps = list(itertools.islice(iter(lambda: run.next(Stepped).step, None), 2))
    assert [(s.chunk, s.question) for s in steps] == [(1, None), (1, "what is there?")]
    assert asked.result(0).id == steps[1].question_id


def test_a_failed_load_of_any_kind_is_one_line(runs: Make):
    def load() -> ScriptedBackend:
        raise KeyError("vision_config")

    run = runs(load=load)
    run.host.start()
    assert run.next(Failed) == Failed("KeyError: 'vision_config'")


def test_a_script_may_tell_the_question_from_the_picture():
    """The scripted model sees the question of a second turn, and not that of the first."""
    seen: list[str] = []

    def say(moment: Moment) -> str | None:
        seen.append(moment.question)
        return "Yes." if moment.question else None

    lockstep = Lockstep(StreamEngine(ScriptedBackend(say)))
    chunk(lockstep, 0)
    lockstep.ask("a?")
    lockstep.ask("b?")
    list(lockstep.steps())
    assert set(seen) == {"", "a?", "b?"}
