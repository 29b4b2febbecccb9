"""A microphone as the topic microphone/audio.

A device that is gone is opened again.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from aura_core.node_settings import MicrophoneConfig
from aura_core.speech.devices import Microphone
from aura_ros import qos
from aura_ros.device_log import DeviceLog
from aura_ros.msg import AudioChunk
from aura_ros.node import AuraNode
from aura_ros.process import run
from aura_ros.speech_conversions import audio_msg, from_audio_common
from aura_ros.typed import interface


class MicrophoneNode(AuraNode):
    """One thread reads the device and publishes its sound."""

    def __init__(self) -> None:
        super().__init__("microphone_node", MicrophoneConfig)

    def configure(self) -> None:
        """See `AuraNode`."""
        self._config = self.settings(MicrophoneConfig)
        self._chunks = 0
        self._log = DeviceLog(self.get_logger(), "hearing")
        self._publisher = self.publish_on(AudioChunk, "microphone/audio", qos.AUDIO)
        self._kind = None
        if self._config.audio_topic:
            self._kind = interface(f"audio_common_msgs/msg/{self._config.audio_type}", "msg")

    def activate(self) -> None:
        """Open the device. Only a wrong setting is an error: a device may come later."""
        if self._kind is not None:
            self.subscribe(self._kind, self._config.audio_topic, self._on_sound, qos.AUDIO)
            return
        self._microphone = Microphone(self._config.audio, clock=self.now_ns)
        self._microphone.open()
        self.work("microphone", self._main)

    def _on_sound(self, msg: Any) -> None:
        """Sound of audio_common_msgs."""
        self._chunks += 1
        audio = from_audio_common(msg, self._config.audio.rate, self.now_ns())
        self._publisher.publish(audio_msg(audio, self._config.frame_id))

    def _main(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            audio = self._microphone.read(timeout_s=0.2)
            if audio is not None and len(audio.samples):
                self._chunks += 1
                self._publisher.publish(audio_msg(audio, self._config.frame_id))
        self._microphone.close()

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """See `AuraNode`."""
        if self._kind is not None:
            topic = self._config.audio_topic
            message = "hearing" if self._chunks else f"no sound comes on {topic}"
            return "ok" if self._chunks else "error", message, {"chunks": self._chunks}, topic
        state = self._microphone.state
        self._log.note(state)
        values = {
            "chunks": self._chunks,
            "opened": state.opened,
            "lost": state.lost,
            "overflows": state.overflows,
            "latency_ms": round(1000 * state.latency_s),
        }
        return "ok" if state.ok else "error", state.reason or "hearing", values, state.device


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(MicrophoneNode, args)


if __name__ == "__main__":
    sys.exit(main())
