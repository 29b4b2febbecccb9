"""Questions in the core loop: order, time, kinds of answer, and refusals."""

from __future__ import annotations

import pytest
from engine_rig import HALF, chunk, free

from aura_core.config import GenerationConfig, WindowConfig
from aura_core.errors import InputError
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import Query


def test_one_question_a_chunk_in_the_order_in_which_they_were_asked():
    assistant = Lockstep(StreamEngine(ScriptedBackend(), free()), at_once=False)
    ids = [assistant.ask(text).id for text in ("a?", "b?", "c?")]
    assert ids == ["run-q1", "run-q2", "run-q3"]
    assert [chunk(assistant, i).question for i in range(4)] == ["a?", "b?", "c?", None]


def test_a_stamped_question_waits_for_the_chunk_that_holds_its_time():
    assistant = Lockstep(StreamEngine(ScriptedBackend(), free()), at_once=False)
    assistant.ask(Query("later?", stamp_ns=4 * HALF))
    assert [chunk(assistant, i).question for i in range(4)] == [None, None, "later?", None]


def test_a_question_that_has_to_wait_does_not_block_others():
    """Regression: a question with a stamp far ahead (an old clock) blocked all later ones."""
    assistant = Lockstep(StreamEngine(ScriptedBackend(), free()))
    assistant.ask(Query("in an hour?", stamp_ns=7200 * HALF))
    assistant.ask("now?")
    assert chunk(assistant, 0).question == "now?"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the question is empty"),
        (" \n\t", "the question is empty"),
        ("x" * 513, "the question has 513 tokens; at most 512 are allowed"),
        ("word " * 400, "at most 512 are allowed"),
    ],
)
def test_questions_that_are_refused(text, says):
    assistant = Lockstep(StreamEngine(ScriptedBackend(), free()))
    with pytest.raises(InputError, match=says):
        assistant.ask(text)
    assert chunk(assistant, 0).question is None


def test_too_many_questions_at_once():
    assistant = Lockstep(
        StreamEngine(ScriptedBackend(), free(generation=GenerationConfig(max_pending_questions=2)))
    )
    assistant.ask("a?")
    assistant.ask("b?")
    with pytest.raises(InputError, match="2 questions are waiting already"):
        assistant.ask("c?")
    chunk(assistant, 0)
    assistant.ask("c?")


def test_the_three_kinds_of_answer():
    script = {
        0: "Two.",
        1: "I will.",
        4: "It came.",
        5: "Yes, I will.",
        7: "One left.",
        9: "One left again.",
    }
    assistant = Lockstep(
        StreamEngine(ScriptedBackend(script), free(window=WindowConfig(keep=2, max=3)))
    )
    questions = {0: "How many?", 1: "Tell me when it comes.", 5: "Tell me every time one leaves."}
    told = []
    for i in range(10):
        if i in questions:
            assistant.ask(questions[i])
        r = chunk(assistant, i).response
        if r is not None:
            told.append((i, str(r.kind), r.query_id, r.index, r.acknowledgment))
    assert told == [
        (0, "real-time", "run-q1", 0, False),
        (1, "real-time", "run-q2", 0, True),
        (4, "proactive", "run-q2", 0, False),
        (5, "real-time", "run-q3", 0, True),
        (7, "multi-response", "run-q3", 0, False),
        (9, "multi-response", "run-q3", 1, False),
    ]


def test_an_open_question_is_in_the_prompt_however_long_ago_it_was_asked():
    seen = []

    def say(moment: Moment) -> str | None:
        return None

    assistant = Lockstep(StreamEngine(ScriptedBackend(say), free(window=WindowConfig(1, 2, 1))))
    assistant.ask("Tell me when it rains.")
    for i in range(12):
        if i in (3, 5, 7):
            assistant.ask("What?")
        chunk(assistant, i)
        text = bytes(
            t for t in assistant.engine.session.tokens if isinstance(t, int) and t < 256
        ).decode()
        seen.append("Tell me when it rains." in text)
    assert all(seen)
