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

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from aura_core.training.tiny.targets import (
    AWAITED,
    CONDITIONS,
    FACT_TOKENS,
    HAPPENING,
    QUESTIONS,
    RESTING,
    SLOT_TOKENS,
    WAITS,
)
from aura_core.training.tiny.vision import HEADS

if TYPE_CHECKING:
    from aura_core.training.tiny.batches import Batch

WEIGHT = 0.5
CONDITIONS_WEIGHT = 0.2  # of the sum over all conditions; more of it drowns the words
ASKING, MATCHING, GATHERING, MEETING = 1, 2, 3, 4  # the layers that are read out, counted from zero
_PLACE = sum(HEADS)  # logits of one place on the table


class Auxiliary:
    """The read-outs of one language model; calling it gives their weighted sum for the batch that
    ran last."""

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
        self._hidden: dict[int, torch.Tensor] = {}
        for layer in (ASKING, MATCHING, GATHERING, MEETING):
            lm.layers[layer].register_forward_hook(self._keeper(layer))

    def _keeper(self, layer: int) -> Any:
        def keep(_module: Any, _inputs: Any, output: Any) -> None:
            self._hidden[layer] = output[0] if isinstance(output, tuple) else output

        return keep

    def __call__(self, batch: Batch) -> torch.Tensor:
        """A scalar."""
        return WEIGHT * (
            self.asking(batch)
            + self.matching(batch)
            + self.closing(batch)
            + self.gathering(batch)
            + self.meeting(batch)
        )

    def asking(self, batch: Batch) -> torch.Tensor:
        """Weighted mean cross-entropy over the seconds in which something is asked."""
        logits = self.heads["asking"](self._hidden[ASKING].flatten(0, 1)[batch.decides])
        weight = torch.ones(QUESTIONS, device=logits.device)
        weight[0] = 0.1  # most questions wait for nothing
        told = F.cross_entropy(logits, batch.asked, weight, ignore_index=-1, reduction="sum")
        asked = weight[batch.asked[batch.asked >= 0]].sum()
        return told / asked.clamp(min=0.1)  # a batch in which nothing is asked has no loss

    def matching(self, batch: Batch) -> torch.Tensor:
        """Mean binary cross-entropy over the visual tokens that have something to be awaited."""
        logits = self.heads["matching"](self._hidden[MATCHING][batch.visual])
        known = ~batch.awaited.isnan()
        return F.binary_cross_entropy_with_logits(logits[known], batch.awaited[known])

    def gathering(self, batch: Batch) -> torch.Tensor:
        """Cross-entropies of a place's colour, shape and state, of the facts for each lasting one,
        and of a second's conditions."""
        hidden = self._hidden[GATHERING].flatten(0, 1)[batch.decides]
        logits = self.heads["gathering"](hidden)
        places, facts = logits.split((_PLACE * len(SLOT_TOKENS), len(FACT_TOKENS)), dim=-1)
        parts = places.reshape(-1, _PLACE).split(HEADS, dim=-1)
        items = batch.items.flatten(0, 1)
        losses = [F.cross_entropy(p, items[:, i]) for i, p in enumerate(parts)]
        said = F.binary_cross_entropy_with_logits(facts, batch.facts, reduction="sum")
        losses.append(said / (len(facts) * len(RESTING)))
        met = self.heads["conditions"](hidden)
        right = F.binary_cross_entropy_with_logits(met, batch.conditions, reduction="sum")
        losses.append(CONDITIONS_WEIGHT * right / len(met))
        return torch.stack(losses).sum()

    def closing(self, batch: Batch) -> torch.Tensor:
        """Binary cross-entropy of what is closed, the mean over the answers to standing
        questions."""
        answered = ~batch.closed[:, 0].isnan()
        logits = self.heads["closing"](self._hidden[MATCHING].flatten(0, 1)[batch.ends[answered]])
        told = F.binary_cross_entropy_with_logits(logits, batch.closed[answered], reduction="sum")
        return CONDITIONS_WEIGHT * told / max(1, len(logits))

    def meeting(self, batch: Batch) -> torch.Tensor:
        """Binary cross-entropy of what is waited for and happens in a second, the mean over the
        batch's seconds."""
        logits = self.heads["meeting"](self._hidden[MEETING].flatten(0, 1)[batch.decides])
        happens = torch.cat((batch.conditions[:, WAITS:], batch.facts[:, -len(HAPPENING) :]), dim=1)
        told = F.binary_cross_entropy_with_logits(
            logits, happens * batch.conditions[:, :WAITS], reduction="sum"
        )
        return told / len(logits)
