"""Sampling at the source: the slots that it fills are the sampling's."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_core.config import SamplingConfig
from aura_core.stream.sampling import ChunkSampler, Slots
from aura_core.types import Frame

MS = 1_000_000
stamps = st.lists(st.integers(0, 6_000), min_size=1, max_size=60)


@given(stamps, st.booleans(), st.sampled_from([0.0, 0.05, 0.2]))
@settings(max_examples=200)
def test_sampling_first_changes_nothing_for_the_sampler(times_ms, ordered, tolerance_s):
    """The slot rule of the sources is the sampling's: chunks of the sampled stream are those of the
    whole."""
    times_ms = sorted(times_ms) if ordered else times_ms
    frames = [Frame(np.full((1, 1, 3), k % 256, np.uint8), t * MS) for k, t in enumerate(times_ms)]
    slots = Slots(2.0, tolerance_s)
    sampled = []
    for frame in frames:
        if slots.wants(frame.stamp_ns):
            slots.took(frame.stamp_ns)
            sampled.append(frame)

    def chunks(stream):
        sampling = ChunkSampler(SamplingConfig(tolerance_s=tolerance_s))
        out = [c for f in stream if (c := sampling.push(f))]
        last = sampling.flush()
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
