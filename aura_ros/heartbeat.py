"""What the assistant tells about itself: a heartbeat each second, and its state when it changes.

Both live as long as the node, whatever its state.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from aura_core.live.host import NOTHING
from aura_core.live.pulse import SILENCE_S
from aura_core.types import Step
from aura_ros import conversions as to
from aura_ros import qos
from aura_ros.msg import AssistantState, Heartbeat

if TYPE_CHECKING:
    from aura_ros.assistant_node import AssistantNode

_STATES = {"silent": "watching", "speaking": "watching"}  # of a heartbeat, where they differ


class Heartbeats:
    """Publishes `aura/heartbeat` and `aura/state`; from two threads."""

    def __init__(self, node: AssistantNode) -> None:
        self._node, self._lock = node, threading.Lock()
        self._sequence, self._at_s = 0, time.monotonic()
        self._state = AssistantState()
        # Not by `publish_on`: a monitor that hears nothing must be able to tell it from a node that
        # is not configured.
        self._heartbeats = node.create_publisher(Heartbeat, "aura/heartbeat", qos.HEARTBEAT)
        self._states = node.create_publisher(AssistantState, "aura/state", qos.LATCHED)
        self.begin()

    def begin(self) -> None:
        """Forget the newest step."""
        self._step: Step | None = None
        self._frame_id = ""  # of the frame that was decided last

    @property
    def last(self) -> Step | None:
        """The newest step."""
        return self._step

    @property
    def quiet_s(self) -> float:
        """Seconds since the newest heartbeat."""
        return time.monotonic() - self._at_s

    def stepped(self, step: Step, frame_id: str) -> None:
        """A chunk was decided."""
        with self._lock:
            self._step, self._frame_id = step, frame_id
        self.beat("silent" if step.response is None else "speaking")

    def idle(self, state: str, detail: str) -> None:
        """Nothing is decided now: send a heartbeat if none was sent within the last second."""
        if state and self.quiet_s >= SILENCE_S:
            self.beat(state, detail)

    def beat(self, state: str, detail: str = "", chunk: int | None = None) -> None:
        """Send a heartbeat. `chunk`: the chunk that was lost."""
        node, host = self._node, self._node.host
        with self._lock:
            msg = to.heartbeat_msg(
                state,
                node.problem or detail,
                self._sequence,
                self._step,
                host.health() if host else NOTHING,
                host.config.window.max if host else 0,
                self._frame_id,
                node.age_ms(node.newest_ns),
            )
            msg.chunk = msg.chunk if chunk is None else chunk
            self._heartbeats.publish(msg)
            self._sequence += 1
            self._at_s = time.monotonic()
        self.tell(_STATES.get(state, state), detail)

    def tell(self, state: str, detail: str = "") -> None:
        """Publish the state, where it has changed."""
        node = self._node
        if state == "waiting" and node.lifecycle == "configuring":
            state = "loading"
        now = AssistantState(
            state=state,
            # seconds that pass are no change
            detail=detail if state in ("unconfigured", "error") else "",
            model=node.config.model.path if node.host else "",
            run=node.host.run if node.host else "",
        )
        with self._lock:
            if now == self._state:
                return
            self._state = now
            told = AssistantState(state=now.state, detail=now.detail, model=now.model, run=now.run)
            told.header = to.header(node.now_ns(), "")
            self._states.publish(told)
