"""The loudspeaker's node on a device double, which plays when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rclpy
from aura_ros.msg import AudioChunk, Playback
from rclpy.lifecycle import TransitionCallbackReturn
from rig import Rig
from std_msgs.msg import Bool, String

from aura_core.speech import utterances
from aura_core.speech.device import DeviceState
from aura_core.speech.devices import Loudspeaker
from aura_core.speech.types import Audio
from aura_ros import qos, speaker_node
from aura_ros.speech_conversions import audio_msg

Rigs = Callable[[], tuple[str, Rig]]
RATE = 48_000


class MadeUp(Loudspeaker):
    """Opens at once, without PortAudio."""

    def open(self) -> DeviceState:
        stream: Any = SimpleNamespace(
            rate=RATE, device="made up", latency_s=0.0, active=True, close=lambda: None
        )
        self._stream, self._reason = stream, ""
        return self.state

    def play(self, seconds: float) -> None:
        self.buffer.read(round(seconds * RATE))

    def unplug(self) -> None:
        self._drop("audio: made up went away")


class SpeakerRig:
    """The node, spun together with the rig, and what it publishes."""

    def __init__(self, rig: Rig, node: speaker_node.SpeakerNode) -> None:
        self.rig, self.device = rig, node._device
        self.reports: list[Playback] = []
        self.robot: list[Bool] = []
        rig.node.create_subscription(Playback, "speaker/playback", self.reports.append, qos.EVENTS)
        rig.node.create_subscription(Bool, "robot_speaking", self.robot.append, qos.LATCHED)
        self.sound = rig.node.create_publisher(AudioChunk, "speaker/audio", qos.AUDIO)
        self._node = node

    def until(self, found: Callable[[], Any], what: str) -> None:
        def spun() -> Any:
            rclpy.spin_once(self._node, timeout_sec=0.01)
            return found()

        self.rig.until(spun, what)

    def say(self, seconds: float, utterance: str, last: bool = False) -> None:
        chunk = Audio(np.ones(round(seconds * RATE), np.int16), RATE)
        self.sound.publish(audio_msg(chunk, utterance=utterance, last=last))


@pytest.fixture
def speaker(rigs: Rigs, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpeakerRig]:
    monkeypatch.setattr(speaker_node, "Loudspeaker", MadeUp)
    namespace, rig = rigs()
    rclpy.init(args=["--ros-args", "-r", f"__ns:={namespace}"])
    node = speaker_node.SpeakerNode()
    assert node.trigger_configure() == node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    made = SpeakerRig(rig, node)
    try:
        made.until(lambda: made.robot and made.sound.get_subscription_count(), "the speaker")
        made.until(
            lambda: node.matched()[f"subscribers of {namespace}/speaker/playback"],
            "the speaker to find the rig",
        )
        yield made
        assert node.close()
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def test_a_loudspeaker_that_goes_away_mid_sentence_is_no_longer_reported_as_speaking(
    speaker: SpeakerRig,
) -> None:
    speaker.say(1.0, "s:1")
    speaker.until(lambda: speaker.robot[-1].data, "the robot to speak")
    speaker.device.play(0.25)
    speaker.device.unplug()
    speaker.until(lambda: not speaker.robot[-1].data, "the robot to be silent")
    (report,) = speaker.reports
    assert (report.utterance, report.complete, report.reason) == ("s:1", False, "lost")
    assert report.played_s == pytest.approx(0.255)


def test_a_sentence_whose_end_never_comes_does_not_leave_speech_input_muted(
    speaker: SpeakerRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(utterances, "UNDERRUN_S", 0.2)
    speaker.say(1.0, "s:1")
    speaker.until(lambda: speaker.robot[-1].data, "the robot to speak")
    speaker.device.play(1.0)
    speaker.until(lambda: not speaker.robot[-1].data, "the robot to be silent")
    (report,) = speaker.reports
    assert (report.utterance, report.played_s, report.complete) == ("s:1", 1.0, False)


def test_one_utterance_is_stopped_and_the_next_follows(speaker: SpeakerRig) -> None:
    stop = speaker.rig.node.create_publisher(String, "speaker/stop", qos.EVENTS)
    speaker.until(stop.get_subscription_count, "the speaker")
    speaker.say(1.0, "s:1", last=True)
    speaker.say(1.0, "s:2", last=True)
    speaker.until(lambda: speaker.robot[-1].data and speaker.device.buffer.holds("s:2"), "both")
    speaker.device.play(0.25)
    stop.publish(String(data="s:1"))
    speaker.until(lambda: speaker.reports, "the report")
    (report,) = speaker.reports
    assert (report.utterance, report.complete, report.reason) == ("s:1", False, "stopped")
    assert report.played_s == pytest.approx(0.255)
    speaker.device.play(1.005)
    speaker.until(lambda: len(speaker.reports) == 2, "the end of the other")
    assert (speaker.reports[1].utterance, speaker.reports[1].complete) == ("s:2", True)
