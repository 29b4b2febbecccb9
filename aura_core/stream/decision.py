"""Silent or speak, read from the prefill's last logits: a silent step needs no decode at all.

`read_decision` is the stateless part (one distribution, one threshold); `Restraint` holds unasked
words back by what was said before (hysteresis, minimum gap); `Decider` is both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aura_core.config import DeciderConfig
from aura_core.errors import ModelError
from aura_core.models.backend import ChatFormat
from aura_core.types import Decision, Reason

NS = 1_000_000_000


def read_decision(
    logits: NDArray[np.float32],
    silent_ids: Sequence[int],
    threshold: float | None = None,
    asked: bool = False,
) -> Decision:
    """Decide on float32 logits (vocabulary,) alone.

    p_silent is the softmax mass of the silent ids. Without a threshold the argmax decides; with
    one, silence is p_silent >= threshold. In a chunk with a question (`asked`) a threshold may make
    the model speak but never silences it. When the threshold forces speech, the first word is the
    best token that is not silence. `reason` is "threshold" where it overruled the argmax. Raises
    `ModelError` on logits that are not numbers: they would read as speech.
    """
    top = float(logits.max())
    if not math.isfinite(top):
        raise ModelError(
            f"the model returned {top} as a logit; try another model.dtype (bfloat16 or float32)"
        )
    shifted = np.exp(logits.astype(np.float64) - top)
    p_silent = float(shifted[list(silent_ids)].sum() / shifted.sum())
    best = int(logits.argmax())
    own = best in silent_ids
    silent = own
    if threshold is not None:
        silent = p_silent >= threshold and (own or not asked)
    if own and not silent:
        spoken = logits.copy()
        spoken[list(silent_ids)] = -np.inf
        best = int(spoken.argmax())
    return Decision(silent, p_silent, best, None if silent == own else "threshold")


@dataclass(frozen=True)
class _Past:
    """What `Restraint` remembers: whether p(silent) rose again, and the stamp of the newest unasked
    words."""

    armed: bool = True
    spoke_ns: int | None = None


class Restraint:
    """Holds back words that nobody asked for.

    Hysteresis: unasked words disarm; p(silent) >= `rearm` in a later chunk, asked or not, silent or
    not, arms again; while disarmed, unasked words are held back. An answer to a question neither
    disarms nor is held back: its p(silent) is low because of the question. Minimum gap: unasked
    words are held back while the chunk's stamp is less than `min_gap_s` after that of the newest
    unasked words; a stamp before those words means that the stream's clock began anew, and then
    there is no gap to keep. Words that were held back were not said: they change nothing.
    """

    def __init__(self, config: DeciderConfig) -> None:
        self.rearm = config.rearm
        self.min_gap_ns = round(config.min_gap_s * NS)
        self.reset()

    def reset(self) -> None:
        """Forget what was said."""
        self._past = self._before = _Past()

    def objection(self, p_silent: float, stamp_ns: int) -> Reason | None:
        """Why unasked words would be held back in this chunk; None when they may be said. Changes
        nothing."""
        armed = self._past.armed or self.rearm is None or p_silent >= self.rearm
        if not armed:
            return "hysteresis"
        spoke = self._past.spoke_ns
        return "min_gap" if spoke is not None and 0 <= stamp_ns - spoke < self.min_gap_ns else None

    def note(self, p_silent: float, stamp_ns: int, unasked_words: bool) -> None:
        """Remember a decided chunk."""
        self._before = self._past
        if unasked_words:
            self._past = _Past(False, stamp_ns)
        elif self.rearm is not None and p_silent >= self.rearm:
            self._past = replace(self._past, armed=True)

    def retract(self) -> None:
        """The words of the chunk noted last were never said after all: as if they had not been
        decided."""
        self._past = self._before


class Decider:
    """Silence is the silent token or an immediate end of turn, told by token id, never by string.

    `threshold` may be changed at any time; it holds from the next chunk on.
    """

    def __init__(self, config: DeciderConfig, chat: ChatFormat) -> None:
        self.threshold = config.threshold
        self.silent_ids = tuple({chat.silent_id, chat.end_id})
        self.restraint = Restraint(config)

    def reset(self) -> None:
        """Forget what was said."""
        self.restraint.reset()

    def peek(
        self,
        logits: NDArray[np.float32],
        stamp_ns: int = 0,
        asked: bool = False,
        silent: Sequence[int] | None = None,
    ) -> Decision:
        """`decide` without remembering it: for looking at a chunk that is decided later."""
        decision = read_decision(
            logits, self.silent_ids if silent is None else silent, self.threshold, asked
        )
        if decision.silent or asked:
            return decision
        reason = self.restraint.objection(decision.p_silent, stamp_ns)
        return (
            decision
            if reason is None
            else Decision(True, decision.p_silent, self.silent_ids[0], reason)
        )

    def decide(
        self,
        logits: NDArray[np.float32],
        stamp_ns: int = 0,
        asked: bool = False,
        silent: Sequence[int] | None = None,
    ) -> Decision:
        """Decide one chunk, and remember it.

        Args:
            logits: float32 (vocabulary,), see `read_decision`.
            stamp_ns: of the chunk; the gap is measured in these, never by a clock.
            asked: the user asked something in this chunk: no setting silences the answer.
            silent: indices of `logits` that mean silence; None: the ids of the silent token and the
                end of turn.
        """
        decision = self.peek(logits, stamp_ns, asked, silent)
        self.restraint.note(decision.p_silent, stamp_ns, not decision.silent and not asked)
        return decision

    def retract(self) -> None:
        """The words decided last were discarded unsaid: they count for neither hysteresis
        nor gap."""
        self.restraint.retract()
