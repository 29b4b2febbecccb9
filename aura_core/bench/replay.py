"""`aura bench replay`: a model over the simulated room, as `aura replay` runs it.

Times are those of the wall clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from aura_core.config import AssistantConfig
from aura_core.models.backend import Backend
from aura_core.replay.lockstep import Lockstep, drive
from aura_core.sim.episode import TEST_PLAN, Episode
from aura_core.sim.render import Camera
from aura_core.stream.engine import StreamEngine
from aura_core.types import NS, Frame, Query

SEED = 900_001


def events(seconds: int, seed: int = SEED) -> Iterator[Frame | Query]:
    """The room's frames at 2 FPS and its questions, in order."""
    episode = Episode.generate(seed, seconds, TEST_PLAN)
    camera, asks = Camera(episode.world), {a.chunk: a for a in episode.asks}
    for slot in range(2 * seconds):
        chunk, second_frame = divmod(slot, 2)
        if not second_frame and chunk in asks:
            yield Query(asks[chunk].text, asks[chunk].id, chunk * NS)
        yield Frame(camera.frame(slot * 0.5), slot * NS // 2)


def measure(
    backend: Backend, config: AssistantConfig, seconds: int, on_step: Callable[[], None]
) -> dict[str, Any]:
    """Measure a replay of `seconds` of video: times of silent steps and of the whole run.

    Frames are rendered before the measurement. An unmeasured run of a few seconds comes first,
    because some things are loaded at their first use.
    """
    recording = list(events(seconds))
    lockstep = Lockstep(StreamEngine(backend, config), at_once=False)
    for _ in drive(lockstep, recording[:6]):
        pass
    lockstep.reset()
    steps = []
    began = time.perf_counter()
    for step in drive(lockstep, recording):
        steps.append(step)
        on_step()
    wall_s = time.perf_counter() - began
    silent = [s.step_ms for s in steps if s.response is None]
    p50, p95 = (float(np.percentile(silent, q)) if silent else None for q in (50, 95))
    return {
        "silent_step_p50_ms": p50,
        "silent_step_p95_ms": p95,
        "silent_step_max_ms": max(silent, default=None),
        "silent_steps": len(silent),
        "spoken_steps": len(steps) - len(silent),
        "video_s": seconds,
        "wall_s": wall_s,
        "times_real_time": seconds / wall_s,
    }
