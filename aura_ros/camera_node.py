"""A camera, a video file or a network stream as a ROS topic.

A device or stream that goes away is opened again. Its last image is not published again.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence

from sensor_msgs.msg import Image

from aura_core.errors import InputError
from aura_core.node_settings import CameraConfig
from aura_core.sources import FrameSource, is_device, open_source
from aura_core.sources.address import shown
from aura_core.types import NS, Frame
from aura_ros import qos
from aura_ros.conversions import to_image
from aura_ros.node import CLOSE_S, AuraNode, run
from aura_ros.parameters import settings_of

_MOST_BEHIND_NS = NS  # a file that is further behind continues at the present time
_QUIET_NS = 2 * NS  # without a frame for so long, a source is not "publishing"


class CameraNode(AuraNode):
    """One thread reads the source and publishes `image_raw`."""

    def __init__(self) -> None:
        super().__init__("camera_node")
        self._config = settings_of(self, CameraConfig)
        self._frames, self._opened, self._failing = 0, 0, ""
        self._newest_ns = 0  # when the newest frame arrived, by the monotonic clock
        # earliest stamp of the next frame, for a file that is played again
        self._next_ns = 0
        self._publisher = self.create_publisher(Image, "image_raw", qos.CAMERA)
        self.every(1.0, self._report)
        self._stopping = threading.Event()
        self._thread = self.work("camera", self._main, self._stopping)

    def close(self) -> bool:
        """See `AuraNode`. A driver may block for seconds on a device that is gone."""
        self._stopping.set()
        self._thread.join(CLOSE_S)
        return not self._thread.is_alive()

    def _main(self) -> None:
        """Read the source to its end. Open it again if it may come back, or if `loop` is set."""
        while not self._stopping.is_set():
            try:
                with open_source(self._config.source, self._config.fps) as source:
                    self._read(source)
                if not self._config.loop:
                    self.get_logger().info(f"{shown(self._config.source)}: the end")
                    self.end()
                    return
            except InputError as e:
                if not self._is_device():
                    self.end(str(e))
                    return
                self._failing = str(e)
                self.complain(f"{e}; trying again every {self._config.reopen_s:g} s")
                self._stopping.wait(self._config.reopen_s)

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

    def _is_device(self) -> bool:
        """Whether the source is a device or a network stream, which may come back; not a file."""
        return is_device(self._config.source) or "://" in self._config.source

    def _report(self) -> None:
        values = {"frames": self._frames, "opened": self._opened}
        self.diagnose(*self._state(), values, shown(self._config.source))

    def _state(self) -> tuple[str, str]:
        """The level for the diagnostics, and its reason."""
        if self._failing:
            return "error", self._failing
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
