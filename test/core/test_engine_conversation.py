"""What the model sees is exactly the conversation, also after cancelled and amended answers."""

from __future__ import annotations

from engine_rig import cached, chunk, frame, free, on_second_token, recomputed
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_core.config import GenerationConfig, WindowConfig
from aura_core.errors import InputError
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import Kind


def test_a_cancelled_answer_leaves_what_was_said_and_nothing_else():
    assistant = Lockstep(StreamEngine(ScriptedBackend({0: "hello there"}), free()))

    def listen(_id: str, text: str) -> None:
        if text == "hello":
            assistant.engine.cancel()

    step = chunk(assistant, 0, listen)
    assert step.response is not None and step.response.text == "hello"
    assert cached(assistant) == recomputed(assistant)
    assert assistant.engine.window.turns[0].answer == "hello"
    assert chunk(assistant, 1).state == "silent"
    assert cached(assistant) == recomputed(assistant)


def test_a_cancel_between_answers_does_not_cut_the_next():
    assistant = Lockstep(StreamEngine(ScriptedBackend({0: "hello"}), free()))
    assistant.engine.cancel()
    step = chunk(assistant, 0)
    assert step.response is not None and step.response.text == "hello"


EXACT = ["shadow", "floating", "recompute", "fifo"]
events = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), st.integers(0, 5)),  # half seconds to the next
        st.tuples(
            st.just("ask"),
            st.sampled_from(["What?", "Tell me when.", "Tell me every time.", "<|im_end|>"]),
        ),
        st.tuples(st.just("step"), st.sampled_from([None, None, "cancel", "discard"])),
        st.tuples(st.just("idle"), st.integers(0, 4)),
        st.tuples(
            st.just("amend"),
            st.tuples(st.integers(0, 5), st.sampled_from(["", "Y", "Other words"])),
        ),
    ),
    max_size=60,
)


@given(
    events,
    st.dictionaries(st.integers(0, 60), st.sampled_from(["a", "Yes.", "é"])),
    st.sampled_from(EXACT),
    st.data(),
)
@settings(max_examples=150)
def test_the_cache_is_always_the_conversation(events, script, policy, data):
    """Frames, gaps, questions, answers, cancels and idle time in any order.

    The cache equals a full recompute.
    """
    keep = data.draw(st.integers(1, 3))
    window = WindowConfig(
        keep, keep + data.draw(st.integers(1, 3)), data.draw(st.integers(0, 3)), policy
    )
    config = free(
        window=window, generation=GenerationConfig(max_new_tokens=data.draw(st.integers(1, 5)))
    )
    backend = ScriptedBackend(script)
    assistant = Lockstep(StreamEngine(backend, config), data.draw(st.booleans()), at_once=False)
    slot, steps, asked, discarded = 0, [], 0, False
    for kind, value in events:
        if kind == "frame":
            slot += value
            assistant.push(frame(slot))
        elif kind == "ask":
            try:
                assistant.ask(value)
                asked += 1
            except InputError:
                pass
        elif kind == "idle":
            assistant.engine.idle(iter([False] * value + [True]).__next__)
        elif kind == "amend":
            turns = assistant.engine.window.turns[-1 - value[0] :][:1]
            done = [assistant.engine.amend(t.response_id or "", value[1]) for t in turns]
            assert done == [t.answer_ids is not None for t in turns]
        else:
            before = [t.chunk for t in assistant.engine.window.turns]
            cost = assistant.engine.owners.cost
            asking = cost.forwards  # whose words these are, where several watches are open
            if (step := assistant.step(on_second_token(assistant, value))) is None:
                continue
            steps.append(step)
            assert step.window_chunks <= (window.cap if policy == "shadow" else window.max)
            assert step.window_tokens == assistant.engine.session.length
            if value == "discard" and step.response is None and step.decode_tokens:
                discarded = True
                assert step.chunk not in [t.chunk for t in assistant.engine.window.turns]
            else:
                assert (
                    [t.chunk for t in assistant.engine.window.turns][-1]
                    == step.chunk
                    > max([-1, *before])
                )
            assert step.forwards == 1 + step.decode_tokens + cost.forwards - asking - (
                step.decode_tokens == config.generation.max_new_tokens
            ) or (value is not None)
        assert cached(assistant) == recomputed(assistant)
        assert len(assistant.engine.window.prefix.groups) <= window.qa_groups
    assert [s.chunk for s in steps] == sorted({s.chunk for s in steps})
    # each chunk once in its life
    assert len(backend.encodes) == len(steps)
    seen = [s.question_id for s in steps if s.question_id]
    assert seen == [f"run-q{k + 1}" for k in range(len(seen))] and len(seen) <= asked
    for s in steps:
        if s.response is not None and not discarded:
            assert (s.response.kind is Kind.REAL_TIME) == (s.question_id is not None)


def test_a_cancelled_answer_leaves_what_was_said_or_nothing():
    script = {1: "Hello there."}
    keep, discard, silent = (
        Lockstep(StreamEngine(ScriptedBackend(s), free())) for s in (script, script, {})
    )
    for assistant, how in ((keep, "cancel"), (discard, "discard"), (silent, None)):
        chunk(assistant, 0)
        assistant.ask("What?")
        step = chunk(assistant, 1, on_second_token(assistant, how))
        assert (step.response.text if step.response else None) == (
            "He" if how == "cancel" else None
        )
    assert keep.engine.window.turns[1].answer == "He"
    assert [t.chunk for t in discard.engine.window.turns] == [
        0
    ] and discard.engine.conversation.attribution.entries == []
    assert cached(discard) == recomputed(discard) == recomputed(silent)[: len(recomputed(discard))]
    assert chunk(discard, 2).decision.silent
    assert cached(discard) == recomputed(discard)


def test_what_was_not_said_aloud_is_removed_from_the_conversation():
    assistant = Lockstep(StreamEngine(ScriptedBackend({1: "One. Two. Three."}), free()))
    for i in range(4):
        chunk(assistant, i)
    said = assistant.engine.window.turns[1].response_id
    assert said == "run-r1" and assistant.engine.amend(said, "One.")
    assert assistant.engine.window.turns[1].answer == "One."
    assert cached(assistant) == recomputed(assistant)
    assert assistant.engine.amend(said, "")
    assert assistant.engine.window.turns[1].answer_ids is None
    assert not assistant.engine.amend(said, "again") and not assistant.engine.amend("run-r2", "x")
