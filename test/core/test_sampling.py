"""`ChunkSampler.wants` tells from the stamp alone whether `push` will take a frame."""

from __future__ import annotations

import numpy as np
import pytest

from aura_core.config import SamplingConfig
from aura_core.stream.sampling import ChunkSampler
from aura_core.types import NS, Chunk, Frame

PIXELS = np.zeros((1, 1, 3), np.uint8)


def stamps(seed: int) -> list[int]:
    """A camera with jitter, gaps, late frames, and a clock that sometimes jumps back."""
    rng = np.random.default_rng(seed)
    now, out = int(rng.integers(100 * NS, 110 * NS)), []
    for _ in range(1500):
        kind = rng.random()
        step = (
            0.033
            if kind < 0.95
            else (float(rng.uniform(0.5, 4)) if kind < 0.99 else -float(rng.uniform(0.1, 9)))
        )
        now += round((step + rng.normal(0, 0.01)) * NS)
        out.append(now)
    return out


def chunks_of(
    frames: list[int], only_wanted: bool
) -> tuple[list[tuple[int, list[int]]], ChunkSampler]:
    sampling, chunks = ChunkSampler(SamplingConfig()), []
    for stamp in frames:
        if only_wanted and not sampling.wants(stamp):
            continue
        chunk: Chunk | None = sampling.push(Frame(PIXELS, stamp))
        if chunk is not None:
            chunks.append((chunk.index, [f.stamp_ns for f in chunk.frames]))
    return chunks, sampling


@pytest.mark.parametrize("seed", range(20))
def test_pushing_only_wanted_frames_gives_the_same_chunks(seed: int) -> None:
    everything, sampling = chunks_of(stamps(seed), only_wanted=False)
    wanted, filtered = chunks_of(stamps(seed), only_wanted=True)
    assert wanted == everything
    assert len(everything) > 10
    assert filtered.counters.sampled_out == filtered.counters.late == 0
    taken = sampling.counters.frames - sampling.counters.sampled_out - sampling.counters.late
    assert filtered.counters.frames == taken


def test_wants_changes_nothing() -> None:
    sampling = ChunkSampler(SamplingConfig())
    assert all(sampling.wants(s) for s in (5 * NS, 0, 9 * NS))
    sampling.push(Frame(PIXELS, 5 * NS))
    assert not sampling.wants(5 * NS + NS // 3)
    assert sampling.wants(5 * NS + NS // 2)
    assert sampling.wants(2 * NS)  # the clock jumped back
    assert not sampling.wants(4 * NS)  # late
    assert sampling.counters.frames == 1


def test_newest_chunk_counts_on_after_a_restart() -> None:
    sampling = ChunkSampler(SamplingConfig())
    assert sampling.newest_chunk == -1
    for stamp, index in ((0, 0), (NS // 2, 0), (NS, 1), (7 * NS, 7), (NS, 8), (2 * NS, 9)):
        sampling.push(Frame(PIXELS, stamp))
        assert sampling.newest_chunk == index
