"""Frames from video files: sampled by presentation time, upright, and as many as can be decoded."""

from __future__ import annotations

import itertools
from fractions import Fraction

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
    assert [f.stamp_ns // MS for f in sampled] == [
        *(0, 500, 1000, 1500, 2000, 2600, 3000, 3500, 4000, 4500, 5000)
    ]
    assert _levels(sampled) == [0, 2, 3, 4, 4, 5, 6, 6, 6, 6, 7]


def test_a_picture_stands_until_the_next_one_and_the_last_until_the_end(tmp_path):
    """A slideshow: what is seen in a second is what a player shows then."""
    path = write_grey_video(tmp_path / "v.mp4", [0, 4000, 8000, 12_000, 12_040])
    frames = list(open_source(str(path)))
    assert [f.stamp_ns // MS for f in frames] == list(range(0, 12_500, 500))
    assert _levels(frames) == [0] * 8 + [1] * 8 + [2] * 8 + [3]
    assert [f.stamp_ns // MS for f in open_source(str(path), fps=10.0)] == [*range(0, 12_100, 100)]
    assert [f.stamp_ns // MS for f in open_source(str(path), duration_s=5.0)] == [
        *range(0, 5000, 500)
    ]
    assert all(a.image.flags.c_contiguous for a in frames)


def test_a_file_that_says_how_long_its_last_picture_stands_is_believed(tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for k, ms in enumerate((0, 1000)):
            image = np.full((48, 64, 3), 50 * k + 20, np.uint8)
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = ms, Fraction(1, 1000)
            for packet in stream.encode(picture):
                packet.duration = 1000 if k == 0 else 3000
                out.mux(packet)
        for packet in stream.encode():
            packet.duration = 3000
            out.mux(packet)
    frames = list(open_source(str(path)))
    assert [f.stamp_ns // MS for f in frames] == list(range(0, 4000, 500))
    assert _levels(frames) == [2, 2] + [7] * 6


def test_a_file_that_was_cut_off_does_not_stand_until_the_end_it_promised(tmp_path):
    path = write_grey_video(tmp_path / "v.mp4", [100 * k for k in range(100)])
    with av.open(str(path), "r") as whole, av.open(str(tmp_path / "f.mp4"), "w") as out:
        out.add_stream_from_template(whole.streams.video[0])
        packets = [p for p in whole.demux(video=0) if p.size]
        for packet in packets:
            packet.stream = out.streams.video[0]
            out.mux(packet)
    data = (tmp_path / "f.mp4").read_bytes()
    at = data.index(b"mdat")
    cut = bytearray(data)
    middle = at + (data.index(b"moov") - at) // 2
    cut[middle : data.index(b"moov") - 4] = bytes(data.index(b"moov") - 4 - middle)
    (tmp_path / "f.mp4").write_bytes(cut)
    frames = list(open_source(str(tmp_path / "f.mp4")))
    assert 5 <= len(frames) < 15


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_times_below_zero_and_times_that_wrap_are_as_a_player_has_them(tmp_path, suffix):
    frames = list(
        open_source(
            str(write_grey_video(tmp_path / f"v.{suffix}", [100 * k - 1000 for k in range(30)]))
        )
    )
    assert [f.stamp_ns // MS for f in frames] == list(range(0, 3000, 500))
    assert _levels(frames) == [0, 5, 10, 15, 20, 0]


def test_an_edit_list_cuts_the_beginning_off(tmp_path):
    path = write_grey_video(tmp_path / "v.mp4", [100 * k - 1000 for k in range(30)])
    frames = list(open_source(str(path)))
    assert [f.stamp_ns // MS for f in frames] == [0, 500, 1000, 1500]
    assert _levels(frames) == [10, 15, 20, 0]


def test_the_clock_of_a_transport_stream_wraps_after_26_hours(tmp_path):
    path = tmp_path / "v.ts"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for k in range(100):
            grey = np.full((48, 64, 3), 10 * (k % 25), np.uint8)
            picture = av.VideoFrame.from_ndarray(grey, format="rgb24")
            picture.pts, picture.time_base = 2**33 - 90_000 + 3600 * k, Fraction(1, 90_000)
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    stamps = [f.stamp_ns // MS for f in open_source(str(path))]
    assert stamps == [0, 480, 960, 1480, 1960, 2480, 2960, 3480, 3960]


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
    upright = video.upright

    def convert(picture: av.VideoFrame, aspect: Fraction | None) -> np.ndarray:
        if picture.pts * picture.time_base * 10 in bad:
            raise av.FFmpegError(22, "Invalid argument")
        return upright(picture, aspect)

    monkeypatch.setattr(video, "upright", convert)
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


def test_a_file_name_with_a_colon_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_grey_video(tmp_path / "12:30:05.mp4", [0, 500, 1000])
    assert len(list(open_source("12:30:05.mp4"))) == 3
