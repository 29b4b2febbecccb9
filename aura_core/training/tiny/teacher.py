"""A model that is continued goes on doing what it could: it follows a teacher where that is right.

On the conversation of a window (not on its branches, which are about the past) the loss of a token
gets a second part, the Kullback-Leibler divergence from the teacher's distribution, as in "Learning
without Forgetting" (arXiv 1606.09282) and "Dark Experience" (arXiv 2004.07211). It counts only
where the teacher's likeliest token is the true one, so that no fault of it is learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from aura_core.training.tiny.batches import Batch
from aura_core.training.tiny.forward import logits_of


class Teacher:
    """A frozen model of the same shape and words."""

    def __init__(self, model: Any, unknown: torch.Tensor) -> None:
        """`unknown`, bool (vocabulary,): tokens that the teacher never learned. It gives them no
        probability."""
        self._model = model.requires_grad_(False)
        self._unknown = unknown

    def to(self, device: str) -> Teacher:
        """The same on a device."""
        return Teacher(self._model.to(device), self._unknown.to(device))

    def told(self, batch: Batch, bank: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the teacher says of the conversations of a batch.

        Returns:
            Bool (N,), which supervised tokens belong to the conversation, M of them; and the
            logits of these, float32 (M, vocabulary).
        """
        mine, conversations = conversations_of(batch)
        with torch.no_grad():
            logits, _ = logits_of(self._model, conversations, bank)
        return mine, logits.masked_fill(self._unknown, float("-inf"))


def conversations_of(batch: Batch) -> tuple[torch.Tensor, Batch]:
    """The batch without its branches, and which of the supervised tokens (N,) are left in it.

    Only what `logits_of` reads is right in the new batch.
    """
    if batch.branch is None:
        return torch.ones_like(batch.at, dtype=torch.bool), batch
    main = batch.branch == 0
    rows, length = main.shape
    short = int(main.sum(1).max())
    # what belongs to the conversation first, in its order; behind it some of the rest, which no
    # token of the conversation sees
    order = torch.argsort((~main).int(), dim=1, stable=True)[:, :short]
    first = length * torch.arange(rows, device=main.device)[:, None]
    places = torch.zeros(rows * length, dtype=torch.long, device=main.device)
    places[(order + first).flatten()] = torch.arange(rows * short, device=main.device)
    mine = main.flatten()[batch.at]
    return mine, replace(
        batch,
        ids=batch.ids.gather(1, order),
        positions=batch.positions.gather(2, order.expand(3, rows, short)),
        visual=places[batch.visual],
        at=places[batch.at[mine]],
        branch=None,
    )


def divergence(
    logits: torch.Tensor, taught: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Sum of weight * KL(teacher || model) over the tokens on which the teacher is right: a scalar.

    Args:
        logits: of the model, float32 (M, vocabulary).
        taught: of the teacher, likewise; -inf for tokens that it does not know.
        target: int64 (M,), the true tokens.
        weight: float32 (M,).
    """
    right = taught.argmax(-1) == target
    p = taught.softmax(-1)
    entropy = torch.special.entr(p).sum(-1)
    # a token without probability counts nothing, however unlikely the model takes it to be
    cross = -torch.where(p > 0, p * logits.log_softmax(-1), 0.0).sum(-1)
    return (weight * right * (cross - entropy)).sum()


def open_teacher(folder: Path, vocabulary: Mapping[str, int]) -> Teacher:
    """The model of a checkpoint folder, with the words of the one that is trained.

    Raises `ModelError`.
    """
    from aura_core.training.tiny import model as tiny
    from aura_core.training.tiny.checkpoint import known, saved

    model, _ = tiny.build_model(0)
    rows = model.get_input_embeddings().weight.detach()
    model.load_state_dict(saved(folder, vocabulary, rows))
    unknown = torch.ones(len(rows), dtype=torch.bool)
    words = known(folder)
    unknown[[at for token, at in vocabulary.items() if token in words]] = False
    return Teacher(model, unknown)
