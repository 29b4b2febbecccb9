"""Managed nodes: every transition, from outside, over real DDS."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from aura_ros.srv import Ask, ListWatches
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rig import REPOSITORY, Process, Rig, needs
from std_srvs.srv import SetBool

from aura_core.node_settings import NODES
from aura_core.replay.writer import write_bag
from aura_core.types import NS, Frame
from aura_ros import (
    asr_node,
    assistant_node,
    bag_player_node,
    camera_node,
    console_node,
    microphone_node,
    reactions_node,
    sim_camera_node,
    speaker_node,
    tts_node,
)
from aura_ros.node import AuraNode

CLASSES: dict[str, type[AuraNode]] = {
    "assistant_node": assistant_node.AssistantNode,
    "camera_node": camera_node.CameraNode,
    "sim_camera_node": sim_camera_node.SimCameraNode,
    "bag_player_node": bag_player_node.BagPlayerNode,
    "microphone_node": microphone_node.MicrophoneNode,
    "asr_node": asr_node.AsrNode,
    "tts_node": tts_node.TtsNode,
    "speaker_node": speaker_node.SpeakerNode,
    "reactions_node": reactions_node.ReactionsNode,
    "console_node": console_node.ConsoleNode,
}
SUCCESS = TransitionCallbackReturn.SUCCESS
MANUAL = ("-p", "autostart:=false")


class Manager:
    """Drives one node as a lifecycle manager does, and hears /rosout."""

    def __init__(self, rig: Rig, node: str) -> None:
        self._rig, self._node = rig, node
        self._clients: dict[str, Any] = {}
        self.log = rig.hear_log()

    def call(self, kind: Any, name: str, **fields: Any) -> Any:
        name = f"{self._node}/{name}" if "/" not in name else name
        if name not in self._clients:
            self._clients[name] = self._rig.node.create_client(kind, name)
        client = self._clients[name]
        self._rig.until(client.service_is_ready, name)
        done = client.call_async(kind.Request(**fields))
        self._rig.until(done.done, f"an answer of {name}")
        return done.result()

    def change(self, transition: int) -> bool:
        return bool(
            self.call(ChangeState, "change_state", transition=Transition(id=transition)).success
        )

    @property
    def state(self) -> str:
        return str(self.call(GetState, "get_state").current_state.label)

    def set(self, name: str, value: str) -> tuple[bool, str]:
        given = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
        (result,) = self.call(
            SetParameters, "set_parameters", parameters=[Parameter(name=name, value=given)]
        ).results
        return result.successful, result.reason


def test_the_assistant_goes_through_all_its_states_twice(
    rigs: Callable[[], tuple[str, Rig]],
) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=scripted", *MANUAL):
        manager = Manager(rig, "assistant_node")
        rig.state("unconfigured")
        for _ in range(2):
            assert manager.change(Transition.TRANSITION_CONFIGURE)
            assert manager.state == "inactive"
            rig.state("inactive", after=len(rig.heartbeats))
            reply = manager.call(Ask, "aura/ask", text="what is it?")
            assert not reply.accepted
            assert rig.camera.get_subscription_count() == 0
            assert manager.change(Transition.TRANSITION_ACTIVATE)
            rig.until(rig.camera.get_subscription_count, "the subscription")
            rig.until(lambda: rig.user.get_subscription_count(), "the user's subscription")
            rig.live_second()
            rig.live_second()
            assert manager.change(Transition.TRANSITION_DEACTIVATE)
            rig.until(lambda: not rig.camera.get_subscription_count(), "no subscription")
            reply = manager.call(Ask, "aura/ask", text="what is it?")
            assert (reply.accepted, reply.reason) == (False, "the assistant is inactive")
            reply = manager.call(SetBool, "aura/pause", data=True)
            assert (reply.success, "inactive" in reply.message) == (False, True)
            before = len(rig.heartbeats)
            rig.frames()
            rig.state("inactive", after=before)
            assert manager.change(Transition.TRANSITION_ACTIVATE)  # the model is still loaded
            rig.until(rig.camera.get_subscription_count, "the subscription")
            rig.live_second()
            rig.live_second()
            assert manager.change(Transition.TRANSITION_DEACTIVATE)
            assert manager.change(Transition.TRANSITION_CLEANUP)
            assert manager.state == "unconfigured"
            rig.until(lambda: not rig.node.count_publishers("aura/response"), "no publisher")


@pytest.mark.scenario
def test_a_watch_outlives_a_pause(rigs: Callable[[], tuple[str, Rig]]) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=scripted", *MANUAL):
        manager = Manager(rig, "assistant_node")
        assert manager.change(Transition.TRANSITION_CONFIGURE)
        text = "tell me when it is red"
        watch = manager.call(Ask, "aura/ask", text=text)  # while it is inactive
        assert watch.accepted
        for _ in range(2):
            assert manager.change(Transition.TRANSITION_ACTIVATE)
            rig.until(rig.camera.get_subscription_count, "the subscription")
            rig.live_second()
            rig.live_second()
            (listed,) = manager.call(ListWatches, "aura/list_watches").watches
            assert (listed.id, listed.text, listed.open) == (watch.query_id, text, True)
            assert manager.change(Transition.TRANSITION_DEACTIVATE)


def test_a_failed_configure_says_why_and_can_be_repaired(
    rigs: Callable[[], tuple[str, Rig]],
) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=/nope/model", *MANUAL):
        manager = Manager(rig, "assistant_node")
        assert not manager.change(Transition.TRANSITION_CONFIGURE)
        assert manager.state == "unconfigured"
        rig.until(lambda: [m for m in manager.log if "/nope/model" in m.msg], "the reason")
        rig.state("unconfigured", "/nope/model")
        assert manager.set("model.dtype", "int8")[0] is False
        assert manager.set("model.path", "scripted") == (True, "")
        assert manager.change(Transition.TRANSITION_CONFIGURE)
        ok, reason = manager.set("model.path", "aura_tiny")
        assert (ok, reason) == (
            False,
            "model.path can be changed only while the node is unconfigured",
        )


@pytest.mark.scenario
def test_a_wrong_parameter_of_a_file_can_be_repaired(
    rigs: Callable[[], tuple[str, Rig]], tmp_path: Path
) -> None:
    namespace, rig = rigs()
    file = tmp_path / "my.yaml"
    file.write_text("/**/sim_camera_node:\n  ros__parameters:\n    pace: quick\n")
    with Process("sim_camera_node", namespace, "--params-file", str(file), *MANUAL):
        manager = Manager(rig, "sim_camera_node")
        assert not manager.change(Transition.TRANSITION_CONFIGURE)
        assert manager.set("pace", "busy") == (True, "")
        assert manager.change(Transition.TRANSITION_CONFIGURE)


def test_an_automatic_start_that_fails_ends_the_process(
    rigs: Callable[[], tuple[str, Rig]],
) -> None:
    namespace, rig = rigs()
    log = rig.hear_log()
    with Process("assistant_node", namespace, "-p", "model.path:=/nope/model") as process:
        rig.until(lambda: [m for m in log if "/nope/model" in m.msg], "the reason on /rosout")
        code, output = process.wait()
    assert code == 1 and "/nope/model" in output and "Traceback" not in output


@pytest.mark.parametrize("name", CLASSES)
def test_a_node_can_be_configured_again_and_again(name: str, tmp_path: Path) -> None:
    needs(name)
    args = ["--ros-args", "-p", "model.path:=scripted"]
    write_bag(tmp_path / "bag", [Frame(np.zeros((4, 4, 3), np.uint8), NS)])
    args += ["-p", f"bag:={tmp_path / 'bag'}"]
    args += ["-p", "source:=camera:87"]  # a device that is not there: it may come later
    rclpy.init(args=args)
    node = CLASSES[name]()
    try:
        entities = lambda: (  # noqa: E731
            sorted(p.topic_name for p in node.publishers),
            sorted(s.topic_name for s in node.subscriptions),
            sorted(s.service_name for s in node.services),
            len(list(node.timers)),
        )
        bare = entities()
        for _ in range(3):
            assert node.trigger_configure() == SUCCESS
            configured = entities()
            assert configured != bare
            for _ in range(2):
                assert node.trigger_activate() == SUCCESS
                assert node.trigger_deactivate() == SUCCESS
                assert entities() == configured
            assert node.trigger_cleanup() == SUCCESS
            assert entities() == bare
        assert node.close()
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def test_cleanup_frees_the_model() -> None:
    rclpy.init(args=["--ros-args", "-p", "model.path:=scripted"])
    node = assistant_node.AssistantNode()
    try:
        assert node.trigger_configure() == SUCCESS
        assert node.host is not None
        model = weakref.ref(node.host.streams[""].engine.backend)
        assert model() is not None
        assert node.trigger_cleanup() == SUCCESS
        gc.collect()
        assert model() is None
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


@pytest.mark.parametrize("name", CLASSES)
def test_a_node_hides_nothing_of_its_base_class(name: str) -> None:
    """rclpy's nodes have private attributes; one of the same name here breaks them far away."""
    rclpy.init(args=[])
    plain = LifecycleNode("plain")
    node = CLASSES[name]()
    try:
        known = set(vars(plain)) | set(dir(LifecycleNode))
        classes = CLASSES[name].__mro__[: CLASSES[name].__mro__.index(LifecycleNode)]
        own = {n for c in classes for n in vars(c) if not n.startswith("__")}
        hooks = {
            f"on_{t}"
            for t in ["configure", "activate", "deactivate", "cleanup", "shutdown", "error"]
        }
        assert own & known == hooks
        assert len(hooks) == 6
        theirs = {n: type(v) for n, v in vars(plain).items()}
        assert {n: type(v) for n, v in vars(node).items() if n in theirs} == theirs
    finally:
        plain.destroy_node()
        node.destroy_node()
        rclpy.try_shutdown()


def test_every_node_is_here() -> None:
    assert CLASSES.keys() == NODES.keys()


@pytest.mark.scenario
def test_deactivate_can_free_the_model_and_its_watches_go_on(
    rigs: Callable[[], tuple[str, Rig]],
) -> None:
    namespace, rig = rigs()
    args = ("-p", "model.path:=scripted", "-p", "free_when_inactive:=true")
    with Process("assistant_node", namespace, *args):
        manager = Manager(rig, "assistant_node")
        rig.matched()
        text = "tell me every time the brightness changes"
        watch_id = manager.call(Ask, "aura/ask", text=text).query_id
        for _ in range(2):
            rig.live_second(20)
            rig.live_second(20)
            alerts = len(rig.alerts)
            rig.live_second(220)
            rig.until(lambda alerts=alerts: len(rig.alerts) > alerts, "the alert")
            assert rig.alerts[-1].watch_id == watch_id
            assert manager.change(Transition.TRANSITION_DEACTIVATE)
            assert manager.change(Transition.TRANSITION_ACTIVATE)
            rig.until(rig.camera.get_subscription_count, "the subscription")
        (listed,) = manager.call(ListWatches, "aura/list_watches").watches or [None]
        assert listed is None or listed.id == watch_id
    assert [a.index for a in rig.alerts] == list(range(len(rig.alerts)))


@pytest.mark.scenario
def test_watches_go_on_after_a_crash_and_are_gone_after_a_clean_end(
    rigs: Callable[[], tuple[str, Rig]], tmp_path: Path
) -> None:
    namespace, rig = rigs()
    file = tmp_path / "watches.json"
    args = ("-p", "model.path:=scripted", "-p", f"watch_file:={file}")
    text = "tell me every time the brightness changes"
    with Process("assistant_node", namespace, *args) as first:
        rig.matched()
        manager = Manager(rig, "assistant_node")
        asked = manager.call(Ask, "aura/ask", text=text, severity="critical", limit=3)
        rig.live_second(20)
        rig.live_second(220)
        rig.until(lambda: rig.alerts, "the first alert")
        first.kill()
    rig.until(lambda: not rig.camera.get_subscription_count(), "the end of the first")
    heard = len(rig.responses)
    rig.heartbeats.clear()
    with Process("assistant_node", namespace, *args) as second:
        rig.matched()
        rig.second += 5
        for grey in (20, 220, 20, 220):
            rig.live_second(grey)
        rig.until(lambda: len(rig.alerts) >= 3, "the second alert")
        assert [(a.watch_id, a.index, a.severity) for a in rig.alerts] == [
            (asked.query_id, i, "critical") for i in range(3)
        ]
        assert all(r.kind == "multi-response" for r in rig.responses[heard:] if r.final)
        output = second.end_cleanly()
    assert "1 watches go on from an earlier run" in output
    assert not file.exists()


@pytest.mark.scenario
def test_heartbeats_go_on_while_a_node_is_configured_again_and_again(
    rigs: Callable[[], tuple[str, Rig]],
) -> None:
    """Regression: each configure began to wait for the next heartbeat anew."""
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=scripted", *MANUAL):
        manager = Manager(rig, "assistant_node")
        rig.until(lambda: rig.heartbeats, "a heartbeat")
        before = len(rig.heartbeats)

        def cycle() -> bool:
            assert manager.change(Transition.TRANSITION_CONFIGURE)
            assert manager.change(Transition.TRANSITION_CLEANUP)
            return len(rig.heartbeats) >= before + 3

        rig.until(cycle, "heartbeats between quick transitions")


def test_a_process_ends_with_its_exit_handlers_and_without_taking_python_apart() -> None:
    """Regression: with torch, Python took longer to take its modules apart than the nodes to end,
    together longer than Ctrl-C may take."""
    program = """
import atexit, os, signal, sys, threading
from aura_ros import reactions_node
class Module:
    def __del__(self): print("taken apart")
module = Module()
atexit.register(lambda: print("exit handler"))
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
sys.exit(reactions_node.main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.splitlines()) == (0, ["exit handler"])


@pytest.mark.parametrize("waits", ["configure", "activate"])
def test_a_process_that_is_ended_while_it_starts_has_not_failed(waits: str) -> None:
    """Regression: a model that was loaded when Ctrl-C came ended its node with code 1."""
    program = f"""
import os, signal, sys
from aura_core.errors import ModelError
from aura_ros import reactions_node
class Waits(reactions_node.ReactionsNode):
    def {waits}(self):
        os.kill(os.getpid(), signal.SIGINT)
        while not self.cancelled:
            pass
        raise ModelError("the process ends")
reactions_node.ReactionsNode = Waits
sys.exit(reactions_node.main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and "FATAL" not in done.stderr, done.stderr
