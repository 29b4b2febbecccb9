"""The commands of `ros2` on a running assistant, where ros2cli is installed (it has no wheels).

`.ci/launch-from-source` runs these tests with a checkout of ros2/ros2cli.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from rig import Process, Rig

for name in ("ros2cli", "ros2topic", "ros2service", "ros2param", "ros2lifecycle", "ros2action"):
    pytest.importorskip(name)

COMMAND = [sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())"]
FIND = ("--no-daemon", "--spin-time", "5")  # a daemon would outlive the test


class Command:
    """A command that runs while the test goes on."""

    def __init__(self, *words: str) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, *words],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def end(self) -> str:
        """Wait for its end. Returns what it printed."""
        try:
            output, _ = self._process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(self._process.communicate()[0]) from None
        assert self._process.returncode == 0, output
        return output


@pytest.fixture(scope="module")
def watching(assistant: tuple[Process, Rig]) -> Iterator[tuple[str, Rig]]:
    """The namespace of an assistant that has decided a second."""
    _, rig = assistant
    rig.live_second()
    yield rig.node.get_namespace(), rig


def test_the_state_is_echoed_to_a_late_subscriber(watching: tuple[str, Rig]) -> None:
    namespace, _ = watching
    kind = "aura_ros/msg/AssistantState"
    latched = ("--qos-durability", "transient_local", "--qos-reliability", "reliable")
    topic = f"{namespace}/aura/state"
    output = Command("topic", "echo", "--once", *latched, topic, kind).end()
    assert "model: scripted" in output and "state: " in output


def test_parameters_are_described_read_and_set(watching: tuple[str, Rig]) -> None:
    namespace, _ = watching
    node = f"{namespace}/assistant_node"
    described = Command("param", "describe", *FIND, node, "stale_after_s").end()
    assert "without a frame for this long the state is no_frames" in described
    set_it = Command("param", "set", *FIND, node, "stale_after_s", "2.5").end()
    assert "Set parameter successful" in set_it
    assert "2.5" in Command("param", "get", *FIND, node, "stale_after_s").end()
    refused = Command("param", "set", *FIND, node, "image_transport", "compressed").end()
    assert "can be changed only while the node is unconfigured" in refused


def test_a_question_is_asked(watching: tuple[str, Rig]) -> None:
    namespace, rig = watching
    rig.live_second()
    request = "{text: 'how bright is it?'}"
    ask = Command("service", "call", f"{namespace}/aura/ask", "aura_ros/srv/Ask", request)

    def asked() -> bool:
        rig.live_second()
        return not ask.running

    rig.until(asked, "the end of the command")
    output = ask.end()
    assert "accepted=True" in output
    rig.live_second()
    rig.until(lambda: rig.final("how bright is it?"), "the answer")


def test_a_goal_succeeds_at_its_limit(watching: tuple[str, Rig]) -> None:
    namespace, rig = watching
    goal = "{text: 'tell me every time the brightness changes', limit: 1}"
    action = (f"{namespace}/aura/watch", "aura_ros/action/Watch", goal)
    watch = Command("action", "send_goal", "--feedback", *action)
    grey = 20

    def over() -> bool:
        nonlocal grey
        for _ in range(2):
            rig.live_second(grey)
        grey = 240 - grey
        return not watch.running

    rig.until(over, "the end of the goal")
    output = watch.end()
    assert "Feedback:" in output and "The brightness changed" in output
    assert "Goal finished with status: SUCCEEDED" in output


def test_transitions_are_made(watching: tuple[str, Rig]) -> None:
    namespace, rig = watching
    node = f"{namespace}/assistant_node"
    assert "active [3]" in Command("lifecycle", "get", *FIND, node).end()
    for transition, state in (("deactivate", "inactive [2]"), ("activate", "active [3]")):
        told = Command("lifecycle", "set", *FIND, node, transition).end()
        assert "Transitioning successful" in told
        assert state in Command("lifecycle", "get", *FIND, node).end()
    rig.until(rig.camera.get_subscription_count, "the subscription")
    rig.live_second()
