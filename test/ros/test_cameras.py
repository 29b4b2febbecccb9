"""The camera nodes as processes: exact stamps, exact pixels, and devices that are missing."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rig import Process, Rig
from sensor_msgs.msg import Image
from videos import write_grey_video

from aura_core.errors import InputError
from aura_core.sim.render import Camera
from aura_core.sim.sensor import Sensor
from aura_core.sim.world import World
from aura_core.sources import FrameSource
from aura_core.types import NS, Frame, Kind
from aura_ros import camera_node
from aura_ros.conversions import to_frame, to_ns

Rigs = Callable[[], tuple[str, Rig]]


def stamps(images: list[Image]) -> list[int]:
    return [to_ns(m.header.stamp) for m in images]


def test_the_simulated_camera_and_the_assistant(rigs: Rigs) -> None:
    """The whole chain in real time.

    Every second is decided, and a question is answered at once, in the newest second.
    """
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=scripted"):
        rig.matched()
        args = ("-p", "seed:=900002", "-p", "camera:=ideal", "-p", "fps:=10.0", "-p", "width:=64")
        with Process("sim_camera_node", namespace, *args) as camera:
            rig.until(lambda: len(decided(rig)) == 2, "two decided seconds")
            rig.watch_images()  # not before: the world begins with its first subscriber
            rig.ask("what is on the table?")
            rig.until(lambda: rig.final("what is on the table?"), "the answer")
            answered = len(decided(rig))
            rig.until(lambda: len(decided(rig)) >= answered + 2, "two more seconds")
            rig.until(lambda: len(rig.images) > 10, "images")
            camera.end_cleanly(signal.SIGTERM)
    beats = decided(rig)
    start_ns = to_ns(beats[0].header.stamp) - NS // 2
    # The second that is asked about is decided again, with the question.
    chunks = [b.chunk for b in beats]
    assert sorted(set(chunks)) == list(range(max(chunks) + 1)) and chunks == sorted(chunks)
    assert len(chunks) <= max(chunks) + 2
    assert [to_ns(b.header.stamp) for b in beats] == [start_ns + c * NS + NS // 2 for c in chunks]
    assert {(b.frames_dropped, b.chunks_dropped, b.chunks_lost) for b in beats} == {(0, 0, 0)}
    (answer,) = rig.final("what is on the table?")
    assert answer.kind == Kind.REAL_TIME
    states = [b.state for b in beats if b.header.stamp == answer.header.stamp]
    assert states[-1] == "speaking" and states[:-1] in ([], ["silent"])
    assert answer.header.frame_id == "sim_camera"

    # The assistant's first frame was the world's first, so both count the same seconds.
    world = Camera(World.generate(900002, 600), 64)
    assert len(rig.images) > 10
    for msg in rig.images[::5]:
        t_ns = to_ns(msg.header.stamp) - start_ns
        assert t_ns % (NS // 10) == 0
        np.testing.assert_array_equal(to_frame(msg, 0).image, world.frame(t_ns / NS))


def test_a_drawn_camera_publishes_what_its_sensor_takes_and_the_chunks_are_the_truths(
    rigs: Rigs,
) -> None:
    """The same seed in `aura eval sim` and here: the same frames, in the same seconds."""
    seed = 900003
    namespace, rig = rigs()
    rig.watch_images()
    with Process("sim_camera_node", namespace, "-p", f"seed:={seed}", "-p", "duration_s:=20"):
        rig.until(lambda: len(rig.images) > 20, "frames")
    drawn = Sensor.draw(seed)
    shots = {s.stamp_ns: s for s in drawn.shots(20)}
    world = Camera(World.generate(seed, 20, looks=drawn.looks(20)), sensor=drawn)
    seen = stamps(rig.images)
    # the first frame may have been lost: the stream is found by its gaps
    start_ns = next(s - k for s in seen[:1] for k in shots if all(t - s + k in shots for t in seen))
    assert drawn.fps > 5 and len(seen) > 20
    for msg, stamp in list(zip(rig.images, seen, strict=True))[::5]:
        expected = world.frame(shots[stamp - start_ns].t_s)
        np.testing.assert_array_equal(to_frame(msg, 0).image, expected)


def decided(rig: Rig) -> list:
    return [h for h in rig.heartbeats if h.state in ("silent", "speaking")]


def test_a_folder_is_played_at_its_own_pace_and_the_node_ends(rigs: Rigs, tmp_path: Path) -> None:
    for i in range(6):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((6, 10, 3), 40 * i, np.uint8))
    namespace, rig = rigs()
    rig.watch_images()
    args = (
        "-p",
        f"source:={tmp_path}",
        "-p",
        "fps:=5.0",
        "-p",
        "frame_id:=folder",
        "-p",
        "loop:=true",
    )
    with Process("camera_node", namespace, *args):
        rig.until(lambda: len(rig.images) >= 8, "frames of two rounds")
    seen = stamps(rig.images)
    greys = [int(to_frame(m, 0).image[0, 0, 0]) // 40 for m in rig.images]
    assert greys == [(greys[0] + i) % 6 for i in range(len(greys))]
    gaps = [b - a for a, b in itertools.pairwise(seen)]
    assert [g for g, first in zip(gaps, greys[1:], strict=False) if first] == [NS // 5] * sum(
        map(bool, greys[1:])
    )
    assert {(m.height, m.width, m.step, m.encoding, m.header.frame_id) for m in rig.images} == {
        (6, 10, 30, "rgb8", "folder")
    }


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT])
def test_a_camera_serves_reliable_and_best_effort_subscribers(
    rigs: Rigs, tmp_path: Path, reliability: ReliabilityPolicy
) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((6, 10, 3), np.uint8))
    namespace, rig = rigs()
    frames: list[Image] = []
    rig.node.create_subscription(
        Image, "image_raw", frames.append, QoSProfile(depth=5, reliability=reliability)
    )
    args = ("-p", "fps:=10.0", "-p", f"source:={tmp_path}", "-p", "loop:=true")
    with (
        Process("camera_node", namespace, *args),
        Process("sim_camera_node", namespace, "-p", "width:=64"),
    ):
        rig.until(
            lambda: {"camera", "sim_camera"} <= {m.header.frame_id for m in frames},
            "frames of both cameras",
        )


def test_a_single_picture_is_played_again_at_the_same_pace(rigs: Rigs, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((6, 10, 3), np.uint8))
    namespace, rig = rigs()
    rig.watch_images()
    args = ("-p", f"source:={tmp_path}", "-p", "fps:=5.0", "-p", "loop:=true")
    with Process("camera_node", namespace, *args) as process:
        rig.until(lambda: len(rig.images) >= 5, "frames of five rounds")
        output = process.end_cleanly(signal.SIGTERM)
    gaps = [b - a for a, b in itertools.pairwise(stamps(rig.images))]
    assert min(gaps) >= NS // 5
    assert output.count("1 images of") == 1


def test_a_slideshow_is_no_camera_that_has_stopped(rigs: Rigs, tmp_path: Path) -> None:
    path = write_grey_video(tmp_path / "slides.mkv", [0, 2500, 5000])
    namespace, rig = rigs()
    rig.watch_images()
    args = ("-p", f"source:={path}", "-p", "fps:=5.0", "-p", "loop:=true")
    with Process("camera_node", namespace, *args):
        rig.until(lambda: len(rig.images) >= 30, "frames of two pictures")
    shown = [(round(float(to_frame(m, 0).image.mean()) / 10), m) for m in rig.images]
    runs = [list(run) for _, run in itertools.groupby(shown, key=lambda s: s[0])]
    whole = [run for run in runs[1:-1] if run[0][0] < 2]  # the third is the last of the film
    assert whole
    for run in whole:  # frames come all the time while a picture stands; a busy machine loses some
        times = stamps([m for _, m in run])
        assert times[-1] - times[0] >= 2 * NS and len(run) >= 6


def test_a_file_ends_and_so_does_the_node(rigs: Rigs, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((6, 10, 3), np.uint8))
    namespace, rig = rigs()
    with Process("camera_node", namespace, "-p", f"source:={tmp_path}") as process:
        rig.until(lambda: rig.node.count_publishers("image_raw"), "the camera")
        assert process.running  # it waits for somebody who sees the first image
        rig.watch_images()
        rig.until(lambda: rig.images, "the image")
        code, output = process.wait()
    assert code == 0, output
    assert f"{tmp_path}: the end" in output


def test_a_missing_file_ends_the_node_with_one_line(rigs: Rigs) -> None:
    namespace, _ = rigs()
    with Process("camera_node", namespace, "-p", "source:=/no/such/video.mp4") as process:
        code, output = process.wait()
    assert code == 1
    assert len(output.splitlines()) == 1, output
    assert "[FATAL]" in output and "/no/such/video.mp4: there is no such file or folder" in output


def test_a_missing_device_is_an_error_in_the_diagnostics_and_retried(rigs: Rigs) -> None:
    namespace, rig = rigs()
    with Process(
        "camera_node", namespace, "-p", "source:=camera:87", "-p", "reopen_s:=0.1"
    ) as process:

        def complaint() -> bool:
            mine = [
                s
                for d in rig.diagnostics
                for s in d.status
                if s.name == f"{namespace[1:]}/camera_node"
            ]
            return any(s.level == b"\x02" and "camera:87: cannot open" in s.message for s in mine)

        rig.until(complaint, "an error in /diagnostics")
        output = process.end_cleanly(signal.SIGTERM)
    assert output.count("cannot open the camera") == 1  # tried many times, logged once


def test_a_camera_that_vanishes_is_opened_again_and_shows_nothing_old(
    rigs: Rigs, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = itertools.count(1)

    class Unplugged(FrameSource):
        description, live = "a loose cable", True

        def frames(self) -> Iterator[Frame]:
            for _ in range(2):
                yield Frame(np.full((2, 2, 3), next(taken) % 256, np.uint8), 0)
            raise InputError("camera:0: the camera gives no more frames; was it unplugged?")

    namespace, rig = rigs()
    rig.watch_images()
    monkeypatch.setattr(camera_node, "open_source", lambda spec, fps: Unplugged())
    rclpy.init(
        args=[
            "--ros-args",
            "-r",
            f"__ns:={namespace}",
            "-p",
            "source:=camera:0",
            "-p",
            "reopen_s:=0.1",
        ]
    )
    node = camera_node.CameraNode()
    node.start()
    try:
        rig.until(lambda: len(rig.images) >= 5, "frames of three openings")
        assert node.close()
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    greys = [int(to_frame(m, 0).image[0, 0, 0]) for m in rig.images]
    assert greys == sorted(set(greys))
    assert (
        node.last_problem
        == "camera:0: the camera gives no more frames; was it unplugged?; trying again every 0.1 s"
    )
