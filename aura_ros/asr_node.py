"""Speech input: microphone/audio in; asr/text, asr/transcript and user_speaking out.

aura/response is read, because the robot's own words are no question. A user whose words were lost
is told so on it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from std_msgs.msg import Bool, String

from aura_core.errors import InputError, ModelError, one_line
from aura_core.live.sound_inbox import Far, Near, SoundInbox
from aura_core.node_settings import AsrNodeConfig
from aura_core.speech.asides import Aside
from aura_core.speech.ears import Event, open_ears
from aura_core.speech.echo import ApmEcho
from aura_core.speech.endpointing import End, Onset
from aura_core.speech.types import Transcript as CoreTranscript
from aura_core.speech.types import TranscriptState
from aura_ros import qos
from aura_ros.conversions import header
from aura_ros.grammars import phrases
from aura_ros.live_speech import LiveSpeech
from aura_ros.msg import AudioChunk, Response, Transcript
from aura_ros.node import AuraNode
from aura_ros.process import run
from aura_ros.speech_conversions import to_audio, transcript_msg


class AsrNode(AuraNode):
    """Callbacks store sound. One thread recognises speech in it and publishes the transcripts."""

    def __init__(self) -> None:
        super().__init__("asr_node", AsrNodeConfig)

    def configure(self) -> None:
        """Load the recogniser."""
        self._config = self.settings(AsrNodeConfig)
        self._mutes = self._config.echo == "mute"
        try:
            self._ears = open_ears(self._config.ears, phrases(self._config.grammar))
            self._echo = ApmEcho() if self._config.echo == "apm" else None
        except RuntimeError as e:  # of a recogniser's own library
            raise ModelError(one_line(e)) from e
        self._text = self.publish_on(String, "asr/text", qos.EVENTS)
        self._transcripts = self.publish_on(Transcript, "asr/transcript", qos.EVENTS)
        self._live_speech = LiveSpeech(self)
        self._responses = self.publish_on(Response, "aura/response", qos.EVENTS)
        self._user_speaking = self.publish_on(Bool, "user_speaking", qos.LATCHED)

    def activate(self) -> None:
        """See `AuraNode`."""
        self._sound = SoundInbox(self._mutes)
        self._heard_at, self._frame_id, self._robot_speaks = 0.0, "", False
        self.undo(lambda: self._user_speaking.publish(Bool(data=False)))
        self._user_speaking.publish(Bool(data=False))
        self.work("ears", self._main)
        self.subscribe(AudioChunk, "microphone/audio", self._on_near, qos.AUDIO)
        self.subscribe(Bool, "robot_speaking", self._on_robot, qos.LATCHED)
        self.subscribe(Response, "aura/response", self._on_response, qos.EVENTS)
        if self._config.echo == "apm":
            self.subscribe(AudioChunk, "speaker/reference", self._on_far, qos.AUDIO)
        self.get_logger().info(
            f"listening; backend: {self._config.ears.asr.backend},"
            f" wake: {self._config.ears.wake.mode}, echo: {self._config.echo}"
        )

    def cleanup(self) -> None:
        """Free the recogniser."""
        self._ears = self._echo = None

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

    def _on_response(self, msg: Response) -> None:
        self._sound.says(msg.text)

    # ---- the speech input's thread -----------------------------------------------------------

    def _main(self, stopping: threading.Event) -> None:
        assert self._ears is not None
        self._sound.run(self._ears, self._echo, stopping, self._tell, self.complain)

    def _tell(self, event: Event) -> None:
        if isinstance(event, CoreTranscript):
            self._transcripts.publish(transcript_msg(event, self._frame_id))
            self._live_speech.tell(event, self._frame_id)
            if event.state is TranscriptState.FINAL:
                self._text.publish(String(data=event.text))
            elif event.state is TranscriptState.REJECTED:
                self.get_logger().info(f"not sent ({event.reason}): {event.text}")
                if event.reason.startswith("failed"):
                    self.complain(f"the recogniser {event.reason}; the utterance is lost")
        elif isinstance(event, (Onset, End)):
            self._user_speaking.publish(Bool(data=isinstance(event, Onset)))
        elif isinstance(event, Aside):
            now_ns = self.now_ns()
            told = Response(id=f"asr-{now_ns:x}", text=event.text, final=True, refused=True)
            told.kind, told.header = Response.KIND_REAL_TIME, header(now_ns, "")
            self._responses.publish(told)

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """See `AuraNode`."""
        silent_s = time.monotonic() - self._heard_at if self._heard_at else None
        if silent_s is None or silent_s > 3.0:
            level, message = "error", "no sound comes on microphone/audio"
        else:
            deaf = self._robot_speaks and self._mutes
            level, message = "ok", "deaf while the robot speaks" if deaf else "listening"
        counters = asdict(self._ears.counters) if self._ears else {}
        return level, self.problem or message, {"dropped": self._sound.dropped, **counters}, ""


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(AsrNode, args)


if __name__ == "__main__":
    sys.exit(main())
