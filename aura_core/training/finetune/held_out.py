"""Evaluation during training: teacher-forced on held-out samples, and on the simulator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

from aura_core.models.backend import ChatFormat
from aura_core.models.local import LocalBackend
from aura_core.training.finetune.opening import arguments
from aura_core.training.finetune.packing import Row
from aura_core.training.loss import first_of_turn


@dataclass
class _Mean:
    total: float = 0.0
    n: int = 0

    def add(self, values: torch.Tensor) -> None:
        self.total += float(values.sum())
        self.n += values.numel()


@dataclass
class HeldOut:
    """Means so far: `loss` by kind of token, `p_silent` and `right` by kind of second.

    - `loss`: plain cross-entropy. Kinds: silence, first (token of an answer), word, end.
    - `p_silent`: probability of silence. Kinds of seconds: quiet (silent), due (unasked words),
      asked (an answer in its question's second).
    - `right`: share of seconds in which the more likely of silence and speech is the true one.

    Tokens that must not be supervised are not counted.
    """

    loss: dict[str, _Mean] = field(default_factory=dict)
    p_silent: dict[str, _Mean] = field(default_factory=dict)
    right: dict[str, _Mean] = field(default_factory=dict)

    def add(self, logits: torch.Tensor, row: Row, chat: ChatFormat) -> None:
        """Add a row. `logits` is float32 (N, vocabulary)."""
        s, first = row.supervised, first_of_turn(row.supervised)
        kept = torch.ones_like(s.silent) if s.kept is None else s.kept
        losses = F.cross_entropy(logits, s.target, reduction="none")
        end = s.target == chat.end_id
        kinds = {"silence": s.silent, "first": first & ~s.silent, "end": end & ~s.silent & ~first}
        kinds["word"] = ~(kinds["silence"] | kinds["first"] | kinds["end"])
        for kind, mask in kinds.items():
            self.loss.setdefault(kind, _Mean()).add(losses[mask & kept])
        p = logits.softmax(-1)[:, sorted({chat.silent_id, chat.end_id})].sum(-1)
        spoken = first & ~s.silent
        for kind, mask in {
            "quiet": s.silent,
            "due": spoken & ~row.asked,
            "asked": spoken & row.asked,
        }.items():
            mask = mask & kept
            self.p_silent.setdefault(kind, _Mean()).add(p[mask])
            self.right.setdefault(kind, _Mean()).add(((p[mask] > 0.5) == (kind == "quiet")).float())

    def as_json(self) -> dict[str, dict[str, dict[str, float | int]]]:
        """Return {loss | p_silent | right: {kind: {value, n}}}; kinds without tokens are absent."""

        def plain(means: dict[str, _Mean]) -> dict[str, dict[str, float | int]]:
            return {
                k: {"value": round(m.total / m.n, 5), "n": m.n} for k, m in means.items() if m.n
            }

        return {
            "loss": plain(self.loss),
            "p_silent": plain(self.p_silent),
            "right": plain(self.right),
        }


@torch.no_grad()
def teacher_forced(
    model: torch.nn.Module, rows: Iterable[Row], chat: ChatFormat, device: torch.device
) -> HeldOut:
    """Evaluate on rows. The model's mode (training or evaluation) is restored afterwards."""
    held, mode = HeldOut(), model.training
    model.eval()
    for row in rows:
        row = row.to(device)
        held.add(model(**arguments(row)).float(), row, chat)
    model.train(mode)
    return held


def free_running(backend: LocalBackend, first: int, end: int) -> dict[str, Any]:
    """Run the simulator's benchmark (`aura eval sim`) with the current weights.

    The seeds are `first` .. `end` - 1.
    """
    from aura_core.evaluation.sim import evaluate

    mode = backend.model.training
    backend.model.eval()
    report = evaluate(backend, range(first, end)).as_json()
    backend.model.train(mode)
    return report
