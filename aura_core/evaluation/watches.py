"""Compares two ways to run many watches at once, on the same episodes.

- *conversation*: all watches are in one conversation. A step costs as much as with one watch.
- *fork*: each watch has its own cache, which branches off before any question, as if it were the
  only watch. The cost of a step grows with the number of watches. The recall is what the model
  reaches with one watch.
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
    """The figures of one way. `step_ms` and `tokens` are means per step, over all its caches."""

    recall: Measured  # share of the events of proactive watches announced within 1 s
    false_alarms_per_min: Measured
    step_ms: float
    tokens: float

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "recall": self.recall.as_json(),
            "false_alarms_per_min": self.false_alarms_per_min.as_json(),
            "step_ms": round(self.step_ms, 3),
            "tokens_per_step": round(self.tokens, 2),
        }


def plan(watches: int) -> Plan:
    """Return a plan with `watches` standing questions in the first seconds, and nothing else.

    One in four of them is a multi-response question.
    """
    many = watches // 4
    once = watches - many
    return Plan(10_000, 10_001, proactive=(once, once), multi=(many, many), first=0, early=0.3)


def conversation(
    lockstep: Lockstep, episode: Episode, seconds: int, sensor: Sensor
) -> tuple[list[Said], float, int]:
    """Run all watches in one conversation.

    Returns what was said, and the milliseconds and prefilled tokens of all steps.
    """
    steps = play(lockstep, episode, seconds, sensor)
    counters = lockstep.engine.policy.counters
    tokens = counters.critical_tokens + counters.background_tokens
    return said(steps), sum(s.step_ms for s in steps), tokens


def fork(
    lockstep: Lockstep, episode: Episode, seconds: int, sensor: Sensor
) -> tuple[list[Said], float, int]:
    """Run each watch alone. An event that several watches announce is counted once."""
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
    """Run the episode of every seed with `watches` open, in one of the `WAYS`.

    For `camera` see `sim.episode_of`.
    """
    config = config or AssistantConfig()
    room = replace(config.window, qa_groups=max(config.window.qa_groups, watches + 2))
    lockstep = Lockstep(StreamEngine(backend, replace(config, window=room)), at_once=False)
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
