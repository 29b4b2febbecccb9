"""Stage 1: any video or bag to two frames a second.

Sources that are broken, empty or too short are left out with a reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from bags import IMAGE, START, S, image, raw_bag
from videos import write_grey_video

from aura_core.data import prepare as stage
from aura_core.data.outcome import ItemError, Outcome
from aura_core.data.prepare import find_sources, sim_sources
from aura_core.data.settings import PrepareConfig
from aura_core.data.video import fitted, read_clip
from aura_core.errors import InputError
from aura_core.replay.writer import write_bag
from aura_core.types import Frame

MS = 1_000_000


def prepared(path: Path, run: Path, **settings: float) -> Outcome:
    (source,) = find_sources(path)
    return stage.open_stage(run, PrepareConfig(**settings)).work(source)


def refused(path: Path, run: Path, **settings: float) -> str:
    with pytest.raises(ItemError) as e:
        prepared(path, run, **settings)
    assert not any((run / "prepare" / "clips").iterdir()), "nothing half-made stays"
    return e.value.reason


def levels(run: Path, clip) -> list[int]:
    return [round(float(i.mean()) / 10) for i in read_clip(run / clip.video)]


def test_a_steady_video_gives_two_frames_a_second(tmp_path):
    out = prepared(write_grey_video(tmp_path / "v.mp4", [100 * k for k in range(70)]), tmp_path)
    (clip,) = out.records
    assert (clip.source, clip.seconds, clip.width, clip.height, clip.repeated, clip.skipped) == (
        "v.mp4",
        7,
        64,
        48,
        0,
        0,
    )
    assert clip.video == f"prepare/clips/{clip.id}.mp4" and clip.id.startswith("v-")
    # at 2 FPS every fifth of 10 FPS
    assert levels(tmp_path, clip) == [5 * k % 25 for k in range(14)]
    with av.open(str(tmp_path / clip.video)) as c:
        (stream,) = c.streams
        assert (stream.codec_context.name, stream.average_rate) == ("h264", 2)
    assert out.files == {clip.video: (tmp_path / clip.video).stat().st_size}


def test_a_variable_frame_rate_is_sampled_by_time_and_not_by_index(tmp_path):
    """The source has ten frames a second at first, then one a second.

    By index, the second half would be five times too fast.
    """
    times = [100 * k for k in range(20)] + [2000 + 1000 * k for k in range(5)]
    out = prepared(write_grey_video(tmp_path / "v.mkv", times), tmp_path)
    (clip,) = out.records
    assert levels(tmp_path, clip) == [0, 5, 10, 15, 20, 20, 21, 21, 22, 22, 23, 23]
    assert clip.seconds == 6 and clip.repeated == 4


@pytest.mark.parametrize(("gap_s", "reason"), [(9.0, None), (12.0, "gap")])
def test_a_long_pause_is_no_video(tmp_path, gap_s, reason):
    times = [500 * k for k in range(6)]
    path = write_grey_video(
        tmp_path / "v.mkv", [*times, *(times[-1] + round(gap_s * 1000) + t for t in times)]
    )
    if reason is not None:
        assert refused(path, tmp_path) == reason
    else:
        assert prepared(path, tmp_path).records[0].repeated == 17


def test_same_bytes_each_time(tmp_path):
    path = write_grey_video(tmp_path / "v.mp4", [100 * k for k in range(70)])
    (a,), (b,) = prepared(path, tmp_path / "a").records, prepared(path, tmp_path / "b").records
    assert (tmp_path / "a" / a.video).read_bytes() == (tmp_path / "b" / b.video).read_bytes()


def test_the_bytes_do_not_depend_on_what_was_in_memory(tmp_path):
    """Regression: x264's macroblock tree reads uninitialised memory.

    glibc can fill new memory with any value.
    """
    code = (
        "import sys; from pathlib import Path; from aura_core.data import prepare as p; s ="
        " p.open_stage(Path(sys.argv[1]), p.PrepareConfig()); [s.work(x) for x in"
        " p.sim_sources([1002], 24)]"
    )
    made = []
    for fill in ("1", "85", "170"):
        known = {
            "MALLOC_PERTURB_": fill,
            "MALLOC_MMAP_THRESHOLD_": "1000000000",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / fill)], env=os.environ | known, check=True
        )
        made.append((tmp_path / fill / "prepare/clips/sim-1002.mp4").read_bytes())
    assert made[0] == made[1] == made[2]


def test_a_long_source_becomes_several_clips(tmp_path):
    path = write_grey_video(tmp_path / "v.mp4", [250 * k for k in range(60)])  # 15 s
    clips = prepared(path, tmp_path, max_seconds=6, min_seconds=3).records
    assert [(c.start_s, c.seconds) for c in clips] == [(0.0, 6), (6.0, 6), (12.0, 3)]
    assert [levels(tmp_path, c)[0] for c in clips] == [0, 24, 23]
    assert len({c.id for c in clips}) == 3
    kept = prepared(path, tmp_path / "b", max_seconds=6, min_seconds=4).records
    assert [c.seconds for c in kept] == [6, 6]


def test_the_rest_of_a_long_source_is_counted_when_it_is_too_short_for_a_clip(tmp_path):
    """Regression: the rest was missing in the report."""
    path = write_grey_video(tmp_path / "v.mp4", [250 * k for k in range(60)])  # 15 s
    out = prepared(path, tmp_path, max_seconds=6, min_seconds=4)
    assert [c.seconds for c in out.records] == [6, 6]
    (left_out,) = out.rejections
    assert (left_out.item, left_out.reason) == (f"{out.records[0].id}-2", "rest too short")
    assert left_out.detail == "3 s from 12 s on, 4 are needed"


def test_large_frames_are_scaled_to_even_sizes(tmp_path):
    assert fitted(480, 640, 640 * 480) == (480, 640) and fitted(1080, 1920, 640 * 480) == (414, 738)
    path = write_grey_video(tmp_path / "v.mp4", [500 * k for k in range(10)], size=(128, 96))
    (clip,) = prepared(path, tmp_path, max_pixels=3000).records
    assert (clip.width, clip.height) == (62, 46) and read_clip(tmp_path / clip.video)[0].shape == (
        46,
        62,
        3,
    )


# ---- what cannot be used -------------------------------------------------------------------------


def test_an_empty_file(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"")
    assert refused(tmp_path / "v.mp4", tmp_path) == "empty file"


def test_no_video_at_all(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"this is no video" * 50)
    assert refused(tmp_path / "v.mp4", tmp_path) == "cannot be opened"


def test_sound_without_pictures(tmp_path):
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), np.int16), format="s16", layout="mono"
        )
        sound.rate = 8000
        out.mux(stream.encode(sound))
        out.mux(stream.encode())
    assert refused(path, tmp_path) == "no video stream"


def test_too_short(tmp_path):
    assert (
        refused(write_grey_video(tmp_path / "v.mp4", [100 * k for k in range(29)]), tmp_path)
        == "too short"
    )


def test_broken_in_the_middle(tmp_path):
    path = write_grey_video(tmp_path / "v.mp4", [100 * k for k in range(100)])
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    size = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    data[start + size // 3 : start + 2 * size // 3] = b"\xff" * (2 * size // 3 - size // 3)
    path.write_bytes(data)
    assert refused(path, tmp_path) == "broken in the middle"


@pytest.mark.parametrize("name", ["v.mkv", "v.avi"])
def test_cut_off(tmp_path, name):
    path = write_grey_video(tmp_path / name, [100 * k for k in range(100)])
    data = path.read_bytes()
    # AVI: its index is longer than its pictures
    end = data.find(b"idx1") if name.endswith("avi") else len(data)
    path.write_bytes(data[: end // 2])
    assert refused(path, tmp_path) in ("broken in the middle", "damaged")


def with_sound(path: Path, begin_s: int, end_s: int, sound_s: int) -> Path:
    """Write a Matroska file with pictures from `begin_s` to `end_s`, and sound from second 1 on.

    Its header has the length of the longer stream only.
    """
    with av.open(str(path), "w") as out:
        video, sound = out.add_stream("mpeg4", rate=10), out.add_stream("pcm_s16le", rate=8000)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for second in range(max(end_s, sound_s)):
            for k in range(10) if begin_s <= second < end_s else ():
                grey = np.full((48, 64, 3), (10 * second + k) % 250, np.uint8)
                picture = av.VideoFrame.from_ndarray(grey, format="rgb24")
                picture.pts, picture.time_base = 10 * second + k, Fraction(1, 10)
                out.mux(video.encode(picture))
            if second < sound_s:
                samples = av.AudioFrame.from_ndarray(
                    np.zeros((1, 8000), np.int16), format="s16", layout="mono"
                )
                samples.rate, samples.pts = 8000, 8000 * second
                out.mux(sound.encode(samples))
        for stream in (video, sound):
            out.mux(stream.encode())
    return path


@pytest.mark.parametrize(("begin_s", "end_s", "sound_s"), [(0, 10, 14), (4, 14, 14), (0, 10, 6)])
def test_sound_may_be_longer_than_the_pictures(tmp_path, begin_s, end_s, sound_s):
    """Regression: a complete video was "broken in the middle" if its sound was longer."""
    out = prepared(with_sound(tmp_path / "v.mkv", begin_s, end_s, sound_s), tmp_path)
    assert [c.seconds for c in out.records] == [10]


@pytest.mark.parametrize(("end_s", "sound_s"), [(10, 14), (14, 14), (14, 10)])
def test_cut_off_with_sound(tmp_path, end_s, sound_s):
    path = with_sound(tmp_path / "v.mkv", 0, end_s, sound_s)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert refused(path, tmp_path) in ("broken in the middle", "damaged")


def test_cut_off_before_its_index(tmp_path):
    path = write_grey_video(tmp_path / "v.mp4", [100 * k for k in range(100)])
    path.write_bytes(path.read_bytes()[:-300])
    assert refused(path, tmp_path) in ("cannot be opened", "broken in the middle")


def test_a_bag_is_a_source_and_a_clock_that_jumps_is_none(tmp_path):
    frames = [
        Frame(np.full((48, 64, 3), 10 * k % 250, np.uint8), 10**18 + 200 * MS * k)
        for k in range(40)
    ]
    write_bag(tmp_path / "in" / "b", frames)
    (clip,) = prepared(tmp_path / "in", tmp_path).records
    assert (clip.source, clip.seconds) == ("b", 8)
    # slots begin at 0.0, 0.5 (frame 0.6), 1.0, 1.5 (1.6) ...
    assert levels(tmp_path, clip)[:5] == [0, 3, 5, 8, 10]
    messages = [
        ("/image_raw", IMAGE, START + k * S // 2, image(START + (k % 8) * S // 2))
        for k in range(16)
    ]
    assert refused(raw_bag(tmp_path / "c", messages), tmp_path / "other") == "clock jumps back"


def test_a_damaged_bag(tmp_path):
    (tmp_path / "b.mcap").write_bytes(b"\x89MCAP0\r\n" + b"x" * 100)
    assert refused(tmp_path / "b.mcap", tmp_path) == "cannot be opened"


def test_simulated_clips_show_the_simulator(tmp_path):
    from aura_core.sim.render import Camera
    from aura_core.sim.world import World

    (clip,) = stage.open_stage(tmp_path, PrepareConfig()).work(sim_sources([1003], 5)[0]).records
    images, camera = read_clip(tmp_path / clip.video), Camera(World.generate(1003, 5))
    assert (clip.source, clip.seconds, len(images)) == ("sim:1003", 5, 10)
    for slot, shown in enumerate(images):
        assert float(np.abs(shown.astype(float) - camera.frame(slot / 2)).mean()) < 6.0


def test_sources_are_found_by_name_and_keep_their_ids_when_the_folder_moves(tmp_path):
    for name in ("b/v.mp4", "a.mp4", ".hidden", "note.txt"):
        path = tmp_path / "x" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1234")
    found = find_sources(tmp_path / "x")
    assert [s.name for s in found] == ["a.mp4", "b/v.mp4", "note.txt"] and {
        s.bytes for s in found
    } == {4}
    (tmp_path / "x").rename(tmp_path / "y")
    assert [s.id for s in find_sources(tmp_path / "y")] == [s.id for s in found]
    with pytest.raises(InputError, match="no such file"):
        find_sources(tmp_path / "x")


def test_a_name_that_is_not_utf8_is_named(tmp_path):
    """Regression: it ended in a traceback, because no record can hold such a name."""
    (tmp_path / "x").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "x") + b"/film-\xe9.mp4")).write_bytes(b"1234")
    with pytest.raises(InputError, match=r"film-.*: the name is not UTF-8; rename it"):
        find_sources(tmp_path / "x")
