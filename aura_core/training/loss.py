"""Silent-Speech Balanced Loss (AURA, arXiv 2604.04184), and the plain cross-entropy beside it.

    L = -(1 / sum m_t) * sum m_t * w_t * log p(y_t | x, y_<t)

m_t selects supervised tokens. w_t = 1 on speech; on silent tokens w_t = (number of supervised answers) /
N_silent: with one supervised answer, as in the paper's samples, that is its 1/N_silent; a sequence with K
supervised answers stands for K such samples that share their silent turns.

Departure, ablated in the model card: a silent turn where something happened that must NOT be announced
(a hard negative) keeps weight 1. With 1/N_silent these rare turns are nearly free, and the model learns to
announce every event.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Supervised:
    """Supervised tokens of one batch, flat: N tokens out of all sequences.

    `row` int64 (N,): sequence of the token. `target` int64 (N,). `silent`, `hard` bool (N,): the token is
    the silent token; it is a hard negative.
    """

    row: torch.Tensor
    target: torch.Tensor
    silent: torch.Tensor
    hard: torch.Tensor


def weights(s: Supervised, rows: int, answers: torch.Tensor, hard_weight: float | None = 1.0) -> torch.Tensor:
    """w_t, float32 (N,). `answers` (rows,) is K of each row; `hard_weight` None is the paper's formula."""
    silent_in_row = torch.zeros(rows, device=s.row.device).index_add_(0, s.row, s.silent.float()).clamp_(min=1.0)
    balanced = (answers.float().clamp(min=1.0) / silent_in_row)[s.row].clamp(max=1.0)
    if hard_weight is not None:
        balanced = torch.where(s.hard, torch.full_like(balanced, hard_weight), balanced)
    return torch.where(s.silent, balanced, torch.ones_like(balanced))


def balanced_loss(
    logits: torch.Tensor, s: Supervised, rows: int, answers: torch.Tensor, hard_weight: float | None = 1.0
) -> torch.Tensor:
    """The loss above on float32 logits (N, vocabulary) of the supervised positions; a scalar."""
    w = weights(s, rows, answers, hard_weight)
    return (w * F.cross_entropy(logits, s.target, reduction="none")).sum() / len(s.target)


def plain_loss(logits: torch.Tensor, s: Supervised) -> torch.Tensor:
    """Plain cross-entropy over all supervised tokens (it collapses to silence; kept for comparison)."""
    return F.cross_entropy(logits, s.target)
