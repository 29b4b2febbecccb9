"""camera_node on network cameras that end, hang, are killed and come back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
import rtsp_server
from mjpeg_server import MjpegServer, number_of
from rig import Process, Rig
from rtsp_server import RtspServer

from aura_core.errors import InputError
from aura_core.sources import FrameSource
from aura_core.types import NS, Frame
from aura_ros import camera_node
from aura_ros.conversions import to_frame, to_ns

pytestmark = pytest.mark.scenario

Rigs = Callable[[], tuple[str, Rig]]
REOPEN = ("-p", "reopen_s:=0.1")


def says(rig: Rig, namespace: str, level: bytes, words: str) -> bool:
    """Whether the node's newest diagnostics have this level and these words."""
    name = f"{namespace[1:]}/camera_node"
    mine = [s for d in rig.diagnostics for s in d.status if s.name == name]
    return bool(mine) and mine[-1].level == level and words in mine[-1].message


def numbers(rig: Rig) -> list[int]:
    return [number_of(to_frame(m, 0).image) for m in rig.images]


def test_an_mjpeg_camera_that_ends_hangs_or_dies_is_opened_again(rigs: Rigs) -> None:
    """It was read as a file: its end was the node's, and a hung one stayed "publishing"."""
    namespace, rig = rigs()
    rig.watch_images()

    def more(camera: MjpegServer) -> Callable[[], bool]:
        """Whether pictures that are sent from now on arrive. Sends one each time it is asked."""
        first, before = camera.sent, len(rig.images)

        def arrived() -> bool:
            camera.send()
            return any(n > first for n in numbers(rig)[before:])

        return arrived

    with MjpegServer() as camera:
        camera.send(2)
        args = ("-p", f"source:=http://user:secret@127.0.0.1:{camera.port}/video", *REOPEN)
        with Process("camera_node", namespace, *args) as node:
            rig.until(more(camera), "pictures")
            rig.until(lambda: says(rig, namespace, b"\0", "publishing"), "that all is well")

            camera.end()
            rig.until(more(camera), "pictures after the stream ended")

            before = camera.connections
            rig.until(lambda: says(rig, namespace, b"\2", "no frame for"), "that it hangs")
            rig.until(lambda: camera.connections > before, "that it is opened again")
            rig.until(more(camera), "pictures after it hung")

            camera.close()
            rig.until(lambda: says(rig, namespace, b"\2", "cannot open"), "that it is gone")
            assert node.running
            with MjpegServer(camera.port) as restarted:
                restarted.sent = camera.sent
                rig.until(more(restarted), "pictures after the restart")
                output = node.end_cleanly(signal.SIGTERM)
    seen = numbers(rig)
    assert seen == sorted(seen)  # nothing old
    assert "secret" not in output and "secret" not in str(rig.diagnostics)


@pytest.mark.rtsp
@pytest.mark.skipif(
    not rtsp_server.available(), reason=f"the RTSP server needs: apt install {rtsp_server.PACKAGES}"
)
def test_an_rtsp_camera_that_stalls_or_dies_is_opened_again(rigs: Rigs) -> None:
    namespace, rig = rigs()
    rig.watch_images()

    def more() -> Callable[[], bool]:
        before = len(rig.images)
        return lambda: len(rig.images) > before + 5

    with RtspServer() as camera:
        args = ("-p", f"source:={camera.url}", "-p", "fps:=20.0", *REOPEN)
        with Process("camera_node", namespace, *args) as node:
            rig.until(more(), "pictures")
            camera.stall()
            rig.until(lambda: says(rig, namespace, b"\2", "no frame for"), "that it stalls")
            rig.until(lambda: says(rig, namespace, b"\2", "no data for 5 s"), "the time-out")
            camera.kill()
            rig.until(lambda: says(rig, namespace, b"\2", "cannot open"), "that it is gone")
            assert node.running
            with RtspServer(camera.port):
                rig.until(more(), "pictures after the restart")
                rig.until(lambda: says(rig, namespace, b"\0", "publishing"), "that all is well")
                node.end_cleanly(signal.SIGTERM)


def test_a_live_image_is_stamped_with_its_arrival(
    rigs: Rigs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with the time at which the node got around to publish it."""

    class Late(FrameSource):
        description, live = "a slow network", True

        def frames(self) -> Iterator[Frame]:
            for age_s in (9, 6, 3):
                pixels = np.full((2, 2, 3), age_s, np.uint8)
                yield Frame(pixels, time.monotonic_ns() - age_s * NS)
            raise InputError("the stream ended")

    namespace, rig = rigs()
    rig.watch_images()
    monkeypatch.setattr(camera_node, "open_source", lambda spec, fps: Late())
    args = ["-r", f"__ns:={namespace}", "-p", "source:=rtsp://camera", *REOPEN]
    rclpy.init(args=["--ros-args", *args])
    node = camera_node.CameraNode()
    node.start()
    try:
        rig.until(lambda: len(rig.images) >= 3, "frames")
        newest_ns = node.now_ns()
        assert node.close()
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    for image in rig.images[:3]:
        age_s = int(to_frame(image, 0).image[0, 0, 0])
        assert to_ns(image.header.stamp) <= newest_ns - age_s * NS
