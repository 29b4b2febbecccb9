"""Speech input: microphone/audio in; asr/text, asr/transcript and user_speaking out."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict

from std_msgs.msg import Bool, String

from aura_core.errors import AuraError, InputError, one_line
from aura_core.live.sound_inbox import Far, Near, SoundInbox
from aura_core.node_settings import AsrNodeConfig
from aura_core.speech.ears import Ears, Event, open_ears
from aura_core.speech.echo import ApmEcho
from aura_core.speech.endpointing import End, Onset
from aura_core.speech.types import Transcript as CoreTranscript
from aura_core.speech.types import TranscriptState
from aura_ros import qos
from aura_ros.grammars import phrases
from aura_ros.msg import AudioChunk, Transcript
from aura_ros.node import CLOSE_S, AuraNode, run
from aura_ros.parameters import settings_of
from aura_ros.speech_conversions import to_audio, transcript_msg


class AsrNode(AuraNode):
    """Callbacks store sound. One thread recognises speech in it and publishes the transcripts."""

    def __init__(self) -> None:
        super().__init__("asr_node")
        self._config = settings_of(self, AsrNodeConfig)
        self._mutes = self._config.echo == "mute"
        self._sound = SoundInbox(self._mutes)
        self._ears: Ears | None = None
        self._heard_at, self._frame_id, self._robot_speaks = 0.0, "", False
        self._stopping = threading.Event()
        self._text = self.create_publisher(String, "asr/text", qos.EVENTS)
        self._transcripts = self.create_publisher(Transcript, "asr/transcript", qos.EVENTS)
        self._user_speaking = self.create_publisher(Bool, "user_speaking", qos.LATCHED)
        self.create_subscription(AudioChunk, "microphone/audio", self._on_near, qos.AUDIO)
        self.create_subscription(Bool, "robot_speaking", self._on_robot, qos.LATCHED)
        if self._config.echo == "apm":
            self.create_subscription(AudioChunk, "speaker/reference", self._on_far, qos.AUDIO)
        self.every(1.0, self._report)
        self._thread = self.work("ears", self._main, self._stopping)

    def close(self) -> bool:
        """See `AuraNode`."""
        self._stopping.set()
        self._thread.join(CLOSE_S)
        return not self._thread.is_alive()

    def _on_near(self, msg: AudioChunk) -> None:
        self._heard_at, self._frame_id = time.monotonic(), msg.header.frame_id
        self._put(Near, msg)

    def _on_far(self, msg: AudioChunk) -> None:
        self._put(Far, msg)

    def _put(self, kind: type[Near] | type[Far], msg: AudioChunk) -> None:
        try:
            self._sound.put(kind(to_audio(msg)))
        except InputError as e:
            self.complain(str(e))

    def _on_robot(self, msg: Bool) -> None:
        self._robot_speaks = bool(msg.data)
        self._sound.robot(self._robot_speaks, self.now_ns())

    # ---- the speech input's thread -----------------------------------------------------------

    def _main(self) -> None:
        config = self._config.ears
        try:
            ears = open_ears(config, phrases(self._config.grammar))
            echo = ApmEcho() if self._config.echo == "apm" else None
        except (AuraError, OSError, RuntimeError) as e:
            self.end(one_line(e))
            return
        self._ears = ears
        self.get_logger().info(
            f"listening; backend: {config.asr.backend}, wake: {config.wake.mode},"
            f" echo: {self._config.echo}"
        )
        self._user_speaking.publish(Bool(data=False))
        self._sound.run(ears, echo, self._stopping, self._tell, self.complain)

    def _tell(self, event: Event) -> None:
        if isinstance(event, CoreTranscript):
            self._transcripts.publish(transcript_msg(event, self._frame_id))
            if event.state is TranscriptState.FINAL:
                self._text.publish(String(data=event.text))
            elif event.state is TranscriptState.REJECTED:
                self.get_logger().info(f"not sent ({event.reason}): {event.text}")
                if event.reason.startswith("failed"):
                    self.complain(f"the recogniser {event.reason}; the utterance is lost")
        elif isinstance(event, (Onset, End)):
            self._user_speaking.publish(Bool(data=isinstance(event, Onset)))

    def _report(self) -> None:
        silent_s = time.monotonic() - self._heard_at if self._heard_at else None
        if self._ears is None:
            level, message = "warn", "loading"
        elif silent_s is None or silent_s > 3.0:
            level, message = "error", "no sound comes on microphone/audio"
        else:
            level, message = (
                "ok",
                (
                    "deaf while the robot speaks"
                    if self._robot_speaks and self._mutes
                    else "listening"
                ),
            )
        counters = asdict(self._ears.counters) if self._ears else {}
        self.diagnose(level, self.problem or message, {"dropped": self._sound.dropped, **counters})


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(AsrNode, args)


if __name__ == "__main__":
    sys.exit(main())
