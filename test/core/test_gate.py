"""The static-scene gate: noise passes, small things and slow change do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aura_core.config import AssistantConfig, GateConfig, ModelConfig
from aura_core.errors import ConfigError, InputError
from aura_core.evaluation.sim import play
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.sim.episode import TEST_PLAN, Episode
from aura_core.stream.engine import StreamEngine
from aura_core.stream.gate import StaticGate, cells
from aura_core.types import Chunk, Frame, Step

HALF = 500_000_000
H, W = 96, 192  # 8 x 8 pixels a cell


def chunk(*images: np.ndarray, index: int = 0) -> Chunk:
    pair = images if len(images) == 2 else images * 2
    return Chunk(index, tuple(Frame(i, k) for k, i in enumerate(pair)), 0, 1)


def flat(level: int = 100) -> np.ndarray:
    return np.full((H, W, 3), level, np.uint8)


def with_box(level: int, y: int, x: int, side: int) -> np.ndarray:
    image = flat()
    image[y : y + side, x : x + side] = level
    return image


def encoded(level: float | None, *chunks: Chunk) -> list[bool]:
    """Which chunks reach the encoder."""
    backend = ScriptedBackend({})
    gate = StaticGate(backend.encode, GateConfig(level))
    out = []
    for c in chunks:
        before = len(backend.encodes)
        gate.encode(c)
        out.append(len(backend.encodes) > before)
    assert (gate.encodes, gate.reused) == (sum(out), len(out) - sum(out))
    return out


def test_off_by_default_every_chunk_is_encoded():
    assert AssistantConfig().gate == GateConfig(None)
    assert encoded(None, chunk(flat()), chunk(flat())) == [True, True]


def test_the_same_again_is_not_encoded_even_at_level_zero():
    assert encoded(0.0, chunk(flat()), chunk(flat()), chunk(flat(101))) == [True, False, True]


def test_sensor_noise_passes():
    rng = np.random.default_rng(0)
    noisy = [
        np.clip(120 + rng.normal(0, 10, (H, W, 3)), 0, 255).astype(np.uint8) for _ in range(40)
    ]
    assert (
        encoded(8.0, *(chunk(a, b) for a, b in zip(noisy[::2], noisy[1::2], strict=True)))
        == [True] + [False] * 19
    )


def test_one_cell_is_enough_and_its_edges_are_exact():
    for level, box, seen in (
        (8.0, 108, False),
        (8.0, 109, True),
        (8.0, 92, False),
        (8.0, 91, True),
    ):
        assert encoded(level, chunk(flat()), chunk(with_box(box, 8, 16, 8))) == [True, seen]


def test_a_small_thing_in_one_frame_of_the_two_is_seen():
    small = with_box(200, 44, 60, 8)  # across four cells, a 288th of the picture
    for pair in ((flat(), small), (small, flat())):
        assert encoded(8.0, chunk(flat()), chunk(*pair)) == [True, True]
    # it moved by half its size
    assert encoded(8.0, chunk(small), chunk(with_box(200, 44, 64, 8))) == [True, True]


def test_a_colour_of_the_same_brightness_is_seen():
    other = flat()
    other[8:16, 16:24] = (130, 85, 100)
    assert encoded(8.0, chunk(flat()), chunk(other)) == [True, True]


def test_the_mean_keeps_the_whole_scene_from_changing():
    assert encoded(8.0, chunk(flat()), chunk(flat(102)), chunk(flat(103))) == [True, False, True]


def test_slow_change_adds_up_because_the_last_encoded_chunk_is_the_measure():
    seen = encoded(8.0, *(chunk(flat(100 + i)) for i in range(9)))
    assert seen == [True, False, False] * 3


def test_frames_are_compared_each_with_its_own():
    entering = chunk(flat(), with_box(200, 8, 16, 16))
    there = chunk(with_box(200, 8, 16, 16))
    assert encoded(8.0, entering, entering, there, there) == [True, False, True, False]


def test_a_frame_of_another_size_is_encoded():
    assert encoded(8.0, chunk(flat()), chunk(np.full((W, H, 3), 100, np.uint8))) == [True, True]
    assert cells(np.zeros((480, 640, 3), np.uint8)).shape == (18, 24, 3)
    assert cells(np.zeros((1, 1, 3), np.uint8)).shape == (1, 1, 3)
    assert cells(np.zeros((2000, 1, 3), np.uint8)).shape == (24, 1, 3)


def test_a_chunk_that_cannot_be_encoded_is_no_measure():
    calls = []

    def encode(c: Chunk):
        calls.append(c.index)
        if len(calls) == 1:
            raise InputError("no")
        return ScriptedBackend({}).encode(c)

    gate = StaticGate(encode, GateConfig(8.0))
    with pytest.raises(InputError):
        gate.encode(chunk(flat()))
    gate.encode(chunk(flat()))
    gate.encode(chunk(flat()))
    assert calls == [0, 0] and (gate.encodes, gate.reused) == (1, 1)


@pytest.mark.parametrize("level", [-1.0, 65.0, float("nan")])
def test_levels_that_mean_nothing_are_refused(level):
    with pytest.raises(ConfigError, match=r"gate\.level must be in \[0, 64\] grey levels"):
        GateConfig(level)


def watch(assistant: Lockstep, levels: list[int]) -> list[Step]:
    for slot, level in enumerate(np.repeat(levels, 2)):
        assistant.push(Frame(flat(int(level)), slot * HALF))
    steps = []
    while (step := assistant.step()) is not None:
        steps.append(step)
    return steps


def test_the_assistant_counts_reuses_and_starts_anew_on_reset():
    backend = ScriptedBackend({2: "Brighter."})
    assistant = Lockstep(StreamEngine(backend, AssistantConfig(gate=GateConfig(8.0))))
    steps = watch(assistant, [100, 101, 200, 200, 100])
    assert [s.vision_encodes for s in steps] == [1, 0, 1, 0, 1] and backend.encodes == [0, 2, 4]
    assert [s.chunk for s in steps] == [0, 1, 2, 3, 4] and steps[2].response is not None
    assert (assistant.engine.gate.encodes, assistant.engine.gate.reused) == (3, 2)
    assert steps[1].prefill_tokens == steps[2].prefill_tokens  # the prompt is as long as ever
    assistant.reset()
    assert (assistant.engine.gate.encodes, assistant.engine.gate.reused) == (0, 0)
    assert [s.vision_encodes for s in watch(assistant, [100, 100])] == [1, 0]


def seen(steps: list[Step]) -> list[tuple]:
    return [(s.chunk, s.decision.silent, s.response, s.question_id, s.window_tokens) for s in steps]


def test_decisions_on_moving_scenes_stay_and_an_unchanging_scene_is_encoded_once(monkeypatch):
    pytest.importorskip("torch")
    from aura_core.models import load

    backend = load(ModelConfig(device="cpu", dtype="float32"))
    plain, gated = (
        Lockstep(StreamEngine(backend, AssistantConfig(gate=GateConfig(g)))) for g in (None, 8.0)
    )
    reused = 0
    for seed in (420_001,):
        episode = Episode.generate(seed, 24, TEST_PLAN)
        with_gate = play(gated, episode, 24)
        assert seen(with_gate) == seen(play(plain, episode, 24))
        changing = {e.chunk for e in episode.world.events if e.chunk < 24}
        assert changing and all(with_gate[c].vision_encodes == 1 for c in changing)
        reused += gated.engine.gate.reused
    assert reused > 0
    still = np.asarray(np.random.default_rng(1).integers(60, 200, (96, 96, 3)), np.uint8)
    results = []
    for assistant in (plain, gated):
        assistant.reset()
        for slot in range(24):
            assistant.push(Frame(still, slot * HALF))
        steps = []
        while (step := assistant.step()) is not None:
            steps.append(step)
        results.append([(s.decision, s.response, s.window_tokens) for s in steps])
    assert results[0] == results[1]  # the same pixels: the same bits
    assert (plain.engine.gate.encodes, gated.engine.gate.encodes, gated.engine.gate.reused) == (
        12,
        1,
        11,
    )
    assert (Path(backend.name).name, len(results[0])) == ("aura_tiny", 12)
