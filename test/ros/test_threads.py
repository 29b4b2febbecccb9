"""A node whose thread has died reports it and ends. It does not report that all is well."""

from __future__ import annotations

from typing import Any

import pytest
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from rig import needs

from aura_core.live.sound_inbox import SoundInbox
from aura_core.live.talker import Talker
from aura_ros import asr_node, camera_node, microphone_node, tts_node
from aura_ros.node import AuraNode

SUCCESS = TransitionCallbackReturn.SUCCESS


def bug(*_: object, **__: object) -> Any:
    raise KeyError("bug")


class DeafMicrophone(microphone_node.Microphone):
    open, read = lambda self: self.state, bug


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("make", "where", "broken", "by", "thread"),
    [
        (camera_node.CameraNode, camera_node, "open_source", bug, "camera"),
        (
            microphone_node.MicrophoneNode,
            microphone_node,
            "Microphone",
            DeafMicrophone,
            "microphone",
        ),
        (tts_node.TtsNode, Talker, "next", bug, "mouth"),
        (asr_node.AsrNode, SoundInbox, "run", bug, "ears"),
    ],
    ids=["camera_node", "microphone_node", "tts_node", "asr_node"],
)
def test_a_bug_in_its_thread_ends_the_node(
    make: type[AuraNode],
    where: Any,
    broken: str,
    by: Any,
    thread: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if make is not microphone_node.MicrophoneNode:  # its device is replaced
        needs(request.node.callspec.id)
    monkeypatch.setattr(where, broken, by)
    rclpy.init(args=[])
    made = make()
    try:
        assert made.trigger_configure() == made.trigger_activate() == SUCCESS
        assert made.done.wait(10)
        assert made.close()
    finally:
        made.destroy_node()
        rclpy.try_shutdown()
    assert made.exit_code == 1
    assert (
        f"the thread '{thread}' ended by a bug; its traceback is printed" in capfd.readouterr().err
    )


def test_a_thread_that_was_told_to_stop_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    rclpy.init(args=["--ros-args", "-p", "source:=camera:87"])
    made = camera_node.CameraNode()
    try:
        assert made.trigger_configure() == made.trigger_activate() == SUCCESS
        assert made.close()
    finally:
        made.destroy_node()
        rclpy.try_shutdown()
    assert (made.exit_code, made.done.is_set()) == (0, False)


@pytest.mark.parametrize("stage", ["configure", "activate"])
def test_a_bug_in_a_transition_is_told_and_leaves_the_node_unconfigured(
    stage: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(camera_node.CameraNode, stage, bug)
    rclpy.init(args=["--ros-args", "-p", "source:=camera:87"])
    made = camera_node.CameraNode()
    try:
        done = [made.trigger_configure(), made.trigger_activate()]
        assert TransitionCallbackReturn.ERROR in done
        assert made.lifecycle == "unconfigured"
    finally:
        made.destroy_node()
        rclpy.try_shutdown()
    err = capfd.readouterr().err
    assert f"a bug in {stage}: KeyError: 'bug'" in err and "Traceback" in err
