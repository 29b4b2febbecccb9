"""One camera of the assistant: its topic, its stream, and whether its images can be used."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict

from sensor_msgs.msg import CompressedImage, Image

from aura_core.live.diagnosis import Now, Recent, diagnose
from aura_core.live.health import Health
from aura_core.live.host import Host
from aura_core.live.pulse import Quiet, idle_state
from aura_core.types import Step
from aura_ros import conversions as to
from aura_ros import qos
from aura_ros.node import AuraNode


class CameraInput:
    """Stores the images of one camera, and watches over them.

    Args:
        node: the assistant.
        host: has a stream with the camera's name.
        name: of the camera; "" where there is one. Its images come on `NAME/image_raw`.
        transport: raw or compressed.
    """

    def __init__(self, node: AuraNode, host: Host, name: str, transport: str) -> None:
        self.name = name
        self._node, self._host = node, host
        raw = transport == "raw"
        self._type = Image if raw else CompressedImage
        topic = "image_raw" if raw else "image_raw/compressed"
        self.topic = node.resolve_topic_name(f"{name}/{topic}" if name else topic)
        self.newest_ns, self._frame_id, self.stopped = 0, "", False  # of the newest image
        self._clock_told = (0, 0)  # jumps and standing stamps that were told
        self._recent = Recent()
        self._step: Step | None = None

    def activate(self) -> None:
        """Subscribe."""
        self.stopped = False
        self._node.subscribe(self._type, self.topic, self._on_image, qos.FRAMES)

    def _on_image(self, msg: Image | CompressedImage) -> None:
        if problem := to.refuse_image(msg):
            self._node.complain(f"{self.topic}: {problem}" if self.name else problem)
            return
        stamp_ns = to.stamp_or(msg.header, self._node.now_ns())
        self.newest_ns, self._frame_id = stamp_ns, msg.header.frame_id
        inbox = self._host.streams[self.name].inbox
        inbox.offer(stamp_ns, lambda: to.to_frame(msg, stamp_ns))

    @property
    def health(self) -> Health:
        """How its stream is doing."""
        return self._host.health(self.name)

    def stepped(self, step: Step) -> None:
        """A chunk was decided."""
        self._step = step
        self._recent.step(time.monotonic(), step.step_ms)

    def look(self, quiet_s: float, stale_after_s: float) -> tuple[str, str]:
        """The heartbeat's state and detail; ("", "") while decided chunks send the heartbeats.

        Args:
            quiet_s: seconds since the camera's newest heartbeat.
            stale_after_s: without a frame for this long the camera has stopped.
        """
        health, config = self.health, self._host.config
        # a picture may stand where only changes are sent
        stale_s = max(stale_after_s, config.sampling.hold_s or 0.0)
        quiet = Quiet(health.frame_quiet_s, quiet_s)
        state, detail = idle_state(health, quiet, stale_s, config.model.path, self.topic)
        if state == "no_frames" and not self.stopped:
            self.stopped = True
            self._node.get_logger().error(f"{detail}: the camera has stopped")
            self._host.streams[self.name].inbox.end_of_frames()
        elif self.stopped and state != "no_frames":
            self.stopped = False
            self._node.get_logger().info(f"frames are back on {self.topic}")
        return state, detail

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """Level, message, values and hardware for /diagnostics."""
        health = self.health
        self._recent.note(time.monotonic(), health)
        self._tell_clock(health)
        age_s = self._node.age_ms(self.newest_ns) / 1e3 if self.newest_ns else None
        seen = health.frame_quiet_s is not None
        now = Now(age_s, self.stopped, seen, self._node.problem)
        level, message = diagnose(health, now, self._recent)
        values = {
            "frame_age_ms": "" if age_s is None else f"{age_s * 1e3:.1f}",
            "step_ms": f"{self._step.step_ms:.1f}" if self._step else "",
            "undecided_share": f"{self._recent.undecided:.3f}",
            **asdict(health),
        }
        return level, message, values, self._frame_id or self.topic

    def _tell_clock(self, health: Health) -> None:
        """Log once a second what is wrong with the stamps of the images, where it is new."""
        restarts, stuck = self._clock_told
        self._clock_told = health.clock_restarts, health.stuck_stamps
        if health.clock_restarts > restarts:
            self._node.get_logger().warning(
                f"{self.topic}: the clock of the stamps jumped ({health.clock_restarts} times so"
                " far); seconds are counted on"
            )
        if health.stuck_stamps and not stuck:
            self._node.get_logger().warning(
                f"{self.topic}: the stamps stand still; the time of arrival is used instead. The"
                " camera's driver must stamp each image"
            )
