"""The benchmark's camera: grey pictures, stamped when they are published, brighter every other
second. A process of its own."""

from __future__ import annotations

import signal
import threading
import time

import numpy as np
import rclpy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from aura_core.types import NS, Frame
from aura_ros import qos
from aura_ros.conversions import to_image, to_time

GREYS = (40, 160)
# The brightness changes so much before a second is over: a frame that comes a little early counts
# for the next one.
EARLY_NS = NS // 10


def main() -> None:
    """Publish `image_raw` until a signal comes. Parameters: width, height [pixels], fps [Hz]."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node("bench_camera")
    width, height, fps = (
        node.declare_parameter(name, default).value
        for name, default in (("width", 640), ("height", 480), ("fps", 30))
    )
    images: list[Image] = [
        to_image(Frame(np.full((height, width, 3), grey, np.uint8), 0), "bench") for grey in GREYS
    ]
    publisher = node.create_publisher(Image, "image_raw", qos.CAMERA)
    while not publisher.get_subscription_count() and not stop.is_set():
        stop.wait(0.05)
    stop.wait(1.0)  # the subscriber may find this node a little later
    began_ns, count = time.time_ns(), 0
    while not stop.wait(max(0.0, (began_ns + count * NS // fps - time.time_ns()) / NS)):
        stamp_ns = time.time_ns()
        image = images[(stamp_ns - began_ns + EARLY_NS) // NS % len(images)]
        image.header.stamp = to_time(stamp_ns)
        publisher.publish(image)
        count += 1
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
