"""The rooms that decisions are trained on: worlds of the embedded recipe, asked for many watches.

Questions about now are rarer than in the recipe, because only unasked words are trained here. No
phrasing is used that tests keep to themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from aura_core.config import SamplingConfig
from aura_core.sim.episode import TEST_PLAN, Episode
from aura_core.sim.render import Camera
from aura_core.sim.sensor import Sensor
from aura_core.stream.intake import Intake
from aura_core.training.tiny.batches import CHINESE_SHARE, FOCUS, ONCE, WATCHES
from aura_core.training.tiny.store import sensor_of, training_world
from aura_core.types import NS, Chunk, Frame, Query

PLANS = (
    replace(TEST_PLAN, first=0),
    replace(FOCUS, min_gap=5, max_gap=12),
    replace(ONCE, min_gap=5, max_gap=12),
    replace(WATCHES, min_gap=5, max_gap=12),
)
QUESTIONS = 8  # most that may wait; the simulator asks one a chunk


@dataclass(frozen=True)
class Room:
    """One conversation, and the camera that looks on; `seconds` chunks are played."""

    episode: Episode
    sensor: Sensor
    seconds: int


def room_of(seed: int, seconds: int) -> Room:
    """The training room of a seed. Raises `InputError` for the seed of a test."""
    world = training_world(seed)
    rng = np.random.default_rng([seed, 61])
    plan = PLANS[int(rng.integers(len(PLANS)))]
    language = "zh" if rng.random() < CHINESE_SHARE else "en"
    episode = Episode.generate(
        seed, seconds, plan, world, language, unseen=0.0, varied=bool(rng.random() < 0.5)
    )
    return Room(episode, sensor_of(seed), seconds)


def watched(room: Room) -> bool:
    """Whether anything is waited for, so that unasked words may come."""
    return any(a.condition is not None for a in room.episode.asks)


def chunks_of(room: Room) -> Iterator[tuple[Chunk, Query | None]]:
    """The room's chunks by the sampling rule, each with the question that belongs to it: those that
    `evaluation.sim.play` steps through."""
    intake = Intake(SamplingConfig(), QUESTIONS, at_once=False)
    camera = Camera(room.episode.world, sensor=room.sensor)
    asks = {a.chunk: a for a in room.episode.asks}
    newest = -1
    for chunk, shots in enumerate(room.sensor.chunks(room.seconds)):
        if chunk in asks:
            intake.ask(Query(asks[chunk].text, asks[chunk].id, chunk * NS))
        for shot in shots:
            if shot.stamp_ns > newest:
                newest = shot.stamp_ns
                intake.push(Frame(camera.frame(shot.t_s), shot.stamp_ns))
            while intake.ready:
                yield intake.take()
