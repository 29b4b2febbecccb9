"""A microphone as the topic microphone/audio.

A device that is gone is opened again. Only a wrong setting ends the node.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from aura_core.errors import ConfigError
from aura_core.node_settings import MicrophoneConfig
from aura_core.speech.devices import Microphone
from aura_ros import qos
from aura_ros.msg import AudioChunk
from aura_ros.node import CLOSE_S, AuraNode, run
from aura_ros.parameters import settings_of
from aura_ros.speech_conversions import audio_msg


class MicrophoneNode(AuraNode):
    """One thread reads the device and publishes its sound."""

    def __init__(self) -> None:
        super().__init__("microphone_node")
        config = settings_of(self, MicrophoneConfig)
        self._frame_id = config.frame_id
        self._chunks, self._reason = 0, ""
        self._publisher = self.create_publisher(AudioChunk, "microphone/audio", qos.AUDIO)
        self._microphone = Microphone(config.audio, clock=self.now_ns)
        self.every(1.0, self._report)
        self._stopping = threading.Event()
        self._thread = self.work("microphone", self._main, self._stopping)

    def close(self) -> bool:
        """See `AuraNode`."""
        self._stopping.set()
        self._thread.join(CLOSE_S)
        return not self._thread.is_alive()

    def _main(self) -> None:
        try:
            self._microphone.open()
        except ConfigError as e:
            self.end(str(e))
            return
        while not self._stopping.is_set():
            audio = self._microphone.read(timeout_s=0.2)
            if audio is not None and len(audio.samples):
                self._chunks += 1
                self._publisher.publish(audio_msg(audio, self._frame_id))
        self._microphone.close()

    def _report(self) -> None:
        state = self._microphone.state
        if state.reason != self._reason:
            self._reason = state.reason
            (
                self.get_logger().error(state.reason)
                if state.reason
                else self.get_logger().info(f"hearing {state.device}")
            )
        values = {
            "chunks": self._chunks,
            "opened": state.opened,
            "lost": state.lost,
            "overflows": state.overflows,
        }
        self.diagnose(
            "ok" if state.ok else "error", state.reason or "hearing", values, hardware=state.device
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(MicrophoneNode, args)


if __name__ == "__main__":
    sys.exit(main())
