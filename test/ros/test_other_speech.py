"""The messages of others for speech: hri_msgs and audio_common_msgs, which are not installed here.

Their classes are written down as their packages define them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rclpy
from aura_ros.msg import AudioChunk, Playback
from rclpy.lifecycle import TransitionCallbackReturn
from rig import Rig
from std_msgs.msg import Header, String, UInt8MultiArray

from aura_core.errors import ConfigError, InputError
from aura_core.node_settings import MicrophoneConfig, SpeakerConfig
from aura_core.speech.device import DeviceConfig
from aura_core.speech.types import NS, Audio, Transcript, TranscriptState
from aura_ros import live_speech as module
from aura_ros import microphone_node, qos, speaker_node
from aura_ros.conversions import header
from aura_ros.live_speech import LiveSpeech, live_speech
from aura_ros.microphone_node import MicrophoneNode
from aura_ros.speaker_node import SpeakerNode
from aura_ros.speech_conversions import (
    audio_msg,
    check_audio_info,
    from_audio_common,
    transcript_msg,
)
from aura_ros.typed import interface

Rigs = Callable[[], tuple[str, Rig]]


@dataclass
class Live:
    """hri_msgs/LiveSpeech."""

    header: Header = field(default_factory=Header)
    incremental: str = ""
    final: str = ""
    confidence: float = 0.0


@dataclass
class LocalLive(Live):
    """The same of a release that has the language."""

    locale: str = ""


@dataclass
class IdHeaderLive(Live):
    """The same with the header of another release."""

    header: Any = field(default_factory=lambda: SimpleNamespace(id=""))


def heard(state: TranscriptState) -> Transcript:
    return Transcript(state, "open the door", 0.5, 1 * NS, 3 * NS, language="en")


def test_transcripts_become_live_speech() -> None:
    stamped = header(3 * NS, "microphone")
    final = live_speech(Live, heard(TranscriptState.FINAL), "microphone")
    assert final == Live(stamped, "", "open the door", 0.5)
    partial = live_speech(Live, heard(TranscriptState.PARTIAL), "microphone")
    assert partial == Live(stamped, "open the door", "", 0.5)
    assert live_speech(Live, heard(TranscriptState.REJECTED), "microphone") is None
    assert live_speech(IdHeaderLive, heard(TranscriptState.FINAL), "").final == "open the door"
    assert live_speech(LocalLive, heard(TranscriptState.FINAL), "").locale == "en"


def test_a_transcript_tells_its_language() -> None:
    assert transcript_msg(heard(TranscriptState.FINAL), "microphone").language == "en"
    unknown = Transcript(TranscriptState.FINAL, "open the door", 0.5, 1 * NS, 3 * NS)
    assert transcript_msg(unknown, "microphone").language == ""


class Node:
    """What `LiveSpeech` needs of a node."""

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.sent: list[Any] = []

    def publish_on(self, kind: Any, topic: str, profile: Any) -> Any:
        self.topics.append(topic)
        return SimpleNamespace(publish=self.sent.append)


def test_live_speech_is_published_only_where_its_package_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = Node()
    monkeypatch.setattr(module, "interface", lambda name, kind: Live)
    live = LiveSpeech(node)  # type: ignore[arg-type]
    for state in TranscriptState:
        live.tell(heard(state), "microphone")
    assert node.topics == ["humans/voices/anonymous_speaker/speech"]
    assert [(m.incremental, m.final) for m in node.sent] == [
        ("open the door", ""),
        ("", "open the door"),
    ]

    def missing(name: str, kind: str) -> Any:
        raise ConfigError("there is no package hri_msgs")

    node = Node()
    monkeypatch.setattr(module, "interface", missing)
    LiveSpeech(node).tell(heard(TranscriptState.FINAL), "")  # type: ignore[arg-type]
    assert (node.topics, node.sent) == ([], [])


def test_sound_of_audio_common_msgs_becomes_audio() -> None:
    samples = np.array([1, -2, 300], "<i2")
    data = SimpleNamespace(data=array("B", samples.tobytes() + b"x"))
    stamped = SimpleNamespace(header=header(5 * NS, "m"), audio=data)
    audio = from_audio_common(stamped, 16_000, 9 * NS)
    assert (audio.samples.tolist(), audio.rate, audio.stamp_ns) == ([1, -2, 300], 16_000, 5 * NS)
    audio = from_audio_common(data, 3, 9 * NS)
    assert (audio.samples.dtype, audio.stamp_ns) == (np.int16, 8 * NS)


def test_channels_of_audio_common_msgs_are_mixed_to_one() -> None:
    frames = np.array([[10, 20], [-30_000, -32_000], [7, 8]], "<i2")
    data = SimpleNamespace(data=array("B", frames.tobytes() + b"abc"))
    audio = from_audio_common(data, 3, 9 * NS, channels=2)
    assert (audio.samples.tolist(), audio.stamp_ns) == ([15, -31_000, 8], 8 * NS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, ""),
        ({"sample_format": ""}, ""),
        ({"coding_format": "MP3"}, "sound as MP3 S16LE: set format to wave"),
        ({"sample_format": "F32LE"}, "set sample_format to S16LE|F32LE"),
        ({"channels": 0}, "0 channels"),
        ({"sample_rate": 1}, "1 samples a second"),
    ],
)
def test_sound_that_is_not_understood_is_refused(fields: dict[str, Any], message: str) -> None:
    info = {"channels": 2, "sample_rate": 44_100, "sample_format": "S16LE", "coding_format": "WAVE"}
    if not message:
        check_audio_info(SimpleNamespace(**(info | fields)))
        return
    with pytest.raises(InputError, match=message):
        check_audio_info(SimpleNamespace(**(info | fields)))


class BridgeRig:
    """A node of the bridge in this process. `UInt8MultiArray` stands for `AudioData`: both have
    their bytes in `data`, and audio_common_msgs is not installed here."""

    def __init__(self, rig: Rig, namespace: str, kind: type, **parameters: Any) -> None:
        rclpy.init(args=["--ros-args", "-r", f"__ns:={namespace}", *given(parameters)])
        self.rig, self.node = rig, kind()

    def __enter__(self) -> BridgeRig:
        assert self.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert self.node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        return self

    def __exit__(self, *_: object) -> None:
        assert self.node.close()
        self.node.destroy_node()
        rclpy.try_shutdown()

    def until(self, found: Callable[[], Any], what: str) -> None:
        def spun() -> Any:
            rclpy.spin_once(self.node, timeout_sec=0.01)
            return found()

        self.rig.until(spun, what)


def given(parameters: dict[str, Any]) -> list[str]:
    return [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for node_module in (microphone_node, speaker_node):
        monkeypatch.setattr(node_module, "interface", lambda name, kind: UInt8MultiArray)


def test_a_microphone_of_audio_common_is_published_with_its_rate(
    rigs: Rigs, stand_in: None
) -> None:
    namespace, rig = rigs()
    heard: list[AudioChunk] = []
    rig.node.create_subscription(AudioChunk, "microphone/audio", heard.append, qos.AUDIO)
    sound = rig.node.create_publisher(UInt8MultiArray, "audio", qos.AUDIO)
    topics = {"audio_topic": "audio", "audio_type": "AudioData", "audio_info": "audio_info"}
    with BridgeRig(rig, namespace, MicrophoneNode, **topics) as bridge:
        node = bridge.node
        bridge.until(sound.get_subscription_count, "the microphone")
        bridge.until(
            lambda: node.matched()[f"subscribers of {namespace}/microphone/audio"], "the rig"
        )
        assert node.report()[:2] == ("error", "no AudioInfo comes on audio_info")
        info = SimpleNamespace(
            channels=2, sample_rate=48_000, sample_format="S16LE", coding_format="wave"
        )
        node._on_info(SimpleNamespace(**(vars(info) | {"coding_format": "mp3"})))
        assert node.report()[0] == "error" and "format" in node.report()[1]
        node._on_info(info)
        stereo = np.repeat(np.arange(-5, 475, dtype="<i2"), 2)
        sound.publish(UInt8MultiArray(data=array("B", stereo.tobytes())))
        bridge.until(lambda: heard, "the sound")
        assert (heard[0].rate, list(heard[0].samples)) == (48_000, list(range(-5, 475)))
        assert node.report()[0] == "ok"


def test_a_loudspeaker_of_audio_common_gets_the_sound_at_its_pace(
    rigs: Rigs, stand_in: None
) -> None:
    namespace, rig = rigs()
    sent: list[UInt8MultiArray] = []
    reports: list[Playback] = []
    rig.node.create_subscription(UInt8MultiArray, "play", sent.append, qos.AUDIO)
    rig.node.create_subscription(Playback, "speaker/playback", reports.append, qos.EVENTS)
    sound = rig.node.create_publisher(AudioChunk, "speaker/audio", qos.AUDIO)
    stop = rig.node.create_publisher(String, "speaker/stop", qos.EVENTS)
    settings = {"audio_topic": "play", "rate": 16_000}
    with BridgeRig(rig, namespace, SpeakerNode, **settings) as bridge:
        bridge.until(lambda: sound.get_subscription_count() and stop.get_subscription_count(), "it")
        names = ("speaker/playback", "play")
        bridge.until(
            lambda: all(bridge.node.matched()[f"subscribers of {namespace}/{n}"] for n in names),
            "the rig",
        )
        said = Audio(np.arange(1, 6_401, dtype=np.int16), 16_000)
        sound.publish(audio_msg(said, utterance="s:1", last=True))
        bridge.until(lambda: reports, "the report")
        assert (reports[0].utterance, reports[0].complete) == ("s:1", True)
        bridge.until(lambda: sum(len(m.data) for m in sent) >= 12_800, "all the sound")
        heard = np.frombuffer(b"".join(bytes(m.data) for m in sent), "<i2")
        assert heard[:6_400].tolist() == said.samples.tolist()
        long = Audio(np.ones(16_000 * 60, np.int16), 16_000)
        sound.publish(audio_msg(long, utterance="s:2", last=True))
        bridge.until(lambda: len(sent) > 25, "the long one")
        stop.publish(String(data="s:2"))
        bridge.until(lambda: len(reports) > 1, "the report of the stop")
        assert (reports[1].utterance, reports[1].reason) == ("s:2", "stopped")
        assert 0.05 < reports[1].played_s < 30.0


def test_a_device_and_a_topic_contradict_each_other() -> None:
    for config in (MicrophoneConfig, SpeakerConfig):
        with pytest.raises(ConfigError, match=r"audio_topic \(play\) and device \(usb\)"):
            config(audio=DeviceConfig("usb"), audio_topic="play")
    with pytest.raises(ConfigError, match="audio_info: audio_topic is needed"):
        MicrophoneConfig(audio_info="audio_info")


def test_without_the_package_a_topic_of_it_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match="there is no package audio_common_msgs"):
        interface("audio_common_msgs/msg/AudioDataStamped", "msg")
