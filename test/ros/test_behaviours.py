"""The behaviours for py_trees on real DDS, with a scripted assistant."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aura_ros.msg import Alert, Response
from aura_ros.srv import Ask as AskService
from aura_ros.srv import CancelWatch
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rig import Rig

from aura_ros import qos

pytestmark = pytest.mark.scenario

py_trees = pytest.importorskip("py_trees")
from py_trees.common import Status  # noqa: E402

from aura_core.errors import ConfigError  # noqa: E402
from aura_ros.behaviours import Ask, WaitForAlert  # noqa: E402

Rigs = Callable[[], tuple[str, Rig]]


class World:
    """A node with a tree, and an assistant that the test plays."""

    def __init__(self, rigs: Rigs) -> None:
        namespace, self.rig = rigs()
        self.assistant, context = self.rig.node, self.rig.node.context
        self.node = Node("tree", namespace=namespace, context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self.alerts = self.assistant.create_publisher(Alert, "aura/alert", qos.EVENTS)
        self.responses = self.assistant.create_publisher(Response, "aura/response", qos.EVENTS)
        self.asked: list[str] = []
        self.cameras: list[str] = []
        self.cancelled: list[str] = []
        self._count = 0

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()

    def tree(self, root: Any) -> Any:
        tree = py_trees.trees.BehaviourTree(root)
        tree.setup(timeout=10.0)
        return tree

    def alert(self, **fields: Any) -> str:
        self._count += 1
        self.alerts.publish(Alert(id=f"r{self._count}", **fields))
        return f"r{self._count}"

    def serve(self, answer: dict[str, Any] | None, refusal: str = "") -> None:
        """An assistant: it refuses, or gives an id, and then the answer."""

        def ask(request: Any, reply: Any) -> Any:
            self.asked.append(request.text)
            self.cameras.append(request.camera)
            reply.accepted, reply.reason = not refusal, refusal
            reply.query_id = "" if refusal else "q7"
            self.responses.publish(Response(query_id="q6", text="another", final=True))
            self.responses.publish(Response(query_id="q7", text="a", final=False))
            promise = Response(query_id="q7", text="okay", final=True, acknowledgment=True)
            self.responses.publish(promise)
            if answer is not None:
                self.responses.publish(Response(query_id="q7", final=True, **answer))
            return reply

        def cancel(request: Any, reply: Any) -> Any:
            self.cancelled.append(request.watch_id)
            reply.cancelled = True
            return reply

        self.assistant.create_service(AskService, "aura/ask", ask)
        self.assistant.create_service(CancelWatch, "aura/cancel_watch", cancel)

    def spin(self) -> None:
        self._executor.spin_once(timeout_sec=0.02)

    def pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, "the end of a pause")

    def until(self, found: Callable[[], Any], what: str) -> None:
        self.rig.until(lambda: (self.spin(), found())[1], what)

    def tick_until(self, tree: Any, status: Status) -> str:
        """Tick until the status is this one; it is RUNNING before. Returns the feedback."""

        def ticked() -> bool:
            tree.tick()
            assert tree.root.status in (Status.RUNNING, status), tree.root.feedback_message
            return tree.root.status == status

        self.until(ticked, f"the status {status}")
        return str(tree.root.feedback_message)


@pytest.fixture
def world(rigs: Rigs) -> Iterator[World]:
    made = World(rigs)
    yield made
    made.close()
    py_trees.blackboard.Blackboard.clear()


def read(key: str) -> Any:
    return py_trees.blackboard.Blackboard.get(key)


def test_an_alert_ends_the_waiting_and_is_on_the_blackboard(world: World) -> None:
    tree = world.tree(WaitForAlert("fell", world.node, watch_id="stove", severity="warning"))
    world.until(world.alerts.get_subscription_count, "the subscription")
    tree.tick()
    world.alert(watch_id="door", severity="critical")
    world.alert(watch_id="stove", severity="info")
    world.pause(0.3)
    tree.tick()
    assert tree.root.status == Status.RUNNING
    wanted = world.alert(watch_id="stove", severity="critical", text="it is on")
    assert world.tick_until(tree, Status.SUCCESS) == "it is on"
    assert read("alert").id == wanted


def test_alerts_from_before_it_began_are_not_taken(world: World) -> None:
    tree = world.tree(WaitForAlert("any", world.node, key="newest"))
    world.until(world.alerts.get_subscription_count, "the subscription")
    world.alert(text="old")
    world.pause(0.3)
    tree.tick()
    assert tree.root.status == Status.RUNNING
    world.alert(text="new")
    world.tick_until(tree, Status.SUCCESS)
    assert read("newest").text == "new"
    tree.tick()  # it waits for the next one
    assert tree.root.status == Status.RUNNING


def test_waiting_ends_with_failure_at_its_time(world: World) -> None:
    tree = world.tree(WaitForAlert("short", world.node, timeout_s=0.3))
    assert world.tick_until(tree, Status.FAILURE) == "no alert within 0.3 s"


def test_a_severity_that_does_not_exist_is_refused(world: World) -> None:
    with pytest.raises(ConfigError, match="severity must be one of info, warning, critical"):
        WaitForAlert("x", world.node, severity="fatal")


def test_the_final_answer_is_on_the_blackboard(world: World) -> None:
    world.serve({"text": "a cup"})
    ask = Ask("look", world.node, "what is on the table?", timeout_s=20.0, camera="kitchen")
    tree = world.tree(ask)
    assert world.tick_until(tree, Status.SUCCESS) == "a cup"
    assert read("answer") == "a cup" and world.asked == ["what is on the table?"]
    assert world.cameras == ["kitchen"]
    world.pause(0.3)
    assert not world.cancelled


@pytest.mark.parametrize(
    ("answer", "refusal", "why"),
    [
        (None, "the model is still loading", "refused: the model is still loading"),
        ({"text": "I cannot", "refused": True}, "", "refused: I cannot"),
    ],
)
def test_a_refused_question_fails(
    world: World, answer: dict[str, Any] | None, refusal: str, why: str
) -> None:
    world.serve(answer, refusal)
    tree = world.tree(Ask("look", world.node, "well?", timeout_s=20.0))
    assert world.tick_until(tree, Status.FAILURE) == why
    assert not py_trees.blackboard.Blackboard.exists("answer")


def test_a_question_that_is_not_answered_in_time_fails_and_is_taken_back(world: World) -> None:
    world.serve(None)
    tree = world.tree(Ask("look", world.node, "tell me when it opens", timeout_s=1.5))
    assert world.tick_until(tree, Status.FAILURE) == "no answer within 1.5 s"
    world.until(lambda: world.cancelled == ["q7"], "the cancelling")


def test_a_question_that_the_tree_gives_up_is_taken_back(world: World) -> None:
    world.serve(None)
    tree = world.tree(Ask("look", world.node, "tell me when it opens", timeout_s=60.0))
    tree.tick()
    world.until(lambda: (tree.tick(), world.asked)[1], "the question")
    tree.root.stop(Status.INVALID)
    world.until(lambda: world.cancelled == ["q7"], "the cancelling")
    tree.shutdown()
    assert not [s for s in world.node.subscriptions if s.topic_name.endswith("aura/response")]


def test_without_an_assistant_it_fails_at_its_time(world: World) -> None:
    tree = world.tree(Ask("look", world.node, "well?", timeout_s=0.3))
    assert world.tick_until(tree, Status.FAILURE) == "there is no assistant within 0.3 s"


def test_without_py_trees_it_is_told_what_to_install(repository: Any) -> None:
    code = "import sys; sys.modules['py_trees'] = None; import aura_ros.behaviours"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True
    )
    assert "behaviours for py_trees need py_trees: " in done.stderr
    assert "pip install 'py_trees>=2.2.1,<2.7'" in done.stderr
