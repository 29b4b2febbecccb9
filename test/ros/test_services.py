"""Questions and watches as services, over DDS: ids, settings, list, cancel, refusals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import rclpy
from aura_ros.msg import Said
from aura_ros.srv import Ask, CancelWatch, ListWatches
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rig import WAIT_S, Process, Rig
from std_srvs.srv import SetBool

from aura_core.models.scripted import ScriptedBackend
from aura_core.types import Kind
from aura_ros import assistant_node
from aura_ros.conversions import query as _query
from aura_ros.conversions import to_ns
from aura_ros.services import WatchServices

Rigs = Callable[[], tuple[str, Rig]]
Assistant = tuple[Process, Rig]
WATCH = "Tell me whenever the brightness changes."


def _call(rig: Rig, service: Any, name: str, /, **fields: Any) -> Any:
    client = rig.node.create_client(service, name)
    rig.until(client.service_is_ready, name)
    future = client.call_async(service.Request(**fields))
    rig.until(future.done, f"the answer of {name}")
    rig.node.destroy_client(client)
    return future.result()


def _ask(
    rig: Rig, text: str, kind: str = "", limit: int = 0, cooldown_s: float = -1.0
) -> Ask.Response:
    return _call(rig, Ask, "aura/ask", text=text, kind=kind, limit=limit, cooldown_s=cooldown_s)


def _watches(rig: Rig) -> dict[str, Any]:
    return {w.id: w for w in _call(rig, ListWatches, "aura/list_watches").watches}


def test_settings_that_a_caller_leaves_out_stay_as_configured() -> None:
    request = Ask.Request(text=WATCH)
    query = _query(request)
    assert (query.limit, query.cooldown_s, query.kind, query.urgent) == (None, None, None, False)
    request.cooldown_s = 0.0
    assert _query(request).cooldown_s == 0.0


def test_a_watch_is_asked_for_listed_and_cancelled(assistant: Assistant) -> None:
    _, rig = assistant
    asked = _ask(rig, WATCH)
    assert asked.accepted and asked.query_id and not asked.reason
    assert asked.query_id not in _watches(rig), (
        "a question that no chunk has taken yet is not a watch"
    )
    rig.live_second()
    stamp = rig.frames(90)[-1]
    rig.until(lambda: rig.alerts, "the alert")
    assert rig.alerts[-1].watch_id == asked.query_id
    watch = _watches(rig)[asked.query_id]
    assert (watch.text, watch.kind, watch.open, watch.answers) == (
        WATCH,
        Kind.MULTI_RESPONSE,
        True,
        1,
    )
    assert to_ns(watch.last_evidence) == stamp
    first = _call(rig, CancelWatch, "aura/cancel_watch", watch_id=asked.query_id)
    assert first.cancelled and not first.reason
    again = _call(rig, CancelWatch, "aura/cancel_watch", watch_id=asked.query_id)
    assert not again.cancelled and asked.query_id in again.reason
    heard = len(rig.alerts)
    rig.decided(rig.frames(180)[-1])
    assert len(rig.alerts) == heard, "a cancelled watch is silent"
    assert not _watches(rig)[asked.query_id].open


def test_a_pause_decides_nothing_and_keeps_the_watches(assistant: Assistant) -> None:
    _, rig = assistant
    asked = _ask(rig, WATCH)
    rig.live_second()
    rig.live_second()
    assert _call(rig, SetBool, "aura/pause", data=True).success
    before = len(rig.heartbeats)
    rig.frames(90)
    rig.frames(180)
    rig.state("inactive", "paused by aura/pause", before)
    assert not any(h.state in ("silent", "speaking") for h in rig.heartbeats[before:])
    refused = _ask(rig, "what is it?")
    assert (refused.accepted, refused.reason) == (False, "the assistant is inactive")
    assert _call(rig, SetBool, "aura/pause", data=True).success, "it is paused already"
    assert _call(rig, SetBool, "aura/pause", data=False).success
    rig.live_second()
    rig.live_second()
    assert _watches(rig)[asked.query_id].open
    assert _call(rig, CancelWatch, "aura/cancel_watch", watch_id=asked.query_id).cancelled


def test_a_watch_with_a_limit_ends_by_itself(assistant: Assistant) -> None:
    _, rig = assistant
    asked = _ask(rig, WATCH, kind="multi-response", limit=1, cooldown_s=0.5)
    rig.live_second()
    rig.decided(rig.frames(90)[-1])
    rig.decided(rig.frames(180)[-1])
    assert [a.watch_id for a in rig.alerts].count(asked.query_id) == 1
    watch = _watches(rig)[asked.query_id]
    assert (watch.open, watch.answers, watch.limit, watch.cooldown_s) == (False, 1, 1, 0.5)


def test_the_cooldown_of_watches_changes_while_the_assistant_runs(assistant: Assistant) -> None:
    _, rig = assistant
    client = AsyncParameterClient(rig.node, "assistant_node")
    rig.until(client.services_are_ready, "the parameter services")

    def set_cooldown(seconds: float) -> None:
        done = client.set_parameters([Parameter("watch.cooldown_s", value=seconds)])
        rig.until(done.done, "the answer")
        assert done.result().results[0].successful

    for _ in range(2):  # what the tests before have shown is no change any more
        rig.live_second(10)
    asked = _ask(rig, WATCH)

    def told() -> int:
        return [a.watch_id for a in rig.alerts].count(asked.query_id)

    rig.live_second(90)
    rig.until(told, "an alert")
    try:
        set_cooldown(1000.0)
        for grey in (180, 10, 180):
            rig.live_second(grey)
    finally:
        set_cooldown(0.0)
    rig.live_second(10)
    rig.until(lambda: told() > 1, "an alert")
    rig.live_second(10)
    assert told() == 2  # nothing was told while the cooldown was long
    assert _call(rig, CancelWatch, "aura/cancel_watch", watch_id=asked.query_id).cancelled


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [("  ", "", "empty"), ("hello", "sometimes", "'sometimes'"), ("long " * 300, "", "tokens")],
    ids=["empty", "unknown kind", "too long"],
)
def test_a_refused_question_says_why(
    assistant: Assistant, text: str, kind: str, words: str
) -> None:
    _, rig = assistant
    asked = _ask(rig, text, kind)
    assert not asked.accepted and not asked.query_id
    assert words in asked.reason


def test_a_question_that_waits_can_be_taken_back(rigs: Rigs) -> None:
    """A watch waits for the first frame. A question is refused at once, with the reason."""
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=scripted"):
        rig.matched()
        refused = _ask(rig, "how bright is it?")
        assert not refused.accepted
        assert refused.reason in (
            "no frame has come from the camera yet",
            "the model is still loading; ask again when it is ready",
        )
        asked = _ask(rig, WATCH)
        assert asked.accepted
        assert _call(rig, CancelWatch, "aura/cancel_watch", watch_id=asked.query_id).cancelled
        assert rig.live_second().state == "silent"
        assert asked.query_id not in _watches(rig)


def test_asking_returns_while_the_model_loads(rigs: Rigs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: `aura/ask` blocked until the model was loaded, which may take minutes."""
    loaded = threading.Event()

    def load(*_: Any) -> ScriptedBackend:
        assert loaded.wait(WAIT_S)
        return ScriptedBackend()

    namespace, rig = rigs()
    monkeypatch.setattr(assistant_node, "load", load)
    rclpy.init(args=["--ros-args", "-r", f"__ns:={namespace}"])
    node = assistant_node.AssistantNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    ended = threading.Event()

    def spin() -> None:  # as `aura_ros.process.run` does
        while not ended.is_set():
            executor.spin_once(timeout_sec=0.05)

    thread = threading.Thread(target=spin)
    thread.start()
    node.start()
    try:
        question, watch = _ask(rig, "how bright is it?"), _ask(rig, WATCH)
        assert not loaded.is_set()
        assert not question.accepted
        assert question.reason == "the model is still loading; ask again when it is ready"
        assert watch.accepted and watch.query_id and not watch.reason
        rig.met("assistant_node", "configuring")
        rig.ask("how bright is it?")
        (refusal,) = rig.until(lambda: rig.final(), "the refusal on the topic")
        assert refusal.refused and "the model is still loading" in refusal.text
        loaded.set()
        rig.matched()
        rig.live_second()
        assert watch.query_id in _watches(rig)
    finally:
        loaded.set()
        ended.set()
        thread.join()
        executor.shutdown()
        assert node.close()
        node.destroy_node()
        rclpy.try_shutdown()


class Stage:
    """What `WatchServices` needs of a node: nothing is called."""

    def subscribe(self, *_: Any) -> None: ...

    def serve(self, *_: Any) -> None: ...


def test_what_was_only_counted_opens_no_watch_again() -> None:
    """It would come again and again, and be counted again."""
    heard: list[tuple[str, str]] = []
    host: Any = SimpleNamespace(heard=lambda response, said: heard.append((response, said)))
    node: Any = Stage()
    services = WatchServices(node, host)
    services._said(Said(response_id="r1", text="It rains.", complete=True))
    services._said(Said(response_id="r2", text="", complete=False, reason="counted"))
    services._said(Said(response_id="r3", text="", complete=False, reason="dropped"))
    services._said(Said(response_id="r4", text="It", complete=False, reason="interrupted"))
    assert heard == [("r3", ""), ("r4", "It")]
