"""The messages of others for speech: hri_msgs and audio_common_msgs, which are not installed here.

Their classes are written down as their packages define them.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from std_msgs.msg import Header

from aura_core.errors import ConfigError
from aura_core.speech.types import NS, Transcript, TranscriptState
from aura_ros import live_speech as module
from aura_ros.conversions import header
from aura_ros.live_speech import LiveSpeech, live_speech
from aura_ros.speech_conversions import from_audio_common, transcript_msg
from aura_ros.typed import interface


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


def test_without_the_package_a_topic_of_it_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match="there is no package audio_common_msgs"):
        interface("audio_common_msgs/msg/AudioDataStamped", "msg")
