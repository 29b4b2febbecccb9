"""Compares ways to run many watches at once, on the same episodes.

- *conversation*: all watches are in one conversation. A step costs as much as with one watch. The
  model is asked which of them an alert belongs to.
- *words*: as *conversation*, but an alert belongs to the watch that shares most words with it.
- *fork*: each watch has its own cache, which branches off before any question, as if it were the
  only watch. The cost of a step grows with the number of watches. The recall is what the model
  reaches with one watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aura_core.config import AssistantConfig
from aura_core.evaluation.scoring import EpisodeScore, Said, score
from aura_core.evaluation.sim import EPISODE_S, episode_of, play, said
from aura_core.evaluation.statistics import Measured, proportion, rate
from aura_core.models.backend import Backend
from aura_core.replay.lockstep import Lockstep
from aura_core.sim.episode import Episode, Plan, dues_of
from aura_core.sim.sensor import Sensor
from aura_core.stream.engine import StreamEngine
from aura_core.types import Kind, Step


@dataclass(frozen=True)
class Attributed:
    """Which watches the alerts in time were told to belong to. Several may be due at once."""

    named: Measured  # share of alerts whose own watch was due
    precision: Measured  # of all watches that alerts name, the share that was due
    recall: Measured  # of all watches that were due, the share that their alert names

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {name: getattr(self, name).as_json() for name in ("named", "precision", "recall")}


@dataclass(frozen=True)
class WatchReport:
    """The figures of one way. `step_ms` and `tokens` are means per step, over all its caches."""

    recall: Measured  # share of the events of proactive watches announced within 1 s
    false_alarms_per_min: Measured
    step_ms: float
    tokens: float
    attribution: Attributed | None = None  # None: each watch is alone, or nothing was due

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        out: dict[str, object] = {
            "recall": self.recall.as_json(),
            "false_alarms_per_min": self.false_alarms_per_min.as_json(),
            "step_ms": round(self.step_ms, 3),
            "tokens_per_step": round(self.tokens, 2),
        }
        return out | ({"attribution": self.attribution.as_json()} if self.attribution else {})


@dataclass
class Named:
    """Counts what alerts in time name."""

    alerts: int = 0
    right: int = 0  # alerts whose own watch was due
    given: int = 0  # watches that alerts name
    due: int = 0
    both: int = 0

    def count(self, scored: EpisodeScore, steps: Sequence[Step]) -> None:
        """Add the alerts of an episode."""
        alerts = {s.chunk: s.response for s in steps if s.response and s.question is None}
        for m in scored.matched:
            if m.in_time and m.delay is not None:
                alert = alerts[m.due.chunk + m.delay]
                named = {w.query_id for w in alert.watches}
                self.alerts += 1
                self.right += alert.query_id in m.due.ask_ids
                self.given += len(named)
                self.due += len(m.due.ask_ids)
                self.both += len(named & set(m.due.ask_ids))

    def report(self) -> Attributed | None:
        """The figures; None without an alert."""
        if not self.alerts:
            return None
        return Attributed(
            proportion(self.right, self.alerts),
            proportion(self.both, self.given),
            proportion(self.both, self.due),
        )


def plan(watches: int) -> Plan:
    """Return a plan with `watches` standing questions in the first seconds, and nothing else.

    One in four of them is a multi-response question.
    """
    many = watches // 4
    once = watches - many
    return Plan(10_000, 10_001, proactive=(once, once), multi=(many, many), first=0, early=0.3)


@dataclass(frozen=True)
class Run:
    """One episode: what was said; milliseconds and prefilled tokens of all steps; the steps, where
    all watches were in one conversation."""

    said: list[Said]
    ms: float
    tokens: int
    steps: Sequence[Step] = ()


def conversation(lockstep: Lockstep, episode: Episode, seconds: int, sensor: Sensor) -> Run:
    """Run all watches in one conversation."""
    engine = lockstep.engine
    asked = engine.owners.cost.tokens
    steps = play(lockstep, episode, seconds, sensor)
    counters = engine.policy.counters
    tokens = counters.critical_tokens + counters.background_tokens
    tokens += engine.owners.cost.tokens - asked
    return Run(said(steps), sum(s.step_ms for s in steps), tokens, steps)


def fork(lockstep: Lockstep, episode: Episode, seconds: int, sensor: Sensor) -> Run:
    """Run each watch alone. An event that several watches announce is counted once."""
    heard: dict[int, Said] = {}
    acknowledged: list[Said] = []
    ms, tokens = 0.0, 0
    for ask in episode.asks:
        alone = Episode(episode.world, (ask,), tuple(dues_of(episode.world, (ask,))))
        run = conversation(lockstep, alone, seconds, sensor)
        ms, tokens = ms + run.ms, tokens + run.tokens
        acknowledged += [s for s in run.said if s.question is not None]
        heard |= {s.chunk: s for s in run.said if s.question is None}
    return Run(sorted([*acknowledged, *heard.values()], key=lambda s: s.chunk), ms, tokens)


WAYS = {"conversation": conversation, "words": conversation, "fork": fork}


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
    watch = replace(config.watch, attribution="words") if way == "words" else config.watch
    settings = replace(config, window=room, watch=watch)
    lockstep = Lockstep(StreamEngine(backend, settings), at_once=False)
    scores, spent, used, steps, named = [], [], 0, 0, Named()
    for seed in seeds:
        episode, sensor = episode_of(seed, seconds, camera, plan(watches))
        run = WAYS[way](lockstep, episode, seconds, sensor)
        scores.append(score(episode, run.said, seconds))
        if run.steps:
            named.count(scores[-1], run.steps)
        spent.append(run.ms / seconds)
        used, steps = used + run.tokens, steps + seconds
        progress()
    once = [m for s in scores for m in s.of_kind(Kind.PROACTIVE)]
    return WatchReport(
        proportion(sum(m.in_time for m in once), len(once)),
        rate(sum(len(s.false_alarms) for s in scores), sum(s.seconds for s in scores) / 60),
        float(np.mean(spent)),
        used / max(1, steps),
        named.report(),
    )
