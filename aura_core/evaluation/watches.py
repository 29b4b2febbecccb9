"""Many watches at once: how should the model be asked? Two ways, on the same episodes.

*conversation*: all watches stand in one conversation; a step costs what it always costs. *fork*:
each watch has a cache of its own that branches off before anything was asked, as if it were alone;
a step costs as much as there are watches. Its recall is what the model reaches with one watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from aura_core.config import AssistantConfig
from aura_core.evaluation.scoring import Said, score
from aura_core.evaluation.sim import EPISODE_S, episode_of, play, said
from aura_core.evaluation.statistics import Measured, proportion, rate
from aura_core.models.backend import Backend
from aura_core.replay.lockstep import Lockstep
from aura_core.sim.episode import Episode, Plan, dues_of
from aura_core.sim.sensor import Sensor
from aura_core.stream.engine import StreamEngine
from aura_core.types import Kind


@dataclass(frozen=True)
class WatchReport:
    """Figures of one way. `step_ms` and `tokens` are means per step, all its caches together."""

    recall: Measured  # of events that a proactive watch waited for, +-1 s
    false_alarms_per_min: Measured
    step_ms: float
    tokens: float

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "recall": self.recall.as_json(),
            "false_alarms_per_min": self.false_alarms_per_min.as_json(),
            "step_ms": round(self.step_ms, 3),
            "tokens_per_step": round(self.tokens, 2),
        }


def plan(watches: int) -> Plan:
    """`watches` standing questions within the first seconds, one in four of them for every time;
    nothing else."""
    many = watches // 4
    once = watches - many
    return Plan(10_000, 10_001, proactive=(once, once), multi=(many, many), first=0, early=0.3)


def conversation(
    lockstep: Lockstep, episode: Episode, seconds: int, sensor: Sensor
) -> tuple[list[Said], float, int]:
    """All watches in one conversation: what was said, ms and prefilled tokens of all steps."""
    steps = play(lockstep, episode, seconds, sensor)
    counters = lockstep.engine.policy.counters
    tokens = counters.critical_tokens + counters.background_tokens
    return said(steps), sum(s.step_ms for s in steps), tokens


def fork(
    lockstep: Lockstep, episode: Episode, seconds: int, sensor: Sensor
) -> tuple[list[Said], float, int]:
    """Each watch alone; an event that several of them announce is announced once."""
    heard: dict[int, Said] = {}
    acknowledged: list[Said] = []
    ms, tokens = 0.0, 0
    for ask in episode.asks:
        alone = Episode(episode.world, (ask,), tuple(dues_of(episode.world, (ask,))))
        words, spent, used = conversation(lockstep, alone, seconds, sensor)
        ms, tokens = ms + spent, tokens + used
        acknowledged += [s for s in words if s.question is not None]
        heard |= {s.chunk: s for s in words if s.question is None}
    return sorted([*acknowledged, *heard.values()], key=lambda s: s.chunk), ms, tokens


WAYS = {"conversation": conversation, "fork": fork}


def evaluate(
    backend: Backend,
    seeds: Iterable[int],
    watches: int,
    way: str,
    config: AssistantConfig | None = None,
    seconds: int = EPISODE_S,
    progress: Callable[[], None] = lambda: None,
    camera: str = "drawn",
) -> WatchReport:
    """Run every seed's episode with `watches` open, asked in one of `WAYS`; for `camera` see
    `sim.episode_of`."""
    config = config or AssistantConfig()
    room = replace(config.window, qa_groups=max(config.window.qa_groups, watches + 2))
    lockstep = Lockstep(StreamEngine(backend, replace(config, window=room)))
    scores, spent, used, steps = [], [], 0, 0
    for seed in seeds:
        episode, sensor = episode_of(seed, seconds, camera, plan(watches))
        words, ms, tokens = WAYS[way](lockstep, episode, seconds, sensor)
        scores.append(score(episode, words, seconds))
        spent.append(ms / seconds)
        used, steps = used + tokens, steps + seconds
        progress()
    once = [m for s in scores for m in s.of_kind(Kind.PROACTIVE)]
    return WatchReport(
        proportion(sum(m.in_time for m in once), len(once)),
        rate(sum(len(s.false_alarms) for s in scores), sum(s.seconds for s in scores) / 60),
        float(np.mean(spent)),
        used / max(1, steps),
    )
