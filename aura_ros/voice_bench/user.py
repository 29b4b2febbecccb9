"""The benchmark's node: answers each question in the assistant's place, and notes all times."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Bool, String

from aura_core.errors import InputError
from aura_core.types import Kind
from aura_ros import qos
from aura_ros.conversions import header
from aura_ros.msg import AudioChunk, Response, Said, Transcript


class BenchUser:
    """Sends and receives the topics of the speech nodes. Times are steady seconds.

    `answer` is said to each question; "" leaves questions unanswered.
    """

    def __init__(self, answer: str = "") -> None:
        self._context = Context()
        self._context.init(args=[])
        self.node = Node("voice_bench", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.answer = answer
        self.texts: list[tuple[float, str]] = []
        self.rejected: list[tuple[float, str]] = []
        self.user: list[tuple[float, bool]] = []
        self.robot: list[tuple[float, bool]] = []
        self.sounds: list[float] = []  # time of the first sound of each sentence
        self.said: list[tuple[float, Said]] = []
        self._utterances: set[str] = set()
        self._responses = self.node.create_publisher(Response, "aura/response", qos.EVENTS)
        listen = self.node.create_subscription
        listen(String, "asr/text", self._on_text, qos.EVENTS)
        listen(Transcript, "asr/transcript", self._on_transcript, qos.EVENTS)
        listen(
            Bool,
            "user_speaking",
            lambda m: self.user.append((time.monotonic(), m.data)),
            qos.LATCHED,
        )
        listen(
            Bool,
            "robot_speaking",
            lambda m: self.robot.append((time.monotonic(), m.data)),
            qos.LATCHED,
        )
        listen(AudioChunk, "speaker/audio", self._on_audio, qos.AUDIO)
        listen(Said, "aura/said", lambda m: self.said.append((time.monotonic(), m)), qos.EVENTS)

    def _on_text(self, msg: String) -> None:
        self.texts.append((time.monotonic(), msg.data))
        if self.answer:
            self.say(self.answer)

    def _on_transcript(self, msg: Transcript) -> None:
        if msg.state == Transcript.STATE_REJECTED:
            self.rejected.append((time.monotonic(), f"{msg.text} ({msg.reason})"))

    def _on_audio(self, msg: AudioChunk) -> None:
        if msg.utterance not in self._utterances:
            self._utterances.add(msg.utterance)
            self.sounds.append(time.monotonic())

    def say(self, text: str, kind: Kind = Kind.REAL_TIME, urgent: bool = False) -> None:
        """Publish a response, as the assistant would."""
        stamp = header(self.node.get_clock().now().nanoseconds, "")
        self._responses.publish(
            Response(
                header=stamp, text=text, kind=str(kind), query_id="q1", final=True, urgent=urgent
            )
        )

    def quiet_since(self, at_s: float) -> bool:
        """Whether the robot has spoken after `at_s` and is silent now."""
        return not self.robot[-1][1] and self.robot[-1][0] > at_s

    def spin(self, seconds: float) -> None:
        """Receive messages for this time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=min(left, 0.01))

    def until(self, found: Callable[[], object], what: str, timeout_s: float = 20.0) -> None:
        """Receive messages until `found()`.

        Raises `InputError` when that takes longer than `timeout_s`.
        """
        end = time.monotonic() + timeout_s
        while not found():
            if time.monotonic() > end:
                raise InputError(f"waited {timeout_s:g} s for {what}; see the nodes' logs")
            self._executor.spin_once(timeout_sec=0.01)

    def close(self) -> None:
        """End the node."""
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()
