"""What the console knows of one camera of the robot: its images, heartbeats and diagnostics."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from aura_core.console import protocol as p
from aura_core.live.diagnosis import FROZEN_S, STEP_S
from aura_core.types import NS
from aura_ros.msg import Heartbeat

AWAY_S = 3.0  # without a heartbeat for this long the assistant is away
STALE_S = 2.0  # without a frame for this long the camera has stopped, as far as is seen here
_RING_MB = 48  # of the newest messages of each camera, in which the frame of a second is found
_RING_S = 8.0
_STEPS = 5  # newest steps whose median is told


class ShownCamera:
    """What is known of one camera.

    Args:
        name: as the assistant names it; "" where there is only one.
        topic: of its images.
    """

    def __init__(self, name: str, topic: str) -> None:
        self.name, self.topic = name, topic
        self.received, self.arrived_s = 0, 0.0
        self.trouble = ""  # why its images cannot be shown
        self.shown_s = -1e9  # when the newest frame was told
        self.beat: Heartbeat | None = None
        self.beat_s = 0.0
        self.steps: deque[float] = deque(maxlen=_STEPS)
        self.slow = False  # seconds were dropped since the heartbeat before
        self.values: Mapping[str, str] = {}  # of /diagnostics
        self._ring: deque[tuple[float, int, Any]] = deque()  # arrival, stamp and message
        self._bytes = 0

    def keep(self, now_s: float, stamp_ns: int, msg: Any) -> None:
        """Keep a message for the second that it belongs to."""
        self._ring.append((now_s, stamp_ns, msg))
        self._bytes += len(msg.data)
        while self._bytes > _RING_MB * 1e6 or now_s - self._ring[0][0] > _RING_S:
            if len(self._ring) == 1:
                return
            self._bytes -= len(self._ring.popleft()[2].data)

    def find(self, stamp_ns: int) -> Any | None:
        """The message with a stamp; without one, the newest of the second before it."""
        near = [one for one in self._ring if 0 <= stamp_ns - one[1] < NS]
        return max(near, key=lambda one: one[1])[2] if near else None

    def status(self) -> p.CameraStatus:
        """How it is doing, as the assistant tells and as is seen here."""
        now_s, beat = time.monotonic(), self.beat or Heartbeat()
        away = self.beat is None or now_s - self.beat_s > AWAY_S
        trouble, detail = ("", "") if away else self._trouble(beat)
        age_s = now_s - self.arrived_s if self.received else None
        if not trouble and (age_s is None or age_s > STALE_S):
            trouble = "waiting" if age_s is None else "no_frames"
            detail = self.trouble or f"no image comes here on {self.topic}"
        return p.CameraStatus(
            self.name,
            "unconfigured" if away else beat.state,
            trouble,
            detail,
            None if age_s is None else round(age_s * 1e3, 1),
            self.received,
            beat.frames_dropped,
            beat.chunks_dropped,
            beat.chunks_missed,
            beat.chunks_lost,
            beat.window_chunks,
            beat.window_max,
            beat.active_watches,
        )

    def _trouble(self, beat: Heartbeat) -> tuple[str, str]:
        """What is wrong with a camera as the assistant sees it, and more about it."""
        match beat.state:
            case Heartbeat.STATE_NO_FRAMES:
                return "no_frames", beat.detail
            case Heartbeat.STATE_WAITING:
                return "waiting", beat.detail
            case Heartbeat.STATE_ERROR:
                return "step_failed", beat.detail
            case Heartbeat.STATE_INACTIVE | Heartbeat.STATE_UNCONFIGURED:
                return "", ""
        if self.values.get("black") == "True":
            return "black", ""
        frozen_s = _number(self.values.get("frozen_s", ""))
        if frozen_s >= FROZEN_S:
            return "frozen", f"the same picture for {frozen_s:.0f} s"
        step_ms = statistics.median(self.steps) if self.steps else 0.0
        if self.slow or step_ms >= STEP_S[0] * 1e3:
            return "slow", f"a step takes {step_ms:.0f} ms"
        return "", ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
