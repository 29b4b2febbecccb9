"""A generated token as a server tells it: its id, and what it was chosen from."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

NEVER = -1e4  # log-probability of an impossible token: finite, and far below every real one


class Token:
    """One generated token: its id, and the log-probabilities that it was chosen from.

    The server reports the `TOP` most likely tokens. The rest of the probability is spread evenly
    over all others, so the softmax of the vector gives the reported ones exactly.
    """

    def __init__(self, token_id: int, known: dict[int, float]) -> None:
        self.id = token_id
        self._known = {i: max(p, NEVER) for i, p in known.items()}

    def logits(self, vocabulary: int) -> NDArray[np.float32]:
        """Float32 log-probabilities (vocabulary,); the chosen token's is the largest."""
        known = {i: p for i, p in self._known.items() if i < vocabulary}
        rest = 1.0 - sum(math.exp(p) for p in known.values())
        others = vocabulary - len(known)
        floor = math.log(rest / others) if others and rest > 1e-9 else NEVER
        out = np.full(vocabulary, min(floor, min(known.values()) - 1e-3), np.float32)
        for i, p in known.items():
            out[i] = p
        # Of two equal tokens the server has chosen one; rounding must not choose the other.
        out[self.id] = np.nextafter(out.max(), np.float32(np.inf), dtype=np.float32)
        return out


def certain(token_id: int, vocabulary: int) -> NDArray[np.float32]:
    """Float32 log-probabilities (vocabulary,) when only `token_id` is possible."""
    out = np.full(vocabulary, NEVER, np.float32)
    out[token_id] = 0.0
    return out


def ended(end_id: int) -> Token:
    """The end of a turn, where it is certain."""
    return Token(end_id, {end_id: 0.0})
