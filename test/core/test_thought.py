"""A model that thinks first: an empty thought before each answer, and none in the conversation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from engine_rig import cached, chunk, free, recomputed

from aura_core.config import DeciderConfig, WindowConfig
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import Query

THOUGHT = "<think>\n\n</think>\n\n"
PROMPTS = {"yes_no_prompt": "Now? {watches}", "report_prompt": "Say it. {watches}"}


def thinking(script: Any, policy: str = "shadow", decides: bool = True, **decider: Any) -> Lockstep:
    """A model that answers only behind an empty thought; without one it thinks aloud."""

    def say(moment: Moment) -> str | None:
        text = script(moment)
        return None if text is None else f"{THOUGHT}{text}"

    backend = ScriptedBackend(say)
    chat = replace(backend.chat, thought=THOUGHT)
    if not decides:
        chat = replace(chat, trained_to_decide=False, silent_id=chat.end_id)
    backend.chat = chat
    config = free(
        window=WindowConfig(keep=2, max=4, qa_groups=3, policy=policy),
        decider=DeciderConfig(unsolicited=True, must_answer=False, **decider),
    )
    return Lockstep(StreamEngine(backend, config))


def history(assistant: Lockstep) -> str:
    return bytes(t for t in cached(assistant) if isinstance(t, int) and t < 256).decode()


def plain(moment: Moment) -> str:
    return f"I see {moment.now.chunk}." if moment.question or moment.now.chunk % 3 == 1 else ""


@pytest.mark.parametrize("policy", ["shadow", "floating", "recompute", "fifo", "evict"])
def test_answers_are_made_behind_a_thought_that_the_conversation_does_not_hold(policy: str) -> None:
    assistant = thinking(plain, policy)
    said = []
    for i in range(9):
        if i == 3:
            assistant.ask("What is there?")
        step = chunk(assistant, i)
        said.append(step.response.text if step.response else "")
        assert "think" not in history(assistant)
        if policy != "evict":  # what it cuts out stays in the window
            assert cached(assistant) == recomputed(assistant)
    assert said == ["", "I see 1.", "", "I see 3.", "I see 4.", "", "", "I see 7.", ""]


def test_a_silent_step_is_still_one_call() -> None:
    assistant = thinking(lambda m: "")
    steps = [chunk(assistant, i) for i in range(5)]
    assert all(s.decision.silent and s.forwards == 1 and not s.decode_tokens for s in steps)


def test_the_yes_no_question_and_the_answer_after_a_yes_have_the_thought_too() -> None:
    def say(moment: Moment) -> str:
        if moment.question.startswith("Now?"):
            return "Yes" if moment.now.chunk in (1, 4) else "No"
        return "Seen." if moment.question.startswith("Say") else "A room."

    assistant = thinking(say, decides=False, mode="yes_no", **PROMPTS)
    steps = []
    for i in range(7):
        if i == 2:
            assistant.ask("What is it?")
        steps.append(chunk(assistant, i))
        assert cached(assistant) == recomputed(assistant)
    said = {s.chunk: s.response.text for s in steps if s.response}
    assert said == {1: "Seen.", 2: "A room.", 4: "Seen."}
    assert "think" not in history(assistant)


@pytest.mark.parametrize("discard", [False, True])
def test_an_answer_that_is_cancelled_leaves_no_thought(discard: bool) -> None:
    assistant = thinking(plain)
    engine = assistant.engine

    def cancel(_id: str, text: str) -> None:
        if text == "I see":
            engine.cancel(discard)

    for i in range(3):
        chunk(assistant, i, cancel)
        assert cached(assistant) == recomputed(assistant) and "think" not in history(assistant)
    assert ("I see" in history(assistant)) is not discard


def test_an_answer_is_amended_and_a_question_answered_at_once() -> None:
    assistant = thinking(plain)
    steps = [chunk(assistant, i) for i in range(3)]
    assert assistant.engine.amend(steps[1].response.id, "I see")  # type: ignore[union-attr]
    chunk(assistant, 3)
    assert cached(assistant) == recomputed(assistant) and "I see\n" in history(assistant)
    engine = assistant.engine
    again = engine.answer_now(engine.conversation.admit(Query("What is there?")))
    assert again is not None and again.response is not None
    assert cached(assistant) == recomputed(assistant) and "think" not in history(assistant)


def test_words_that_are_suppressed_leave_no_thought() -> None:
    assistant = thinking(lambda m: "" if m.question else "  ")
    step = chunk(assistant, 0)
    assert step.suppressed == "empty"
    assert cached(assistant) == recomputed(assistant) and "think" not in history(assistant)
