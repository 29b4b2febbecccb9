"""The demo's user: asks on asr/text in the planned seconds, and stores the answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rclpy.node import Node
from std_msgs.msg import String

from aura_core.evaluation.scoring import Said
from aura_core.sim.episode import Ask, Episode
from aura_core.types import Kind
from aura_ros import qos
from aura_ros.conversions import to_ns
from aura_ros.msg import Asked, Heartbeat, Response

DECIDED = (Heartbeat.STATE_SILENT, Heartbeat.STATE_SPEAKING, Heartbeat.STATE_ERROR)


@dataclass(frozen=True)
class Heard:
    """A final response as it was received."""

    stamp_ns: int
    text: str
    kind: str
    query_id: str
    frame_age_ms: float


class DemoUser(Node):
    """Asks each question when the second before its own is decided, so that it joins its own."""

    def __init__(self, episode: Episode, show: Callable[[int, str, float, str], None]) -> None:
        super().__init__("demo_user")
        self.beats: dict[int, Heartbeat] = {}  # heartbeats by chunk
        self.heard: list[Heard] = []
        self.state = ""
        self.detail = ""
        self._episode = episode
        self._asks = {a.chunk: a for a in episode.asks}
        self._asked: list[Ask] = []
        self._show = show
        self._others: set[str] = set()  # ids of questions that somebody else asked, on the console
        self._numbers: dict[str, int] = {}  # which of the questions here has this id, from 1
        self._mouth = self.create_publisher(String, "asr/text", qos.EVENTS)
        self.create_subscription(Heartbeat, "aura/heartbeat", self._on_heartbeat, qos.EVENTS)
        self.create_subscription(Response, "aura/response", self._on_response, qos.EVENTS)
        self.create_subscription(Asked, "aura/asked", self._on_asked, qos.EVENTS)

    def _on_heartbeat(self, msg: Heartbeat) -> None:
        self.state, self.detail = msg.state, msg.detail
        if msg.state not in DECIDED or msg.chunk in self.beats:
            return
        self.beats[msg.chunk] = msg
        if msg.state != Heartbeat.STATE_SPEAKING:
            self._show(msg.chunk, msg.state, msg.p_silent, msg.detail)
        ask = self._asks.get(msg.chunk + 1)
        if ask is not None and ask not in self._asked:
            self.ask(ask)

    def ask(self, ask: Ask) -> None:
        """Ask this question now."""
        self._asked.append(ask)
        self._mouth.publish(String(data=ask.text))
        self._show(ask.chunk, "ask", 0.0, ask.text)

    def episode(self) -> Episode:
        """The episode, with the questions where they were asked."""
        return self._episode

    def _on_asked(self, msg: Asked) -> None:
        if msg.source == "asr/text":
            self._numbers[msg.query_id] = len(self._numbers) + 1
        else:
            self._others.add(msg.query_id)

    def _on_response(self, msg: Response) -> None:
        if not msg.final:
            return
        stamp_ns = to_ns(msg.header.stamp)
        self.heard.append(Heard(stamp_ns, msg.text, msg.kind, msg.query_id, msg.frame_age_ms))
        self._show(self.chunk_of(stamp_ns), msg.kind, msg.p_silent, msg.text)

    def chunk_of(self, stamp_ns: int) -> int:
        """The chunk of a stamp, from the stamps of the heartbeats.

        A heartbeat has the stamp of the chunk's newest frame, about 0.5 s after the chunk's start.
        """
        for chunk, beat in self.beats.items():
            if to_ns(beat.header.stamp) == stamp_ns:
                return chunk
        for chunk, beat in self.beats.items():
            return chunk + round((stamp_ns - to_ns(beat.header.stamp)) / 1e9)
        return 0

    def said(self) -> list[Said]:
        """The responses for scoring; real-time answers with their question."""
        out = []
        for h in sorted(self.heard, key=lambda h: h.stamp_ns):
            if h.query_id in self._others:
                continue
            number = self._numbers.get(h.query_id, 0)
            now = h.kind == Kind.REAL_TIME and 1 <= number <= len(self._asked)
            out.append(
                Said(
                    self.chunk_of(h.stamp_ns), h.text, self._asked[number - 1].text if now else None
                )
            )
        return out
