"""What a window teaches: its row, what older models say of it, and the objective of its choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from aura_core.training.preference.dpo import dpo_losses
from aura_core.training.preference.grpo import EQUAL, advantages, grpo_loss
from aura_core.training.preference.pairs import Pair, balanced, pairs_of
from aura_core.training.preference.rollouts import Choice, View
from aura_core.training.preference.rows import Row, sums
from aura_core.training.preference.settings import PreferenceRecipe


@dataclass(frozen=True, eq=False)
class Lesson:
    """A row, with log-probabilities of its N tokens by the model that played (`old`, (N,)) and by
    the first checkpoint (`before`, (N,)), and those of all tokens at the anchors by the first
    checkpoint (`taught`, (A, vocabulary))."""

    row: Row
    old: torch.Tensor
    before: torch.Tensor
    taught: torch.Tensor


def useful(view: View, recipe: PreferenceRecipe) -> list[Choice]:
    """The choices of a window from which something can be learned."""
    if recipe.method == "dpo":
        return [c for c in view.choices if pairs_of(c, recipe.gap, recipe.margin)]
    return [c for c in view.choices if _differs(c)]


def _differs(choice: Choice) -> bool:
    rewards = [o.reward for o in choice.outputs if o.count]
    return max(rewards) - min(rewards) > EQUAL


class Pairing:
    """The objective of DPO for the lessons of one round, whose pairs are weighed together."""

    def __init__(self, lessons: Sequence[Lesson], recipe: PreferenceRecipe) -> None:
        self._recipe = recipe
        self._pairs: dict[int, list[Pair]] = {}
        for lesson in lessons:
            self._pairs[id(lesson)] = _of_row(lesson.row, recipe)
        self.kinds = [p.kind for pairs in self._pairs.values() for p in pairs]
        self._weight = dict(zip(self.kinds, balanced(self.kinds), strict=True))

    def number(self, lesson: Lesson) -> int:
        """Number of pairs of a lesson."""
        return len(self._pairs[id(lesson)])

    def __call__(self, lesson: Lesson, log_p: torch.Tensor) -> torch.Tensor:
        """Sum of the losses of all pairs, a scalar; `log_p` (N,) of the model that is trained."""
        row, pairs = lesson.row, self._pairs[id(lesson)]
        count = len(row.outputs)
        mine, before = sums(log_p, row.owner, count), sums(lesson.before, row.owner, count)
        chosen = torch.tensor([p.chosen for p in pairs], device=log_p.device)
        rejected = torch.tensor([p.rejected for p in pairs], device=log_p.device)
        weight = torch.tensor([self._weight[p.kind] for p in pairs], device=log_p.device)
        losses = dpo_losses(
            mine[chosen], mine[rejected], before[chosen], before[rejected], self._recipe.beta
        )
        if self._recipe.nll:
            length = torch.bincount(row.owner, minlength=count)
            losses = losses - self._recipe.nll * mine[chosen] / length[chosen]
        return (weight * losses).sum()


class Grouping:
    """The objective of GRPO; each choice is a group."""

    def __init__(self, lessons: Sequence[Lesson], recipe: PreferenceRecipe) -> None:
        self._recipe = recipe
        self.kinds = [_kind(c) for lesson in lessons for c in lesson.row.choices]

    def number(self, lesson: Lesson) -> int:
        """Number of groups of a lesson."""
        return len(lesson.row.choices)

    def __call__(self, lesson: Lesson, log_p: torch.Tensor) -> torch.Tensor:
        """Sum of the losses of all groups, a scalar; `log_p` (N,) of the model that is trained."""
        row, r = lesson.row, self._recipe
        told, shares = [], []
        for choice in row.choices:
            counts = torch.tensor([float(o.count) for o in choice.outputs])
            told.append(advantages(torch.tensor([o.reward for o in choice.outputs]), counts))
            shares.append(counts / counts.sum())
        advantage, share = (torch.cat(x).to(log_p.device) for x in (told, shares))
        return grpo_loss(
            log_p, lesson.old, lesson.before, row.owner, advantage, share, r.ratio, r.kl
        )


OBJECTIVES = {"dpo": Pairing, "grpo": Grouping}


def _of_row(row: Row, recipe: PreferenceRecipe) -> list[Pair]:
    """The pairs of all choices of a row, by the indices of its outputs."""
    pairs, first = [], 0
    for choice in row.choices:
        for p in pairs_of(choice, recipe.gap, recipe.margin):
            pairs.append(Pair(first + p.chosen, first + p.rejected, p.kind))
        first += len(choice.outputs)
    return pairs


def _kind(choice: Choice) -> str:
    """Whether the best sampled output speaks, for the log."""
    best = max((o for o in choice.outputs if o.count), key=lambda o: o.reward)
    return "speak" if best.ids else "silent"
