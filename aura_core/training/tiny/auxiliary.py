"""Auxiliary losses of stage 2: linear read-outs of hidden layers, thrown away after training.

Words are rare and each says one thing; what the words need is there every second. These teach it
densely, and leave only its use to the words:

- *asking*, where the second of a question is decided: what it waits for (`asked_in`), so that one
  place has it all;
- *matching*, at the visual tokens: whether their object is awaited by a standing question
  (`targets.awaited_in`);
- *closing*, where an answer ends: which one-time questions it has answered (`closed_in`);
- *gathering*, where a second is decided: what the room is like and what just happened in it
  (`items_of`, `facts_of`), and what is waited for (`conditions_in`);
- *meeting*, one layer later: what of the one is among the other. Whether to speak is then a sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from aura_core.training.tiny.targets import (
    AWAITED,
    CONDITIONS,
    FACT_TOKENS,
    QUESTIONS,
    RESTING,
    SLOT_TOKENS,
    WAITS,
)
from aura_core.training.tiny.vision import HEADS, known_bce

if TYPE_CHECKING:
    from aura_core.training.tiny.batches import Batch

WEIGHT = 0.5
CONDITIONS_WEIGHT = 0.2  # of the sum over all conditions; more of it drowns the words
ASKING, MATCHING, GATHERING, MEETING = 1, 2, 3, 4  # the layers that are read out, counted from zero
_PLACE = sum(HEADS)  # logits of one place on the table


class Auxiliary:
    """The read-outs of one language model; calling it gives their weighted sum for a batch."""

    def __init__(self, lm: Any) -> None:
        width = lm.config.hidden_size
        gathered = _PLACE * len(SLOT_TOKENS) + len(FACT_TOKENS)
        self.heads = torch.nn.ModuleDict(
            {
                "asking": torch.nn.Linear(width, QUESTIONS),
                "matching": torch.nn.Linear(width, AWAITED),
                "gathering": torch.nn.Linear(width, gathered),
                "conditions": torch.nn.Linear(width, CONDITIONS),
                "closing": torch.nn.Linear(width, WAITS),
                "meeting": torch.nn.Linear(width, WAITS),
            }
        )
        # hardly any of them holds: they begin with "none"
        for name in ("conditions", "closing", "meeting"):
            torch.nn.init.zeros_(self.heads[name].weight)
            torch.nn.init.constant_(self.heads[name].bias, -4.0)

    def __call__(self, batch: Batch, hidden: Sequence[torch.Tensor]) -> torch.Tensor:
        """A scalar. `hidden`: the output of each layer (B, L, width) for the batch."""
        flat = [h.flatten(0, 1) for h in hidden]
        return WEIGHT * (
            self.asking(batch, flat)
            + self.matching(batch, flat)
            + self.closing(batch, flat)
            + self.gathering(batch, flat)
            + self.meeting(batch, flat)
        )

    def asking(self, batch: Batch, hidden: Sequence[torch.Tensor]) -> torch.Tensor:
        """Weighted mean cross-entropy over the seconds in which something is asked."""
        logits = self.heads["asking"](hidden[ASKING][batch.decides])
        # most questions wait for nothing
        weight = torch.where(batch.asked == 0, 0.1, 1.0) * (batch.asked >= 0)
        told = F.cross_entropy(logits, batch.asked.clamp(min=0), reduction="none")
        # a batch in which nothing is asked has no loss
        return (told * weight).sum() / weight.sum().clamp(min=0.1)

    def matching(self, batch: Batch, hidden: Sequence[torch.Tensor]) -> torch.Tensor:
        """Mean binary cross-entropy over the visual tokens that have something to be awaited."""
        logits = self.heads["matching"](hidden[MATCHING][batch.visual])
        known = (~batch.awaited.isnan()).sum()
        return known_bce(logits, batch.awaited) / known.clamp(min=1)

    def gathering(self, batch: Batch, hidden: Sequence[torch.Tensor]) -> torch.Tensor:
        """Cross-entropies of a place's colour, shape and state, of the facts for each lasting one,
        and of a second's conditions."""
        gathered = hidden[GATHERING][batch.decides]
        logits = self.heads["gathering"](gathered)
        places, facts = logits.split((_PLACE * len(SLOT_TOKENS), len(FACT_TOKENS)), dim=-1)
        parts = places.reshape(-1, _PLACE).split(HEADS, dim=-1)
        items = batch.items.flatten(0, 1)
        losses = [
            F.cross_entropy(p, items[:, i], reduction="sum") / len(items)
            for i, p in enumerate(parts)
        ]
        losses.append(known_bce(facts, batch.facts) / (len(facts) * len(RESTING)))
        met = self.heads["conditions"](gathered)
        right = F.binary_cross_entropy_with_logits(met, batch.conditions, reduction="sum")
        losses.append(CONDITIONS_WEIGHT * right / len(met))
        return torch.stack(losses).sum()

    def closing(self, batch: Batch, hidden: Sequence[torch.Tensor]) -> torch.Tensor:
        """Binary cross-entropy of what is closed, the mean over the answers to standing
        questions."""
        logits = self.heads["closing"](hidden[MATCHING][batch.ends])
        answers = (~batch.closed[:, 0].isnan()).sum()
        return CONDITIONS_WEIGHT * known_bce(logits, batch.closed) / answers.clamp(min=1)

    def meeting(self, batch: Batch, hidden: Sequence[torch.Tensor]) -> torch.Tensor:
        """Binary cross-entropy of what is waited for and happens in a second, the mean over the
        batch's seconds."""
        logits = self.heads["meeting"](hidden[MEETING][batch.decides])
        told = F.binary_cross_entropy_with_logits(logits, batch.met, reduction="sum")
        return told / len(logits)
