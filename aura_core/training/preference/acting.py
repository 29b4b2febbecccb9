"""The parts of the engine that write a turn as they are told: drawn, given, or as ever.

The engine itself is unchanged. It takes a `Decider` and a `TextGenerator`; these two do what they
always do, until a `Draft` tells how the next unasked turn is to be written. A token is drawn by the
Gumbel-max trick: the largest of logits plus Gumbel noise is a sample of their softmax. So the
engine's own argmax draws it, and the probability of what was drawn is that of the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.config import DeciderConfig
from aura_core.models.backend import ChatFormat
from aura_core.stream.decision import Decider
from aura_core.stream.generation import Answer, TextGenerator
from aura_core.types import Decision

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Draft:
    """How the next unasked turn is written.

    `ids`: token ids of the words; () is silence; None: the model writes words. Then `rng` draws
    them, and without it each is the likeliest.
    """

    ids: tuple[int, ...] | None = None
    rng: np.random.Generator | None = None

    def noisy(self, logits: Logits) -> Logits:
        """The logits (vocabulary,) whose argmax is the next token."""
        if self.rng is None:
            return logits
        return (logits + self.rng.gumbel(size=logits.shape)).astype(np.float32)


@dataclass(frozen=True)
class Written:
    """Words that the model wrote.

    `ended`: it ended them itself, and no limit did. `log_p`: the log-probability, in nats, of all
    tokens after the first, the end included; nan where the words were given.
    """

    ids: tuple[int, ...]
    ended: bool
    log_p: float


def log_p(logits: Logits, ids: Sequence[int]) -> float:
    """Log-probability, in nats, of one of `ids` as the next token; logits are (vocabulary,)."""
    wide = logits.astype(np.float64)
    return float(np.logaddexp.reduce(wide[list(ids)]) - np.logaddexp.reduce(wide))


class Acting(Decider):
    """Decides as `draft` tells. `logits`: of the newest unasked decision; None: there was none."""

    def __init__(self, config: DeciderConfig, chat: ChatFormat) -> None:
        super().__init__(config, chat)
        self.draft: Draft | None = None
        self.logits: Logits | None = None

    def decide(
        self,
        logits: Logits,
        stamp_ns: int = 0,
        asked: bool = False,
        silent: Sequence[int] | None = None,
    ) -> Decision:
        """See `Decider`. Answers to questions are never drafted."""
        if not asked:
            self.logits = logits
            logits = logits if self.draft is None else self._as_told(logits, self.draft)
        return super().decide(logits, stamp_ns, asked, silent)

    def _as_told(self, logits: Logits, draft: Draft) -> Logits:
        silent = list(self.silent_ids)
        if draft.ids:
            told = np.full_like(logits, -np.inf)
            told[draft.ids[0]] = 0.0
        elif draft.ids is not None:
            told = np.full_like(logits, -np.inf)
            told[silent] = logits[silent]
        else:
            told = draft.noisy(logits).copy()
            told[silent] = -np.inf
        return told


class Writing(TextGenerator):
    """Writes words as `draft` tells. `written`: the words that the newest draft has become."""

    draft: Draft | None = None
    written: Written | None = None

    def generate(
        self,
        kv: Any,
        first: int,
        tell: Callable[[str], None] | None,
        interrupted: Callable[[list[int]], bool],
    ) -> Answer:
        """See `TextGenerator`."""
        if self.draft is None:
            return super().generate(kv, first, tell, interrupted)
        if self.draft.ids:
            self.cancelled = None
            self.written = Written(self.draft.ids, True, math.nan)
            return Answer(self.draft.ids, 0)
        drawing = _Drawing(kv, self.draft, self._ends)
        answer = super().generate(drawing, first, tell, interrupted)
        self.written = Written(answer.ids, drawing.ended, drawing.log_p)
        return answer


class _Drawing:
    """A `KVStream` whose logits have a draft's noise, while words are decoded."""

    def __init__(self, kv: Any, draft: Draft, ends: tuple[int, ...]) -> None:
        self._kv, self._draft, self._ends = kv, draft, ends
        self.log_p, self.ended = 0.0, False

    def decode(self, ids: Sequence[int]) -> Logits:
        """See `KVStream`."""
        logits = self._kv.decode(ids)
        noisy = self._draft.noisy(logits)
        token = int(noisy.argmax())
        self.ended = token in self._ends
        self.log_p += log_p(logits, self._ends if self.ended else (token,))
        return noisy
