"""The simulator's own benchmark: free-running on held-out seeds, with the live node's engine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING

import numpy as np

from aura_core.config import AssistantConfig
from aura_core.errors import ModelError
from aura_core.evaluation.metrics import Count
from aura_core.evaluation.scoring import Asked, EpisodeScore, Said, score
from aura_core.evaluation.standing import delays_s, multi_count, multi_slots, window_counts
from aura_core.evaluation.statistics import (
    Measured,
    bootstrap,
    bootstrap_sums,
    mean_by_item,
    proportion,
    rate,
)
from aura_core.models.backend import Backend
from aura_core.replay.lockstep import Lockstep
from aura_core.sim.episode import IDEAL_PLAN, TEST_PLAN, Episode, Plan
from aura_core.sim.render import Camera
from aura_core.sim.sensor import IDEAL, Sensor, sensor
from aura_core.sim.talk import DECLINED, PAST
from aura_core.sim.world import World
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Kind, Query, Step

if TYPE_CHECKING:
    from aura_core.live.memory import AssistantMemory

NS = 1_000_000_000
BEGINS_NS = 1_772_442_000 * NS  # of the first episode, on the clock of a memory: 2026-03-02 9:00
EPISODE_S = 60
PHASES = 4  # quarters of a chunk


def episode_of(
    seed: int, seconds: int, camera: str = "drawn", plan: Plan | None = None
) -> tuple[Episode, Sensor]:
    """The episode of a seed and the camera that looks at it: one drawn by the seed, or "ideal",
    under which every event begins about 0.25 s before a chunk. The truth is the same for both: an
    event belongs to the chunk in which it is first complete in a frame. `plan` is that of the
    camera where it is not given."""
    if camera == "ideal":
        world = World.generate(seed, seconds, aligned=True).looked_at(IDEAL.looks(seconds))
        return Episode.generate(seed, seconds, plan or IDEAL_PLAN, world), IDEAL
    drawn = sensor(camera, seed)
    world = World.generate(seed, seconds, looks=drawn.looks(seconds))
    return Episode.generate(seed, seconds, plan or TEST_PLAN, world), drawn


def play(lockstep: Lockstep, episode: Episode, seconds: int, sensor: Sensor = IDEAL) -> list[Step]:
    """Run one episode in lockstep: the frames that the sampling rule takes of the camera's, each
    question in its chunk. The assistant is reset."""
    lockstep.reset()
    camera = Camera(episode.world, sensor=sensor)
    asks = {a.chunk: a for a in episode.asks}
    steps, newest = [], -1
    for chunk, shots in enumerate(sensor.chunks(seconds)):
        if chunk in asks:
            lockstep.ask(Query(asks[chunk].text, asks[chunk].id, chunk * NS))
        for shot in shots:
            if shot.stamp_ns > newest:
                newest = shot.stamp_ns
                lockstep.push(Frame(camera.frame(shot.t_s), shot.stamp_ns))
            while (step := lockstep.step()) is not None:
                steps.append(step)
    return steps


def said(steps: Iterable[Step]) -> list[Said]:
    """Return the words of the steps that spoke."""
    return [Said(s.chunk, s.response.text, s.question) for s in steps if s.response is not None]


@dataclass(frozen=True)
class SimReport:
    """Figures over all episodes, and the raw scores."""

    figures: dict[str, Measured]
    scores: tuple[EpisodeScore, ...]
    steps: int
    wall_s: float
    step_ms: tuple[float, float]  # median and 95th percentile of the time of a step
    vision_encodes: int  # less than `steps` if the static-scene gate reused features
    # recall of due events within a second, by where in its chunk (0 to 1) the event begins
    by_phase: dict[str, Measured] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return the figures as {group: {figure: ...}}, with `steps`, `wall_s` and others."""
        out: dict[str, object] = {}
        for key, value in self.figures.items():
            group, name = key.split(".")
            section = out.setdefault(group, {})
            assert isinstance(section, dict)
            section[name] = value.as_json()
        out |= {"steps": self.steps, "wall_s": round(self.wall_s, 2), "episodes": len(self.scores)}
        out["by_phase"] = {name: m.as_json() for name, m in self.by_phase.items()}
        out["vision_encodes"] = self.vision_encodes
        out["step_ms"] = {"p50": round(self.step_ms[0], 2), "p95": round(self.step_ms[1], 2)}
        return out


def evaluate(
    backend: Backend,
    seeds: Iterable[int],
    config: AssistantConfig | None = None,
    seconds: int = EPISODE_S,
    progress: Callable[[EpisodeScore], None] | None = None,
    camera: str = "drawn",
    memory: bool = False,
) -> SimReport:
    """Run every seed's episode, each with the camera that `episode_of` gives it, and sum up.

    `memory`: with one memory for all episodes, which are an hour apart on its clock: what is known
    of earlier ones is before the video of the later ones, and must not change what is said there.
    """
    engine = StreamEngine(backend, config)
    lockstep = Lockstep(engine, at_once=False)
    scores, times, encodes, start = [], [], 0, time.perf_counter()
    for number, seed in enumerate(seeds):
        episode, looking = episode_of(seed, seconds, camera)
        if memory and engine.memory is None:
            remembered = _remembering(engine)
        if memory:
            remembered.begins_ns = BEGINS_NS + number * 3600 * NS
        steps = play(lockstep, episode, seconds, looking)
        if memory:
            for step in steps:
                remembered.memory.stepped(step)
        times += [s.step_ms for s in steps]
        encodes += sum(s.vision_encodes for s in steps)
        scores.append(score(episode, said(steps), seconds))
        if progress is not None:
            progress(scores[-1])
    wall_s = time.perf_counter() - start
    p50, p95 = np.percentile(times, [50, 95])
    return SimReport(
        figures(scores),
        tuple(scores),
        len(times),
        wall_s,
        (float(p50), float(p95)),
        encodes,
        by_phase(scores),
    )


@dataclass
class _Remembering:
    """A memory whose clock shows `begins_ns` at the beginning of an episode."""

    begins_ns: int = 0
    memory: AssistantMemory = field(init=False)

    def wall_ns(self, stamp_ns: int) -> int:
        """The wall-clock time of a stamp."""
        return self.begins_ns + stamp_ns


def _remembering(engine: StreamEngine) -> _Remembering:
    """Give the engine a memory that lies in this process alone."""
    from aura_core.live.memory import AssistantMemory

    def complain(line: str) -> None:
        raise ModelError(f"memory: {line}")

    remembered = _Remembering()
    config = replace(engine.config.memory, path=":memory:", keyframes="off")
    remembered.memory = AssistantMemory(config, "sim", complain, wall=remembered.wall_ns, tz=UTC)
    remembered.memory.open()
    engine.memory = remembered.memory.stream("", engine.backend)
    return remembered


def by_phase(scores: Sequence[EpisodeScore]) -> dict[str, Measured]:
    """Recall of due events within a second, apart for the quarters of the chunk in which they
    begin. What is told together counts by its first event."""
    told: dict[int, list[bool]] = {k: [] for k in range(PHASES)}
    for s in scores:
        world = s.episode.world
        for m in s.matched:
            if m.due.events:
                phase = (m.due.events[0].start_s - world.look(0)[0]) % 1.0
                told[min(PHASES - 1, int(phase * PHASES))].append(m.in_time)
    return {
        f"{k / PHASES:.2f}-{(k + 1) / PHASES:.2f}": proportion(sum(hits), len(hits))
        for k, hits in told.items()
        if hits
    }


def figures(scores: Sequence[EpisodeScore]) -> dict[str, Measured]:
    """Return all figures of a set of episodes."""
    asked = [a for s in scores for a in s.asked]
    answered = [a for a in asked if a.ask.kind is Kind.REAL_TIME]
    now = [a for a in answered if not _past(a) and a.ask.topic not in DECLINED]
    standing = [a for a in asked if a.ask.kind is not Kind.REAL_TIME]
    once = [m for s in scores for m in s.of_kind(Kind.PROACTIVE)]
    many = [m for s in scores for m in s.of_kind(Kind.MULTI_RESPONSE)]
    unasked = [m for s in scores for m in s.matched if m.in_time]
    minutes = sum(s.seconds for s in scores) / 60
    out = {
        "realtime.exact_match": proportion(sum(a.right for a in now), len(now)),
        "proactive.recall": proportion(sum(m.in_time for m in once), len(once)),
        "proactive.false_alarms_per_min": rate(sum(len(s.false_alarms) for s in scores), minutes),
        "proactive.text_match": proportion(
            sum(m.text == m.due.text for m in unasked), len(unasked)
        ),
        "multi.event_f1": bootstrap(scores, event_f1, len(many)),
        "silence.precision": proportion(
            sum(s.silent_right for s in scores), sum(s.silent for s in scores)
        ),
        "standing.acknowledged": proportion(sum(a.right for a in standing), len(standing)),
    }
    for topic in sorted({a.ask.topic for a in now}):
        out[f"realtime.{topic}"] = _exact([a for a in now if a.ask.topic == topic])
    slots = sum(multi_slots(s) for s in scores)
    further = {
        "past.exact_match": _exact([a for a in answered if _past(a)]),
        "realtime.follow_up": _exact([a for a in now if a.ask.follows]),
        "declined.unknown": _exact([a for a in answered if a.ask.topic == "unknown"]),
        "declined.foreign": _exact([a for a in answered if a.ask.topic == "foreign"]),
        "multi.ia_qtf1": _summed(scores, multi_count, lambda c: c.f1, slots),
        "multi.slot_tp": _slot_tp(scores, slots),
        "standing.sw_f1": _summed(
            scores, window_counts, lambda c: c.sw_f1, sum(len(s.matched) for s in scores)
        ),
        "proactive.time_error_s": mean_by_item(
            [delays_s(s.of_kind(Kind.PROACTIVE)) for s in scores], share=False
        ),
        "multi.time_error_s": mean_by_item(
            [delays_s(s.of_kind(Kind.MULTI_RESPONSE)) for s in scores], share=False
        ),
        **_phrasings(now),
    }
    # figures without any sample in these episodes are left out
    return out | {key: m for key, m in further.items() if m.n}


def _past(asked: Asked) -> bool:
    return asked.ask.topic in PAST


def _unseen(asked: Asked) -> bool:
    return asked.ask.unseen


def _chinese(asked: Asked) -> bool:
    return asked.ask.language == "zh"


def _phrasings(now: Sequence[Asked]) -> dict[str, Measured]:
    """Compare seen with unseen phrasings, and English with Chinese, where both are asked."""
    out = {}
    for one, other, is_one in (
        ("unseen_paraphrase", "seen_paraphrase", _unseen),
        ("zh", "en", _chinese),
    ):
        if any(map(is_one, now)):
            out[f"realtime.{one}"] = _exact([a for a in now if is_one(a)])
            out[f"realtime.{other}"] = _exact([a for a in now if not is_one(a)])
    return out


def _exact(asked: Sequence[Asked]) -> Measured:
    return proportion(sum(a.right for a in asked), len(asked))


def _summed(
    scores: Sequence[EpisodeScore],
    count: Callable[[EpisodeScore], Count],
    figure: Callable[[Count], float],
    n: int,
) -> Measured:
    """Return a figure of counts that are summed over the episodes."""
    rows = [[c.tp, c.fp, c.fn] for c in map(count, scores)]
    return bootstrap_sums(rows, lambda sums: figure(Count(*sums)), n)


def _slot_tp(scores: Sequence[EpisodeScore], slots: int) -> Measured:
    """Return the mean true positive of a slot.

    Unlike IA-QTF1 itself, it falls with every second of delay.
    """
    rows = [[multi_count(s).tp, multi_slots(s)] for s in scores]
    return bootstrap_sums(rows, lambda sums: sums[0] / sums[1] if sums[1] else math.nan, slots)


def event_f1(scores: Sequence[EpisodeScore]) -> float:
    """Return the F1 of multi-response events, within 1 s."""
    many = [m for s in scores for m in s.of_kind(Kind.MULTI_RESPONSE)]
    hits = sum(m.in_time for m in many)
    wrong = len(many) - hits + sum(s.multi_false_alarms() for s in scores)
    return 2 * hits / (2 * hits + wrong) if many else float("nan")
