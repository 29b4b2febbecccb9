"""A camera, a video file or a network stream as a ROS topic.

A device or stream that goes away is opened again. Its last image is not published again.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence

from sensor_msgs.msg import Image

from aura_core.errors import InputError
from aura_core.node_settings import CameraConfig
from aura_core.sources import FrameSource, is_device, open_source
from aura_core.sources.address import shown
from aura_core.types import NS, Frame
from aura_ros import qos
from aura_ros.conversions import to_image
from aura_ros.node import AuraNode
from aura_ros.process import run

_MOST_BEHIND_NS = NS  # a file that is further behind continues at the present time
_QUIET_NS = 2 * NS  # without a frame for so long, a source is not "publishing"
# Wait after the first subscriber was found: it may not have found this node yet, and would lose
# the first frame.
_SETTLE_S = 1.0


class CameraNode(AuraNode):
    """One thread reads the source and publishes `image_raw`."""

    def __init__(self) -> None:
        super().__init__("camera_node", CameraConfig)

    def configure(self) -> None:
        """Look whether a file can be read. A device or a stream may come later."""
        self._config = self.settings(CameraConfig)
        self._publisher = self.publish_on(Image, "image_raw", qos.CAMERA)
        if not self._may_come():
            with open_source(self._config.source, self._config.fps):
                pass

    def activate(self) -> None:
        """See `AuraNode`."""
        self._frames, self._opened, self._failing, self._waits = 0, 0, "", False
        self._newest_ns = 0  # when the newest frame arrived, by the monotonic clock
        # earliest stamp of the next frame, for a file that is played again
        self._next_ns = 0
        self.work("camera", self._main)

    def _main(self, stopping: threading.Event) -> None:
        """Read the source to its end. Open it again if it may come back, or if `loop` is set."""
        self._stopping = stopping
        self._wait_for_subscriber()
        while not self._stopping.is_set():
            try:
                with open_source(self._config.source, self._config.fps) as source:
                    self._read(source)
                if self._stopping.is_set():
                    return
                if not self._config.loop:
                    self.get_logger().info(f"{shown(self._config.source)}: the end")
                    self.end()
                    return
            except InputError as e:
                if not self._may_come():
                    self.end(str(e))
                    return
                self._failing = str(e)
                self.complain(f"{e}; trying again every {self._config.reopen_s:g} s")
                self._stopping.wait(self._config.reopen_s)

    def _wait_for_subscriber(self) -> None:
        """A recording begins when somebody sees it, so that its first second is not lost."""
        if self._may_come() or not self._config.wait_for_subscriber:
            return
        self._waits = True
        while not self._publisher.get_subscription_count():
            if self._stopping.wait(0.05):
                return
        self._stopping.wait(_SETTLE_S)
        self._waits = False

    def _read(self, source: FrameSource) -> None:
        if not self._opened or self._failing:  # a file that is played again is logged once
            self.get_logger().info(f"{source.description} on {self._publisher.topic_name}")
        self._opened += 1
        start_ns = max(self.now_ns(), self._next_ns)
        for frame in source:
            if source.live:  # its stamp says when it arrived, by the monotonic clock
                arrived_ns = frame.stamp_ns
                stamp_ns = max(0, self.now_ns() - (time.monotonic_ns() - arrived_ns))
            else:  # a file has stamps of its own: wait until the frame is due
                behind_ns = self.now_ns() - (start_ns + frame.stamp_ns)
                if behind_ns > _MOST_BEHIND_NS:
                    start_ns += behind_ns
                self._stopping.wait(max(0, -behind_ns) / NS)
                stamp_ns = start_ns + frame.stamp_ns
                self._next_ns = stamp_ns + round(NS / self._config.fps)
                arrived_ns = time.monotonic_ns()
            if self._stopping.is_set():
                return
            self._failing = ""
            self._newest_ns = arrived_ns
            self._frames += 1
            self._publisher.publish(to_image(Frame(frame.image, stamp_ns), self._config.frame_id))

    def _may_come(self) -> bool:
        """Whether the source is a device or a network stream, which may come back; not a file."""
        return is_device(self._config.source) or "://" in self._config.source

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """See `AuraNode`."""
        values = {"frames": self._frames, "opened": self._opened}
        return (*self._state(), values, shown(self._config.source))

    def _state(self) -> tuple[str, str]:
        """The level for the diagnostics, and its reason."""
        if self._failing:
            return "error", self._failing
        if self._waits:
            return "ok", "waiting for a subscriber"
        if not self._frames:
            return "warn", "opening"
        quiet_ns = time.monotonic_ns() - self._newest_ns
        if quiet_ns > max(_QUIET_NS, 2 * NS / self._config.fps):
            return "error", f"no frame for {quiet_ns / NS:.0f} s"
        return "ok", "publishing"


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(CameraNode, args)


if __name__ == "__main__":
    sys.exit(main())
