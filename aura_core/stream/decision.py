"""Silent or speak, read from the prefill's last logits: a silent step needs no decode at all."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aura_core.config import DeciderConfig
from aura_core.errors import ModelError
from aura_core.models.backend import ChatFormat
from aura_core.types import Decision


class Decider:
    """Silence is the silent token or an immediate end of turn, told by token id, never by string."""

    def __init__(self, config: DeciderConfig, chat: ChatFormat) -> None:
        self.threshold = config.threshold
        self.silent_ids = tuple({chat.silent_id, chat.end_id})

    def decide(self, logits: NDArray[np.float32]) -> Decision:
        """Decide on float32 logits (vocabulary,).

        p_silent is the softmax mass of the silent ids. Without a threshold the argmax decides. When the
        threshold forces speech, the first word is the best token that is not silence. Raises `ModelError` on
        logits that are not numbers: they would read as speech.
        """
        top = float(logits.max())
        if not math.isfinite(top):
            raise ModelError(f"the model returned {top} as a logit; try another model.dtype (bfloat16 or float32)")
        shifted = np.exp(logits.astype(np.float64) - top)
        p_silent = float(shifted[list(self.silent_ids)].sum() / shifted.sum())
        best = int(logits.argmax())
        silent = best in self.silent_ids if self.threshold is None else p_silent >= self.threshold
        if not silent and best in self.silent_ids:
            spoken = logits.copy()
            spoken[list(self.silent_ids)] = -np.inf
            best = int(spoken.argmax())
        return Decision(silent, p_silent, best)
