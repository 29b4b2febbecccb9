"""A microphone as a topic: microphone/audio. A device that is gone is tried again; nothing else ends the node."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from aura_core.speech.devices import Microphone
from aura_ros import qos
from aura_ros.msg import AudioChunk
from aura_ros.parameters import declare
from aura_ros.run import AuraNode, run
from aura_ros.speech_conversions import audio_msg
from aura_ros.voice_parameters import MICROPHONE


class MicrophoneNode(AuraNode):
    """One thread reads the device and publishes."""

    def __init__(self) -> None:
        super().__init__("microphone_node")
        v = declare(self, MICROPHONE)
        self._frame_id = str(v["frame_id"])
        self._chunks, self._state = 0, ""
        self._publisher = self.create_publisher(AudioChunk, "microphone/audio", qos.AUDIO)
        self._microphone = Microphone(str(v["device"]) or None, int(v["rate"]), int(v["chunk_ms"]))
        self.every(1.0, self._report)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name="microphone", daemon=True)
        self._thread.start()

    def close(self) -> bool:
        """See `AuraNode`."""
        self._stopping.set()
        self._thread.join(timeout=3.0)
        return not self._thread.is_alive()

    def _main(self) -> None:
        with self._microphone as microphone:
            while not self._stopping.is_set():
                audio = microphone.read(timeout_s=0.2)
                if audio is not None:
                    self._chunks += 1
                    self._publisher.publish(audio_msg(audio, self._frame_id))
                if (state := microphone.state) != self._state:
                    self._state = state
                    (self.get_logger().error if microphone.failing else self.get_logger().info)(state)

    def _report(self) -> None:
        level = "error" if self._microphone.failing else "ok" if self._chunks else "warn"
        values = {"chunks": self._chunks, "overflows": self._microphone.overflows}
        self.diagnose(level, self._microphone.state, values)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(MicrophoneNode, args)


if __name__ == "__main__":
    sys.exit(main())
