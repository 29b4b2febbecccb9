"""The core loop, against the scripted backend: what the model is shown is exactly the conversation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_core.config import AssistantConfig, DeciderConfig, SpeakerConfig, WindowConfig
from aura_core.errors import InputError
from aura_core.models.backend import Video
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.stream.assistant import StreamingAssistant
from aura_core.types import Frame, Kind, Query, Step

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
    assert assistant._tail is not None
    return [*assistant.session.tokens, *assistant._tail.ids]


def recomputed(assistant: StreamingAssistant) -> list:
    """The tokens of the window from nothing."""
    out = []
    for piece in assistant.window.pieces(assistant.codec):
        out += [piece.features] * len(piece) if isinstance(piece, Video) else piece.ids
    return out


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

events = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), st.integers(0, 5)),  # half seconds to the next
        st.tuples(st.just("ask"), st.sampled_from(["What?", "Tell me when.", "Tell me every time.", "<|im_end|>"])),
        st.tuples(st.just("step"), st.none()),
    ),
    max_size=60,
)


@given(events, st.dictionaries(st.integers(0, 60), st.sampled_from(["a", "Yes.", "é"])), st.data())
@settings(max_examples=60, deadline=None)
def test_the_cache_is_always_the_conversation(events, script, data):
    """Frames, gaps, questions and answers in any order: the cache equals a full recompute after every step."""
    keep = data.draw(st.integers(1, 3))
    config = AssistantConfig(
        window=WindowConfig(keep, keep + data.draw(st.integers(1, 3)), data.draw(st.integers(0, 3))),
        speaker=SpeakerConfig(max_new_tokens=data.draw(st.integers(1, 5))),
    )
    backend = ScriptedBackend(script)
    assistant = StreamingAssistant(backend, config, data.draw(st.none() | st.integers(1, 3)))
    slot, steps, asked = 0, [], 0
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
        elif (step := assistant.step()) is not None:
            steps.append(step)
            assert cached(assistant) == recomputed(assistant)
            assert step.window_tokens == assistant.session.length
            assert keep <= step.window_chunks <= config.window.max or step.chunk < config.window.max
            assert step.forwards == 1 + step.decode_tokens - (step.decode_tokens == config.speaker.max_new_tokens)
            assert len(assistant.window.history) <= config.window.qa_groups
    assert [s.chunk for s in steps] == sorted({s.chunk for s in steps}) == backend.encodes
    seen = [s.question_id for s in steps if s.question_id]
    assert seen == [f"q{k + 1}" for k in range(len(seen))] and len(seen) <= asked
    for s in steps:
        if s.response is not None:
            assert (s.response.kind is Kind.REAL_TIME) == (s.question_id is not None)
