"""Pairs for DPO: a better and a worse turn after the same prefix.

Three kinds: to speak was better than silence, silence was better than words, and the true words
were better than others. What the model misses and what it tells without a reason must weigh the
same, or it learns to be mute or to chatter: the weights make up for their numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from aura_core.training.preference.rollouts import Choice, Output

MOST = 4.0  # the largest weight of a pair, and the inverse of the least
SPEAK, SILENT, WORDS = "speak", "silent", "words"


@dataclass(frozen=True)
class Pair:
    """Indices of two outputs of one choice."""

    chosen: int
    rejected: int
    kind: str


def pairs_of(choice: Choice, gap: float, margin: float) -> list[Pair]:
    """The pairs of one choice, at most one of each kind.

    Args:
        choice: its first output is silence.
        gap: least difference of rewards.
        margin: a pair is left out where the model gives the better output a log-probability that is
            larger by more than this, in nats.
    """
    outputs = choice.outputs
    spoken = sorted(range(1, len(outputs)), key=lambda i: outputs[i].reward)
    found = []
    if spoken:
        worst, best = spoken[0], spoken[-1]
        found = [Pair(best, 0, SPEAK), Pair(0, worst, SILENT), Pair(best, worst, WORDS)]
    return [
        p
        for p in found
        if outputs[p.chosen].reward - outputs[p.rejected].reward >= gap
        and not _known(outputs[p.chosen], outputs[p.rejected], margin)
    ]


def _known(chosen: Output, rejected: Output, margin: float) -> bool:
    """False also where a probability is unknown (nan)."""
    return chosen.log_p - rejected.log_p > margin


def balanced(kinds: Sequence[str]) -> list[float]:
    """A weight for each pair: all speaking pairs together weigh as much as all silent ones.

    No pair weighs more than `MOST` or less than 1 / `MOST`; words weigh 1.
    """
    counts = Counter(kinds)
    mean = (counts[SPEAK] + counts[SILENT]) / 2

    def weight(kind: str) -> float:
        if kind == WORDS or not counts[SPEAK] or not counts[SILENT]:
            return 1.0
        return min(MOST, max(1 / MOST, mean / counts[kind]))

    return [weight(kind) for kind in kinds]
