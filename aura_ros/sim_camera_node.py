"""A camera that shows a simulated room. The same seed gives the same images, to the byte."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from sensor_msgs.msg import Image

from aura_core.node_settings import SimCameraConfig
from aura_core.sim.render import Camera
from aura_core.sim.sensor import Sensor, Shot
from aura_core.sim.world import BUSY, CALM, World
from aura_core.types import NS, Frame
from aura_ros import qos
from aura_ros.conversions import to_image
from aura_ros.node import AuraNode
from aura_ros.process import run

# Wait after the first subscriber was found: it may not have found this node yet, and would lose
# the first frame.
_SETTLE_NS = NS
_MOST_BEHIND_NS = NS  # frames are skipped when the node is further behind


class SimCameraNode(AuraNode):
    """Publishes `image_raw`. An ideal camera's frame of world time t has the stamp start + t
    exactly; a drawn one has a clock of its own (`aura_core/sim/sensor.py`)."""

    def __init__(self) -> None:
        super().__init__("sim_camera_node", SimCameraConfig)

    def configure(self) -> None:
        """Make the room."""
        c = self.settings(SimCameraConfig)
        pace = BUSY if c.pace == "busy" else CALM
        if c.camera == "drawn":
            drawn = Sensor.draw(c.seed)
            world = World.generate(c.seed, c.duration_s, pace, drawn.looks(c.duration_s))
            self._camera = Camera(world, sensor=drawn)
            self._shots, fps = drawn.shots(c.duration_s), drawn.fps
        else:
            world = World.generate(c.seed, c.duration_s, pace)
            self._camera = Camera(world, c.width)
            self._shots, fps = [], c.fps
        self._frame_id, self._waits = c.frame_id, c.wait_for_subscriber
        self._period_ns = round(NS / fps)
        self._publisher = self.publish_on(Image, "image_raw", qos.CAMERA)
        self.get_logger().info(
            f"simulated room, seed {world.seed}, {fps:.3g} FPS on {self._publisher.topic_name}"
        )

    def activate(self) -> None:
        """Begin at the beginning of the room's time."""
        self._start_ns: int | None = None
        self._next = 0  # index of the next frame
        # A frame is at most a quarter of a period late.
        self.every(self._period_ns / NS / 4, self._tick, steady=False)

    def _tick(self) -> None:
        """Publish every frame that is due. Frames are skipped only when the node is 1 s behind."""
        now_ns = self.now_ns()
        if self._start_ns is None:
            if self._waits and self._publisher.get_subscription_count() == 0:
                return
            self._start_ns = now_ns + (_SETTLE_NS if self._waits else 0)
        since_ns = now_ns - self._start_ns
        if since_ns - self._shot(self._next).stamp_ns > _MOST_BEHIND_NS:
            behind = self._next
            while self._shot(self._next + 1).stamp_ns <= since_ns:
                self._next += 1
            self.complain(f"{self._next - behind} frames behind: skipping to the newest")
        while (shot := self._shot(self._next)).stamp_ns <= since_ns:
            frame = Frame(self._camera.frame(shot.t_s), self._start_ns + shot.stamp_ns)
            self._publisher.publish(to_image(frame, self._frame_id))
            self._next += 1

    def _shot(self, index: int) -> Shot:
        """The frame with this index. Those after the drawn ones follow at the nominal rate."""
        if index < len(self._shots):
            return self._shots[index]
        last = self._shots[-1] if self._shots else Shot(0.0, 0)
        after_ns = (index - max(0, len(self._shots) - 1)) * self._period_ns
        return Shot(last.t_s + after_ns / NS, last.stamp_ns + after_ns)

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """See `AuraNode`."""
        waiting = self._start_ns is None
        message = "waiting for a subscriber" if waiting else "publishing"
        return "ok", self.problem or message, {"frames": self._next}, "simulator"


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(SimCameraNode, args)


if __name__ == "__main__":
    sys.exit(main())
