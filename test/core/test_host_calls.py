"""Requests to the engine between two steps: on the worker's thread, in order, bounded, and never
left hanging."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from aura_core.config import AssistantConfig, SamplingConfig
from aura_core.errors import AuraError, InputError
from aura_core.live.host import Events, Worker
from aura_core.live.inbox import Inbox
from aura_core.models.scripted import ScriptedBackend
from aura_core.types import Frame, Query

WAIT_S = 20.0


def _worker() -> tuple[Worker, threading.Event]:
    ready = threading.Event()

    def ignore(*_: object) -> None:
        """What the worker reports is of no interest here."""

    events = Events(
        ready=lambda _: ready.set(), step=ignore, text=ignore, error=ignore, failed=ignore
    )
    return Worker(lambda: ScriptedBackend(), AssistantConfig(), events), ready


def test_a_call_runs_on_the_workers_thread_before_what_comes_later() -> None:
    worker, ready = _worker()
    names: list[str] = []
    calls: list[Future[Any]] = [
        worker.inbox.call(lambda a: a.ask(Query("tell me when it gets dark"))),
        worker.inbox.call(lambda _: names.append(threading.current_thread().name)),
        worker.inbox.call(lambda a: a.unwatch("q1")),
        worker.inbox.call(lambda a: a.unwatch("q1")),
    ]
    worker.start()
    assert ready.wait(WAIT_S)
    results = [c.result(WAIT_S) for c in calls]
    assert results[0].id == "q1"
    assert names == ["aura worker"]
    assert results[2:] == [True, False], "asked, taken back, and no longer there"
    assert worker.stop()


def test_a_refusal_reaches_the_caller_and_the_worker_lives() -> None:
    worker, _ = _worker()
    refused = worker.inbox.call(lambda a: a.ask(""))
    asked = worker.inbox.call(lambda a: a.ask("what is there?"))
    worker.start()
    with pytest.raises(InputError, match="empty"):
        refused.result(WAIT_S)
    assert asked.result(WAIT_S).id == "q1"
    assert worker.stop()


def test_calls_are_bounded_and_end_with_the_worker() -> None:
    inbox = Inbox(SamplingConfig(), backlog_chunks=1, max_questions=2)
    waiting = [inbox.call(lambda _: None) for _ in range(3)]
    with pytest.raises(InputError, match="too many"):
        waiting[2].result(0)
    assert not waiting[0].done()
    inbox.close()
    waiting.append(inbox.call(lambda _: None))
    for call in (waiting[0], waiting[1], waiting[3]):
        with pytest.raises(AuraError, match="stopping"):
            call.result(0)


def test_what_was_heard_aloud_replaces_the_answer() -> None:
    """A whole answer was given, the user heard two words of it: the conversation holds
    those two."""
    worker, ready = _worker()
    worker.start()
    assert ready.wait(WAIT_S)
    worker.inbox.ask("what is there?")
    for half in range(2):
        stamp = half * 500_000_000
        worker.inbox.offer(stamp, lambda stamp=stamp: Frame(np.zeros((4, 4, 3), np.uint8), stamp))  # type: ignore[misc]
    answers = worker.inbox.call(lambda a: [t.answer for t in a.window.turns])
    assert answers.result(WAIT_S) == ["You asked: what is there? The brightness is 0."]
    worker.heard(123, "no answer has this stamp")
    worker.heard(500_000_000, "You asked")
    after = worker.inbox.call(
        lambda a: ([t.answer for t in a.window.turns], bytes(_text(a.session.tokens)))
    )
    turns, text = after.result(WAIT_S)
    assert turns == ["You asked"]
    assert b"The brightness is" not in text
    assert worker.stop()


def _text(tokens: list[Any]) -> list[int]:
    return [t for t in tokens if isinstance(t, int) and t < 256]
