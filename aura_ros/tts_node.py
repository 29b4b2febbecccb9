"""Speech output: aura/response and the action aura/say in; speaker/audio and aura/said out.

Sound is sent sentence by sentence. aura/said tells what was heard of each answer. speaker/stop ends
a sentence that is in the way of an urgent one, or was cancelled.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
from std_msgs.msg import Bool, Header, String

from aura_core.errors import AuraError, one_line
from aura_core.live.talker import Talker
from aura_core.node_settings import TtsNodeConfig
from aura_core.speech.mouth_types import Said as CoreSaid
from aura_core.speech.mouth_types import Sentence
from aura_core.speech.normalise import for_speech
from aura_core.speech.tts import open_voices
from aura_core.speech.tts.voices import warning
from aura_core.speech.types import NS, Audio
from aura_ros import qos
from aura_ros.msg import AudioChunk, Playback, Response, Said
from aura_ros.node import AuraNode
from aura_ros.process import run
from aura_ros.say_action import SayAction
from aura_ros.speech_conversions import audio_msg

_POLL_S = 0.05  # period of checks that depend on time: the user's pause, sentences that are too old
_PROGRESS_S = 0.2  # period of the feedback of aura/say
# Most sound that is sent before it can be heard. More at once would overflow the topic's queue.
_AHEAD_S = 3.0
_REMEMBERED = 256  # responses whose stamps are known
_NOTHING = np.empty(0, np.int16)


class TtsNode(AuraNode):
    """Callbacks pass messages to the talker. One thread synthesises sound, a sentence ahead."""

    def __init__(self) -> None:
        super().__init__("tts_node", TtsNodeConfig)

    def configure(self) -> None:
        """Load the voices."""
        self._config = self.settings(TtsNodeConfig)
        self._voice = open_voices(self._config.tts)
        for_speech("0")  # its tables are made by the first call, which takes 0.2 s
        self.undo(self._voice.close)
        if problem := warning(self._voice):
            self.get_logger().warning(problem)
        self._audio = self.publish_on(AudioChunk, "speaker/audio", qos.AUDIO)
        self._stop = self.publish_on(String, "speaker/stop", qos.EVENTS)
        self._said = self.publish_on(Said, "aura/said", qos.EVENTS)

    def activate(self) -> None:
        """See `AuraNode`."""
        self._talker = Talker(self._config.mouth)
        self._user_speaks = False
        # Names of utterances must differ from those before a restart.
        self._session = f"{time.time_ns():x}"
        self._headers: OrderedDict[str, Header] = OrderedDict()  # of the newest responses
        self._news = threading.Event()
        self._say = SayAction(self, self._talker, self._session, self._news.set, self._voice.speaks)
        self.subscribe(Response, "aura/response", self._on_response, qos.EVENTS)
        # This comes before the subscription of speaker/playback, so that a barge-in is known first.
        self.subscribe(Bool, "user_speaking", self._on_user, qos.LATCHED)
        self.subscribe(Bool, "robot_speaking", self._on_robot, qos.LATCHED)
        self.subscribe(Playback, "speaker/playback", self._on_playback, qos.EVENTS)
        self.every(_PROGRESS_S, self._say.progress)
        self.work("mouth", self._main)
        self.get_logger().info(f"speaking: {self._voice.description}")

    def deactivate(self) -> None:
        """Cut off the sentence that is being synthesised."""
        self._talker.cut.set()

    def _on_response(self, msg: Response) -> None:
        self._headers[msg.id] = msg.header
        while len(self._headers) > _REMEMBERED:
            self._headers.popitem(last=False)
        self._talker.response(msg.id, msg.text, msg.final, msg.kind, msg.urgent, msg.query_id)
        self._news.set()

    def _on_user(self, msg: Bool) -> None:
        self._user_speaks = bool(msg.data)

    def _on_robot(self, msg: Bool) -> None:
        self._talker.sounding(bool(msg.data))

    def _on_playback(self, msg: Playback) -> None:
        session, _, tag = msg.utterance.partition(":")
        if session == self._session:
            reason = "interrupted" if msg.reason == "interrupted" else "dropped"
            self._tell(
                self._talker.played(int(tag), round(msg.played_s * NS), msg.complete), reason
            )
            self._news.set()

    # ---- the speech output's thread ----------------------------------------------------------

    def _main(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            self._news.wait(_POLL_S)
            self._news.clear()
            if self._talker.give_up_overdue():
                self.complain("a sentence was never reported as played: is speaker_node running?")
            for tag in self._talker.stops():
                self._stop.publish(String(data=self._utterance(tag)))
            sentence = self._talker.next(self._user_speaks)
            self._tell(self._talker.ended(), "dropped")
            if sentence is not None:
                self._speak(sentence)

    def _speak(self, sentence: Sentence) -> None:
        """Synthesise one sentence and send it piece by piece.

        It can be cut off between two pieces.
        """
        name, length_ns = self._utterance(sentence.tag), 0
        began = time.monotonic()
        pieces = self._voice.speak(sentence.speech, sentence.language)
        try:
            for piece in pieces:
                if self._talker.cut.wait(
                    max(0.0, length_ns / NS - (time.monotonic() - began) - _AHEAD_S)
                ):
                    self._talker.left(sentence.tag)
                    return
                length_ns += piece.duration_ns
                self._audio.publish(audio_msg(piece, utterance=name))
                self._talker.sent(sentence.tag)
        except AuraError as e:
            self.complain(one_line(e))
            self._talker.failed(sentence.tag)
        finally:
            pieces.close()
        self._audio.publish(audio_msg(Audio(_NOTHING, self._voice.rate), utterance=name, last=True))
        self._talker.made(sentence.tag, length_ns)

    def _utterance(self, tag: int) -> str:
        return f"{self._session}:{tag}"

    def _tell(self, ended: Iterable[CoreSaid], reason: str) -> None:
        for said in ended:
            if self._say.over(said, reason):
                continue  # words of another node: the conversation knows nothing of them
            msg = Said(
                response_id=said.id,
                query_id=self._talker.query_of(said.id),
                text=said.text,
                complete=said.complete,
            )
            msg.header = self._headers.get(said.id, msg.header)
            msg.reason = "" if said.complete else said.reason or reason
            self._said.publish(msg)

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """See `AuraNode`."""
        values = {"voice": self._voice.description, **asdict(self._talker.counters)}
        return "error" if self.problem else "ok", self.problem or "ready", values, ""


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(TtsNode, args)


if __name__ == "__main__":
    sys.exit(main())
