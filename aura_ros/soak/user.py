"""The user of a soak run: asks without end, and writes down what comes and what does not.

Questions are asked one after another, in turns on asr/text, by the service aura/ask and by the
action aura/watch, so that it is known which answer belongs to which. Watches stand open all the
time. A stand-in for the loudspeaker reports that each utterance was played.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import String

from aura_ros import qos
from aura_ros.action import Watch
from aura_ros.conversions import to_ns
from aura_ros.msg import Asked, AudioChunk, Heartbeat, Playback, Reaction, Response, Watches
from aura_ros.soak import record as rec
from aura_ros.srv import Ask, CancelWatch

QUESTIONS = (
    "what is on the table?",
    "is the door open?",
    "where is the cat?",
    "is the light on?",
    "what is the person doing?",
    "桌子上有什么?",
)
STANDING = (
    "tell me every time the door opens",
    "tell me every time the person sits down",
    "每次灯亮了都告诉我",
)
BRIEF = "warn me if the person falls"  # the watch that is opened and cancelled again and again
SOURCES = ("asr/text", "aura/ask", "asr/text", "aura/ask", "aura/watch")
ALERTS = "soak/alerts"  # to which the reaction of a run publishes
ANSWER_S = 15.0  # a question without an answer for so long is never answered
WATCH_S = 3.0  # how long a watch of the action is open
DECIDED = (Heartbeat.STATE_SILENT, Heartbeat.STATE_SPEAKING)


@dataclass
class _Pending:
    """The question that waits for its answer."""

    source: str
    text: str
    asked_s: float
    id: str = ""
    goal: Any = None  # of the action
    cancelled: bool = False


class SoakUser(Node):
    """Asks and listens; `tick` is called many times a second.

    Args:
        record: what happens is added to it.
        every_s: time between the end of a question and the next one, in seconds.
        cameras: their names; the first one is asked on asr/text, and services ask all in turns.
    """

    def __init__(self, record: rec.Record, every_s: float, cameras: Sequence[str]) -> None:
        super().__init__("soak_user")
        self.standing: set[str] = set()  # ids of the watches that stand open
        self.newest_s: dict[str, float] = {}  # when the newest message of a topic came
        self.reported = ""  # the newest state and detail of the assistant
        self._record, self._every_s = record, every_s
        self._pending: _Pending | None = None
        self._next_s = 0.0
        self._turns = itertools.cycle(SOURCES)
        self._texts = itertools.cycle(QUESTIONS)
        self._cameras = itertools.cycle(cameras)
        self._asking = False  # one of the standing watches is being asked
        self._mouth = self.create_publisher(String, "asr/text", qos.EVENTS)
        self._played = self.create_publisher(Playback, "speaker/playback", qos.EVENTS)
        self._ask = self.create_client(Ask, "aura/ask")
        self._cancel = self.create_client(CancelWatch, "aura/cancel_watch")
        self._watch = ActionClient(self, Watch, "aura/watch")
        for kind, topic, heard, profile in (
            (Heartbeat, "aura/heartbeat", self._on_heartbeat, qos.EVENTS),
            (Response, "aura/response", self._on_response, qos.EVENTS),
            (Asked, "aura/asked", self._on_asked, qos.EVENTS),
            (Watches, "aura/watches", self._on_watches, qos.LATCHED),
            (AudioChunk, "speaker/audio", self._on_sound, qos.AUDIO),
            (Reaction, "aura/reaction", lambda msg: self._came("aura/reaction"), qos.EVENTS),
            (String, ALERTS, lambda msg: self._came(ALERTS), qos.EVENTS),
            (DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.DIAGNOSTICS),
        ):
            self.create_subscription(kind, topic, heard, profile)
        for topic in (
            f"{name}/image_raw" for name in cameras
        ):  # the bytes only: nobody looks at the pictures here
            self.create_subscription(
                Image, topic, lambda _, topic=topic: self._came(topic), qos.FRAMES, raw=True
            )

    def _came(self, topic: str) -> None:
        self.newest_s[topic] = time.monotonic()
        self._record.messages[topic] = self._record.messages.get(topic, 0) + 1

    # ---- what comes --------------------------------------------------------------------------

    def _on_heartbeat(self, msg: Heartbeat) -> None:
        self._came("aura/heartbeat")
        now_s, stamp_ns = time.monotonic(), to_ns(msg.header.stamp)
        frame_s = now_s - (time.time_ns() - stamp_ns) / 1e9 if stamp_ns else 0.0
        decided = msg.state in DECIDED
        if decided:
            self.newest_s[f"decisions of {msg.camera}"] = now_s
        self.reported = f"{msg.state} {msg.detail}".strip()
        self._record.beats.append(rec.Beat(msg.camera, now_s, msg.sequence, decided, frame_s))

    def _on_watches(self, msg: Watches) -> None:
        ids = frozenset(w.id for w in msg.watches if w.open)
        self._record.watches.append(rec.Watches(time.monotonic(), ids))

    def _on_asked(self, msg: Asked) -> None:
        self._came("aura/asked")
        waits = self._pending
        if waits is not None and (waits.source, waits.text) == (msg.source, msg.text):
            waits.id = msg.query_id

    def _on_response(self, msg: Response) -> None:
        self._came("aura/response")
        waits = self._pending
        if waits is None or not msg.final or waits.source == "aura/watch":
            return
        # both ids are empty for a question that was not accepted
        if msg.query_id == waits.id and (waits.id or msg.refused):
            self._end(rec.REFUSED if msg.refused else rec.ANSWERED, msg.text)

    def _on_sound(self, msg: AudioChunk) -> None:
        self._came("speaker/audio")
        if msg.last:
            self._played.publish(Playback(utterance=msg.utterance, played_s=1.0, complete=True))

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            self._came(f"/diagnostics of {status.name}")

    # ---- what is asked -----------------------------------------------------------------------

    def stand(self) -> bool:
        """Ask for the standing watches, one after another. True when all are open."""
        if len(self.standing) == len(STANDING):
            return True
        if not self._asking and self._ask.service_is_ready():
            self._asking = True
            text, camera = STANDING[len(self.standing)], next(self._cameras)
            request = Ask.Request(text=text, camera=camera, severity="info")
            self._ask.call_async(request).add_done_callback(self._stands)
        return False

    def _stands(self, done: Future) -> None:
        self._asking = False
        if done.result().accepted:
            self.standing.add(done.result().query_id)

    def tick(self, now_s: float) -> None:
        """Ask when it is time, and give up a question that is not answered."""
        waits = self._pending
        if waits is None:
            if now_s >= self._next_s:
                self._begin(now_s)
        elif now_s > waits.asked_s + ANSWER_S:
            if waits.source == "aura/watch" and waits.id and self._cancel.service_is_ready():
                # its server was killed; the watch itself goes on in the next one
                self._cancel.call_async(CancelWatch.Request(watch_id=waits.id))
            self._end(rec.UNANSWERED)
        elif waits.goal is not None and not waits.cancelled and now_s > waits.asked_s + WATCH_S:
            waits.cancelled = True
            waits.goal.cancel_goal_async()

    def _begin(self, now_s: float) -> None:
        source = next(self._turns)
        text = BRIEF if source == "aura/watch" else next(self._texts)
        waits = self._pending = _Pending(source, text, now_s)
        if source == "asr/text":
            self._mouth.publish(String(data=text))
        elif source == "aura/ask":
            asked = self._ask.call_async(Ask.Request(text=text, camera=next(self._cameras)))
            asked.add_done_callback(lambda done: self._on_reply(waits, done))
        else:
            goal = Watch.Goal(text=text, camera=next(self._cameras), quiet=True)
            sent = self._watch.send_goal_async(goal)
            sent.add_done_callback(lambda done: self._on_goal(waits, done))

    def _on_reply(self, waits: _Pending, done: Future) -> None:
        if self._pending is not waits:
            return
        if done.result().accepted:
            waits.id = done.result().query_id
        else:
            self._end(rec.REFUSED, done.result().reason)

    def _on_goal(self, waits: _Pending, done: Future) -> None:
        if self._pending is waits:
            waits.goal = done.result()
            result = waits.goal.get_result_async()
            result.add_done_callback(lambda done: self._on_result(waits, done))

    def _on_result(self, waits: _Pending, done: Future) -> None:
        if self._pending is waits:
            good = done.result().status in (
                GoalStatus.STATUS_CANCELED,
                GoalStatus.STATUS_SUCCEEDED,
            )
            self._end(rec.ANSWERED if good else rec.REFUSED, done.result().result.reason)

    def _end(self, outcome: str, reason: str = "") -> None:
        waits, now_s = self._pending, time.monotonic()
        assert waits is not None
        reason = reason if outcome == rec.REFUSED else ""
        self._record.questions.append(
            rec.Question(waits.source, waits.text, waits.asked_s, now_s, outcome, reason)
        )
        self._pending, self._next_s = None, now_s + self._every_s
