"""Calls to the engine between two steps: on the model's thread, in order, bounded, all ended."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from aura_core.config import AssistantConfig, SamplingConfig
from aura_core.errors import AuraError, InputError
from aura_core.live.events import Ready
from aura_core.live.host import Host
from aura_core.live.inbox import Inbox
from aura_core.models.scripted import ScriptedBackend
from aura_core.types import Frame

WAIT_S = 20.0


def _host() -> tuple[Host, threading.Event]:
    ready = threading.Event()
    host = Host(ScriptedBackend, AssistantConfig())
    host.listen(lambda event: ready.set() if isinstance(event, Ready) else None)
    return host, ready


def test_calls_run_on_the_models_thread_in_their_order() -> None:
    host, ready = _host()
    names: list[str] = []
    asked = host.inbox.ask("tell me when it gets dark")
    host.inbox.call(lambda _: names.append(threading.current_thread().name))
    host.start()
    assert ready.wait(WAIT_S)
    watch = asked.result(WAIT_S).id
    assert watch.endswith("-q1")
    taken_back = [host.unwatch(watch), host.unwatch(watch)]
    assert [t.result(WAIT_S) for t in taken_back] == [True, False], "once, and no longer there"
    assert names == ["aura model"]
    assert host.stop()


def test_a_refusal_reaches_the_caller_and_the_host_goes_on() -> None:
    host, _ = _host()
    with pytest.raises(InputError, match="empty"):
        host.inbox.ask("")
    refused = host.inbox.ask("word " * 200)
    asked = host.inbox.ask("what is there?")
    host.start()
    with pytest.raises(InputError, match="at most 512 are allowed"):
        refused.result(WAIT_S)
    assert asked.result(WAIT_S).id.endswith("-q1")
    assert host.stop()


def test_calls_are_bounded_and_end_with_the_host() -> None:
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
    """The user heard two words of a whole answer; the conversation holds these two."""
    host, ready = _host()
    host.start()
    assert ready.wait(WAIT_S)
    host.inbox.ask("what is there?")
    for half in range(2):
        stamp = half * 500_000_000
        host.inbox.offer(stamp, lambda stamp=stamp: Frame(np.zeros((4, 4, 3), np.uint8), stamp))  # type: ignore[misc]
    assert host.drain(WAIT_S)
    answers = host.inbox.call(lambda e: [(t.answer, t.response_id) for t in e.window.turns])
    ((answer, response_id),) = answers.result(WAIT_S)
    assert answer == "You asked: what is there? The brightness is 0."
    host.heard("nobody-r1", "no response has this id")
    host.heard(response_id, "You asked")
    after = host.inbox.call(
        lambda a: ([t.answer for t in a.window.turns], bytes(_text(a.session.tokens)))
    )
    turns, text = after.result(WAIT_S)
    assert turns == ["You asked"]
    assert b"The brightness is" not in text
    assert host.stop()


def _text(tokens: list[Any]) -> list[int]:
    return [t for t in tokens if isinstance(t, int) and t < 256]
