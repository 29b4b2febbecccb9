"""Finds the threshold on p(silent) for a model: a sweep over recorded probabilities.

One free-running pass over validation episodes records p(silent) of every chunk. The sweep computes
what the model would have said at each threshold if everything else had stayed equal. That is an
estimate only, because earlier words are in the window when the model decides the next chunk.
Therefore the chosen threshold is run again, free-running, and both results are reported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aura_core.config import AssistantConfig, DeciderConfig
from aura_core.errors import InputError
from aura_core.evaluation.scoring import EpisodeScore, Said, score
from aura_core.evaluation.sim import episode_of, play, said
from aura_core.evaluation.statistics import Measured, bootstrap, proportion, rate
from aura_core.models.backend import Backend
from aura_core.replay.lockstep import Lockstep
from aura_core.sim.episode import Episode
from aura_core.sim.world import FIRST_TEST_SEED
from aura_core.stream.decision import Restraint
from aura_core.stream.engine import StreamEngine
from aura_core.types import Step

OBJECTIVES = ("recall", "f1")
GRID = (  # denser towards 0 and 1, because p(silent) of a trained model is close to them
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.3,
    0.4,
    0.5,
    0.55,
    0.6,
    0.65,
    0.7,
    0.75,
    0.8,
    0.85,
    0.9,
    0.95,
    0.98,
    0.99,
    0.995,
    0.998,
    0.999,
)


@dataclass(frozen=True)
class Record:
    """One episode after its run.

    `episode` says what was due; `steps` hold p(silent) and the stamps.
    """

    episode: Episode
    steps: tuple[Step, ...]
    seconds: int

    def free(self) -> EpisodeScore:
        """Return the score of what was said in the run."""
        return score(self.episode, said(self.steps), self.seconds)

    def at(self, config: DeciderConfig) -> EpisodeScore:
        """Return the score of what would have been said with `config`, everything else equal.

        Chunks with a question keep their words, because no setting silences them. Unasked words
        have no text here.
        """
        assert config.threshold is not None
        restraint = Restraint(config)
        words = {s.chunk: s for s in said(self.steps) if s.question is not None}
        out: list[Said] = []
        for step in self.steps:
            p, asked = step.decision.p_silent, step.question is not None
            speaks = (
                not asked and p < config.threshold and restraint.objection(p, step.stamp_ns) is None
            )
            restraint.note(p, step.stamp_ns, speaks)
            if step.chunk in words:
                out.append(words[step.chunk])
            elif speaks:
                out.append(Said(step.chunk, "", None))
        return score(self.episode, out, self.seconds)


@dataclass(frozen=True)
class Point:
    """The figures at one threshold. None means the model's own choice, the argmax."""

    threshold: float | None
    recall: Measured  # share of all due events that were announced within 1 s
    false_alarms_per_min: Measured
    silence_precision: Measured
    f1: Measured  # due events against unasked words

    def as_json(self) -> dict[str, object]:
        """Return the threshold, and {value, n, ci95} of each figure."""
        return {"threshold": self.threshold} | {
            name: getattr(self, name).as_json()
            for name in ("recall", "false_alarms_per_min", "silence_precision", "f1")
        }


@dataclass(frozen=True)
class Calibration:
    """The result of `calibrate`.

    `base` is a free-running pass with the model's own choice. `sweep` are the estimates from that
    pass, and `estimate` is the chosen one. `free` is a free-running pass with the chosen threshold.
    """

    base: Point
    sweep: tuple[Point, ...]
    estimate: Point
    free: Point


def record(
    backend: Backend, seeds: Iterable[int], config: AssistantConfig | None = None, seconds: int = 60
) -> list[Record]:
    """Run the episodes of `seeds`, free-running.

    Raises `InputError` on seeds that are held out for tests.
    """
    lockstep = Lockstep(StreamEngine(backend, config), at_once=False)
    out = []
    for seed in seeds:
        if seed >= FIRST_TEST_SEED:
            raise InputError(
                f"seed {seed} is a test seed; calibrate on seeds below {FIRST_TEST_SEED}"
                " (420000:420020 by default)"
            )
        episode, sensor = episode_of(seed, seconds)
        out.append(Record(episode, tuple(play(lockstep, episode, seconds, sensor)), seconds))
    return out


def point(threshold: float | None, scores: Sequence[EpisodeScore]) -> Point:
    """Return the figures of `scores`, with n and 95% interval."""
    due = [m for s in scores for m in s.matched]
    minutes = sum(s.seconds for s in scores) / 60
    return Point(
        threshold,
        proportion(sum(m.in_time for m in due), len(due)),
        rate(sum(len(s.false_alarms) for s in scores), minutes),
        proportion(sum(s.silent_right for s in scores), sum(s.silent for s in scores)),
        bootstrap(scores, _f1, len(due), draws=200),
    )


def _f1(scores: Sequence[EpisodeScore]) -> float:
    due = [m for s in scores for m in s.matched]
    hits = sum(m.in_time for m in due)
    wrong = len(due) - hits + sum(len(s.false_alarms) for s in scores)
    return 2 * hits / (2 * hits + wrong) if due else math.nan


def sweep(
    records: Sequence[Record], config: DeciderConfig, grid: Sequence[float] = GRID
) -> tuple[Point, ...]:
    """Return estimates at every threshold of `grid` that does not contradict `config.rearm`."""
    allowed = [t for t in grid if config.rearm is None or t <= config.rearm]
    return tuple(point(t, [r.at(replace(config, threshold=t)) for r in records]) for t in allowed)


def pick(
    points: Sequence[Point], objective: str = "recall", max_false_alarms: float = 0.1
) -> Point:
    """Return the point with the best `objective` within the budget of false alarms a minute.

    If several are equal, the one with fewer false alarms is taken, then the one nearest to 0.5 in
    log-odds. Raises `InputError` when no threshold within the budget finds an event, or for an
    unknown objective.
    """
    if objective not in OBJECTIVES:
        raise InputError(f"objective '{objective}': expected one of {', '.join(OBJECTIVES)}")
    within = [
        p for p in points if p.false_alarms_per_min.value <= max_false_alarms and p.recall.value > 0
    ]
    if not within:
        raise InputError(
            f"no threshold finds a due event with at most {max_false_alarms:g} false alarms a"
            " minute; allow more, or train the model further"
        )

    def key(p: Point) -> tuple[float, float, float]:
        assert p.threshold is not None
        odds = abs(math.log(p.threshold / (1 - p.threshold)))
        return getattr(p, objective).value, -p.false_alarms_per_min.value, -odds

    return max(within, key=key)


def calibrate(
    backend: Backend,
    seeds: Sequence[int],
    config: AssistantConfig | None = None,
    objective: str = "recall",
    max_false_alarms: float = 0.1,
    seconds: int = 60,
) -> Calibration:
    """Record with the model's own choice, sweep, choose a threshold, and run that one.

    `config` gives all other settings. Raises `InputError` when nothing is due in the episodes, and
    as `record` and `pick` do.
    """
    config = config or AssistantConfig()
    own = replace(config, decider=replace(config.decider, threshold=None))
    records = record(backend, seeds, own, seconds)
    if not any(r.free().matched for r in records):
        raise InputError("nothing is due in these episodes; give more seeds or longer episodes")
    points = sweep(records, own.decider)
    best = pick(points, objective, max_false_alarms)
    chosen = replace(own, decider=replace(own.decider, threshold=best.threshold))
    again = [r.free() for r in record(backend, seeds, chosen, seconds)]
    return Calibration(
        point(None, [r.free() for r in records]), points, best, point(best.threshold, again)
    )
