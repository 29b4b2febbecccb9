"""Silent-Speech Balanced Loss (AURA, arXiv 2604.04184), and the losses that it is compared with.

    L = -(1 / sum m_t) * sum m_t * w_t * log p(y_t | x, y_<t)

m_t selects supervised tokens, w_t weighs them. By name (`weighting`):

| name         | m_t = 1 on                             | w_t                                                      |
| balanced     | silent turns, the last non-silent turn | 1/N_silent on silent tokens, else 1: the paper's formula |
| balanced_all | silent turns, every non-silent turn    | K/N_silent on silent tokens, else 1; and two departures  |
| plain        | all                                    | 1 (it collapses to silence; kept for comparison)         |
| harness      | all                                    | Streaming Harness (arXiv 2606.08615), see `HARNESS`      |

All but `balanced` leave out what must not be supervised (`Supervised.kept`); of the data engine's
samples the last answer and all silence may be, which is what `balanced` takes.

N_silent counts silent tokens of a sequence, K its supervised answers: a sequence with K of them
stands for K of the paper's samples that share their silent turns.

Departures of `balanced_all`, see docs/training.md: a silent turn where something happened that must
not be announced, or right after words (a hard negative), keeps weight 1: with 1/N_silent these rare
turns are nearly free, and the model learns to announce every event. And the first token of every
turn in which something happened, announced or not, weighs `EVENT_WEIGHT`: these few decisions are
what a window is about, and the words of answers drown them.
"""  # noqa: E501

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from aura_core.errors import ConfigError
from aura_core.training import LOSSES

EVENT_WEIGHT = 3.0


@dataclass(frozen=True)
class HarnessWeights:
    """w_t of the Streaming Harness. Its token that announces a response is here the first token of
    an answer."""

    first_silence: float = 1.0  # a silent turn after words, or at the beginning
    repeated_silence: float = 0.8
    response: float = 1.5
    other: float = 1.0


HARNESS = HarnessWeights()


@dataclass(frozen=True)
class Supervised:
    """Supervised tokens of one batch, flat: N tokens out of all sequences, in order.

    `row` int64 (N,): sequence of the token. `target` int64 (N,). `silent`, `hard`, `event` bool
    (N,): the token is the silent token; it is a hard negative; it decides a turn in which something
    happened. `turn` int64 (N,): which turn of its sequence the token belongs to, counted over all
    turns in view; only `balanced` and `harness` need it. `kept` bool (N,): the token may be
    supervised, else it is context (`training/supervision.py`); None: all may be.
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
    """w_t of `balanced_all`, float32 (N,). `answers` (rows,): K of each row; without `departures`,
    K/N_silent alone."""
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
    """`balanced_all` on float32 logits (N, vocabulary) of the supervised positions; a scalar."""
    w = weights(s, rows, answers, departures)
    return (w * F.cross_entropy(logits, s.target, reduction="none")).sum() / len(s.target)


def plain_loss(logits: torch.Tensor, s: Supervised) -> torch.Tensor:
    """Plain cross-entropy over all supervised tokens; a scalar."""
    return F.cross_entropy(logits, s.target)


def weighting(
    name: str, s: Supervised, rows: int, answers: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss called `name` as m_t * w_t, float32 (N,), and what their weighted sum is divided by,
    a float32 scalar.

    The two are apart because a batch may come in several parts (accumulation, several devices): the
    sums and the divisors of all parts are added before one divides the other. Raises `ConfigError`
    on an unknown name.
    """
    if name == "plain":
        w = _kept(s).float()
        return w, w.sum()
    if name == "balanced_all":
        return weights(s, rows, answers) * _kept(s), _kept(s).float().sum()
    if name == "harness":
        w = _harness(s, rows) * _kept(s)
        return w, w.sum()  # a weighted mean, as PyTorch's weighted cross-entropy is one
    if name == "balanced":
        s = replace(s, kept=None)
        mask = s.silent | _in_last_answer(s, rows)
        return (
            mask * weights(s, rows, torch.ones_like(answers), departures=False),
            mask.float().sum(),
        )
    raise ConfigError(f"the loss must be one of {', '.join(LOSSES)}, not '{name}'")


def loss_of(
    name: str, logits: torch.Tensor, s: Supervised, rows: int, answers: torch.Tensor
) -> torch.Tensor:
    """The loss called `name` on float32 logits (N, vocabulary) of the supervised positions; a
    scalar."""
    w, total = weighting(name, s, rows, answers)
    return (w * F.cross_entropy(logits, s.target, reduction="none")).sum() / total


def first_of_turn(s: Supervised) -> torch.Tensor:
    """bool (N,): the token decides its turn, silence or the first word."""
    turn = _turn(s)
    first = torch.ones_like(s.silent)
    first[1:] = (s.row[1:] != s.row[:-1]) | (turn[1:] != turn[:-1])
    return first


def _in_last_answer(s: Supervised, rows: int) -> torch.Tensor:
    """bool (N,): the token belongs to the last non-silent turn of its row."""
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
        raise ConfigError(
            "this loss needs to know which turn each supervised token belongs to (Supervised.turn)"
        )
    return s.turn
