"""The core loop, against the scripted backend: what the model is shown is exactly the conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_core.config import AssistantConfig, DeciderConfig, SpeakerConfig, WindowConfig
from aura_core.errors import ConfigError, InputError, ModelError
from aura_core.models.backend import Piece, Video
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.stream.assistant import StreamingAssistant
from aura_core.types import Chunk, Frame, Kind, Query, Step

HALF = 500_000_000
PIXEL = np.zeros((1, 1, 3), np.uint8)


def frame(slot: int, level: int = 0) -> Frame:
    return Frame(np.full((1, 1, 3), level, np.uint8), slot * HALF)


def chunk(assistant: StreamingAssistant, index: int, on_text: Callable[[str], None] | None = None) -> Step:
    """One second of frames, and its step."""
    assistant.push(frame(2 * index))
    assistant.push(frame(2 * index + 1))
    step = assistant.step(on_text)
    assert step is not None
    return step


def cached(assistant: StreamingAssistant) -> list:
    """What the model's cache holds, and the end of the last turn that rides on the next prefill."""
    return [*assistant.session.tokens, *_flat(assistant.policy.lane.waiting)]


def recomputed(assistant: StreamingAssistant) -> list:
    """The tokens of the window from nothing."""
    return _flat(assistant.window.pieces(assistant.codec))


def _flat(pieces: Iterable[Piece]) -> list:
    return [t for p in pieces for t in ([p.features] * len(p) if isinstance(p, Video) else p.ids)]


def test_a_silent_step_is_one_forward_one_encode_and_no_decode():
    backend = ScriptedBackend({})
    assistant = StreamingAssistant(backend)
    for i in range(5):
        step = chunk(assistant, i)
        assert (step.chunk, step.state, step.response) == (i, "silent", None)
        assert (step.forwards, step.vision_encodes, step.decode_tokens) == (1, 1, 0)
        assert (step.stamp_ns, step.window_chunks, step.switched) == ((2 * i + 1) * HALF, i + 1, False)
        assert step.window_tokens == assistant.session.length
    assert backend.encodes == [0, 1, 2, 3, 4]
    assert assistant.step() is None


def test_an_answer_is_decoded_and_told_as_it_grows():
    assistant = StreamingAssistant(ScriptedBackend({1: "Hé!"}))
    assert chunk(assistant, 0).state == "silent"
    assistant.ask("What?")
    told: list[str] = []
    step = chunk(assistant, 1, told.append)
    assert told == ["H", "H", "Hé", "Hé!"]
    assert step.response is not None and step.response.text == "Hé!" and step.response.final
    assert step.response.stamp_ns == 3 * HALF and step.question == "What?" and step.question_id == "q1"
    assert step.decode_tokens == 4 and step.forwards == 5  # one a token, the last of which says "end"
    assert cached(assistant) == recomputed(assistant)


def test_prefill_tokens_are_the_new_turn_and_the_tail_of_the_last():
    assistant = StreamingAssistant(ScriptedBackend({1: "Yes."}))
    first, second, third = (chunk(assistant, i) for i in range(3))
    assert first.prefill_tokens == first.window_tokens
    assert second.prefill_tokens + 4 == second.window_tokens - first.window_tokens  # 4 letters were decoded
    assert third.prefill_tokens == third.window_tokens - second.window_tokens
    assert second.prefill_tokens < first.prefill_tokens  # the system turn is read once


@pytest.mark.parametrize("limit", [1, 3, 5, 6])
def test_the_longest_answer(limit):
    assistant = StreamingAssistant(
        ScriptedBackend({0: "hello"}), AssistantConfig(speaker=SpeakerConfig(max_new_tokens=limit))
    )
    step = chunk(assistant, 0)
    assert step.response is not None and step.response.text == "hello"[:limit]
    assert step.decode_tokens == min(limit, 5)
    assert cached(assistant) == recomputed(assistant)
    chunk(assistant, 1)
    assert cached(assistant) == recomputed(assistant)


def test_a_cancelled_answer_leaves_what_was_said_and_nothing_else():
    assistant = StreamingAssistant(ScriptedBackend({0: "hello there"}))

    def listen(text: str) -> None:
        if text == "hello":
            assistant.cancel()

    step = chunk(assistant, 0, listen)
    assert step.response is not None and step.response.text == "hello"
    assert cached(assistant) == recomputed(assistant)
    assert assistant.window.turns[0].answer == "hello"
    assert chunk(assistant, 1).state == "silent"
    assert cached(assistant) == recomputed(assistant)


def test_a_cancel_between_answers_does_not_cut_the_next():
    assistant = StreamingAssistant(ScriptedBackend({0: "hello"}))
    assistant.cancel()
    step = chunk(assistant, 0)
    assert step.response is not None and step.response.text == "hello"


def test_a_switch_rebuilds_the_window_once_and_keeps_the_words():
    backend = ScriptedBackend({0: "Yes."})
    assistant = StreamingAssistant(backend, AssistantConfig(window=WindowConfig(keep=2, max=4)))
    assistant.ask("Red?")
    steps = [chunk(assistant, i) for i in range(9)]
    assert [s.switched for s in steps] == [i in (4, 6, 8) for i in range(9)]
    assert [s.window_chunks for s in steps] == [1, 2, 3, 4, 3, 4, 3, 4, 3]
    assert backend.encodes == list(range(9))  # each frame is encoded once in its life
    assert [(g.question, g.answers) for g in assistant.window.history] == [("Red?", ("Yes.",))]
    assert all(s.forwards == 1 for s in steps[1:])
    assert cached(assistant) == recomputed(assistant)


# ---- questions -----------------------------------------------------------------------------------


def test_one_question_a_chunk_in_the_order_in_which_they_were_asked():
    assistant = StreamingAssistant(ScriptedBackend())
    ids = [assistant.ask(text).id for text in ("a?", "b?", "c?")]
    assert ids == ["q1", "q2", "q3"]
    assert [chunk(assistant, i).question for i in range(4)] == ["a?", "b?", "c?", None]


def test_a_stamped_question_waits_for_the_chunk_that_holds_its_time():
    assistant = StreamingAssistant(ScriptedBackend())
    assistant.ask(Query("later?", stamp_ns=4 * HALF))
    assert [chunk(assistant, i).question for i in range(4)] == [None, None, "later?", None]


def test_a_question_that_has_to_wait_holds_up_no_other():
    """A question with a stamp far ahead (a clock that jumped back) used to block all that came after it."""
    assistant = StreamingAssistant(ScriptedBackend())
    assistant.ask(Query("in an hour?", stamp_ns=7200 * HALF))
    assistant.ask("now?")
    assert chunk(assistant, 0).question == "now?"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the question is empty"),
        (" \n\t", "the question is empty"),
        ("x" * 513, "the question has 513 tokens; at most 512 are allowed"),
        ("word " * 10_000, "at most 512 are allowed"),
    ],
)
def test_questions_that_are_refused(text, says):
    assistant = StreamingAssistant(ScriptedBackend())
    with pytest.raises(InputError, match=says):
        assistant.ask(text)
    assert chunk(assistant, 0).question is None


def test_too_many_questions_at_once():
    assistant = StreamingAssistant(ScriptedBackend(), AssistantConfig(speaker=SpeakerConfig(max_pending_questions=2)))
    assistant.ask("a?")
    assistant.ask("b?")
    with pytest.raises(InputError, match="2 questions are waiting already"):
        assistant.ask("c?")
    chunk(assistant, 0)
    assistant.ask("c?")


def test_the_three_kinds_of_answer():
    script = {0: "Two.", 1: "I will.", 4: "It came.", 5: "Yes, I will.", 7: "One left.", 9: "One left again."}
    assistant = StreamingAssistant(ScriptedBackend(script), AssistantConfig(window=WindowConfig(keep=2, max=3)))
    questions = {0: "How many?", 1: "Tell me when it comes.", 5: "Tell me every time one leaves."}
    told = []
    for i in range(10):
        if i in questions:
            assistant.ask(questions[i])
        r = chunk(assistant, i).response
        if r is not None:
            told.append((i, str(r.kind), r.query_id, r.index, r.acknowledgment))
    assert told == [
        (0, "real-time", "q1", 0, False),
        (1, "real-time", "q2", 0, True),
        (4, "proactive", "q2", 0, False),
        (5, "real-time", "q3", 0, True),
        (7, "multi-response", "q3", 0, False),
        (9, "multi-response", "q3", 1, False),
    ]


def test_an_open_question_is_in_the_prompt_however_long_ago_it_was_asked():
    seen = []

    def say(moment: Moment) -> str | None:
        return None

    assistant = StreamingAssistant(ScriptedBackend(say), AssistantConfig(window=WindowConfig(1, 2, 1)))
    assistant.ask("Tell me when it rains.")
    for i in range(12):
        if i in (3, 5, 7):
            assistant.ask("What?")
        chunk(assistant, i)
        text = bytes(t for t in assistant.session.tokens if isinstance(t, int) and t < 256).decode()
        seen.append("Tell me when it rains." in text)
    assert all(seen)


def test_a_threshold_reaches_the_decision():
    config = AssistantConfig(decider=DeciderConfig(threshold=0.9999))
    step = chunk(StreamingAssistant(ScriptedBackend({}), config), 0)
    assert step.state == "speak" and step.decision.p_silent < 0.9999


# ---- frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 1), np.uint8),
    ],
)  # fmt: skip
def test_frames_that_are_refused(image):
    assistant = StreamingAssistant(ScriptedBackend())
    with pytest.raises(InputError, match=r"a frame must be uint8 \(height, width, 3\), not"):
        assistant.push(Frame(image, 0))
    assert assistant.chunker.counters.frames == 0


def test_a_backlog_drops_the_oldest_chunks_and_counts_them():
    assistant = StreamingAssistant(ScriptedBackend(), backlog=2)
    for slot in range(10):
        assistant.push(frame(slot))
    assert (assistant.ready, assistant.dropped_chunks) == (2, 3)
    assert assistant.next_chunk is not None and assistant.next_chunk.index == 3
    assert [s.chunk for s in (assistant.step(), assistant.step()) if s] == [3, 4]
    assert assistant.step() is None and assistant.next_chunk is None


def test_what_closes_during_an_answer_is_seen_together_and_the_newest_decides():
    backend = ScriptedBackend({0: "A long answer.", 2: "Missed.", 3: "Now!"})
    assistant = StreamingAssistant(backend, backlog=2)

    def meanwhile(text: str) -> None:
        if text == "A lo":
            for slot in range(2, 8):  # chunks 1, 2 and 3: one more than may wait
                assistant.push(frame(slot))
            assistant.ask("What?")  # asked after all of them

    first, second = chunk(assistant, 0, meanwhile), assistant.step()
    assert first.response is not None and first.response.text == "A long answer." and assistant.dropped_chunks == 1
    assert second is not None and (second.chunk, second.missed_chunks, second.vision_encodes) == (3, 1, 2)
    assert second.response is not None and second.response.text == "Now!" and second.question is None
    assert second.forwards == 1 + second.decode_tokens and cached(assistant) == recomputed(assistant)
    assert [t.chunk for t in assistant.window.turns] == [0, 2, 3] and assistant.step() is None
    assert chunk(assistant, 4).question == "What?" and backend.encodes == [0, 2, 3, 4]


@pytest.mark.parametrize("interruptible", [False, True])
def test_an_urgent_chunk_ends_an_answer_only_where_that_is_wanted(interruptible):
    backend = ScriptedBackend({0: "A long answer.", 2: "Fire!"})
    config = AssistantConfig(speaker=SpeakerConfig(interruptible=interruptible))
    assistant = StreamingAssistant(backend, config, backlog=4)

    def meanwhile(text: str) -> None:
        if text in ("A l", "A lon"):  # a silent chunk, then the urgent one
            first = 2 if text == "A l" else 4
            assistant.push(frame(first))
            assistant.push(frame(first + 1))

    first, second = chunk(assistant, 0, meanwhile), assistant.step()
    assert first.response is not None and second is not None and second.response is not None
    assert first.response.text == ("A lon" if interruptible else "A long answer.")
    assert (second.chunk, second.response.text, second.missed_chunks) == (2, "Fire!", 1)
    assert cached(assistant) == recomputed(assistant) and backend.encodes == [0, 1, 2]


def test_flush_decides_the_half_filled_chunk():
    assistant = StreamingAssistant(ScriptedBackend())
    assistant.push(frame(0))
    assert assistant.step() is None
    assistant.flush()
    step = assistant.step()
    assert step is not None and step.stamp_ns == 0
    assistant.flush()
    assert assistant.step() is None


def test_reset_forgets_everything():
    backend = ScriptedBackend({1: "Yes."})
    config = AssistantConfig(window=WindowConfig(keep=1, max=2))
    assistant = StreamingAssistant(backend, config, backlog=1)

    def run() -> list[dict]:
        assistant.ask("Tell me when it rains.")
        lines = [chunk(assistant, i).as_json() for i in range(5)]
        return [{k: v for k, v in line.items() if not k.endswith("_ms")} for line in lines]

    first = run()
    assistant.push(frame(20))
    assistant.ask("left over?")
    assistant.reset()
    assert assistant.ready == 0 and assistant.session.length == 0 and assistant.ledger.entries == []
    assert run() == first


# ---- anything at all -----------------------------------------------------------------------------

EXACT = ["shadow", "floating", "recompute", "fifo"]
events = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), st.integers(0, 5)),  # half seconds to the next
        st.tuples(st.just("ask"), st.sampled_from(["What?", "Tell me when.", "Tell me every time.", "<|im_end|>"])),
        st.tuples(st.just("step"), st.sampled_from([None, None, "cancel", "discard"])),
        st.tuples(st.just("idle"), st.integers(0, 4)),
        st.tuples(st.just("amend"), st.tuples(st.integers(0, 5), st.sampled_from(["", "Y", "Other words"]))),
    ),
    max_size=60,
)


@given(
    events, st.dictionaries(st.integers(0, 60), st.sampled_from(["a", "Yes.", "é"])), st.sampled_from(EXACT), st.data()
)
@settings(max_examples=150, deadline=None)
def test_the_cache_is_always_the_conversation(events, script, policy, data):
    """Frames, gaps, questions, answers, cancels and idle time in any order: the cache equals a full recompute."""
    keep = data.draw(st.integers(1, 3))
    window = WindowConfig(keep, keep + data.draw(st.integers(1, 3)), data.draw(st.integers(0, 3)), policy)
    config = AssistantConfig(window=window, speaker=SpeakerConfig(max_new_tokens=data.draw(st.integers(1, 5))))
    backend = ScriptedBackend(script)
    assistant = StreamingAssistant(backend, config, data.draw(st.none() | st.integers(1, 3)))
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
            assistant.idle(iter([False] * value + [True]).__next__)
        elif kind == "amend":
            turns = assistant.window.turns[-1 - value[0] :][:1]
            done = [assistant.amend(t.chunk, value[1]) for t in turns]
            assert done == [t.answer_ids is not None for t in turns]
        else:
            before = [t.chunk for t in assistant.window.turns]
            if (step := assistant.step(_on_second_token(assistant, value))) is None:
                continue
            steps.append(step)
            assert step.window_chunks <= (window.cap if policy == "shadow" else window.max)
            assert step.window_tokens == assistant.session.length
            if value == "discard" and step.response is None and step.decode_tokens:
                discarded = True
                assert step.chunk not in [t.chunk for t in assistant.window.turns]
            else:
                assert [t.chunk for t in assistant.window.turns][-1] == step.chunk > max([-1, *before])
            assert step.forwards == 1 + step.decode_tokens - (step.decode_tokens == config.speaker.max_new_tokens) or (
                value is not None
            )
        assert cached(assistant) == recomputed(assistant)
        assert len(assistant.window.history) <= window.qa_groups
    assert [s.chunk for s in steps] == sorted({s.chunk for s in steps})
    assert len(backend.encodes) == len(steps) + sum(s.missed_chunks for s in steps)  # each chunk once in its life
    seen = [s.question_id for s in steps if s.question_id]
    assert seen == [f"q{k + 1}" for k in range(len(seen))] and len(seen) <= asked
    for s in steps:
        if s.response is not None and not discarded:
            assert (s.response.kind is Kind.REAL_TIME) == (s.question_id is not None)


def _on_second_token(assistant: StreamingAssistant, how: str | None) -> Callable[[str], None]:
    def on_text(_text: str) -> None:
        nonlocal told
        told += 1
        if told == 2 and how is not None:
            assistant.cancel(discard=how == "discard")

    told = 0
    return on_text


@given(st.dictionaries(st.integers(0, 40), st.sampled_from(["Yes.", "é"])), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_shadow_floating_and_recompute_are_one_conversation(script, keep, drop):
    """At every step of a replay, also where keep is larger or smaller than what a switch drops."""
    runs = []
    for policy in ("shadow", "floating", "recompute"):
        window = WindowConfig(keep, keep + drop, 2, policy)
        assistant = StreamingAssistant(ScriptedBackend(script), AssistantConfig(window=window))
        for i in range(40):
            if i % 7 == 3:
                assistant.ask(["What?", "Tell me every time."][i % 2])
            chunk(assistant, i)
            runs.append((i, recomputed(assistant)))
    third = len(runs) // 3
    assert runs[:third] == runs[third : 2 * third] == runs[2 * third :]


@pytest.mark.parametrize(("keep", "limit"), [(30, 60), (45, 60), (2, 9), (1, 2)])
def test_the_shadow_is_ready_at_every_switch(keep, limit):
    """The critical path is the new chunk and the tail at every step, and all the rest is done in idle time."""
    assistant = StreamingAssistant(ScriptedBackend(), AssistantConfig(window=WindowConfig(keep, limit)))
    tokens, head = [], len(assistant.codec.head(()))
    for i in range(4 * limit):
        step = chunk(assistant, i)
        tokens.append(step.prefill_tokens)
    counters = assistant.policy.counters
    assert counters.rebuilds == counters.stretched == 0 and counters.switches == (4 * limit - keep - 1) // (
        limit - keep
    )
    assert len(set(tokens[1:])) == 1 and tokens[0] == tokens[1] + head - 3  # silent, end, newline: no tail before
    per_chunk = tokens[1]
    assert counters.background_tokens <= counters.switches * (keep * per_chunk + head) + keep * per_chunk + head


def test_a_shadow_without_idle_time_stretches_the_window_to_the_cap():
    window = WindowConfig(keep=3, max=6, hard_cap=8)
    assistant = StreamingAssistant(ScriptedBackend(), AssistantConfig(window=window), backlog=1)
    sizes = [chunk(assistant, i).window_chunks for i in range(12)]
    assert sizes == [1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8, 6]  # 8 - 3 + the new one
    counters = assistant.policy.counters
    assert (counters.stretched, counters.rebuilds, counters.switches) == (4, 2, 2)
    assert cached(assistant) == recomputed(assistant)


def test_background_work_yields_between_quanta():
    assistant = StreamingAssistant(
        ScriptedBackend(), AssistantConfig(window=WindowConfig(keep=6, max=8)), backlog=1
    )  # fmt: skip
    for i in range(6):
        chunk(assistant, i)
    asked: list[int] = []

    def busy() -> bool:
        asked.append(assistant.policy.counters.background_tokens)
        return len(asked) == 3

    tokens = assistant.idle(busy)
    per_chunk = asked[2] - asked[1]
    assert asked[0] == 0 and asked[1] > per_chunk > 0 and tokens == asked[2]  # the first one carries the head
    assert assistant.idle() == 2 * per_chunk and assistant.idle() == 0


def test_a_cancelled_answer_leaves_what_was_said_or_nothing():
    script = {1: "Hello there."}
    keep, discard, silent = (StreamingAssistant(ScriptedBackend(s)) for s in (script, script, {}))
    for assistant, how in ((keep, "cancel"), (discard, "discard"), (silent, None)):
        chunk(assistant, 0)
        assistant.ask("What?")
        step = chunk(assistant, 1, _on_second_token(assistant, how))
        assert (step.response.text if step.response else None) == ("He" if how == "cancel" else None)
    assert keep.window.turns[1].answer == "He"
    assert [t.chunk for t in discard.window.turns] == [0] and discard.ledger.entries == []
    assert cached(discard) == recomputed(discard) == recomputed(silent)[: len(recomputed(discard))]
    assert chunk(discard, 2).decision.silent
    assert cached(discard) == recomputed(discard)


def test_what_was_not_said_aloud_is_taken_back_from_the_conversation():
    assistant = StreamingAssistant(ScriptedBackend({1: "One. Two. Three."}))
    for i in range(4):
        chunk(assistant, i)
    assert assistant.amend(1, "One.")
    assert assistant.window.turns[1].answer == "One." and cached(assistant) == recomputed(assistant)
    assert assistant.amend(1, "") and assistant.window.turns[1].answer_ids is None
    assert not assistant.amend(1, "again") and not assistant.amend(2, "never spoke") and not assistant.amend(77, "x")


def test_a_window_that_the_model_cannot_hold_is_refused_at_the_first_chunk():
    backend = ScriptedBackend()
    per_chunk = chunk(StreamingAssistant(backend), 0).prefill_tokens  # head instead of a silent end
    backend.context = 100
    with pytest.raises(ConfigError, match=r"window.max \(60\) is too large for scripted: 70 chunks of \d+ tokens are"):
        chunk(StreamingAssistant(backend), 0)
    backend.context = 70 * per_chunk
    assert chunk(StreamingAssistant(backend), 0).chunk == 0


def test_a_model_that_fails_costs_a_chunk_and_no_question():
    class Failing(ScriptedBackend):
        broken = True

        def encode(self, c: Chunk) -> Video:
            if self.broken:
                raise ModelError("the server is gone")
            return super().encode(c)

    backend = Failing({1: "Yes."})
    assistant = StreamingAssistant(backend)
    assistant.ask("Are you there?")
    with pytest.raises(ModelError, match="the server is gone"):
        chunk(assistant, 0)
    assert assistant.failed_chunks == 1 and assistant.window.turns == [] and assistant.ledger.entries == []
    backend.broken = False
    step = chunk(assistant, 1)
    assert step.question == "Are you there?" and step.response is not None and step.response.kind is Kind.REAL_TIME
    assert cached(assistant) == recomputed(assistant)


def test_eviction_keeps_the_words_and_the_order():
    script = {2: "Yes."}
    config = AssistantConfig(window=WindowConfig(keep=3, max=4, qa_groups=1, policy="evict"))
    assistant = StreamingAssistant(ScriptedBackend(script), config)
    for i in range(12):
        if i in (2, 9):
            assistant.ask("Red?" if i == 2 else "Blue?")
        chunk(assistant, i)
        tokens = assistant.session.tokens
        seen = sorted({t.chunk for t in tokens if not isinstance(t, int)})
        assert seen == list(range(max(0, i - 3), i + 1))
        text = bytes(t for t in tokens if isinstance(t, int) and t < 256).decode()
        assert ("Red?" in text and "Yes." in text) == (i >= 2)
    assert assistant.policy.counters.switches == 8
