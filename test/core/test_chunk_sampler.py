"""Frames to chunks: against a plain batch version, and properties for any stamps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.config import SamplingConfig
from aura_core.stream.sampling import ChunkSampler
from aura_core.types import Chunk, Frame

MS = 1_000_000
S = 1_000_000_000
PIXEL = np.zeros((1, 1, 3), np.uint8)


def frame(ms: float, start_ms: float = 0) -> Frame:
    return Frame(PIXEL, round((start_ms + ms) * MS))


def feed(
    times_ms: list[float], tolerance_s: float = 0.05, flush: bool = True
) -> tuple[list[Chunk], ChunkSampler]:
    sampling = ChunkSampler(SamplingConfig(tolerance_s=tolerance_s))
    chunks = [c for t in times_ms if (c := sampling.push(frame(t))) is not None]
    last = sampling.flush() if flush else None
    return [*chunks, last] if last is not None else chunks, sampling


def shown(chunks: list[Chunk]) -> list[tuple[int, list[float], int]]:
    return [(c.index, [f.stamp_ns / MS for f in c.frames], c.repeated) for c in chunks]


def test_two_frames_a_second_fill_a_chunk_each_second():
    chunks, sampling = feed([0, 500, 1000, 1500, 2000])
    assert shown(chunks) == [(0, [0, 500], 0), (1, [1000, 1500], 0), (2, [2000, 2000], 1)]
    assert [(c.start_ns, c.end_ns) for c in chunks] == [(k * S, (k + 1) * S) for k in range(3)]
    assert [c.stamp_ns for c in chunks] == [500 * MS, 1500 * MS, 2000 * MS]
    assert sampling.counters.frames == 5 and sampling.counters.repeated == 1


def test_a_chunk_closes_with_its_second_frame_not_with_the_next_second():
    sampling = ChunkSampler(SamplingConfig())
    assert sampling.push(frame(0)) is None
    closed = sampling.push(frame(470))
    assert closed is not None and closed.index == 0


def test_thirty_frames_a_second_are_sampled_by_stamp():
    chunks, sampling = feed([k * 1000 / 30 for k in range(89)])
    assert [c.index for c in chunks] == [0, 1, 2]
    # 466.7 is more than 50 ms early, 500 - 33.3 = 466.7: slot 1 begins at 450
    assert [round(f.stamp_ns / MS) for c in chunks for f in c.frames] == [
        0,
        467,
        967,
        1467,
        1967,
        2467,
    ]
    assert sampling.counters.sampled_out == 83 and sampling.counters.late == 0


def test_tolerance_is_exact():
    assert shown(feed([0, 450])[0]) == [(0, [0, 450], 0)]
    assert shown(feed([0, 449.999])[0]) == [(0, [0, 0], 1)]
    assert shown(feed([0, 499.999], tolerance_s=0.0)[0]) == [(0, [0, 0], 1)]
    assert shown(feed([0, 500], tolerance_s=0.0)[0]) == [(0, [0, 500], 0)]


def test_gaps_repeat_a_neighbour_and_lost_seconds_show_in_the_index():
    chunks, sampling = feed([0, 1600, 5000, 5500])
    assert shown(chunks) == [(0, [0, 0], 1), (1, [1600, 1600], 1), (5, [5000, 5500], 0)]
    assert sampling.counters.repeated == 2 and sampling.counters.lost_chunks == 3


def test_late_frames_are_counted_and_change_nothing():
    chunks, sampling = feed([0, 500, 1000, 900, 400, 1500])
    assert shown(chunks) == [(0, [0, 500], 0), (1, [1000, 1500], 0)]
    assert sampling.counters.late == 2


def test_a_clock_that_jumps_back_begins_new_slots_and_indices_go_on():
    chunks, sampling = feed([0, 500, 1000, 1500, 2000, 2500, 3000, 0, 500, 1000, 1500])
    assert [c.index for c in chunks] == [0, 1, 2, 3, 4, 5]
    assert shown(chunks)[3:] == [(3, [3000, 3000], 1), (4, [0, 500], 0), (5, [1000, 1500], 0)]
    assert sampling.counters.restarts == 1


def test_a_little_back_is_late_not_a_restart():
    _, sampling = feed([0, 2000, 4000, 2000])
    assert sampling.counters.restarts == 0 and sampling.counters.late == 1
    _, sampling = feed([0, 2000, 4000, 1999])
    assert sampling.counters.restarts == 1


def test_frames_after_a_flush_never_reuse_the_chunk_that_was_closed():
    """Regression: the next frame closed a flushed chunk again, with the same index."""
    sampling = ChunkSampler(SamplingConfig())
    assert sampling.push(frame(0)) is None
    flushed = sampling.flush()
    assert flushed is not None and flushed.index == 0
    assert sampling.push(frame(500)) is None and sampling.flush() is None
    assert sampling.counters.late + sampling.counters.sampled_out == 1
    sampling.push(frame(1000))
    after = sampling.push(frame(1500))
    assert after is not None and after.index == 1 and after.repeated == 0


def test_end_of_the_chunk_that_is_being_filled():
    sampling = ChunkSampler(SamplingConfig())
    assert sampling.end_ns() is None
    sampling.push(frame(100))
    assert sampling.end_ns() == 1100 * MS
    sampling.push(frame(3200))
    assert sampling.end_ns() == 4100 * MS


def batch(times_ms: list[int], tolerance_ms: int) -> list[tuple[int, list[float], int]]:
    """The chunks of ordered stamps, computed from the rules all at once."""
    slots: dict[int, float] = {}
    for t in times_ms:
        slots.setdefault((t - times_ms[0] + tolerance_ms) // 500, t)
    out = []
    for index in sorted({s // 2 for s in slots}):
        pair = [slots.get(2 * index), slots.get(2 * index + 1)]
        present = [t for t in pair if t is not None]
        out.append((index, [present[0] if t is None else t for t in pair], 2 - len(present)))
    return out


@given(st.lists(st.integers(0, 9000), min_size=1, max_size=50), st.sampled_from([0, 50, 200]))
def test_ordered_stamps_give_what_the_batch_version_gives(times_ms, tolerance_ms):
    times_ms = sorted(times_ms)
    chunks, sampling = feed(times_ms, tolerance_ms / 1000)
    assert shown(chunks) == batch(times_ms, tolerance_ms)
    c = sampling.counters
    assert c.late == c.restarts == 0
    assert c.lost_chunks == chunks[-1].index + 1 - len(chunks)


@given(st.lists(st.integers(0, 9000), min_size=1, max_size=50), st.data())
def test_what_holds_of_any_stamps(times_ms, data):
    tolerance = data.draw(st.sampled_from([0, 50, 200]))
    sampling = ChunkSampler(SamplingConfig(tolerance_s=tolerance / 1000))
    chunks, taken = [], []
    for t in times_ms:
        f = frame(t)
        wanted, before = (
            sampling.wants(f.stamp_ns),
            sampling.counters.late + sampling.counters.sampled_out,
        )
        closed = sampling.push(f)
        assert wanted == (sampling.counters.late + sampling.counters.sampled_out == before)
        taken += [f] if wanted else []
        chunks += [closed] if closed else []
        assert sampling.newest_chunk >= (chunks[-1].index if chunks else 0)
    last = sampling.flush()
    chunks += [last] if last else []
    in_chunks = [f for c in chunks for f in dict.fromkeys(c.frames)]
    assert [id(f) for f in in_chunks] == [id(f) for f in taken]  # each once, in order
    assert all(a.index < b.index for a, b in itertools.pairwise(chunks))
    for c in chunks:
        assert len(c.frames) == 2 and c.end_ns - c.start_ns == S
        assert all(c.start_ns - tolerance * MS <= f.stamp_ns < c.end_ns for f in c.frames)
        assert c.repeated == 2 - len({id(f) for f in c.frames})
    assert sampling.counters.frames == len(times_ms)
    assert sampling.counters.repeated == sum(c.repeated for c in chunks)


@pytest.mark.parametrize("start_ms", [0, 1_700_000_000_000, -5000])
def test_only_differences_of_stamps_matter(start_ms):
    times = [0, 500, 1200, 1500, 4000]
    here, there = (
        [c for t in times if (c := sampling.push(frame(t, offset)))]
        for sampling, offset in (
            (ChunkSampler(SamplingConfig()), 0),
            (ChunkSampler(SamplingConfig()), start_ms),
        )
    )
    assert [(c.index, c.start_ns + start_ms * MS, c.repeated) for c in here] == [
        (c.index, c.start_ns, c.repeated) for c in there
    ]
