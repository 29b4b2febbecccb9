"""Ears: microphone/audio in, asr/text, asr/transcript and user_speaking out."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from aura_core.speech.ears import Ears, Event
from aura_core.speech.endpointing import End, Onset
from std_msgs.msg import Bool, String

from aura_core.errors import AuraError, InputError
from aura_core.speech.echo import ApmEcho, EchoCanceller
from aura_core.speech.types import Audio, Heard
from aura_core.speech.types import Transcript as CoreTranscript
from aura_ros import qos
from aura_ros.msg import AudioChunk, Transcript
from aura_ros.parameters import declare
from aura_ros.run import AuraNode, run
from aura_ros.speech_conversions import to_audio, transcript_msg
from aura_ros.voice_parameters import ASR
from aura_ros.voice_settings import open_ears

_WAITING = 100  # chunks of sound (6 s): a recogniser that is slower than speech loses the oldest, counted


@dataclass(frozen=True)
class Far:
    """What the loudspeaker plays."""

    audio: Audio


class AsrNode(AuraNode):
    """Callbacks store; one thread listens, and publishes what it understands."""

    def __init__(self) -> None:
        super().__init__("asr_node")
        values = declare(self, ASR)
        self._mutes = values["echo"] == "mute"
        self._ears: Ears | None = None
        self._echo: EchoCanceller | None = None
        self._waiting: queue.Queue[Audio | Far | bool] = queue.Queue(_WAITING)
        self._dropped, self._heard_at, self._frame_id = 0, 0.0, ""
        self._robot_speaks = False
        self._stopping = threading.Event()
        self._text = self.create_publisher(String, "asr/text", qos.EVENTS)
        self._transcripts = self.create_publisher(Transcript, "asr/transcript", qos.EVENTS)
        self._user_speaking = self.create_publisher(Bool, "user_speaking", qos.LATCHED)
        self.create_subscription(AudioChunk, "microphone/audio", self._on_sound, qos.AUDIO)
        self.create_subscription(Bool, "robot_speaking", self._on_robot, qos.LATCHED)
        if values["echo"] == "apm":
            self.create_subscription(AudioChunk, "speaker/reference", self._on_reference, qos.AUDIO)
        self.every(1.0, self._report)
        self._thread = threading.Thread(target=self._main, args=(values,), name="ears", daemon=True)
        self._thread.start()

    def close(self) -> bool:
        """See `AuraNode`."""
        self._stopping.set()
        self._thread.join(timeout=3.0)
        return not self._thread.is_alive()

    # ---- callbacks: store and return ---------------------------------------------------------

    def _on_sound(self, msg: AudioChunk) -> None:
        self._heard_at, self._frame_id = time.monotonic(), msg.header.frame_id
        try:
            self._put(to_audio(msg))
        except InputError as e:
            self.complain(str(e))

    def _on_robot(self, msg: Bool) -> None:
        self._put(bool(msg.data))

    def _on_reference(self, msg: AudioChunk) -> None:
        self._put(Far(to_audio(msg)))

    def _put(self, item: Audio | Far | bool) -> None:
        while True:
            try:
                self._waiting.put_nowait(item)
                return
            except queue.Full:
                self._dropped += 1
                self._waiting.get_nowait()

    # ---- the ears' thread --------------------------------------------------------------------

    def _main(self, values: dict[str, object]) -> None:
        try:
            ears = open_ears(values)
            self._echo = ApmEcho() if values["echo"] == "apm" else None
            self._ears = ears
        except (AuraError, OSError, RuntimeError) as e:
            self.end(" ".join(str(e).split()))
            return
        self.get_logger().info(
            f"listening with {values['backend']}, wake phrase {values['wake']}, echo {values['echo']}"
        )
        self._user_speaking.publish(Bool(data=False))
        while not self._stopping.is_set():
            try:
                item = self._waiting.get(timeout=0.1)
            except queue.Empty:
                continue
            for event in self._listen(ears, item):
                self._tell(event)

    def _listen(self, ears: Ears, item: Audio | Far | bool) -> list[Event]:
        if isinstance(item, Far):
            if self._echo is not None:
                self._echo.far(item.audio)
            return []
        if isinstance(item, Audio):
            return ears.push(item if self._echo is None else self._echo.near(item))
        self._robot_speaks, now_ns = item, self.now_ns()
        if not item:
            ears.unmute(now_ns)
        elif self._mutes:
            ears.mute(from_ns=now_ns)
        return []

    def _tell(self, event: Event) -> None:
        if isinstance(event, CoreTranscript):
            self._transcripts.publish(transcript_msg(event, self._frame_id))
            if event.state is Heard.FINAL:
                self._text.publish(String(data=event.text))
            elif event.state is Heard.REJECTED:
                self.get_logger().info(f"not sent ({event.reason}): {event.text}")
        elif isinstance(event, (Onset, End)):
            self._user_speaking.publish(Bool(data=isinstance(event, Onset)))

    def _report(self) -> None:
        silent_s = time.monotonic() - self._heard_at if self._heard_at else None
        if self._ears is None:
            level, message = "warn", "loading"
        elif silent_s is None or silent_s > 3.0:
            level, message = "error", "no sound comes on microphone/audio"
        else:
            level, message = "ok", "deaf while the robot speaks" if self._robot_speaks and self._mutes else "listening"
        counters = asdict(self._ears.counters) if self._ears else {}
        self.diagnose(level, self.problem or message, {"dropped": self._dropped, **counters})


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(AsrNode, args)


if __name__ == "__main__":
    sys.exit(main())
