"""A question that is asked on the newest closed chunk: as if it had been asked there from the
start, with any policy, across switches, and also where its answer fails or is discarded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from engine_rig import cached_by, free, made, recomputed_by
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aura_core.config import AssistantConfig, DeciderConfig, GenerationConfig, WindowConfig
from aura_core.errors import AuraError, ModelError
from aura_core.models.backend import Video
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.stream.engine import StreamEngine
from aura_core.types import Chunk, Query, Step

POLICIES = ["shadow", "floating", "recompute", "fifo"]


def turns(engine: StreamEngine) -> list[tuple[Any, ...]]:
    return [(t.chunk, t.question, t.answer_ids, t.answer_id) for t in engine.window.turns]


def groups(engine: StreamEngine) -> list[tuple[str, tuple[str, ...]]]:
    return [(g.question, g.answers) for g in engine.window.prefix.groups]


def echo(moment: Moment) -> str | None:
    """Answers questions; unasked, it speaks in every seventh chunk."""
    if moment.question:
        return f"To {moment.question}"
    return "Look." if moment.now.chunk % 7 == 6 else None


# ---- the same as from the start ----------------------------------------------------------------

plans = st.lists(
    st.tuples(
        st.sampled_from([None, None, "What?", "Tell me when.", "Tell me every time."]),
        st.integers(0, 3),  # pieces of background work before the question comes
        st.integers(0, 3),  # and after the step
    ),
    max_size=40,
)


@given(plans, st.sampled_from([*POLICIES, "evict"]), st.data())
@settings(max_examples=150)
def test_it_equals_the_stream_in_which_the_question_came_in_time(plan, policy, data):
    """Questions at any chunk, idle time of any length, windows of any size."""
    keep = data.draw(st.integers(1, 3))
    window = WindowConfig(
        keep, keep + data.draw(st.integers(1, 3)), data.draw(st.integers(0, 3)), policy
    )
    decider = DeciderConfig(
        unsolicited=data.draw(st.booleans()),
        must_answer=data.draw(st.booleans()),
        rearm=data.draw(st.sampled_from([None, 0.9])),
    )
    config = AssistantConfig(window=window, decider=decider)
    early, late = (StreamEngine(ScriptedBackend(echo), config) for _ in range(2))
    for i, (question, before, after) in enumerate(plan):
        query = Query(question, f"q{i}") if question else None
        second = late.step(made(i))
        spoke = second.response is not None
        first = early.step(made(i), None if spoke else query)
        # Work of a shadow before the question may complete it, and so move the switch: not here.
        for _ in range(0 if policy == "shadow" else before):
            late.work_ahead()
        if query is not None:
            again = late.answer_now(query)
            assert again is not None and again.vision_encodes == 0
            second = again
            if spoke:  # this chunk has words already, and gets a second turn
                first = early.answer_now(query)
        assert (first.decision, first.suppressed) == (second.decision, second.suppressed)
        assert turns(early) == turns(late) and groups(early) == groups(late)
        assert early.decider.memory == late.decider.memory
        if policy != "evict":
            assert cached_by(late) == recomputed_by(late)
        assert cached_by(late) == cached_by(early)
        for engine in (early, late):  # whether a shadow is complete decides when it is swapped in
            engine.idle() if policy == "shadow" else [engine.work_ahead() for _ in range(after)]


def qwen(tmp_path_factory: pytest.TempPathFactory, family: str) -> Any:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    import checkpoints

    from aura_core.config import ModelConfig
    from aura_core.models import load

    folder = checkpoints.write(tmp_path_factory.mktemp("now") / family, family)
    loaded: Any = load(ModelConfig(path=str(folder), dtype="float32", device="cpu", threads=1))
    checkpoints.in_float64(loaded)
    with torch.no_grad():
        loaded.model.lm_head.weight[loaded.chat.end_id] *= 2.0
    return loaded


@pytest.fixture(scope="module", params=["qwen3_vl", "qwen2_5_vl"])
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return qwen(tmp_path_factory, request.param)


class Kept(StreamEngine):
    """Keeps the logits that it decided on last."""

    logits: NDArray[np.float32]

    def reset(self) -> None:
        super().reset()
        for name in ("decide", "hold"):
            inner = getattr(type(self.decider), name)

            def spy(logits: Any, *args: Any, inner: Any = inner, **named: Any) -> Any:
                self.logits = np.array(logits)
                return inner(self.decider, logits, *args, **named)

            setattr(self.decider, name, spy)


@pytest.mark.parametrize("policy", POLICIES)
def test_logits_decisions_and_words_of_random_weights(
    backend: Any, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """26 chunks and several switches. Random weights, float64; the questions are answered because
    silence is masked, and two of them come in one second."""
    from checkpoints import float32_steps
    from exactness_rig import chunk, cold

    config = AssistantConfig(
        window=WindowConfig(keep=3, max=6, qa_groups=2, policy=policy),
        generation=GenerationConfig(max_new_tokens=5),
    )
    early, late = Kept(backend, config), Kept(backend, config)
    # The watch comes late: while it is open, random weights speak unasked, and a chunk with words
    # is not decided again.
    asked = {2: ["What?"], 5: ["So?"], 6: ["Why?", "And?"], 11: ["Who?"], 22: ["Tell me when."]}
    switched = 0
    for i in range(26):
        first, *others = [Query(text, f"q{i}.{k}") for k, text in enumerate(asked.get(i, []))] or [
            None
        ]
        early_step, late_step = early.step(chunk(i), first), late.step(chunk(i))
        switched += late_step.switched
        late.idle()
        if first is not None:
            late_step = now(late, first)
        both = [(early_step, late_step)]
        for query in others:
            compare(both[-1], early, late, cold, float32_steps, monkeypatch)
            both.append((now(early, query), now(late, query)))
        compare(both[-1], early, late, cold, float32_steps, monkeypatch)
        assert [t.chunk for t in late.window.turns[-len(both) :]] == [i] * len(both)
        early.idle()
        late.idle()
    assert switched >= 4
    assert late.policy.counters.rebuilds == late.policy.counters.stretched == 0


def now(engine: StreamEngine, query: Query) -> Step:
    step = engine.answer_now(query)
    assert step is not None and step.response is not None and step.vision_encodes == 0
    return step


def compare(
    steps: tuple[Step, Step],
    early: Kept,
    late: Kept,
    cold: Any,
    float32_steps: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = steps
    turn = late.window.turns[-1]
    pieces = [late.codec.head(late.window.prefix)]
    pieces += [p for t in late.window.turns[:-1] for p in t.pieces(late.codec)]
    reference = cold(
        late.backend, [*pieces, *late.codec.user(turn.video, turn.question)], monkeypatch
    )
    allowed = float32_steps(reference)
    assert float(np.abs(reference - late.logits).max()) <= allowed
    assert float(np.abs(early.logits - late.logits).max()) <= allowed
    assert (a.decision.silent, a.decision.token_id) == (b.decision.silent, b.decision.token_id)
    assert turns(early) == turns(late) and groups(early) == groups(late)


# ---- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [*POLICIES, "evict"])
def test_a_discarded_answer_leaves_the_silent_turn_and_what_the_decider_remembers(policy):
    decider = DeciderConfig(unsolicited=True, rearm=0.9)
    config = free(window=WindowConfig(2, 4, policy=policy), decider=decider)
    engine = StreamEngine(
        ScriptedBackend(lambda m: "A long answer." if m.question else None), config
    )
    for i in range(6):
        engine.step(made(i))
        engine.idle()
        before = turns(engine), cached_by(engine), engine.decider.memory
        step = engine.answer_now(Query("What?", f"q{i}"), lambda *_: engine.cancel(discard=True))
        assert step is not None and step.response is None
        assert (turns(engine), cached_by(engine), engine.decider.memory) == before
        assert engine.conversation.attribution.entries == []
        said = engine.answer_now(Query("And?", f"p{i}"))
        assert said is not None and said.response.text == "A long answer."
        engine.idle()
        engine.conversation.forget(engine.conversation.attribution.entries[0].query)


class Failing(ScriptedBackend):
    """Its sessions raise `error` when a prefill holds the question "fail"."""

    error: Exception | None = None

    def open(self) -> Any:
        session = super().open()
        inner = session.prefill

        def prefill(pieces: Any, wanted: Any = None) -> Any:
            text = self.tokenizer.decode(
                [t for p in pieces if not isinstance(p, Video) for t in p.ids]
            )
            if self.error is not None and "fail" in text:
                raise self.error
            return inner(pieces, wanted)

        session.prefill = prefill
        return session


@pytest.mark.parametrize("policy", [*POLICIES, "evict"])
def test_a_model_that_fails_over_the_question_leaves_everything_as_it_was(policy):
    config = AssistantConfig(
        window=WindowConfig(2, 4, policy=policy), decider=DeciderConfig(rearm=0.9)
    )
    backend = Failing(lambda m: "Yes." if m.question else None)
    engine = StreamEngine(backend, config)
    for i in range(6):
        engine.step(made(i))
        engine.idle()
        engine.idle()
        before = turns(engine), cached_by(engine), engine.decider.memory
        backend.error = ModelError("the server is gone")
        with pytest.raises(AuraError, match="the server is gone"):
            engine.answer_now(Query("Does it fail?", "q"))
        backend.error = None
        assert (turns(engine), cached_by(engine), engine.decider.memory) == before
        assert engine.conversation.attribution.entries == []
        engine.idle()
    assert engine.answer_now(Query("And now?", "q")).response.text == "Yes."


def test_there_is_nothing_to_ask_about_before_the_first_chunk():
    assert StreamEngine(ScriptedBackend()).answer_now(Query("What?", "q")) is None


def once_disarmed() -> tuple[StreamEngine, Failing]:
    """An engine with hysteresis that has spoken unasked in chunk 0."""
    backend = Failing(lambda m: "Words." if m.question or m.now.chunk == 0 else None)
    decider = DeciderConfig(unsolicited=True, rearm=0.9)
    engine = StreamEngine(backend, AssistantConfig(decider=decider))
    assert engine.step(made(0)).response is not None
    return engine, backend


@pytest.mark.parametrize("how", ["discard", "fail"])
def test_a_silent_turn_that_comes_back_is_remembered_by_the_decider(how):
    """Its p(silent) armed the hysteresis again. That must not be forgotten with the answer."""
    engine, backend = once_disarmed()
    assert engine.step(made(1)).decision.silent
    armed = engine.decider.memory
    assert armed[0].armed and not armed[1].armed
    if how == "discard":
        engine.answer_now(Query("What?", "q"), lambda *_: engine.cancel(discard=True))
    else:
        backend.error = ModelError("the server is gone")
        with pytest.raises(ModelError):
            engine.answer_now(Query("Does it fail?", "q"))
    assert engine.decider.memory == armed


def test_a_chunk_that_was_only_seen_can_be_asked_about():
    """It closed during an answer, so it was never decided: nothing is taken back in the decider."""
    engine, _ = once_disarmed()
    disarmed = engine.decider.memory[0]
    engine.see(made(1))
    step = engine.answer_now(Query("What?", "q"))
    assert step is not None and (step.chunk, step.response.text) == (1, "Words.")
    assert cached_by(engine) == recomputed_by(engine)
    assert engine.decider.memory[0] == disarmed, "what was said in chunk 0 still holds words back"


def test_the_stamp_of_the_answer_is_that_of_the_frames_it_describes():
    engine = StreamEngine(ScriptedBackend(echo))
    for i in range(3):
        engine.step(made(i))
    step = engine.answer_now(Query("What?", "q"))
    assert step is not None and step.stamp_ns == step.response.stamp_ns == made(2).stamp_ns


def test_each_chunk_is_encoded_once_however_often_it_is_asked_about():
    backend = ScriptedBackend(echo)
    engine = StreamEngine(backend)
    for i in range(3):
        engine.step(made(i))
        for k in range(3):
            assert engine.answer_now(Query("What?", f"q{i}.{k}")) is not None
    assert backend.encodes == [0, 1, 2]
    assert len(engine.window.turns) == 9 and cached_by(engine) == recomputed_by(engine)


def test_a_chunk_object_is_kept_no_longer_than_it_is_the_newest():
    engine = StreamEngine(ScriptedBackend(echo))
    first: Chunk = made(0)
    engine.step(first)
    engine.step(replace(made(1)))
    assert engine.last_chunk == 1 and engine._last is not first
