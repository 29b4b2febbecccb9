"""What the assistant tells about itself: a heartbeat each second, and its state when it changes.

Both live as long as the node, whatever its state.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aura_core.live.health import NOTHING
from aura_core.live.pulse import SILENCE_S
from aura_core.types import Step
from aura_ros import conversions as to
from aura_ros import qos
from aura_ros.msg import AssistantState, Heartbeat

if TYPE_CHECKING:
    from aura_ros.assistant_node import AssistantNode

_WATCHING = ("silent", "speaking")  # the states of a decided chunk


@dataclass
class Beat:
    """The newest heartbeat of one camera."""

    at_s: float  # by the monotonic clock
    state: str = ""
    detail: str = ""
    step: Step | None = None  # the newest
    frame_id: str = ""  # of the frame that was decided last


class Heartbeats:
    """Publishes `aura/heartbeat` and `aura/state`; from two threads.

    Where there are several cameras, each has its own heartbeats.
    """

    def __init__(self, node: AssistantNode) -> None:
        self._node, self._lock = node, threading.Lock()
        self._sequence = 0
        self._state = AssistantState()
        self._beats: dict[str, Beat] = {}  # by camera
        # Not by `publish_on`: a monitor that hears nothing must be able to tell it from a node that
        # is not configured.
        self._heartbeats = node.create_publisher(Heartbeat, "aura/heartbeat", qos.HEARTBEAT)
        self._states = node.create_publisher(AssistantState, "aura/state", qos.LATCHED)
        self.begin()

    def begin(self) -> None:
        """Forget what was told before, but not when: the next heartbeat comes in time."""
        told = [beat.at_s for beat in self._beats.values()]
        self._since_s = max(told, default=time.monotonic())
        self._beats = {}

    def quiet_s(self, camera: str) -> float:
        """Seconds since the newest heartbeat of a camera."""
        return time.monotonic() - self._beat(camera).at_s

    def _beat(self, camera: str) -> Beat:
        return self._beats.setdefault(camera, Beat(at_s=self._since_s))

    def stepped(self, camera: str, step: Step, frame_id: str) -> None:
        """A chunk was decided."""
        with self._lock:
            beat = self._beat(camera)
            beat.step, beat.frame_id = step, frame_id
        self.beat(camera, "silent" if step.state == "silent" else "speaking")

    def idle(self, camera: str, state: str, detail: str) -> None:
        """Nothing is decided now: send a heartbeat if none was sent within the last second."""
        if state and self.quiet_s(camera) >= SILENCE_S:
            self.beat(camera, state, detail)

    def beat(self, camera: str, state: str, detail: str = "", chunk: int | None = None) -> None:
        """Send a heartbeat. `chunk`: the chunk that was lost."""
        node, host = self._node, self._node.host
        seen = node.cameras.get(camera)
        health = host.health(camera) if host else NOTHING
        with self._lock:
            beat = self._beat(camera)
            msg = to.heartbeat_msg(
                state,
                node.problem or detail or health.fallback or health.trouble,
                self._sequence,
                beat.step,
                health,
                host.config.window.max if host else 0,
                beat.frame_id,
                node.age_ms(seen.newest_ns if seen else 0),
            )
            msg.camera = camera
            msg.chunk = msg.chunk if chunk is None else chunk
            self._heartbeats.publish(msg)
            self._sequence += 1
            beat.at_s, beat.state, beat.detail = time.monotonic(), state, detail
        self._tell()

    def _tell(self) -> None:
        """Publish the state, where it has changed: of several cameras, that of the worst."""
        node, host = self._node, self._node.host
        with self._lock:
            known = node.cameras or self._beats
            beats = [b for name, b in self._beats.items() if name in known]
            worst = next((b for b in beats if b.state and b.state not in _WATCHING), None)
            state = worst.state if worst else "watching"
            if state == "waiting" and node.lifecycle == "configuring":
                state = "loading"
            # seconds that pass, in the detail of the other states, are no change
            told = state in ("unconfigured", "inactive", "error")
            detail = worst.detail if worst and told else ""
            if host and not detail:
                detail = host.health().fallback
            model, run = (host.model_path, host.run) if host else ("", "")
            now = AssistantState(state=state, detail=detail, model=model, run=run)
            if now == self._state:
                return
            self._state = now
            msg = AssistantState(state=state, detail=detail, model=model, run=run)
            msg.header = to.header(node.now_ns(), "")
            self._states.publish(msg)
