"""Reactions on real DDS: the node is a process; services, actions and topics are the test's."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aura_ros.msg import Alert, Reaction, Response
from aura_ros.srv import Ask
from geometry_msgs.msg import Twist
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.node import Node
from rclpy.parameter import Parameter
from rig import Process, Rig
from std_msgs.msg import String

from aura_ros import qos, reactions_node

pytestmark = pytest.mark.scenario

SetBool = pytest.importorskip("std_srvs.srv").SetBool
Rigs = Callable[[], tuple[str, Rig]]

STOP = {
    "severity": "warning",
    "do": "service",
    "type": "std_srvs/srv/SetBool",
    "name": "robot/stop",
    "fields": "{data: true}",
}


class Robot:
    """The node with its reactions, and a robot on which they act."""

    def __init__(self, rigs: Rigs, folder: Path) -> None:
        self.namespace, self.rig = rigs()
        self.node, self._folder = self.rig.node, folder
        self.reactions: list[Reaction] = []
        self.node.create_subscription(Reaction, "aura/reaction", self.reactions.append, qos.EVENTS)
        self._alerts = self.node.create_publisher(Alert, "aura/alert", qos.EVENTS)
        self.stops: list[Any] = []
        self._count = 0

    def serve_stop(self, success: bool = True, message: str = "stopped") -> None:
        def stop(request: Any, response: Any) -> Any:
            self.stops.append(request.data)
            response.success, response.message = success, message
            return response

        self.node.create_service(SetBool, "robot/stop", stop)

    def serve_ask(self, answer: str, accepted: bool = True, **fields: Any) -> list[Ask.Request]:
        """A scripted assistant: an acknowledgment of another question, then the answer."""
        asked: list[Ask.Request] = []
        responses = self.node.create_publisher(Response, "aura/response", qos.EVENTS)

        def ask(request: Ask.Request, reply: Ask.Response) -> Ask.Response:
            asked.append(request)
            reply.accepted, reply.query_id = accepted, "q7" if accepted else ""
            reply.reason = "" if accepted else "no frame has come"
            # The answer may come before the reply with its id.
            responses.publish(Response(query_id="q6", text="yes", final=True))
            responses.publish(Response(query_id="q7", text="yes", final=False))
            if answer:
                responses.publish(Response(query_id="q7", text=answer, final=True, **fields))
            return reply

        self.node.create_service(Ask, "aura/ask", ask)
        return asked

    def start(self, *args: str, **reactions: dict[str, Any]) -> Process:
        file = parameter_file(self._folder, reactions)
        return Process("reactions_node", self.namespace, "--params-file", str(file), *args)

    def ready(self) -> None:
        """Wait until the node and the robot hear each other."""
        self.rig.met("reactions_node")

    @staticmethod
    def values_of(status: Any) -> dict[str, str]:
        return {v.key: v.value for v in status.values}

    def diagnosed(self, lifecycle: str, message: str = "") -> Any:
        """Wait for a report in this state of the lifecycle, with these words in its message."""
        self.rig.diagnostics.clear()
        name = f"{self.namespace}/reactions_node".lstrip("/")

        def found() -> Any:
            for status in (s for array in self.rig.diagnostics for s in array.status):
                values = self.values_of(status)
                right = status.name == name and message in status.message
                if right and values.get("lifecycle") == lifecycle:
                    return status
            return None

        return self.rig.until(found, f"the report '{message}' of the node")

    def alert(self, text: str = "the person fell", **fields: Any) -> str:
        """Publish an alert. Returns its id."""
        self._count += 1
        given = {"watch_id": "w1", "severity": "warning", "kind": "multi-response"} | fields
        msg = Alert(id=f"r{self._count}", text=text, **given)
        msg.header.stamp.sec, msg.header.frame_id = 100 + self._count, "camera"
        self._alerts.publish(msg)
        return msg.id

    def state(self, *states: str) -> Reaction:
        """Wait until there are as many reactions as states; compare. Returns the newest one."""
        self.rig.until(lambda: len(self.reactions) >= len(states), f"the states {states}")
        told = [(r.state, r.detail) for r in self.reactions]
        assert [state for state, _ in told] == list(states), told
        return self.reactions[-1]

    def call(self, kind: Any, name: str, **fields: Any) -> Any:
        client = self.node.create_client(kind, name)
        self.rig.until(client.service_is_ready, name)
        future = client.call_async(kind.Request(**fields))
        self.rig.until(future.done, f"the answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def change(self, transition: int) -> None:
        given = Transition(id=transition)
        assert self.call(ChangeState, "reactions_node/change_state", transition=given).success

    def pause(self, seconds: float) -> None:
        """Let time pass in which nothing may happen."""
        end = time.monotonic() + seconds
        self.rig.until(lambda: time.monotonic() >= end, "the end of a pause")


@pytest.fixture
def robot(rigs: Rigs, tmp_path: Path) -> Iterator[Robot]:
    yield Robot(rigs, tmp_path)


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Runs a node that must refuse to start, and returns its one line."""
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}

    def run(*args: str, **reactions: dict[str, Any]) -> str:
        file = parameter_file(tmp_path, reactions)
        assert reactions_node.main(["--ros-args", "--params-file", str(file), *args]) == 1
        output = capfd.readouterr().err
        assert "Traceback" not in output
        (line,) = lines(output, "[FATAL]")
        return line

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def parameter_file(folder: Path, reactions: dict[str, Any]) -> Path:
    file = folder / "reactions.yaml"
    sections = {"/**/reactions_node": {"ros__parameters": {"reactions": reactions}}}
    file.write_text(yaml.safe_dump(sections))
    return file


def lines(output: str, word: str) -> list[str]:
    return [line for line in output.splitlines() if word in line]


# ---- what is done ------------------------------------------------------------------------------


def test_an_alert_calls_a_service_and_a_cooldown_follows(robot: Robot) -> None:
    robot.serve_stop()
    with robot.start(stop={**STOP, "cooldown_s": 60.0}) as process:
        robot.ready()
        robot.alert(severity="info")  # too low: nothing is told of it
        first = robot.alert()
        done = robot.state("done")
        assert robot.stops == [True]
        assert (done.name, done.watch_id, done.alert_id) == ("stop", "w1", first)
        assert (done.header.stamp.sec, done.header.frame_id) == (102, "camera")
        what = f"service {robot.namespace}/robot/stop (std_srvs/srv/SetBool)"
        assert done.detail == f"{what}: stopped"
        assert 0 < done.duration_s < 5
        second = robot.alert()
        cooldown = robot.state("done", "cooldown")
        assert cooldown.alert_id == second and cooldown.duration_s == 0
        assert robot.stops == [True]
        assert robot.diagnosed("active", "ready").level == b"\x00"
        output = process.end_cleanly()
    (line,) = lines(output, ": done in ")
    why = f"reaction stop to alert {first} of w1 'the person fell' (an alert)"
    assert f"{why}: {what}: done" in line
    assert line.endswith(" ms: stopped")


def test_an_alert_publishes_a_message_with_its_words(robot: Robot) -> None:
    heard: list[String] = []
    robot.node.create_subscription(String, "/speech", heard.append, 10)
    say = {
        "watches": ["stove"],
        "do": "publish",
        "type": "std_msgs/msg/String",
        "name": "/speech",
        "fields": "data: '{severity} of {watch_id}, {camera}, at {stamp}: {text}'",
        "cooldown_s": 0.0,
    }
    with robot.start(say=say):
        robot.ready()
        robot.alert(watch_id="door")
        robot.alert("it's on: {text}", watch_id="stove")
        assert robot.state("done").detail.endswith("/speech (std_msgs/msg/String): to 1 subscriber")
        words = {"instruction": "Stove", "camera": "kitchen"}  # words of the watch
        robot.alert("off", watch_id="q3", **words)
        robot.state("done", "done")
        robot.rig.until(lambda: len(heard) == 2, "the messages")
    assert [m.data for m in heard] == [
        "warning of stove, , at 102.000000000: it's on: {text}",
        "warning of q3, kitchen, at 103.000000000: off",
    ]


class Driver:
    """An action server. A goal of the order 1 succeeds, 2 is rejected, 3 aborts, 4 goes on."""

    def __init__(self, robot: Robot) -> None:
        self._kind = pytest.importorskip("test_msgs.action").Fibonacci
        self.orders: list[int] = []
        self.cancels = 0
        self._robot = robot
        self._server = ActionServer(
            robot.node,
            self._kind,
            "drive",
            self._execute,
            goal_callback=self._goal,
            cancel_callback=self._cancel,
            handle_accepted_callback=self._accepted,
        )

    def _goal(self, request: Any) -> GoalResponse:
        self.orders.append(request.order)
        return GoalResponse.REJECT if request.order == 2 else GoalResponse.ACCEPT

    def _accepted(self, handle: Any) -> None:
        if handle.request.order != 4:
            handle.execute()

    def _cancel(self, _handle: Any) -> CancelResponse:
        self.cancels += 1
        return CancelResponse.ACCEPT

    def _execute(self, handle: Any) -> Any:
        if handle.request.order == 3:
            handle.abort()
        else:
            handle.succeed()
        return self._kind.Result()


@pytest.mark.parametrize(
    ("order", "state", "detail"),
    [
        (1, "done", "the goal succeeded"),
        (2, "failed", "the goal was rejected"),
        (3, "failed", "the goal was aborted"),
    ],
)
def test_an_alert_sends_the_goal_of_an_action(
    robot: Robot, order: int, state: str, detail: str
) -> None:
    driver = Driver(robot)
    with robot.start(drive=_drive(order)):
        robot.ready()
        robot.alert()
        assert robot.state(state).detail.endswith(f": {detail}")
        assert driver.orders == [order] and driver.cancels == 0


def test_an_action_that_takes_too_long_is_cancelled(robot: Robot) -> None:
    driver = Driver(robot)
    with robot.start(drive={**_drive(4), "timeout_s": 0.5, "cooldown_s": 0.0}):
        robot.ready()
        robot.alert()
        robot.rig.until(lambda: driver.orders, "the goal")
        robot.alert()  # while it runs, it is not started again
        robot.state("cooldown", "failed")
        assert robot.reactions[0].detail == "it still runs"
        assert robot.reactions[1].detail.endswith(": no answer within 0.5 s")
        robot.rig.until(lambda: driver.cancels, "the cancelling")
        assert driver.orders == [4]


def _drive(order: int) -> dict[str, Any]:
    return {
        "severity": "info",
        "do": "action",
        "type": "test_msgs/action/Fibonacci",
        "name": "drive",
        "fields": f"{{order: {order}}}",
    }


@pytest.mark.parametrize("of_all", [True, False])
def test_a_dry_run_tells_what_would_be_done(robot: Robot, of_all: bool) -> None:
    robot.serve_stop()
    args = ("-p", "dry_run:=true") if of_all else ()
    with robot.start(*args, stop={**STOP, "dry_run": not of_all, "cooldown_s": 0.0}) as process:
        robot.ready()
        robot.alert()
        told = robot.state("dry_run")
        assert told.detail.endswith("would send std_srvs.srv.SetBool_Request(data=True)")
        if of_all:  # it can be switched while the node runs
            off = Parameter("dry_run", value=False).to_parameter_msg()
            set_ = robot.call(SetParameters, "reactions_node/set_parameters", parameters=[off])
            assert [r.successful for r in set_.results] == [True]
            robot.alert()
            robot.state("dry_run", "done")
        else:
            robot.pause(0.3)
        assert robot.stops == ([True] if of_all else [])
        assert len(lines(process.end_cleanly(), "would send")) == 1


# ---- confirmation ------------------------------------------------------------------------------


def test_a_second_alert_of_the_same_watch_confirms(robot: Robot) -> None:
    robot.serve_stop()
    with robot.start(stop={**STOP, "confirm_s": 30.0, "cooldown_s": 0.0}):
        robot.ready()
        robot.alert()
        robot.state("waiting")
        robot.alert(watch_id="w2")
        robot.state("waiting", "waiting")
        assert not robot.stops
        second = robot.alert()
        assert robot.state("waiting", "waiting", "confirmed", "done").alert_id == second
        assert robot.stops == [True]


def test_without_a_second_alert_nothing_is_done(robot: Robot) -> None:
    robot.serve_stop()
    with robot.start(stop={**STOP, "confirm_s": 0.3}):
        robot.ready()
        robot.alert(kind="proactive")
        ended = robot.state("waiting", "unconfirmed")
        assert ended.detail.startswith("no second alert within 0.3 s; its watch answers only once")
        assert not robot.stops


ASKED = {
    **STOP,
    "confirm": "ask",
    "confirm_s": 0.2,
    "confirm_question": "is somebody on the floor?",
    "timeout_s": 10.0,
}


@pytest.mark.parametrize(
    ("answer", "states"),
    [("Yes, somebody is.", ["confirmed", "done"]), ("no", ["unconfirmed"])],
)
def test_a_question_confirms(robot: Robot, answer: str, states: list[str]) -> None:
    robot.serve_stop()
    asked = robot.serve_ask(answer)
    with robot.start(stop=ASKED):
        robot.ready()
        robot.alert(camera="kitchen")
        robot.state("waiting", "waiting", *states)
        assert [r.detail for r in robot.reactions[:2]] == [
            "asks in 0.2 s",
            "asks: is somebody on the floor?",
        ]
        assert robot.reactions[2].detail == f"answer: {answer}"
        (question,) = asked
        assert (question.text, question.kind) == ("is somebody on the floor?", "real-time")
        assert question.camera == "kitchen", "the camera of the alert"
        assert robot.stops == ([True] if "done" in states else [])


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ({"answer": "", "accepted": False}, "the question was refused: no frame has come"),
        ({"answer": "yes", "refused": True}, "the question was refused: yes"),
        ({"answer": "yes", "acknowledgment": True}, "the question was not answered within 0.8 s"),
        ({"answer": ""}, "the question was not answered within 0.8 s"),
        (None, "there is no service {namespace}/aura/ask"),
    ],
    ids=["not accepted", "refused", "acknowledged", "no answer", "no assistant"],
)
def test_a_question_without_an_answer_confirms_nothing_and_is_an_error(
    robot: Robot, script: dict[str, Any] | None, detail: str
) -> None:
    robot.serve_stop()
    if script is not None:
        robot.serve_ask(**script)
    detail = detail.format(namespace=robot.namespace)
    with robot.start(stop={**ASKED, "timeout_s": 0.8}) as process:
        robot.ready()
        robot.alert()
        assert robot.state("waiting", "waiting", "unconfirmed").detail == detail
        assert robot.diagnosed("active", f"stop: {detail}").level == b"\x02"
        assert not robot.stops
        assert lines(process.end_cleanly(), "[ERROR]")


# ---- failures ----------------------------------------------------------------------------------


def test_a_service_that_is_not_there_is_an_error_until_it_works(robot: Robot) -> None:
    missing = f"there is no service {robot.namespace}/robot/stop"
    with robot.start(stop={**STOP, "timeout_s": 0.5, "cooldown_s": 0.0}) as process:
        robot.ready()
        assert robot.diagnosed("active", f"stop: {missing}").level == b"\x01", "before any alert"
        robot.alert()
        failed = robot.state("failed")
        assert failed.detail.endswith(f": {missing}") and failed.duration_s >= 0.5
        assert robot.diagnosed("active", missing).level == b"\x02"
        robot.serve_stop()
        robot.diagnosed("active", missing)  # it still tells of the failure
        robot.alert()
        robot.state("failed", "done")
        assert robot.diagnosed("active", "ready").level == b"\x00"
        (line,) = lines(process.end_cleanly(), "[ERROR]")
        assert missing in line and ": failed in " in line


def test_without_an_assistant_the_missing_alerts_are_a_warning(robot: Robot) -> None:
    robot.serve_stop()
    robot.node.destroy_publisher(robot._alerts)
    with robot.start(stop=STOP):
        missing = f"nobody publishes {robot.namespace}/aura/alert: is the assistant running?"
        assert robot.diagnosed("active", missing).level == b"\x01"


def test_a_service_of_another_type_is_told(robot: Robot) -> None:
    robot.serve_stop()
    wrong = {**STOP, "type": "std_srvs/srv/Trigger", "fields": "{}", "timeout_s": 0.5}
    with robot.start(stop=wrong):
        robot.ready()
        robot.alert()
        says = "robot/stop is a std_srvs/srv/SetBool, not a std_srvs/srv/Trigger"
        assert robot.state("failed").detail.endswith(says)
        assert not robot.stops


def test_a_service_that_says_no_is_a_failure(robot: Robot) -> None:
    robot.serve_stop(success=False, message="the brake is hot")
    with robot.start(stop=STOP):
        robot.ready()
        robot.alert()
        says = ": the service answered success: false: the brake is hot"
        assert robot.state("failed").detail.endswith(says)


def test_a_topic_without_a_subscriber_is_a_failure(robot: Robot) -> None:
    halt = {
        "severity": "info",
        "do": "publish",
        "type": "geometry_msgs/msg/Twist",
        "name": "cmd_vel",
        "timeout_s": 0.3,
        "cooldown_s": 0.0,
    }
    with robot.start(halt=halt):
        robot.ready()
        robot.alert()
        says = f": nobody subscribes to {robot.namespace}/cmd_vel"
        assert robot.state("failed").detail.endswith(says)
        got: list[Twist] = []
        robot.node.create_subscription(Twist, "cmd_vel", got.append, 10)
        robot.diagnosed("active", "nobody")
        robot.alert()
        robot.state("failed", "done")
        robot.rig.until(lambda: got, "the message")
        assert got == [Twist()]


def test_a_slow_service_stops_nothing_else(robot: Robot) -> None:
    """The node goes on with other alerts while one service does not answer."""
    heard: list[String] = []
    robot.node.create_subscription(String, "heard", heard.append, 10)

    deaf = Node("deaf", namespace=robot.namespace, context=robot.node.context)  # nobody spins it
    deaf.create_service(SetBool, "robot/stop", lambda _, response: response)
    say = {
        "severity": "info",
        "do": "publish",
        "type": "std_msgs/msg/String",
        "name": "heard",
        "cooldown_s": 0.0,
    }
    with robot.start(stop={**STOP, "timeout_s": 1.0}, say=say):
        robot.ready()
        robot.alert()
        robot.alert(severity="info")
        robot.state("done", "done", "failed")
        assert [r.name for r in robot.reactions] == ["say", "say", "stop"]
        assert robot.reactions[2].detail.endswith(": no answer within 1 s")
        assert robot.reactions[2].duration_s >= 1.0
    deaf.destroy_node()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_cancels_the_goal_and_ends_the_node(
    robot: Robot, number: signal.Signals
) -> None:
    driver = Driver(robot)
    with robot.start(drive={**_drive(4), "timeout_s": 600.0}) as process:
        robot.ready()
        robot.alert()
        robot.rig.until(lambda: driver.orders, "the goal")
        robot.pause(0.3)  # the node learns that it is accepted
        output = process.end_cleanly(number)
        (line,) = lines(output, ": failed in ")
        assert line.endswith(": the node was stopped before the end")
        robot.rig.until(lambda: driver.cancels, "the cancelling")


# ---- parameters and lifecycle ------------------------------------------------------------------


def test_the_parameters_of_a_reaction_are_listed_and_described(robot: Robot) -> None:
    with robot.start(stop={**STOP, "watches": ["a", "b"]}, go=STOP, on={**STOP, "watches": []}):
        robot.ready()
        names = robot.call(ListParameters, "reactions_node/list_parameters").result.names
        mine = [n for n in names if n.startswith("reactions.")]
        assert len(mine) == 3 * 13 and not [n for n in names if "NAME" in n]
        wanted = ["reactions.stop.watches", "reactions.go.watches", "reactions.stop.cooldown_s"]
        got = robot.call(GetParameters, "reactions_node/get_parameters", names=wanted).values
        assert list(got[0].string_array_value) == ["a", "b"]
        assert (got[1].type, list(got[1].string_array_value)) == (9, [])
        assert got[2].double_value == 30.0
        about = robot.call(
            DescribeParameters, "reactions_node/describe_parameters", names=wanted
        ).descriptors
        assert about[0].description.startswith("only alerts of these watches")
        assert about[2].floating_point_range[0].to_value == 86400.0


def test_a_node_that_is_not_active_does_nothing_and_is_configured_again(robot: Robot) -> None:
    robot.serve_stop()
    driver = Driver(robot)
    with robot.start(stop={**STOP, "severity": "critical"}, drive=_drive(4)):
        robot.ready()
        robot.alert(severity="critical")
        robot.rig.until(lambda: driver.orders and robot.reactions, "both starts")
        robot.pause(0.3)  # the node learns that the goal is accepted
        robot.change(Transition.TRANSITION_DEACTIVATE)
        robot.rig.until(lambda: driver.cancels, "the cancelling of the goal")
        assert [r.state for r in robot.reactions] == ["done", "failed"]
        robot.alert(severity="critical")
        robot.pause(0.3)
        assert len(robot.reactions) == 2 and robot.stops == [True]
        fields = Parameter("reactions.stop.fields", value="{data: false}").to_parameter_msg()
        before = robot.call(SetParameters, "reactions_node/set_parameters", parameters=[fields])
        assert not before.results[0].successful, "it is configured"
        robot.change(Transition.TRANSITION_CLEANUP)
        after = robot.call(SetParameters, "reactions_node/set_parameters", parameters=[fields])
        assert after.results[0].successful
        robot.change(Transition.TRANSITION_CONFIGURE)
        robot.change(Transition.TRANSITION_ACTIVATE)
        robot.ready()
        robot.alert(severity="critical")
        robot.rig.until(lambda: len(robot.stops) == 2, "the second stop")
        assert robot.stops == [True, False]


@pytest.mark.parametrize(
    ("reactions", "says"),
    [
        ({"stop": {**STOP, "tpye": "x"}}, "'reactions.stop.tpye'"),
        ({"stop": {**STOP, "tpye": "x"}}, "did you mean 'reactions.stop.type'?"),
        ({"stop": {**STOP, "retries": 3}}, "unknown parameter 'reactions.stop.retries'"),
        ({"stop": {**STOP, "do": "shell"}}, "one of service, publish, action, not 'shell'"),
        ({"stop": {**STOP, "cooldown_s": "long"}}, "parameter reactions.stop.cooldown_s"),
        ({"stop": {"name": "x", "type": "x"}}, "reactions: stop: watches or severity must be"),
        (
            {"stop": {**STOP, "type": "std_srvs/srv/SetBol"}},
            "reaction stop: type std_srvs/srv/SetBol: std_srvs has no such srv; did you mean",
        ),
        ({"stop": {**STOP, "type": "no_srvs/srv/Stop"}}, "reaction stop: type no_srvs/srv/Stop: "),
        (
            {"stop": {**STOP, "fields": "{data: 1}"}},
            "reaction stop: fields: data must be true or false, not 1",
        ),
        (
            {"stop": {**STOP, "fields": "{dat: true}"}},
            "reaction stop: fields: unknown field 'dat'; std_srvs/srv/SetBool_Request has data",
        ),
        ({"stop": {**STOP, "name": "robot stop"}}, "reaction stop: name 'robot stop': "),
        (
            {"halt": {**STOP, "do": "publish", "type": "std_msgs/msg/Bool", "name": "a b"}},
            "reaction halt: ",
        ),
        (
            {"go": {**STOP, "do": "action", "type": "std_srvs/srv/SetBool"}},
            "reaction go: type must be an action such as",
        ),
    ],
)
def test_a_wrong_reaction_ends_the_node_with_one_line(
    refused: Callable[..., str], reactions: dict[str, Any], says: str
) -> None:
    assert says in refused(**reactions)


@pytest.mark.parametrize("key", ["reaction.stop.do", "reactions"])
def test_a_section_that_is_nearly_ours_is_refused(refused: Callable[..., str], key: str) -> None:
    line = refused("-p", f"{key}:=service")
    assert f"unknown parameter '{key}'" in line and "expected 'reactions.NAME.SETTING'" in line


def test_without_reactions_the_node_says_so(robot: Robot) -> None:
    with robot.start() as process:
        robot.ready()
        assert robot.diagnosed("active", "there are no reactions").level == b"\x00"
        assert lines(process.end_cleanly(), "there are no reactions: see docs/reactions.md")
