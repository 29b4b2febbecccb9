"""A node whose thread has died says so and ends: it does not live on and report that all is
well."""

from __future__ import annotations

from typing import Any

import pytest
import rclpy

from aura_ros import asr_node, camera_node, microphone_node, tts_node
from aura_ros.node import AuraNode


def bug(*_: object, **__: object) -> Any:
    raise KeyError("bug")


class DeafMicrophone(microphone_node.Microphone):
    open, read = lambda self: self.state, bug


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("module", "node", "broken", "by", "thread"),
    [
        (camera_node, "CameraNode", "open_source", bug, "camera"),
        (microphone_node, "MicrophoneNode", "Microphone", DeafMicrophone, "microphone"),
        (tts_node, "TtsNode", "open_voice", bug, "mouth"),
        (asr_node, "AsrNode", "open_ears", bug, "ears"),
    ],
)
def test_a_bug_in_its_thread_ends_the_node(
    module: Any,
    node: str,
    broken: str,
    by: Any,
    thread: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, broken, by)
    rclpy.init(args=[])
    made: AuraNode = getattr(module, node)()
    try:
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
        assert made.close()
    finally:
        made.destroy_node()
        rclpy.try_shutdown()
    assert (made.exit_code, made.done.is_set()) == (0, False)
