"""The action `aura/watch`, and the topics that tell of questions and watches, over real DDS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from aura_ros.action import Watch
from aura_ros.msg import Asked, AssistantState, Watches
from aura_ros.srv import Ask, CancelWatch
from rclpy.action import ActionClient
from rig import Process, Rig

from aura_ros import qos
from aura_ros.conversions import to_ns

Assistant = tuple[Process, Rig]
EACH = "Tell me whenever the brightness changes."


class Goal:
    """A goal, as its client sees it."""

    def __init__(self, rig: Rig, client: ActionClient, **fields: Any) -> None:
        self._rig, self.feedback = rig, []
        sent = client.send_goal_async(
            Watch.Goal(**fields), feedback_callback=lambda m: self.feedback.append(m.feedback.alert)
        )
        rig.until(sent.done, "the goal's acceptance")
        self.handle = sent.result()
        assert self.handle.accepted
        self._result = self.handle.get_result_async()

    def cancel(self) -> None:
        self._rig.until(self.handle.cancel_goal_async().done, "the cancellation")

    @property
    def ended(self) -> bool:
        return bool(self._result.done())

    def end(self) -> tuple[int, Watch.Result]:
        self._rig.until(self._result.done, "the result")
        return self._result.result().status, self._result.result().result


@pytest.fixture
def client(assistant: Assistant) -> Iterator[ActionClient]:
    _, rig = assistant
    client = ActionClient(rig.node, Watch, "aura/watch")
    rig.until(client.server_is_ready, "the action")
    yield client
    client.destroy()


def test_a_goal_gets_each_alert_with_its_evidence_and_ends_at_its_limit(
    assistant: Assistant, client: ActionClient
) -> None:
    _, rig = assistant
    goal = Goal(rig, client, text=EACH, limit=2, severity="critical", id="light")
    for grey in (40, 200, 40, 200):
        rig.live_second(grey)
    status, result = goal.end()
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert (result.watch_id, result.answers, result.reason) == ("light", 2, "")
    rig.until(lambda: len(goal.feedback) == 2, "the feedback")
    assert [a.watch_id for a in goal.feedback] == ["light", "light"]
    assert {a.severity for a in goal.feedback} == {"critical"}
    alerts = [a for a in rig.alerts if a.watch_id == "light"]
    assert [a.header for a in goal.feedback] == [a.header for a in alerts]


def test_a_goal_that_is_cancelled_ends_its_watch(
    assistant: Assistant, client: ActionClient
) -> None:
    _, rig = assistant
    goal = Goal(rig, client, text=EACH, id="no longer")
    rig.live_second()
    rig.live_second()
    goal.cancel()
    rig.live_second()
    status, result = goal.end()
    assert (status, result.watch_id) == (GoalStatus.STATUS_CANCELED, "no longer")
    before = len(rig.alerts)
    rig.live_second(250)
    rig.live_second(10)
    assert not [a for a in rig.alerts[before:] if a.watch_id == "no longer"]


def test_a_watch_that_somebody_else_ends_aborts_its_goal(
    assistant: Assistant, client: ActionClient
) -> None:
    _, rig = assistant
    goal = Goal(rig, client, text=EACH, id="shared")
    rig.live_second()
    rig.live_second()
    cancel = rig.node.create_client(CancelWatch, "aura/cancel_watch")
    rig.until(cancel.service_is_ready, "the service")
    rig.until(cancel.call_async(CancelWatch.Request(watch_id="shared")).done, "the end")
    status, result = goal.end()
    assert status == GoalStatus.STATUS_ABORTED
    assert result.reason == "the watch was ended by somebody else"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"text": " "}, "the question is empty"),
        ({"text": EACH, "kind": "always"}, "kind must be one of real-time, proactive, multi-resp"),
        ({"text": EACH, "severity": "high"}, "severity must be one of info, warning, critical"),
    ],
)
def test_a_goal_that_is_refused_says_why(
    assistant: Assistant, client: ActionClient, fields: dict[str, str], reason: str
) -> None:
    _, rig = assistant
    status, result = Goal(rig, client, **fields).end()
    assert status == GoalStatus.STATUS_ABORTED and reason in result.reason


def test_an_id_is_used_once(assistant: Assistant, client: ActionClient) -> None:
    _, rig = assistant
    first = Goal(rig, client, text=EACH, id="twice")
    rig.live_second()
    status, result = Goal(rig, client, text=EACH, id="twice").end()
    assert status == GoalStatus.STATUS_ABORTED
    assert result.reason == "a watch with the id 'twice' is open already"
    assert not first.ended
    first.cancel()
    rig.live_second()
    first.end()


def test_every_question_and_every_change_of_a_watch_is_told(assistant: Assistant) -> None:
    _, rig = assistant
    asked: list[Asked] = []
    rig.node.create_subscription(Asked, "aura/asked", asked.append, qos.EVENTS)
    rig.until(lambda: rig.node.count_subscribers("aura/asked"), "the subscription")
    late: list[Watches] = []
    ask = rig.node.create_client(Ask, "aura/ask")
    rig.until(ask.service_is_ready, "the service")
    rig.live_second()

    def heard(text: str) -> list[Asked]:
        return [a for a in asked if a.text == text]

    rig.until(lambda: rig.ask("how bright is it?") or heard("how bright is it?"), "a question")
    done = ask.call_async(Ask.Request(text=EACH, severity="warning", cooldown_s=1.5))
    rig.until(done.done, "the answer")
    watch_id = done.result().query_id
    (told,) = rig.until(lambda: heard(EACH), "the watch")
    assert (told.query_id, told.source, told.kind) == (watch_id, "aura/ask", "multi-response")
    assert (told.severity, told.cooldown_s) == ("warning", 1.5)
    question = heard("how bright is it?")[0]
    assert (question.source, question.kind) == ("asr/text", "real-time")
    assert to_ns(question.header.stamp) > 0
    rig.live_second()
    # a subscriber that comes late gets the newest list at once
    rig.node.create_subscription(Watches, "aura/watches", late.append, qos.LATCHED)
    listed = rig.until(lambda: [w for m in late for w in m.watches if w.id == watch_id], "it")
    assert listed[-1].open and listed[-1].severity == "warning"
    cancel = rig.node.create_client(CancelWatch, "aura/cancel_watch")
    rig.until(cancel.service_is_ready, "the service")
    rig.until(cancel.call_async(CancelWatch.Request(watch_id=watch_id)).done, "the end")
    rig.live_second()
    rig.until(
        lambda: [w for w in late[-1].watches if w.id == watch_id and not w.open], "it is closed"
    )


def test_the_state_is_latched(rigs: Callable[[], tuple[str, Rig]]) -> None:
    namespace, rig = rigs()
    states: list[AssistantState] = []
    args = ("-p", "model.path:=scripted", "-p", "stale_after_s:=1.0")
    with Process("assistant_node", namespace, *args):
        rig.matched()
        rig.live_second()
        rig.live_second()
        rig.node.create_subscription(AssistantState, "aura/state", states.append, qos.LATCHED)
        rig.until(lambda: states and states[-1].state == "watching", "watching")
        assert states[-1].model == "scripted" and states[-1].run
        rig.until(lambda: states[-1].state == "no_frames", "no frames")
        told = len(states)
        rig.state("no_frames", after=len(rig.heartbeats) + 1)
        assert len(states) == told  # the state is told once, whatever time passes
