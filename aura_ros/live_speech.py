"""Transcripts as `hri_msgs/LiveSpeech` (REP 155, "ROS4HRI"), where hri_msgs is installed."""

from __future__ import annotations

from typing import Any

from aura_core.errors import ConfigError
from aura_core.speech.types import Transcript, TranscriptState
from aura_ros import qos
from aura_ros.conversions import header
from aura_ros.node import AuraNode
from aura_ros.typed import interface

TYPE = "hri_msgs/msg/LiveSpeech"
TOPIC = "humans/voices/anonymous_speaker/speech"  # REP 155's name where nobody knows who speaks


def live_speech(kind: Any, heard: Transcript, frame_id: str) -> Any | None:
    """A transcript as a message of the class `kind`; None for one that was rejected.

    The releases of hri_msgs differ: the header may be missing its stamp, and `locale` may be
    missing. It stays empty where the recogniser does not tell the language.
    """
    if heard.state is TranscriptState.REJECTED:
        return None
    final = heard.state is TranscriptState.FINAL
    msg = kind(**{"final" if final else "incremental": heard.text})
    msg.confidence = float(heard.confidence)
    if hasattr(msg, "locale"):
        msg.locale = heard.language
    if hasattr(msg.header, "stamp"):
        msg.header = header(heard.end_ns, frame_id)
    return msg


class LiveSpeech:
    """Publishes transcripts on `humans/voices/anonymous_speaker/speech`, or nothing."""

    def __init__(self, node: AuraNode) -> None:
        try:
            self._kind = interface(TYPE, "msg")
        except ConfigError:
            self._kind = None  # hri_msgs is not installed
            return
        self._publisher = node.publish_on(self._kind, TOPIC, qos.EVENTS)

    def tell(self, heard: Transcript, frame_id: str) -> None:
        """Publish a transcript, if somebody can understand it."""
        if self._kind is None:
            return
        msg = live_speech(self._kind, heard, frame_id)
        if msg is not None:
            self._publisher.publish(msg)
