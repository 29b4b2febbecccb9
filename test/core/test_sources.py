"""Frames from the simulator and from folders, and sources that are refused with one clear line."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.errors import InputError
from aura_core.sim.render import Camera
from aura_core.sim.world import World
from aura_core.sources import open_source
from aura_core.sources.address import shown
from aura_core.sources.folder import natural_key

MS = 1_000_000


def test_sim_is_the_world_of_its_seed_at_exactly_two_frames_a_second():
    with open_source("sim:7", duration_s=3) as source:
        frames = list(source)
    assert [f.stamp_ns for f in frames] == [k * 500 * MS for k in range(6)]
    camera = Camera(World.generate(7, 3))
    for k, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.image, camera.frame(k / 2))
    assert "seed 7" in source.description


def test_sim_runs_a_minute_by_default_and_a_longer_run_begins_alike():
    assert sum(1 for _ in open_source("sim:3")) == 120
    short, long = (list(open_source("sim:3", duration_s=s)) for s in (2.5, 20))
    assert len(short) == 5 and len(long) == 40
    for a, b in zip(short, long, strict=False):
        np.testing.assert_array_equal(a.image, b.image)


def test_folder_is_in_natural_order(tmp_path):
    for k in (10, 9, 1, 2):
        cv2.imwrite(str(tmp_path / f"frame{k}.png"), np.full((4, 6, 3), k, np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_text("not an image")
    frames = list(open_source(str(tmp_path)))
    assert [int(f.image[0, 0, 0]) for f in frames] == [1, 2, 9, 10]
    assert [f.stamp_ns for f in frames] == [0, 500 * MS, 1000 * MS, 1500 * MS]


@given(st.lists(st.text("ab9 1_é٣²0", max_size=8), max_size=6))
def test_natural_order_compares_any_names(names):
    ordered = sorted(names, key=natural_key)
    assert sorted(ordered, key=natural_key) == ordered


def test_folder_images_are_rgb(tmp_path):
    # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 2, 3), (0, 0, 255), np.uint8))
    (frame,) = open_source(str(tmp_path))
    assert frame.image[0, 0].tolist() == [255, 0, 0]


def test_unreadable_image_is_named(tmp_path):
    cv2.imwrite(str(tmp_path / "a1.png"), np.zeros((2, 2, 3), np.uint8))
    (tmp_path / "a2.png").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"a2\.png: compressed image of 4 bytes cannot be decoded"):
        list(open_source(str(tmp_path)))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("sim:", "a seed must follow 'sim:'"),
        ("sim:-1", "a seed must follow 'sim:'"),
        ("sim:x", "a seed must follow 'sim:'"),
        ("camera:front", "a device number must follow 'camera:'"),
        ("camera:97", "camera:97: cannot open the camera"),
        ("/no/such/file.mp4", "/no/such/file.mp4: there is no such file"),
        ("", "there is no such file"),
        ("rtsp://user:secret@127.0.0.1:9/x", r"^rtsp://127\.0\.0\.1:9/x: cannot open the video"),
        ("nothing://x", "cannot open the video"),
    ],
)
def test_specs_that_cannot_be_opened(spec, says):
    with pytest.raises(InputError, match=says) as e:
        open_source(spec)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("/videos/a@b?.mp4", "/videos/a@b?.mp4"),
        ("rtsp://camera:554/stream1", "rtsp://camera:554/stream1"),
        ("rtsp://user:secret@camera/stream1", "rtsp://camera/stream1"),
        ("rtsp://user:se@cret@camera/stream1", "rtsp://camera/stream1"),
        ("rtsp://user:se/cret@camera/stream1", "rtsp://camera/stream1"),
        ("rtsp://user:se?cret@camera/stream1", "rtsp://camera/stream1"),
        ("http://camera/video?user=me@home&pwd=secret", "http://camera/video?..."),
        ("http://me:secret@camera/video?pwd=secret", "http://camera/video?..."),
        ("http://camera?pwd=secret", "http://camera?..."),
    ],
)
def test_no_password_is_shown(url, says):
    assert shown(url) == says


def test_empty_folder(tmp_path):
    with pytest.raises(InputError, match="no images in this folder"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_rates_and_durations_must_make_sense(value):
    with pytest.raises(InputError):
        open_source("sim:1", fps=value)
    with pytest.raises(InputError):
        open_source("sim:1", duration_s=value)
