"""Watches: added, listed, cancelled and limited at run time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from engine_rig import free

from aura_core.config import WatchConfig, WindowConfig
from aura_core.errors import InputError
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.stream.generation import OnText
from aura_core.types import Before, Frame, Kind, Query, Severity, Step

HALF = 500_000_000
RED = Query("Tell me every time a red cube appears.", "red")
BLUE = Query("Tell me when a blue ball appears.", "blue")
BLACK = np.zeros((1, 1, 3), np.uint8)


def watching(
    script: Mapping[int, str], *queries: Query, watch: WatchConfig | None = None
) -> tuple[Lockstep, list[str]]:
    """An engine that was asked `queries`, one per chunk; and what it publishes."""
    config = free(watch=watch or WatchConfig(), window=WindowConfig(keep=4, max=8))
    assistant = Lockstep(StreamEngine(ScriptedBackend(script), config), at_once=False)
    for query in queries:
        assistant.ask(query)
    return assistant, []


def play(assistant: Lockstep, start: int, stop: int, told: list[str] | None = None) -> list[Step]:
    steps = []
    for slot in range(2 * start, 2 * stop):
        assistant.push(Frame(BLACK, slot * HALF))
        if (step := assistant.step(_collect(told))) is not None:
            steps.append(step)
    return steps


def _collect(told: list[str] | None) -> OnText | None:
    return None if told is None else lambda _id, text: told.append(text)


def texts(steps: list[Step]) -> dict[int, str]:
    return {s.chunk: s.response.text for s in steps if s.response}


def test_each_answer_knows_its_watch_and_the_stamp_of_its_evidence():
    assistant, _ = watching({3: "A blue ball!", 5: "A red cube.", 9: "A red cube."}, RED, BLUE)
    steps = play(assistant, 0, 12)
    answers = [s.response for s in steps if s.response]
    assert [(a.query_id, a.kind, a.index, a.stamp_ns // HALF) for a in answers] == [
        ("blue", Kind.PROACTIVE, 0, 7),
        ("red", Kind.MULTI_RESPONSE, 0, 11),
        ("red", Kind.MULTI_RESPONSE, 1, 19),
    ]
    red, blue = assistant.engine.conversation.watches.list()
    assert (red.id, red.text, red.kind, red.open, red.answers) == (
        "red",
        RED.text,
        Kind.MULTI_RESPONSE,
        True,
        2,
    )
    assert (blue.open, blue.answers, blue.last_ns) == (False, 1, 7 * HALF)


def test_an_answer_to_a_cancelled_watch_is_suppressed_before_it_is_published():
    assistant, told = watching({3: "A red cube.", 5: "A blue ball."}, RED, BLUE)
    play(assistant, 0, 3)
    assert (
        assistant.unwatch("red")
        and not assistant.unwatch("red")
        and not assistant.unwatch("nobody")
    )
    steps = play(assistant, 3, 7, told)
    # Published as a whole, because it could have been suppressed.
    assert texts(steps) == {5: "A blue ball."} and told == ["A blue ball."]
    assert (steps[0].suppressed, steps[0].response, steps[0].state) == ("cancelled", None, "silent")
    # The suppressed answer is not in the model's window.
    assert assistant.engine.window.turns[3].answer_ids is None
    text = bytes(
        t for t in assistant.engine.session.tokens if isinstance(t, int) and t < 256
    ).decode()
    assert "A red cube.\n" not in text and "A blue ball." in text


def test_a_question_that_still_waits_can_be_taken_back():
    assistant, _ = watching({}, RED, BLUE)
    assert assistant.unwatch("blue")
    assert [s.question_id for s in play(assistant, 0, 3)] == ["red", None, None]


def test_a_limit_ends_a_watch():
    limited = Query(RED.text, "red", limit=2)
    assistant, _ = watching({k: f"Red cube {k}." for k in (2, 5, 8)}, limited)
    steps = play(assistant, 0, 10)
    assert texts(steps) == {2: "Red cube 2.", 5: "Red cube 5."} and steps[8].suppressed == "limit"
    assert not assistant.engine.conversation.watches.list()[0].open


@pytest.mark.parametrize(
    ("cooldown_s", "said", "why"),
    [
        (0.0, {2, 5, 8}, {3: "duplicate"}),
        (3.0, {2, 5, 8}, {3: "cooldown"}),
        (3.1, {2, 8}, {3: "cooldown", 5: "cooldown"}),
    ],
)
def test_cooldown_and_duplicates(cooldown_s, said, why):
    """The same words in consecutive seconds are one piece of evidence.

    A cooldown holds for any words.
    """
    query = Query(RED.text, "red", cooldown_s=cooldown_s)
    assistant, _ = watching(
        {2: "A red cube.", 3: "a red cube", 5: "A red cube", 8: "Another red cube."}, query
    )
    steps = play(assistant, 0, 10)
    assert set(texts(steps)) == said
    assert {s.chunk: s.suppressed for s in steps if s.suppressed} == why


def test_other_words_for_the_same_watch_are_no_duplicate():
    assistant, _ = watching({2: "A red cube.", 3: "A second red cube."}, RED)
    assert set(texts(play(assistant, 0, 5))) == {2, 3}


def test_an_answer_to_a_question_is_never_suppressed():
    assistant, told = watching(
        {2: "A red cube.", 3: "A red cube."}, RED, watch=WatchConfig(cooldown_s=9.0)
    )
    play(assistant, 0, 3)
    assistant.ask("What is there?")
    step = play(assistant, 3, 4, told)[0]
    assert (
        step.response is not None
        and step.response.kind is Kind.REAL_TIME
        and told[-1] == "A red cube."
    )


def test_watches_survive_switches_of_the_window():
    assistant, _ = watching({30: "A red cube."}, RED, BLUE)
    steps = play(assistant, 0, 31)
    assert sum(s.switched for s in steps) >= 5 and steps[30].response is not None
    text = bytes(
        t for t in assistant.engine.session.tokens if isinstance(t, int) and t < 256
    ).decode()
    assert text.index(RED.text) < text.index(BLUE.text)


def test_too_many_watches_are_refused():
    assistant, _ = watching({}, RED, BLUE, watch=WatchConfig(max_open=2))
    play(assistant, 0, 2)
    with pytest.raises(InputError, match="2 watches are open already; at most 2 are allowed"):
        assistant.ask("Tell me when it rains.")
    assistant.ask("What is there?")
    assert assistant.unwatch("red") and assistant.ask("Tell me when it rains.").id == "run-q2"


def test_words_are_published_while_generated_unless_they_may_be_suppressed():
    """Soon after an answer the next one may be a duplicate, so it is published as a whole.

    Later it is published letter by letter.
    """
    assistant, told = watching({2: "One.", 3: "Two.", 9: "Three."}, RED)
    play(assistant, 0, 10, told)
    assert told == ["O", "On", "One", "One.", "Two.", "T", "Th", "Thr", "Thre", "Three", "Three."]


def test_the_words_that_accept_a_quiet_watch_are_not_said():
    quiet = replace(RED, quiet=True, severity=Severity.CRITICAL)
    assistant, told = watching({0: "I will tell you.", 2: "A red cube."}, quiet)
    steps = play(assistant, 0, 3, told)
    assert (steps[0].response, steps[0].suppressed) == (None, "quiet")
    assert assistant.engine.window.turns[0].answer == "I will tell you."  # the model knows it
    assert texts(steps) == {2: "A red cube."}
    assert told and all("A red cube.".startswith(words) for words in told)
    assert [w.severity for w in steps[2].response.watches] == [Severity.CRITICAL]


def test_a_watch_goes_on_from_an_earlier_run():
    before = Before(answers=2, last_ns=0, last_text="a red cube")
    again = replace(RED, limit=4, cooldown_s=3.0, quiet=True, before=before)
    script = {0: "I will tell you.", 1: "A red cube.", 4: "A red cube.", 8: "A red cube."}
    assistant, _ = watching(script, again)
    steps = play(assistant, 0, 10)
    assert steps[1].suppressed == "cooldown"
    assert {s.chunk: s.response.index for s in steps if s.response} == {4: 2, 8: 3}
    (watch,) = assistant.engine.conversation.watches.list()
    assert (watch.answers, watch.open) == (4, False)
