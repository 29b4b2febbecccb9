"""Silent-Speech Balanced Loss (AURA, arXiv 2604.04184), and the plain cross-entropy beside it.

    L = -(1 / sum m_t) * sum m_t * w_t * log p(y_t | x, y_<t)

m_t selects supervised tokens. w_t = 1 on speech; on silent tokens w_t = (number of supervised answers) /
N_silent: with one supervised answer, as in the paper's samples, that is its 1/N_silent; a sequence with K
supervised answers stands for K such samples that share their silent turns.

Departures, see docs/training.md: a silent turn where something happened that must not be announced, or right after
words (a hard negative), keeps weight 1: with 1/N_silent these rare turns are nearly free, and the model learns
to announce every event. And the first token of every turn in which something happened, announced or not, weighs
`EVENT_WEIGHT`: these few decisions are what a window is about, and the words of answers drown them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

EVENT_WEIGHT = 3.0


@dataclass(frozen=True)
class Supervised:
    """Supervised tokens of one batch, flat: N tokens out of all sequences.

    `row` int64 (N,): sequence of the token. `target` int64 (N,). `silent`, `hard`, `event` bool (N,): the token is
    the silent token; it is a hard negative; it decides a turn in which something happened.
    """

    row: torch.Tensor
    target: torch.Tensor
    silent: torch.Tensor
    hard: torch.Tensor
    event: torch.Tensor


def weights(s: Supervised, rows: int, answers: torch.Tensor, departures: bool = True) -> torch.Tensor:
    """w_t, float32 (N,). `answers` (rows,) is K of each row; without `departures`, the paper's formula."""
    silent_in_row = torch.zeros(rows, device=s.row.device).index_add_(0, s.row, s.silent.float()).clamp_(min=1.0)
    balanced = (answers.float().clamp(min=1.0) / silent_in_row)[s.row].clamp(max=1.0)
    if not departures:
        return torch.where(s.silent, balanced, 1.0)
    w = torch.where(s.silent & ~s.hard, balanced, 1.0)
    return torch.where(s.event, EVENT_WEIGHT, w)


def balanced_loss(
    logits: torch.Tensor, s: Supervised, rows: int, answers: torch.Tensor, departures: bool = True
) -> torch.Tensor:
    """The loss above on float32 logits (N, vocabulary) of the supervised positions; a scalar."""
    w = weights(s, rows, answers, departures)
    return (w * F.cross_entropy(logits, s.target, reduction="none")).sum() / len(s.target)


def plain_loss(logits: torch.Tensor, s: Supervised) -> torch.Tensor:
    """Plain cross-entropy over all supervised tokens (it collapses to silence; kept for comparison)."""
    return F.cross_entropy(logits, s.target)
