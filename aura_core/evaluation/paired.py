"""Two models on the same episodes of the simulator: figures of both, and of their difference.

Episodes differ more than models do. So the interval of a difference is made from episodes drawn
with replacement, each with what both models did in it. Where all draws are equal, because no
episode differs, the interval is made from how many episodes may differ that were not played: at
most a share of 1 - 0.05^(1/n) after n that do not, about 3/n (the rule of three: Hanley and
Lippman-Hand, JAMA 249, 1983).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aura_core.config import AssistantConfig
from aura_core.evaluation import watches as together
from aura_core.evaluation.scoring import EpisodeScore, score
from aura_core.evaluation.sim import EPISODE_S, episode_of, play, said
from aura_core.evaluation.statistics import Measured, bootstrap_sums
from aura_core.models.backend import Backend
from aura_core.replay.lockstep import Lockstep
from aura_core.sim.talk import DECLINED, PAST
from aura_core.stream.engine import StreamEngine
from aura_core.types import Kind

Sums = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A figure that is a function of sums over episodes.

    `tally` gives the numbers of one episode, of which the last is how many samples it has; `value`
    the figure of their sums. `share`: it is from 0 to 1. `bounded`: an episode that differs moves
    it by at most its own part of the samples, so it is a share of them.
    """

    tally: Callable[[EpisodeScore], Sequence[float]]
    value: Callable[[Sums], float]
    share: bool = True
    bounded: bool = True


def _ratio(sums: Sums) -> float:
    return float(sums[0] / sums[1]) if sums[1] else float("nan")


def _f1(sums: Sums) -> float:
    hits, wrong, n = sums
    return float(2 * hits / (2 * hits + wrong)) if n else float("nan")


def _once(s: EpisodeScore) -> list[float]:
    once = s.of_kind(Kind.PROACTIVE)
    return [sum(m.in_time for m in once), len(once)]


def _many(s: EpisodeScore) -> list[float]:
    many = s.of_kind(Kind.MULTI_RESPONSE)
    hits = sum(m.in_time for m in many)
    return [hits, len(many) - hits + s.multi_false_alarms(), len(many)]


def _due(s: EpisodeScore) -> list[float]:
    return [sum(m.in_time for m in s.matched), len(s.matched)]


def _all_f1(s: EpisodeScore) -> list[float]:
    hits = sum(m.in_time for m in s.matched)
    return [hits, len(s.matched) - hits + len(s.false_alarms), len(s.matched)]


def _words(s: EpisodeScore) -> list[float]:
    return [sum(m.in_time and m.text == m.due.text for m in s.matched), len(s.matched)]


def _alarms(s: EpisodeScore) -> list[float]:
    return [len(s.false_alarms), s.seconds / 60]


def _answers(s: EpisodeScore, past: bool) -> list[float]:
    asked = [
        a
        for a in s.asked
        if a.ask.kind is Kind.REAL_TIME
        and (a.ask.topic in PAST) == past
        and a.ask.topic not in DECLINED
    ]
    return [sum(a.right for a in asked), len(asked)]


#: `events` are those of all standing questions; `told_right` also needs the true words
FIGURES = {
    "proactive.recall": Figure(_once, _ratio),
    "multi.event_f1": Figure(_many, _f1, bounded=False),
    "events.recall": Figure(_due, _ratio),
    "events.f1": Figure(_all_f1, _f1, bounded=False),
    "events.told_right": Figure(_words, _ratio),
    "false_alarms_per_min": Figure(_alarms, _ratio, share=False, bounded=False),
    "realtime.exact_match": Figure(lambda s: _answers(s, False), _ratio),
    "past.exact_match": Figure(lambda s: _answers(s, True), _ratio),
}


@dataclass(frozen=True)
class Compared:
    """One figure of two models, and the second's minus the first's.

    Args:
        episodes: those that have samples of it.
        differ: in how many of them the models did not do the same.

    Where no draw of episodes differs, the interval of `difference` is that of the module's text; it
    is nan for a figure that an episode can move by any amount, such as false alarms a minute.
    """

    before: Measured
    after: Measured
    difference: Measured
    episodes: int
    differ: int

    @property
    def may_differ(self) -> float:
        """The share of episodes that differ is below this one (95%), if none of these does."""
        return 1 - 0.05 ** (1 / self.episodes)

    def as_json(self) -> dict[str, object]:
        """Return {before, after, difference, episodes, differ}."""
        told = {k: getattr(self, k).as_json() for k in ("before", "after", "difference")}
        return told | {"episodes": self.episodes, "differ": self.differ}


def scores(
    backend: Backend,
    seeds: Iterable[int],
    config: AssistantConfig | None = None,
    seconds: int = EPISODE_S,
    camera: str = "drawn",
    watches: int = 0,
) -> list[EpisodeScore]:
    """Play the episode of each seed free-running.

    `watches`: so many standing questions and nothing else in each episode, in one conversation (see
    `evaluation.watches`); 0: the episodes of `aura eval sim`.
    """
    config = config or AssistantConfig()
    if watches:
        groups = max(config.window.qa_groups, watches + 2)
        config = replace(config, window=replace(config.window, qa_groups=groups))
    lockstep = Lockstep(StreamEngine(backend, config), at_once=False)
    plan = together.plan(watches) if watches else None
    out = []
    for seed in seeds:
        episode, sensor = episode_of(seed, seconds, camera, plan)
        out.append(score(episode, said(play(lockstep, episode, seconds, sensor)), seconds))
    return out


def compare(before: Sequence[EpisodeScore], after: Sequence[EpisodeScore]) -> dict[str, Compared]:
    """The figures of two models that have samples; the scores are of the same episodes, in
    order."""
    out = {}
    for name, figure in FIGURES.items():
        rows = [[list(figure.tally(s)) for s in one] for one in (before, after)]
        n = sum(row[-1] for row in rows[0])
        if n:
            out[name] = _compared(figure, rows[0], rows[1], n)
    return out


def _compared(
    figure: Figure, before: list[list[float]], after: list[list[float]], n: float
) -> Compared:
    width = len(before[0])

    def difference(sums: Sums) -> float:
        return figure.value(sums[width:]) - figure.value(sums[:width])

    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a[-1] or b[-1]]
    both = [a + b for a, b in zip(before, after, strict=True)]
    found = Compared(
        bootstrap_sums(before, figure.value, n, share=figure.share),
        bootstrap_sums(after, figure.value, n, share=figure.share),
        bootstrap_sums(both, difference, n, share=False),
        len(pairs),
        sum(a != b for a, b in pairs),
    )
    if figure.bounded and math.isnan(found.difference.ci95[0]):
        # each of the other episodes is as these are, but for a share that may be anything
        value, other = found.difference.value, found.may_differ
        ends = ((1 - other) * value - other, (1 - other) * value + other)
        found = replace(found, difference=replace(found.difference, ci95=ends))
    return found
