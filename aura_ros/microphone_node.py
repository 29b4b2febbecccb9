"""A microphone as the topic microphone/audio.

A device that is gone is opened again.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from aura_core.errors import InputError
from aura_core.node_settings import MicrophoneConfig
from aura_core.speech.devices import Microphone
from aura_ros import qos
from aura_ros.device_log import DeviceLog
from aura_ros.msg import AudioChunk
from aura_ros.node import AuraNode
from aura_ros.process import run
from aura_ros.speech_conversions import audio_msg, check_audio_info, from_audio_common
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
        self._rate, self._channels = self._config.audio.rate, 1  # of that sound
        self._info = None
        if self._config.audio_info:
            self._info = interface("audio_common_msgs/msg/AudioInfo", "msg")
        if self._config.audio_topic:
            self._kind = interface(f"audio_common_msgs/msg/{self._config.audio_type}", "msg")

    def activate(self) -> None:
        """Open the device. Only a wrong setting is an error: a device may come later."""
        if self._kind is not None:
            if self._info is not None:
                self._rate = 0  # not known yet
                self.subscribe(self._info, self._config.audio_info, self._on_info, qos.LATCHED)
            self.subscribe(self._kind, self._config.audio_topic, self._on_sound, qos.AUDIO)
            return
        self._microphone = Microphone(self._config.audio, clock=self.now_ns)
        self._microphone.open()
        self.work("microphone", self._main)

    def _on_sound(self, msg: Any) -> None:
        """Sound of audio_common_msgs."""
        if not self._rate:
            return
        self._chunks += 1
        audio = from_audio_common(msg, self._rate, self.now_ns(), self._channels)
        self._publisher.publish(audio_msg(audio, self._config.frame_id))

    def _on_info(self, msg: Any) -> None:
        """What the sound is. Without knowing it, none is taken."""
        try:
            check_audio_info(msg)
        except InputError as e:
            self._rate = 0
            self.complain(str(e))
        else:
            self._rate, self._channels = int(msg.sample_rate), int(msg.channels)

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
            values = {"chunks": self._chunks, "rate": self._rate, "channels": self._channels}
            message = "hearing" if self._chunks else f"no sound comes on {topic}"
            if not self._rate:
                message = self.problem or f"no AudioInfo comes on {self._config.audio_info}"
            well = self._chunks and self._rate
            return "ok" if well else "error", message, values, topic
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
