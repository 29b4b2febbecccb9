"""The shipped model sees what happens wherever in a chunk it begins.

It once announced what began just before a chunk, and a third of everything else; the benchmark let
every event begin there, so that no figure showed it.
"""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch")

from aura_core.config import ModelConfig
from aura_core.evaluation.scoring import score
from aura_core.evaluation.sim import PHASES, by_phase, play, said
from aura_core.models import load
from aura_core.replay.lockstep import Lockstep
from aura_core.sim.episode import Episode, Plan
from aura_core.sim.sensor import Sensor
from aura_core.sim.world import BUSY, World
from aura_core.stream.engine import StreamEngine

SECONDS = 60
# Several conditions for every time, asked in the first seconds, and hardly a question else: most of
# what is due is due by the pictures alone.
PLAN = Plan(10_000, 10_001, proactive=(0, 0), multi=(4, 4), triggers=1.0, first=0, early=0.1)


def recall_by_phase(seeds: range) -> dict[str, tuple[float, float]]:
    """Recall of due events and how many there are, by where in a chunk they begin."""
    assistant = Lockstep(StreamEngine(load(ModelConfig(device="cpu", dtype="float32"))))
    scores = []
    for seed in seeds:
        sensor = Sensor.draw(seed)
        world = World.generate(seed, SECONDS, BUSY, sensor.looks(SECONDS))
        episode = Episode.generate(seed, SECONDS, PLAN, world)
        steps = play(assistant, episode, SECONDS, sensor)
        scores.append(score(episode, said(steps), SECONDS))
    return {name: (m.value, m.n) for name, m in by_phase(scores).items()}


@pytest.mark.slow
def test_recall_at_the_worst_phase_is_within_5_points_of_the_best() -> None:
    told = recall_by_phase(range(610_000, 610_060))
    assert len(told) == PHASES and min(n for _, n in told.values()) >= 70, told
    worst, best = min(told.values()), max(told.values())
    # what chance may add to a difference: two standard errors
    chance = 2 * math.sqrt(sum(max(p * (1 - p), 1 / n) / n for p, n in (worst, best)))
    assert best[0] - worst[0] <= 0.05 + chance, told
    assert worst[0] > 0.85, told
