"""The Silent-Speech Balanced Loss (AURA, arXiv 2604.04184), and losses to compare it with.

    L = -(1 / sum m_t) * sum m_t * w_t * log p(y_t | x, y_<t)

m_t selects the supervised tokens, and w_t weighs them. The names are those of `weighting`:

    name          m_t = 1 on                             w_t
    balanced      silent turns, the last non-silent turn 1/N_silent on silent tokens, else 1
    balanced_all  silent turns, every non-silent turn    K/N_silent on silent tokens, else 1
    plain         all tokens                             1
    harness       all tokens                             see `HARNESS`

`balanced` is the paper's formula. `balanced_all` has two changes, see below. `plain` learns to be
always silent; it is there for comparison. `harness` is the loss of Streaming Harness (arXiv
2606.08615).

N_silent is the number of silent tokens of a sequence, and K the number of its supervised answers.
With `balanced_all`, a sequence with K answers replaces K of the paper's samples, which share their
silent turns.

All losses leave out the answers that must not be supervised (`Supervised.kept`), and all but
`balanced` the silence too. In samples of the data engine all silence may be supervised, and so may
the last answer, unless the sample ends in silence.

The changes of `balanced_all` (see docs/training.md):

- A hard negative is a silent turn in which something happened that must not be announced, or the
  first silent turn after words. It keeps weight 1. With 1/N_silent these rare turns would count
  almost nothing, and the model would learn to announce every event.
- The first token of every turn in which something happened, announced or not, has weight
  `EVENT_WEIGHT`. These few decisions are the purpose of a window, but answers have many more
  tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from aura_core.errors import ConfigError
from aura_core.training import LOSSES

EVENT_WEIGHT = 3.0


@dataclass(frozen=True)
class HarnessWeights:
    """w_t of the Streaming Harness (arXiv 2606.08615).

    Its token that announces a response corresponds to the first token of an answer here.
    """

    first_silence: float = 1.0  # a silent turn after words, or at the beginning
    repeated_silence: float = 0.8
    response: float = 1.5
    other: float = 1.0


HARNESS = HarnessWeights()


@dataclass(frozen=True)
class Supervised:
    """The supervised tokens of one batch: N tokens of all sequences, in order.

    - `row`, int64 (N,): the sequence of the token.
    - `target`, int64 (N,): the token.
    - `silent`, bool (N,): it is the silent token.
    - `hard`, bool (N,): it is in a hard negative (see above).
    - `event`, bool (N,): it decides a turn in which something happened.
    - `turn`, int64 (N,): its turn, counted over all turns of the window; None where neither
      `balanced` nor `harness` is used.
    - `kept`, bool (N,): it may be supervised, else it is context (`finetune/supervision.py`); None:
      all may be.
    """

    row: torch.Tensor
    target: torch.Tensor
    silent: torch.Tensor
    hard: torch.Tensor
    event: torch.Tensor
    turn: torch.Tensor | None = None
    kept: torch.Tensor | None = None


def weights(
    s: Supervised, rows: int, answers: torch.Tensor, departures: bool = True
) -> torch.Tensor:
    """Return w_t of `balanced_all`, float32 (N,).

    Args:
        rows: number of sequences.
        answers: K of each sequence, (rows,).
        departures: with the two changes of `balanced_all`; without them, K/N_silent alone.
    """
    silent = (s.silent & _kept(s)).float()
    silent_in_row = (
        torch.zeros(rows, device=s.row.device).index_add_(0, s.row, silent).clamp_(min=1.0)
    )
    balanced = (answers.float().clamp(min=1.0) / silent_in_row)[s.row].clamp(max=1.0)
    if not departures:
        return torch.where(s.silent, balanced, 1.0)
    w = torch.where(s.silent & ~s.hard, balanced, 1.0)
    return torch.where(s.event, EVENT_WEIGHT, w)


def balanced_loss(
    logits: torch.Tensor, s: Supervised, rows: int, answers: torch.Tensor, departures: bool = True
) -> torch.Tensor:
    """Return `balanced_all`, a scalar, for float32 logits (N, vocabulary) of supervised tokens."""
    w = weights(s, rows, answers, departures)
    return (w * F.cross_entropy(logits, s.target, reduction="none")).sum() / len(s.target)


def plain_loss(logits: torch.Tensor, s: Supervised) -> torch.Tensor:
    """Return the plain cross-entropy over all supervised tokens, a scalar."""
    return F.cross_entropy(logits, s.target)


def weighting(
    name: str, s: Supervised, rows: int, answers: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return m_t * w_t of the loss `name`, float32 (N,), and its divisor, a float32 scalar.

    They are separate because a batch may come in several parts (gradient accumulation, several
    devices). The sums and the divisors of all parts are added before the division. Raises
    `ConfigError` for an unknown name, and for `balanced` and `harness` without `turn`.
    """
    if name == "plain":
        w = _kept(s).float()
        return w, w.sum()
    if name == "balanced_all":
        return weights(s, rows, answers) * _kept(s), _kept(s).float().sum()
    if name == "harness":
        w = _harness(s, rows) * _kept(s)
        return w, w.sum()  # a weighted mean, as in PyTorch's cross-entropy with class weights
    if name == "balanced":
        mask = s.silent | (_in_last_answer(s, rows) & _kept(s))
        s = replace(s, kept=None)
        return (
            mask * weights(s, rows, torch.ones_like(answers), departures=False),
            mask.float().sum(),
        )
    raise ConfigError(f"the loss must be one of {', '.join(LOSSES)}, not '{name}'")


def loss_of(
    name: str, logits: torch.Tensor, s: Supervised, rows: int, answers: torch.Tensor
) -> torch.Tensor:
    """Return the loss `name`, a scalar, for float32 logits (N, vocabulary) of supervised tokens."""
    w, total = weighting(name, s, rows, answers)
    return (w * F.cross_entropy(logits, s.target, reduction="none")).sum() / total


def first_of_turn(s: Supervised) -> torch.Tensor:
    """Return a bool (N,): whether the token is the first of its turn, which decides to speak."""
    turn = _turn(s)
    first = torch.ones_like(s.silent)
    first[1:] = (s.row[1:] != s.row[:-1]) | (turn[1:] != turn[:-1])
    return first


def _in_last_answer(s: Supervised, rows: int) -> torch.Tensor:
    """Return a bool (N,): whether the token is in the last non-silent turn of its row."""
    spoken = torch.where(s.silent, -1, _turn(s))
    last = torch.full((rows,), -1, dtype=spoken.dtype, device=spoken.device)
    last = last.scatter_reduce(0, s.row, spoken, "amax")
    return ~s.silent & (spoken == last[s.row])


def _harness(s: Supervised, rows: int) -> torch.Tensor:
    turn = _turn(s)
    quiet = torch.zeros((rows, int(turn.max()) + 2), dtype=torch.bool, device=turn.device)
    quiet[s.row[s.silent], turn[s.silent] + 1] = True  # shifted by one: column t is turn t - 1
    repeated = s.silent & quiet[s.row, turn]
    w = torch.where(first_of_turn(s), HARNESS.response, HARNESS.other)
    return torch.where(
        s.silent, torch.where(repeated, HARNESS.repeated_silence, HARNESS.first_silence), w
    )


def _kept(s: Supervised) -> torch.Tensor:
    return torch.ones_like(s.silent) if s.kept is None else s.kept


def _turn(s: Supervised) -> torch.Tensor:
    if s.turn is None:
        raise ConfigError("this loss needs the turn of each supervised token (Supervised.turn)")
    return s.turn
