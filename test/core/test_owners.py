"""Unasked words belong to the watches for which the model would have spoken alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from engine_rig import cached, chunk, free, recomputed

from aura_core.config import DeciderConfig, WatchConfig, WindowConfig
from aura_core.errors import ModelError
from aura_core.models.scripted import Moment, ScriptedBackend, ScriptedSession
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import Kind, Query, Step

DOOR = Query("Tell me every time the red door opens.", "door")
RAIN = Query("Tell me when it rains.", "rain")
CAT = Query("Tell me when the cat comes in.", "cat")


def model(happens: Mapping[int, str]) -> ScriptedBackend:
    """Speaks in a chunk about what `happens` there ("cause: words"), where the cause is asked for.

    Several causes are separated by commas.
    """

    def say(moment: Moment) -> str | None:
        if moment.question:
            return "I will."
        causes, _, words = happens.get(moment.now.chunk, "").partition(": ")
        return words if any(c and c in moment.words for c in causes.split(", ")) else None

    return ScriptedBackend(say)


def watching(
    backend: ScriptedBackend, *queries: Query, watch: WatchConfig | None = None
) -> tuple[Lockstep, list[Step]]:
    """An assistant that was asked one watch a chunk, and the steps of those chunks."""
    config = free(watch=watch or WatchConfig(), window=WindowConfig(keep=4, max=8))
    assistant = Lockstep(StreamEngine(backend, config), at_once=False)
    steps = []
    for i, query in enumerate(queries):
        assistant.ask(query)
        steps.append(chunk(assistant, i))
    return assistant, steps


def owners(step: Step) -> list[tuple[str, Kind, int]]:
    assert step.response is not None
    return [(w.query_id, w.kind, w.index) for w in step.response.watches]


MISLEADING = {4: "rains: The red door gets wet."}  # shares its words with the other watch


@pytest.mark.parametrize(("attribution", "owner"), [("model", "rain"), ("words", "door")])
def test_the_model_knows_the_watch_where_the_words_mislead(attribution, owner):
    watch = WatchConfig(attribution=attribution)
    assistant, _ = watching(model(MISLEADING), DOOR, RAIN, CAT, watch=watch)
    steps = [chunk(assistant, i) for i in range(3, 6)]
    assert steps[1].response is not None and steps[1].response.query_id == owner
    assert "rain" in {w.id for w in assistant.engine.conversation.watches.list() if w.open} or (
        owner == "rain"
    )


def test_words_for_two_watches_count_for_both_and_close_what_is_answered_once():
    assistant, _ = watching(model({4: "rains, door: It rains in at the door."}), DOOR, RAIN, CAT)
    chunk(assistant, 3)
    step = chunk(assistant, 4)
    assert sorted(owners(step)) == [("door", Kind.MULTI_RESPONSE, 0), ("rain", Kind.PROACTIVE, 0)]
    assert step.response is not None and step.response.query_id == owners(step)[0][0]
    states = {w.id: (w.open, w.answers) for w in assistant.engine.conversation.watches.list()}
    assert states == {"door": (True, 1), "rain": (False, 1), "cat": (True, 0)}


def test_a_watch_that_must_not_speak_now_is_not_among_them():
    resting = replace(DOOR, cooldown_s=60.0)
    backend = model({4: "door: The door is open.", 6: "rains, door: It rains in."})
    assistant, _ = watching(backend, resting, RAIN, CAT)
    steps = [chunk(assistant, i) for i in range(3, 7)]
    assert owners(steps[1]) == [("door", Kind.MULTI_RESPONSE, 0)]
    assert owners(steps[3]) == [("rain", Kind.PROACTIVE, 0)]


def test_an_urgent_watch_among_several_makes_the_words_urgent():
    urgent = replace(RAIN, urgent=True)
    assistant, _ = watching(model({4: "rains, door: The red door is wet."}), DOOR, urgent, CAT)
    chunk(assistant, 3)
    response = chunk(assistant, 4).response
    assert response is not None and response.urgent
    assert {w.query_id: w.urgent for w in response.watches} == {"door": False, "rain": True}


def test_words_for_a_cancelled_watch_are_not_said_though_they_name_another():
    assistant, _ = watching(model(MISLEADING), DOOR, RAIN, CAT)
    assistant.engine.unwatch("rain")
    chunk(assistant, 3)
    step = chunk(assistant, 4)
    assert step.response is None and step.suppressed == "cancelled"
    assert cached(assistant) == recomputed(assistant)


def test_an_open_watch_is_preferred_to_a_cancelled_one():
    assistant, _ = watching(model({4: "rains, door: It rains."}), DOOR, RAIN, CAT)
    assistant.engine.unwatch("rain")
    chunk(assistant, 3)
    assert owners(chunk(assistant, 4)) == [("door", Kind.MULTI_RESPONSE, 0)]


def test_a_model_that_speaks_without_any_watch_tells_nothing_and_the_words_decide():
    backend = ScriptedBackend(lambda m: "I will." if m.question else {4: "A cat!"}.get(m.now.chunk))
    assistant, _ = watching(backend, DOOR, RAIN, CAT)
    chunk(assistant, 3)
    assert owners(chunk(assistant, 4)) == [("cat", Kind.PROACTIVE, 0)]


def test_the_cost_is_counted_and_the_deciding_cache_is_untouched():
    assistant, _ = watching(model(MISLEADING), DOOR, RAIN, CAT)
    silent = chunk(assistant, 3)
    before = len(assistant.engine.backend.encodes)
    step = chunk(assistant, 4)
    assert silent.forwards == 1
    assert step.forwards == 1 + step.decode_tokens + 3  # one call for each of three watches
    assert step.prefill_tokens > silent.prefill_tokens + step.decode_tokens
    assert len(assistant.engine.backend.encodes) == before + 1
    assert cached(assistant) == recomputed(assistant)


def test_one_watch_is_not_asked_about():
    assistant, _ = watching(model(MISLEADING), RAIN)
    for i in range(1, 4):
        chunk(assistant, i)
    step = chunk(assistant, 4)
    assert owners(step) == [("rain", Kind.PROACTIVE, 0)]
    assert step.forwards == 1 + step.decode_tokens


def test_where_the_model_fails_to_tell_the_watch_the_words_decide(monkeypatch, caplog):
    """The words may have been published already."""
    backend = model({4: "rains: It rains."})
    assistant, _ = watching(backend, DOOR, RAIN, CAT)
    chunk(assistant, 3)

    class Failing(ScriptedSession):
        def prefill(self, pieces, wanted=None):
            raise ModelError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr(assistant.engine.owners, "_open", lambda: Failing(lambda _: None))
        assert owners(chunk(assistant, 4)) == [("rain", Kind.PROACTIVE, 0)]
    assert "found by its words: out of order" in caplog.text
    assert cached(assistant) == recomputed(assistant)


def test_a_plain_vlm_is_asked_about_each_watch_and_names_the_most_likely_only():
    def say(moment: Moment) -> str | None:
        if moment.question.startswith("Now?"):
            return "Yes" if moment.now.chunk == 4 and "rains" in moment.question else "No"
        return "The red door is wet." if moment.question.startswith("Say it.") else "I will."

    backend = ScriptedBackend(say)
    backend.chat = replace(backend.chat, trained_to_decide=False, silent_id=backend.chat.end_id)
    config = free(
        decider=DeciderConfig(yes_no_prompt="Now? {watches}", report_prompt="Say it. {watches}"),
        window=WindowConfig(keep=4, max=8),
    )
    assistant = Lockstep(StreamEngine(backend, config), at_once=False)
    for i, query in enumerate((DOOR, RAIN, replace(RAIN, text="Say when it rains.", id="again"))):
        assistant.ask(query)
        chunk(assistant, i)
    chunk(assistant, 3)
    found = owners(chunk(assistant, 4))
    assert len(found) == 1 and found[0][0] in ("rain", "again")
    assert cached(assistant) == recomputed(assistant)


def test_only_watches_that_are_open_or_in_view_are_asked_about():
    config = free(window=WindowConfig(keep=2, max=4, qa_groups=3))
    assistant = Lockstep(StreamEngine(model({14: "rains: It rains."}), config), at_once=False)
    for i in range(10):
        assistant.ask(Query(f"Tell me when there is {'abcdefghij'[i]}.", f"w{i}"))
        chunk(assistant, i)
        assistant.engine.unwatch(f"w{i}")
    assistant.ask(RAIN)
    for i in range(10, 14):
        chunk(assistant, i)
    step = chunk(assistant, 14)
    assert owners(step) == [("rain", Kind.PROACTIVE, 0)]
    assert step.forwards <= 1 + step.decode_tokens + 5
