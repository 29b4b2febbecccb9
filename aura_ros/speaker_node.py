"""A loudspeaker: speaker/audio in; robot_speaking, speaker/playback and speaker/reference out.

It stops in the middle of a word when the user begins to speak (barge-in), or when its sender wants
one utterance to end (speaker/stop), and reports how much was heard.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence

from std_msgs.msg import Bool, String

from aura_core.errors import InputError
from aura_core.node_settings import SpeakerConfig
from aura_core.speech.devices import Loudspeaker
from aura_core.speech.paced import PacedLoudspeaker
from aura_core.speech.types import Audio
from aura_core.speech.utterances import Ended, Utterances
from aura_ros import qos
from aura_ros.conversions import header
from aura_ros.device_log import DeviceLog
from aura_ros.msg import AudioChunk, Playback
from aura_ros.node import AuraNode
from aura_ros.process import run
from aura_ros.speech_conversions import audio_msg, to_audio, to_audio_common
from aura_ros.typed import interface

_POLL_S = 0.02


class SpeakerNode(AuraNode):
    """Callbacks fill the device's buffer. A timer reports what it has played."""

    def __init__(self) -> None:
        super().__init__("speaker_node", SpeakerConfig)

    def configure(self) -> None:
        """See `AuraNode`."""
        self._config = self.settings(SpeakerConfig)
        self._interrupted = 0
        self._robot_speaking = self.publish_on(Bool, "robot_speaking", qos.LATCHED)
        self._playback = self.publish_on(Playback, "speaker/playback", qos.EVENTS)
        self._kind = None
        if self._config.audio_topic:
            self._kind = interface(f"audio_common_msgs/msg/{self._config.audio_type}", "msg")
            self._sound = self.publish_on(self._kind, self._config.audio_topic, qos.AUDIO)
        self._reference = self.publish_on(AudioChunk, "speaker/reference", qos.AUDIO)

    def activate(self) -> None:
        """Open the device. Only a wrong setting is an error: a device may come later."""
        self._speaking = self._user_speaks = False
        self._device = self._loudspeaker()
        self._utterances = Utterances(self._device)
        self.undo(self._device.close)
        self._log = DeviceLog(self.get_logger(), "back on")
        self._log.note(self._device.open())
        self._robot_speaking.publish(Bool(data=False))
        self.undo(self._end_playback)
        self.subscribe(AudioChunk, "speaker/audio", self._on_audio, qos.AUDIO)
        self.subscribe(String, "speaker/stop", self._on_stop, qos.EVENTS)
        self.subscribe(Bool, "user_speaking", self._on_user, qos.LATCHED)
        self.every(_POLL_S, self._poll)

    def _loudspeaker(self) -> Loudspeaker | PacedLoudspeaker:
        config, reference = self._config.audio, self._config.reference
        if self._kind is None:
            return Loudspeaker(config, clock=self.now_ns, keep_reference=reference)
        topic = self._config.audio_topic
        return PacedLoudspeaker(config, self._send, topic, self.now_ns, reference)

    def _send(self, audio: Audio) -> None:
        """Sound for a loudspeaker of audio_common."""
        self._sound.publish(to_audio_common(self._kind, audio))

    def _end_playback(self) -> None:
        """Nothing is played any more: tell how much was heard of what was under way."""
        self._tell(self._utterances.stop(), "lost")
        self._say_speaking(False)

    def _on_audio(self, msg: AudioChunk) -> None:
        try:
            self._tell(self._utterances.write(to_audio(msg), msg.utterance, msg.last))
        except InputError as e:
            self.complain(str(e))
        if self._utterances.under_way:
            self._say_speaking(True)

    def _on_user(self, msg: Bool) -> None:
        began, self._user_speaks = msg.data and not self._user_speaks, bool(msg.data)
        if began and self._config.barge_in and self._speaking:
            self._stop()

    def _on_stop(self, msg: String) -> None:
        """End one utterance, whether its sound has come already or not."""
        self._tell([self._utterances.stop_one(msg.data)], "stopped")

    def _stop(self) -> None:
        """Stop playing at once, and report each utterance that was under way."""
        self._interrupted += 1
        self._tell(self._utterances.stop(), "interrupted")
        self._poll()

    def _poll(self) -> None:
        """Report the utterances that have ended, and publish what was played."""
        if isinstance(self._device, PacedLoudspeaker):
            self._device.turn()
        self._tell(self._utterances.poll())
        silent = self._device.buffer.idle and self.now_ns() >= self._device.sounds_until_ns
        if self._speaking and silent and not self._utterances.under_way:
            # Not earlier: the microphone too hears what the device still has to play.
            self._say_speaking(False)
        while (
            self._device.reference is not None
            and (audio := self._device.reference.get(0.0)) is not None
        ):
            self._reference.publish(audio_msg(audio))

    def _tell(self, ended: Iterable[Ended], reason: str = "lost") -> None:
        for e in ended:
            msg = Playback(
                header=header(self.now_ns(), ""),
                utterance=e.utterance,
                played_s=e.played_s,
                complete=e.complete,
                reason="" if e.complete else reason,
            )
            self._playback.publish(msg)

    def _say_speaking(self, speaking: bool) -> None:
        if speaking != self._speaking:
            self._speaking = speaking
            self._robot_speaking.publish(Bool(data=speaking))

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """See `AuraNode`."""
        state = self._device.state
        self._log.note(state)
        values = {
            "interrupted": self._interrupted,
            "opened": state.opened,
            "lost": state.lost,
            "refused_samples": self._device.refused,
            "underruns": self._device.buffer.underruns,
            "stutters": state.overflows,
            "latency_ms": round(1000 * state.latency_s),
        }
        message = self.problem or state.reason or ("speaking" if self._speaking else "ready")
        return "ok" if state.ok else "error", message, values, state.device


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(SpeakerNode, args)


if __name__ == "__main__":
    sys.exit(main())
