"""Frames from files, folders, cameras and the simulator: exact stamps, exact pixels, one clear line on failure."""

from __future__ import annotations

import itertools
import threading
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_core.config import ChunkerConfig
from aura_core.errors import InputError
from aura_core.sim.render import Camera
from aura_core.sim.world import World
from aura_core.sources import Slots, open_source
from aura_core.sources.base import FrameSource
from aura_core.sources.camera import CameraSource
from aura_core.sources.folder import natural_key
from aura_core.sources.newest import Newest
from aura_core.stream.chunker import Chunker
from aura_core.types import Frame

MS = 1_000_000


def _video(path: Path, times_ms: list[int], size: tuple[int, int] = (64, 48), codec: str = "mpeg4") -> Path:
    """A video whose frame k is grey of level 10 * k (mod 250), shown at `times_ms[k]`."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = 5
        for k, ms in enumerate(times_ms):
            picture = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 10 * k % 250, np.uint8), format="rgb24")
            picture.pts, picture.time_base = ms, Fraction(1, 1000)
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    return path


def _levels(frames: list[Frame]) -> list[int]:
    return [round(float(f.image.mean()) / 10) for f in frames]


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


def test_video_is_sampled_by_presentation_time(tmp_path):
    path = _video(tmp_path / "v.mp4", [33 * k for k in range(100)])
    with open_source(str(path)) as source:
        frames = list(source)
    # slot k begins at 500 k ms, 50 ms of tolerance: frames 0, 14 (462), 29 (957), 44, 60, 75, 90
    assert [f.stamp_ns for f in frames] == [33 * k * MS for k in (0, 14, 29, 44, 60, 75, 90)]
    assert _levels(frames) == [k % 25 for k in (0, 14, 29, 44, 60, 75, 90)]
    assert frames[0].image.shape == (48, 64, 3) and frames[0].image.dtype == np.uint8
    assert source.skipped == 0 and "64x48 mpeg4" in source.description


def test_variable_frame_rate_keeps_its_own_times(tmp_path):
    times = [0, 40, 80, 1000, 1010, 2600, 2640, 5000]
    frames = list(open_source(str(_video(tmp_path / "v.mkv", times)), fps=None))
    assert [f.stamp_ns for f in frames] == [t * MS for t in times]
    sampled = list(open_source(str(tmp_path / "v.mkv")))
    assert [f.stamp_ns // MS for f in sampled] == [0, 1000, 2600, 5000]
    assert _levels(sampled) == [0, 3, 5, 7]


def test_stamps_start_at_zero_where_the_file_does_not(tmp_path):
    frames = list(open_source(str(_video(tmp_path / "v.mkv", [7000, 7500, 8000]))))
    assert [f.stamp_ns // MS for f in frames] == [0, 500, 1000]


def test_duration_cuts_any_source(tmp_path):
    path = _video(tmp_path / "v.mp4", [100 * k for k in range(40)])
    assert [f.stamp_ns // MS for f in open_source(str(path), duration_s=1.5)] == [0, 500, 1000]


def test_a_phone_video_is_turned_upright(tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=2)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        image = np.zeros((48, 64, 3), np.uint8)
        image[:24, :32] = 255  # white where the sensor's top left is
        out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode())
    one, none = (1 << 16).to_bytes(4, "big"), bytes(4)
    minus, w = (-(1 << 16)).to_bytes(4, "big", signed=True), (1 << 30).to_bytes(4, "big")
    data = path.read_bytes()
    straight = one + none * 3 + one + none * 3 + w
    track = data.index(b"tkhd")
    at = data.index(straight, track)
    quarter_turn = none + one + none + minus + none * 4 + w  # 90 degrees clockwise, as phones write
    path.write_bytes(data[:at] + quarter_turn + data[at + 36 :])
    (frame,) = open_source(str(path))
    assert frame.image.shape == (64, 48, 3)
    white = frame.image.mean(axis=2) > 128
    assert white[:32, 24:].mean() > 0.95 and white[32:].mean() < 0.05 and white[:32, :24].mean() < 0.05


def test_damage_in_the_middle_costs_those_frames_only(tmp_path):
    path = _video(tmp_path / "v.avi", [40 * k for k in range(100)])
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    for pos, size in packets[30:33]:
        data[pos : pos + size + 8] = bytes(size + 8)
    path.write_bytes(data)
    source = open_source(str(path), fps=None)
    frames = list(source)
    assert source.skipped >= 1 and 60 <= len(frames) < 100
    assert all(a.stamp_ns < b.stamp_ns for a, b in itertools.pairwise(frames))


def test_a_file_that_is_cut_off_gives_what_came_before(tmp_path):
    path = _video(tmp_path / "v.mkv", [40 * k for k in range(100)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = list(open_source(str(path)))
    assert 1 <= len(frames) < 9


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("v.mp4", b"this is no video at all" * 50, "cannot open the video"),
        ("v.mp4", b"", "cannot open the video"),
    ],
)
def test_broken_video_files(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says) as e:
        open_source(str(tmp_path / name))
    assert str(tmp_path / name) in str(e.value) and "\n" not in str(e.value)


def test_sound_without_pictures(tmp_path):
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.rate = 8000
        out.mux(stream.encode(sound))
    with pytest.raises(InputError, match="no video stream"):
        open_source(str(path))


def test_folder_is_sorted_as_people_count(tmp_path):
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


def test_folder_image_keeps_red_red(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 2, 3), (0, 0, 255), np.uint8))  # OpenCV writes BGR
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


def test_empty_folder(tmp_path):
    with pytest.raises(InputError, match="no images in this folder"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_rates_and_durations_must_make_sense(value):
    with pytest.raises(InputError):
        open_source("sim:1", fps=value)
    with pytest.raises(InputError):
        open_source("sim:1", duration_s=value)


# ---- sampling ------------------------------------------------------------------------------------

stamps = st.lists(st.integers(0, 6_000), min_size=1, max_size=60)


@given(stamps, st.booleans(), st.sampled_from([0.0, 0.05, 0.2]))
@settings(max_examples=200)
def test_sampling_first_changes_nothing_for_the_chunker(times_ms, ordered, tolerance_s):
    """The slot rule of the sources is the chunker's: chunks of the sampled stream are those of the whole."""
    times_ms = sorted(times_ms) if ordered else times_ms
    frames = [Frame(np.full((1, 1, 3), k % 256, np.uint8), t * MS) for k, t in enumerate(times_ms)]
    slots = Slots(2.0, tolerance_s)
    sampled = []
    for frame in frames:
        if slots.wants(frame.stamp_ns):
            slots.took(frame.stamp_ns)
            sampled.append(frame)

    def chunks(stream):
        chunker = Chunker(ChunkerConfig(tolerance_s=tolerance_s))
        out = [c for f in stream if (c := chunker.push(f))]
        last = chunker.flush()
        every = [*out, last] if last else out
        return [(c.index, c.start_ns, c.repeated, [id(f) for f in c.frames]) for c in every]

    assert chunks(sampled) == chunks(frames)


def test_a_frame_that_fails_leaves_its_slot_to_the_next():
    slots = Slots(2.0)
    assert slots.wants(0)
    slots.took(0)
    assert not slots.wants(300 * MS) and slots.wants(500 * MS) and slots.wants(520 * MS)
    slots.took(520 * MS)
    assert not slots.wants(540 * MS)


# ---- live sources --------------------------------------------------------------------------------


class _Capture:
    """Stands in for cv2.VideoCapture: a device that gives `count` frames and is then unplugged."""

    def __init__(self, count: int) -> None:
        self.left, self.released = count, False

    def isOpened(self) -> bool:
        return True

    def get(self, _property: int) -> float:
        return 2.0

    def grab(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        return (False, None) if self.left == 0 else (True, np.full((2, 2, 3), (1, 2, 3), np.uint8))

    def release(self) -> None:
        self.released = True


def test_camera_gives_rgb_with_rising_stamps_and_says_when_it_is_unplugged(monkeypatch):
    capture = _Capture(4)
    monkeypatch.setattr(cv2, "VideoCapture", lambda device: capture)
    source = CameraSource(0, fps=None)
    frames = []
    with pytest.raises(InputError, match="camera:0: the camera gives no more frames"):
        for frame in source:
            frames.append(frame)
    source.close()
    assert len(frames) == 3 and source.skipped == 1 and capture.released and source.live
    assert frames[0].image[0, 0].tolist() == [3, 2, 1]
    assert frames[0].stamp_ns <= frames[1].stamp_ns <= frames[2].stamp_ns


class _Burst(FrameSource):
    """Gives `count` frames at once, says so, and then fails."""

    description = "burst"

    def __init__(self, count: int) -> None:
        self.count, self.done, self.closed = count, threading.Event(), False

    def frames(self):
        for k in range(self.count):
            yield Frame(np.zeros((1, 1, 3), np.uint8), k)
        self.done.set()
        raise InputError("unplugged")

    def close(self) -> None:
        self.closed = True


def test_newest_keeps_the_newest_and_counts_the_rest():
    burst = _Burst(10)
    got = []
    with Newest(burst, depth=3) as newest, pytest.raises(InputError, match="unplugged"):
        for frame in newest:
            got.append(frame.stamp_ns)
            assert burst.done.wait(10)  # a consumer that is slower than the whole burst
    assert got[-3:] == [7, 8, 9] and newest.dropped == 10 - len(got) >= 6 and burst.closed
