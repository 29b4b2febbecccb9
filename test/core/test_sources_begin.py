"""A source that is read from its middle gives the frames that a full reading gives there."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from videos import write_grey_video

from aura_core.config import SamplingConfig
from aura_core.sources import open_source
from aura_core.sources.video import VideoSource
from aura_core.stream.sampling import ChunkSampler
from aura_core.types import Chunk

SECONDS = 24


def write_video(path: Path, options: dict[str, str], rate: int = 10, late_ms: int = 0) -> Path:
    """H.264 with a picture of its own in each frame, `late_ms` after time 0."""
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 255, (48, 64, 3), np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = options
        for k in range(SECONDS * rate):
            picture = av.VideoFrame.from_ndarray(np.roll(ground, k, 1), format="rgb24")
            picture.pts = k + late_ms * rate // 1000
            picture.time_base = Fraction(1, rate)
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    return path


def chunks(spec: str, first: int, stop: int) -> dict[int, Chunk]:
    """Return the chunks from `first` on, read from there where the source can."""
    sampling = ChunkSampler(SamplingConfig())
    with open_source(spec, duration_s=float(stop)) as source:
        if begun := source.begin_at(first):
            assert begun == first
            sampling.begin_at(begun)
        closed = [sampling.push(frame) for frame in source]
    found = {c.index: c for c in [*closed, sampling.flush()] if c is not None}
    return {i: c for i, c in found.items() if first <= i < stop}


def equal(a: Chunk, b: Chunk) -> bool:
    return (a.index, a.start_ns, a.end_ns, a.repeated) == (
        b.index,
        b.start_ns,
        b.end_ns,
        b.repeated,
    ) and all(
        x.stamp_ns == y.stamp_ns and np.array_equal(x.image, y.image)
        for x, y in zip(a.frames, b.frames, strict=True)
    )


def check(spec: str, seconds: int, step: int = 1) -> None:
    whole = chunks(spec, 0, seconds)
    assert len(whole) == seconds
    for first in range(0, seconds, step):
        part = chunks(spec, first, seconds)
        assert part.keys() == {i for i in whole if i >= first}
        assert all(equal(part[i], whole[i]) for i in part), first


X264 = {
    "far key frames": {"g": "250", "sc_threshold": "0"},
    "near key frames": {"g": "12"},
    "open groups": {"g": "40", "x264-params": "open-gop=1:bframes=5"},
    "one key frame": {"g": "10000", "sc_threshold": "0"},
    "no B-frames": {"g": "30", "bf": "0"},
}


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("options", X264)
def test_a_video_read_from_its_middle_gives_the_same_chunks(tmp_path, options, suffix):
    check(str(write_video(tmp_path / f"v.{suffix}", X264[options])), SECONDS, 5)


def test_a_video_that_begins_late_counts_from_its_first_picture(tmp_path):
    check(str(write_video(tmp_path / "v.mkv", X264["near key frames"], late_ms=7000)), SECONDS, 5)


def test_pictures_that_stand_for_seconds_are_the_same_from_the_middle(tmp_path):
    """A slot without a picture of its own shows the one before, which may be before the begin."""
    times = [0, 40, 80, 1000, 1010, 2600, 2640, 5000, 8700, 9480, 9510, 12_000, 12_020]
    for suffix in ("mkv", "mp4"):
        check(str(write_grey_video(tmp_path / f"v.{suffix}", times)), 12)


def test_a_folder_and_the_simulator_begin_at_the_same_frames(tmp_path):
    import cv2

    for k in range(20):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((8, 8, 3), 10 * k, np.uint8))
    check(str(tmp_path), 10)
    check("sim:1000", 8, 3)


def test_what_is_before_the_key_frame_is_not_decoded(tmp_path):
    """Regression: each sample of a long video was decoded from the video's beginning."""
    path = write_video(tmp_path / "v.mp4", X264["far key frames"], rate=50)
    decoded = []

    class Counted(VideoSource):
        def _time_ns(self, picture):
            decoded.append(picture)
            return super()._time_ns(picture)

    with Counted(str(path)) as source:
        source.begin_at(22)
        frames = list(source)
    assert [f.stamp_ns // 1_000_000 for f in frames][:4] == [21_960, 22_460, 22_960, 23_460]
    assert len(decoded) < 400 < SECONDS * 50  # one group of 250, and a few looks


def test_a_begin_behind_the_end_gives_nothing_and_is_no_fault(tmp_path):
    path = write_video(tmp_path / "v.mp4", X264["near key frames"])
    with open_source(str(path)) as source:
        source.begin_at(SECONDS + 5)
        assert list(source) == []


def test_a_source_that_cannot_leave_out_frames_says_so(tmp_path):
    path = write_video(tmp_path / "v.mp4", X264["near key frames"])
    with open_source(str(path), fps=None) as source:
        assert source.begin_at(5) == 0
        assert len(list(source)) == SECONDS * 10
