"""Frames from video files: sampled by presentation time, upright, and as many as can be decoded."""

from __future__ import annotations

import itertools

import av
import numpy as np
import pytest
from videos import write_grey_video

from aura_core.errors import InputError
from aura_core.sources import open_source, video
from aura_core.types import Frame

MS = 1_000_000


def _levels(frames: list[Frame]) -> list[int]:
    return [round(float(f.image.mean()) / 10) for f in frames]


def test_video_is_sampled_by_presentation_time(tmp_path):
    path = write_grey_video(tmp_path / "v.mp4", [33 * k for k in range(100)])
    with open_source(str(path)) as source:
        frames = list(source)
    # slot k begins at 500 k ms, 50 ms of tolerance: frames 0, 14 (462), 29 (957), 44, 60, 75, 90
    assert [f.stamp_ns for f in frames] == [33 * k * MS for k in (0, 14, 29, 44, 60, 75, 90)]
    assert _levels(frames) == [k % 25 for k in (0, 14, 29, 44, 60, 75, 90)]
    assert frames[0].image.shape == (48, 64, 3) and frames[0].image.dtype == np.uint8
    assert source.skipped == 0 and "64x48 mpeg4" in source.description


def test_variable_frame_rate_keeps_its_own_times(tmp_path):
    times = [0, 40, 80, 1000, 1010, 2600, 2640, 5000]
    frames = list(open_source(str(write_grey_video(tmp_path / "v.mkv", times)), fps=None))
    assert [f.stamp_ns for f in frames] == [t * MS for t in times]
    sampled = list(open_source(str(tmp_path / "v.mkv")))
    assert [f.stamp_ns // MS for f in sampled] == [0, 1000, 2600, 5000]
    assert _levels(sampled) == [0, 3, 5, 7]


def test_stamps_start_at_zero_where_the_file_does_not(tmp_path):
    frames = list(open_source(str(write_grey_video(tmp_path / "v.mkv", [7000, 7500, 8000]))))
    assert [f.stamp_ns // MS for f in frames] == [0, 500, 1000]


def test_duration_cuts_any_source(tmp_path):
    path = write_grey_video(tmp_path / "v.mp4", [100 * k for k in range(40)])
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
    assert (
        white[:32, 24:].mean() > 0.95 and white[32:].mean() < 0.05 and white[:32, :24].mean() < 0.05
    )


def test_damage_in_the_middle_costs_those_frames_only(tmp_path):
    path = write_grey_video(tmp_path / "v.avi", [40 * k for k in range(100)])
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


def test_a_picture_that_cannot_be_converted_costs_that_frame_only(tmp_path, monkeypatch):
    path = write_grey_video(tmp_path / "v.mp4", [100 * k for k in range(20)])
    bad = {0, 6}
    upright = video._upright

    def convert(picture: av.VideoFrame) -> np.ndarray:
        if picture.pts * picture.time_base * 10 in bad:
            raise av.FFmpegError(22, "Invalid argument")
        return upright(picture)

    monkeypatch.setattr(video, "_upright", convert)
    source = open_source(str(path))
    assert [f.stamp_ns // MS for f in source] == [100, 700, 1100, 1600] and source.skipped == 2
    bad |= set(range(20))
    with pytest.raises(InputError, match="not one frame of the video could be decoded"):
        list(open_source(str(path)))


def test_a_file_that_is_cut_off_gives_what_came_before(tmp_path):
    path = write_grey_video(tmp_path / "v.mkv", [40 * k for k in range(100)])
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
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 800), np.int16), format="s16", layout="mono"
        )
        sound.rate = 8000
        out.mux(stream.encode(sound))
    with pytest.raises(InputError, match="no video stream"):
        open_source(str(path))
