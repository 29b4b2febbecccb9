"""A task that the model hands over: it is told as an event, and its result as an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from engine_rig import cached, chunk, free, recomputed
from host_rig import Make, Run, made_runs
from test_grammar import SILENT, SMALL, joyai, lockstep, text_of

from aura_core.cli.show import step_text
from aura_core.config import AssistantConfig, DeciderConfig
from aura_core.errors import InputError, ModelError
from aura_core.live.events import Delegated, Event, Refused, Stepped, Told, Watched
from aura_core.models.grammar import GrammarForm
from aura_core.models.scripted import Moment
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.tools import RESULT_CHARS
from aura_core.types import Kind, Query

QUESTION = "When does the rain end?"
TASK = "look up when the rain ends"
NOTE = f"</response> Let me see. </delegation> {TASK}"


@pytest.fixture
def runs() -> Any:
    with made_runs() as make:
        yield make


def asked(moment: Moment, text: str = f"</delegate> {TASK}") -> str:
    """Hands its question over."""
    return text if moment.question.startswith("When") else SILENT


def helper(script: Any = asked, **sections: Any) -> StreamEngine:
    config = free(**{"window": SMALL, "decider": DeciderConfig(unsolicited=True), **sections})
    return StreamEngine(joyai(script), config)


def host(make: Make, script: Any = asked, **sections: Any) -> Run:
    config = free(**{"window": SMALL, "decider": DeciderConfig(unsolicited=True), **sections})
    return make(joyai(script), config=config).start()


def question(run: Run, text: str = QUESTION, **more: Any) -> Query:
    run.second(0)
    run.next(Stepped)
    query = run.host.ask(Query(text, **more)).result(20)
    return query


# ---- the step -----------------------------------------------------------------------------------


def step_of(engine: StreamEngine, index: int, query: Query | None = None, heard: Any = None) -> Any:
    from engine_rig import made

    query = engine.conversation.admit(query) if query is not None else None
    return engine.step(made(index), query, heard)


def test_a_task_is_no_words_and_stays_in_the_history_as_it_was_written() -> None:
    engine, heard = helper(), []
    step = step_of(engine, 0, Query(QUESTION), lambda _, text: heard.append(text))
    assert step.response is None and step.state == "speak"
    task = step.delegate
    assert (task.task, task.query_id, task.said) == (TASK, "run-q1", "")
    assert task.stamp_ns == step.stamp_ns and task.p_silent == step.decision.p_silent
    assert not any(heard), "nothing of a task is told"
    assert step.as_json()["delegate"] == {"id": task.id, "query_id": "run-q1", "task": TASK}
    assert step_text(step).plain.endswith(f"hands over: {TASK}")
    step_of(engine, 1)
    assert f"assistant\n</delegate> {TASK}\n" in text_of(engine.session.tokens)


def test_words_before_a_task_are_said_and_only_promise() -> None:
    engine, heard = helper(lambda m: asked(m, NOTE)), []
    step = step_of(engine, 0, Query(QUESTION), lambda _, text: heard.append(text))
    assert step.response.text == "Let me see." == heard[-1]
    assert step.response.acknowledgment and step.response.kind is Kind.REAL_TIME
    assert step.delegate.task == TASK and step.delegate.said == "Let me see."
    assert not any("<" in text for text in heard)
    told = engine.deliver(step.delegate.id, "At five.")
    assert (told.query_id, told.index, told.acknowledgment) == ("run-q1", 0, False)
    assert told.id != step.response.id
    step_of(engine, 1)
    text = text_of(engine.session.tokens)
    assert f"assistant\n{NOTE}\n" in text and "assistant\n</response> At five.\n" in text


def test_a_result_stands_in_the_newest_silent_turn_and_leaves_with_its_question() -> None:
    play = Lockstep(helper())
    engine = play.engine
    query = engine.conversation.admit(Query(QUESTION))
    task = engine.step(_made(0), query).delegate
    for i in (1, 2):
        engine.step(_made(i))
    told = engine.deliver(task.id, "At five.")
    assert told.text == "At five." and told.stamp_ns == task.stamp_ns
    turn = engine.window.turns[-1]
    assert (turn.chunk, turn.answer, turn.answer_id) == (2, "At five.", "run-q1")
    assert engine.deliver(task.id, "Again.") is None, "once"
    for i in range(3, 9):
        engine.step(_made(i))
        engine.idle()
        assert cached(play) == recomputed(play)
    assert [(g.question, g.answers) for g in engine.window.prefix.groups] == [
        (QUESTION, ("At five.",))
    ]


def test_a_result_after_words_is_a_second_turn_of_the_second() -> None:
    def say(moment: Moment) -> str:
        return "</response> Bang." if moment.now.chunk == 1 else asked(moment)

    play = Lockstep(helper(say))
    engine = play.engine
    task = engine.step(_made(0), engine.conversation.admit(Query(QUESTION))).delegate
    engine.step(_made(1))
    engine.deliver(task.id, "At five.")
    assert [(t.chunk, t.answer) for t in engine.window.turns] == [
        (0, None),
        (1, "Bang."),
        (1, "At five."),
    ]
    engine.step(_made(2))
    assert cached(play) == recomputed(play)


def _made(index: int) -> Any:
    from engine_rig import made

    return made(index)


def test_a_watch_hands_over_once_until_the_result_and_its_result_counts() -> None:
    engine = helper(lambda m: f"</delegate> {TASK}" if m.now.chunk in (1, 2, 4) else SILENT)
    watch = engine.conversation.admit(Query("tell me when it rains", kind=Kind.PROACTIVE))
    step_of_watch = engine.step(_made(0), watch)
    assert step_of_watch.delegate is None or step_of_watch.delegate.query_id == watch.id
    first, again = engine.step(_made(1)), engine.step(_made(2))
    assert first.delegate.query_id == watch.id
    assert again.delegate is None and again.suppressed == "duplicate"
    assert engine.conversation.expects(), "a task is no answer: the watch is open"
    told = engine.deliver(first.delegate.id, "At five.")
    assert told.kind is Kind.PROACTIVE and [w.query_id for w in told.watches] == [watch.id]
    assert not engine.conversation.expects()


def test_the_result_of_a_cancelled_watch_is_not_told() -> None:
    engine = helper(lambda m: f"</delegate> {TASK}" if m.now.chunk == 1 else SILENT)
    watch = engine.conversation.admit(Query("tell me when it rains", kind=Kind.PROACTIVE))
    engine.step(_made(0), watch)
    task = engine.step(_made(1)).delegate
    assert engine.unwatch(watch.id) and engine.deliver(task.id, "At five.") is None


@pytest.mark.parametrize("text", ["</delegate>", "</delegate> </delegation>  "])
def test_a_task_without_words_is_none(text: str) -> None:
    engine = helper(lambda m: asked(m, text) if m.question else text)
    step = step_of(engine, 0, Query(QUESTION))
    assert step.delegate is None and step.response.text == engine.config.generation.no_answer
    unasked = step_of(engine, 1)
    assert unasked.delegate is None and unasked.suppressed == "empty"


def test_a_cancelled_answer_hands_nothing_over() -> None:
    engine = helper(lambda m: asked(m, NOTE))

    def cancel(_id: str, text: str) -> None:
        if text == "Let me see.":
            engine.cancel()

    step = step_of(engine, 0, Query(QUESTION), cancel)
    assert step.delegate is None and step.response.text == "Let me see."
    step_of(engine, 1)
    assert "delegation" not in text_of(engine.session.tokens)


def test_in_a_replay_nobody_takes_a_task_and_it_is_said() -> None:
    failed = AssistantConfig().delegate_failed
    play = lockstep(asked)
    play.ask(QUESTION)
    step = chunk(play, 0)
    assert step.delegate.task == TASK and step.response.text == failed
    noted = lockstep(lambda m: asked(m, NOTE))
    noted.ask(QUESTION)
    assert chunk(noted, 0).response.text == f"Let me see. {failed}"
    chunk(noted, 1)
    assert cached(noted) == recomputed(noted)


def test_a_task_may_follow_words_though_silence_has_one_token() -> None:
    form = GrammarForm("<|silent|>", "", ("<task> ",))
    engine = StreamEngine(
        joyai(lambda m: f"Well. <task> {TASK}" if m.question else None, form), free()
    )
    step = step_of(engine, 0, Query(QUESTION))
    assert (step.response.text, step.delegate.task) == ("Well.", TASK)


# ---- the host -----------------------------------------------------------------------------------


def test_the_host_tells_a_task_and_its_result_at_once(runs: Make) -> None:
    run = host(runs)
    query = question(run)
    event = run.next(Delegated)
    assert event.query == query and event.delegate.task == TASK
    assert event.frame.stamp_ns == event.delegate.stamp_ns
    assert event.timeout_s == run.config.delegate_timeout_s
    done = run.host.delegated(event.delegate.id, " At\nfive. ")
    told = run.next(Told)
    assert told.response.text == "At five." and told.response.query_id == query.id
    assert told.response == done.result(20) and told.frame is event.frame and told.alerts == ()
    with pytest.raises(InputError, match="is open: it is unknown, it has a result, or its time"):
        run.host.delegated(event.delegate.id, "again")


def test_wrong_results_are_refused_in_words(runs: Make) -> None:
    run = host(runs)
    question(run)
    task = run.next(Delegated).delegate
    with pytest.raises(InputError, match="no task with the id 'nothing' is open"):
        run.host.delegated("nothing", "words")
    with pytest.raises(InputError, match="the result has no words"):
        run.host.delegated(task.id, " \n ")
    run.host.delegated(task.id, "long " * 1000)
    assert len(run.next(Told).response.text) == RESULT_CHARS


@pytest.mark.parametrize(("why", "said"), [("The site is down.", None), ("", "failed")])
def test_a_task_that_failed_is_told(runs: Make, why: str, said: str | None) -> None:
    run = host(runs)
    query = question(run)
    run.host.delegated(run.next(Delegated).delegate.id, why, success=False)
    told = run.next(Told).response
    assert told.text == (run.config.delegate_failed if said else why)
    assert told.query_id == query.id


def test_a_task_without_a_result_is_given_up_in_words(runs: Make) -> None:
    run = host(runs, delegate_timeout_s=0.2)
    query = question(run)
    task = run.next(Delegated).delegate
    told = run.next(Told)  # though no frame comes
    assert told.response.text == run.config.delegate_failed
    assert told.response.query_id == query.id
    with pytest.raises(InputError, match="its time is over"):
        run.host.delegated(task.id, "At five.")


def test_more_tasks_than_allowed_fail_at_once(runs: Make) -> None:
    run = host(runs, delegates_most=1)
    question(run)
    run.next(Delegated)
    second = run.host.ask(Query(f"{QUESTION} Again?")).result(20)
    assert run.next(Told).response.query_id == second.id


def test_the_result_for_a_watch_is_an_alert(runs: Make) -> None:
    run = host(runs, lambda m: f"</delegate> {TASK}" if m.now.chunk == 1 else SILENT)
    watch = question(run, "tell me when it rains", kind=Kind.PROACTIVE, quiet=True)
    run.second(1)
    event = run.next(Delegated)
    assert event.query is not None and event.query.id == watch.id
    run.host.delegated(event.delegate.id, "At five.")
    told = run.next(Told)
    assert [a.instruction for a in told.alerts] == ["tell me when it rains"]
    assert [w.answers for w in told.watches] == [1]
    assert run.next(Watched).watches == told.watches


@pytest.mark.parametrize("how", ["rest", "stop"])
def test_a_task_ends_with_the_host(runs: Make, how: str) -> None:
    run = host(runs)
    query = question(run)
    task = run.next(Delegated).delegate
    getattr(run.host, how)()
    refused = run.next(Refused)
    assert refused.query == query and refused.reason.startswith("the assistant is")
    with pytest.raises(InputError, match="no task with the id"):
        run.host.delegated(task.id, "late")


def test_a_result_on_which_the_model_fails_is_refused_for_its_question(runs: Make) -> None:
    run = host(runs)
    query = question(run)
    task = run.next(Delegated).delegate

    def fail(*_: object) -> None:
        raise ModelError("out of order")

    run.host.streams[""].engine.deliver = fail
    done = run.host.delegated(task.id, "At five.")
    refused = run.next(Refused)
    assert (refused.query, refused.reason) == (query, "the model failed on the result")
    with pytest.raises(ModelError, match="out of order"):
        done.result(20)


def test_after_a_rest_a_watch_may_hand_over_again(runs: Make) -> None:
    run = host(runs, lambda m: f"</delegate> {TASK}" if m.now.chunk in (1, 3) else SILENT)
    question(run, "tell me when it rains", kind=Kind.PROACTIVE, quiet=True)
    run.second(1)
    run.next(Delegated)
    run.host.rest()
    run.host.wake()
    for i in (2, 3):
        run.second(i)
    assert run.next(Delegated).delegate.task == TASK


def test_a_listener_may_give_the_result_at_once(runs: Make) -> None:
    made = runs(joyai(asked), config=free(window=SMALL))
    made.host.listen(lambda e: _at_once(made, e))
    run = made.start()
    question(run)
    assert run.next(Told).response.text == "Done."


def _at_once(run: Run, event: Event) -> None:
    if isinstance(event, Delegated):
        run.host.delegated(event.delegate.id, "Done.")


def test_settings_are_used(runs: Make) -> None:
    config = replace(AssistantConfig(), delegate_failed="Nobody knows.", delegate_timeout_s=0.2)
    run = host(runs, delegate_failed=config.delegate_failed, delegate_timeout_s=0.2)
    question(run)
    assert run.next(Told).response.text == "Nobody knows."
