"""Notes change no decision: with and without them, every logit is the same to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import checkpoints
from exactness_rig import run
from memory_double import MemoryDouble

from aura_core.config import ModelConfig
from aura_core.models import load
from aura_core.stream.notes import Request

STEPS = 60


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = checkpoints.write(tmp_path_factory.mktemp("checkpoint") / "model", "qwen3_vl")
    return load(ModelConfig(path=str(folder), dtype="float32", device="cpu", threads=1))


def preempted(i: int) -> int:
    """Most chunks come before the note is complete; sometimes before the shadow is."""
    return int(np.random.default_rng([3, i]).integers(0, 6))


@pytest.mark.parametrize("quanta", [None, preempted], ids=["complete", "preempted"])
@pytest.mark.parametrize("policy", ["shadow", "floating", "fifo"])
def test_decisions_are_the_same_to_the_bit(
    backend: Any, policy: str, quanta: Callable[[int], int] | None
) -> None:
    memory = MemoryDouble()
    without = [(s, v) for _, s, v in run(backend, STEPS, policy, None, quanta)]
    noted = 0
    for (old, logits), (assistant, step, seen) in zip(
        without, run(backend, STEPS, policy, memory, quanta), strict=True
    ):
        assert np.array_equal(logits, seen)
        assert step.prefill_tokens == old.prefill_tokens
        assert step.forwards == old.forwards and step.window_tokens == old.window_tokens
        noted = assistant.engine.asides.counters.tokens
        preempted = assistant.engine.asides.counters.preempted
    assert noted and memory.notes
    assert (preempted > 0) == (quanta is not None)


def test_a_note_asks_for_the_block_that_has_closed(backend: Any) -> None:
    memory = MemoryDouble(block=4)
    for _ in run(backend, 13, "shadow", memory):
        pass
    assert [(b.first, b.last) for b, _ in memory.notes] == [(0, 3), (4, 7), (8, 11)]
    assert all(b.end_ns - b.begin_ns == 4_000_000_000 for b, _ in memory.notes)
    assert all(len(b.frames) == 4 for b, _ in memory.notes)
    assert memory.prepared == 3  # for the text before the next window


def test_a_model_that_is_too_slow_writes_one_note_about_several_blocks(backend: Any) -> None:
    memory = MemoryDouble(block=4)
    for _ in run(backend, 12, "floating", memory, lambda i: 20 if i == 11 else 0):
        pass
    assert [(b.first, b.last) for b, _ in memory.notes] == [(0, 11)]


def test_older_notes_are_merged_after_a_note(backend: Any) -> None:
    memory, merged = MemoryDouble(block=4), []
    memory.merges = [Request(f"merge {i}", 3, merged.append) for i in range(2)]
    for _ in run(backend, 13, "shadow", memory):
        pass
    assert len(merged) == 2 and len(memory.notes) == 3


def test_a_block_keeps_the_newest_picture_where_no_more_are_shown(backend: Any) -> None:
    memory = MemoryDouble(block=4)
    memory.pictures = False
    for _ in run(backend, 9, "shadow", memory):
        pass
    assert [[f.stamp_ns for f in b.frames] for b, _ in memory.notes] == [
        [3_500_000_000],
        [7_500_000_000],
    ]
