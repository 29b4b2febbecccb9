"""Silent or speak, read from the last logits of the prefill. A silent step needs no decode.

`read_decision` is the part without state: one distribution and one threshold. `Restraint` holds
unasked words back according to what was said before: hysteresis and a minimum gap. `Decider`
combines both.
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
from aura_core.types import NS, Decision, Reason


def read_decision(
    logits: NDArray[np.float32],
    silent_ids: Sequence[int],
    threshold: float | None = None,
    asked: bool = False,
) -> Decision:
    """Decide from one set of logits.

    p(silent) is the softmax probability of the silent ids together. Without a threshold the argmax
    decides. With a threshold, the decision is silent when p(silent) >= threshold.

    Args:
        logits: float32 (vocabulary,).
        silent_ids: token ids that mean silence.
        threshold: probability from 0 to 1, or None.
        asked: the chunk has a question. Then a threshold may make the model speak, but never
            silences it.

    Returns:
        The decision. Where the threshold forces words, `token_id` is the best token that is not
        silence. `reason` is "threshold" where it overruled the argmax.

    Raises:
        ModelError: the logits are not finite; they would be read as speech.
    """
    top = float(logits.max())
    if not math.isfinite(top):
        raise ModelError(
            f"the model returned {top} as a logit; try another model.dtype (bfloat16 or float32)"
        )
    shifted = np.exp(logits.astype(np.float64) - top)
    p_silent = float(shifted[list(silent_ids)].sum() / shifted.sum())
    best = int(logits.argmax())
    argmax_silent = best in silent_ids
    silent = argmax_silent
    if threshold is not None:
        silent = p_silent >= threshold and (argmax_silent or not asked)
    if argmax_silent and not silent:
        spoken = logits.copy()
        spoken[list(silent_ids)] = -np.inf
        best = int(spoken.argmax())
    reason = None if silent == argmax_silent else "threshold"
    return Decision(silent, p_silent, best, reason)


@dataclass(frozen=True)
class Past:
    """What `Restraint` remembers.

    `armed`: unasked words may be said. `spoke_ns`: stamp of the newest unasked words.
    """

    armed: bool = True
    spoke_ns: int | None = None


Pasts = tuple[Past, Past]  # now, and before the newest chunk


class Restraint:
    """Holds back words that nobody asked for.

    Hysteresis: unasked words disarm the restraint, and while it is disarmed, unasked words are held
    back. A later chunk with p(silent) >= `rearm` arms it again. An answer to a question is never
    held back and does not disarm: its p(silent) is low because of the question.

    Minimum gap: unasked words are held back while the chunk's stamp is less than `min_gap_s` after
    the stamp of the newest unasked words. An earlier stamp means that the stream's clock began
    anew; then there is no gap to keep.

    Words that were held back count as not said: they change nothing.
    """

    def __init__(self, config: DeciderConfig) -> None:
        self.configure(config)
        self.reset()

    def configure(self, config: DeciderConfig) -> None:
        """Use other limits from now on."""
        self.rearm = config.rearm
        self.min_gap_ns = round(config.min_gap_s * NS)

    def reset(self) -> None:
        """Forget what was said before."""
        self._past = self._before = Past()

    def objection(self, p_silent: float, stamp_ns: int) -> Reason | None:
        """The reason why unasked words are held back in this chunk; None when they may be said.

        Changes nothing.
        """
        armed = self._past.armed or self.rearm is None or p_silent >= self.rearm
        if not armed:
            return "hysteresis"
        spoke = self._past.spoke_ns
        return "min_gap" if spoke is not None and 0 <= stamp_ns - spoke < self.min_gap_ns else None

    def note(self, p_silent: float, stamp_ns: int, unasked_words: bool) -> None:
        """Remember a chunk that was decided."""
        self._before = self._past
        if unasked_words:
            self._past = Past(False, stamp_ns)
        elif self.rearm is not None and p_silent >= self.rearm:
            self._past = replace(self._past, armed=True)

    def retract(self) -> None:
        """Undo the last `note`, because the words of that chunk were not said after all."""
        self._past = self._before

    @property
    def memory(self) -> Pasts:
        """What is remembered. It can be set to an earlier value."""
        return self._past, self._before

    @memory.setter
    def memory(self, memory: Pasts) -> None:
        self._past, self._before = memory


class Decider:
    """Decides silent or speak for one stream, and remembers what was said.

    Silence is the silent token or an immediate end of the turn. Both are recognised by token id,
    never by text. `threshold` may be changed at any time; the next chunk uses it.
    """

    def __init__(self, config: DeciderConfig, chat: ChatFormat) -> None:
        self.silent_ids = tuple({chat.silent_id, chat.end_id})
        self.restraint = Restraint(config)
        self.configure(config)

    def configure(self, config: DeciderConfig) -> None:
        """Use another threshold and other limits from the next chunk on."""
        self.threshold, self.must_answer = config.threshold, config.must_answer
        self.restraint.configure(config)

    def reset(self) -> None:
        """Forget what was said before."""
        self.restraint.reset()

    def peek(
        self,
        logits: NDArray[np.float32],
        stamp_ns: int = 0,
        asked: bool = False,
        silent: Sequence[int] | None = None,
    ) -> Decision:
        """`decide` without remembering it, for a chunk that is decided later."""
        decision = read_decision(
            logits, self.silent_ids if silent is None else silent, self.threshold, asked
        )
        if asked:
            masks = decision.silent and self.must_answer and silent is None
            return self._words(logits, decision) if masks else decision
        if decision.silent:
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
            stamp_ns: stamp of the chunk; the minimum gap is measured between stamps.
            asked: the user asked something in this chunk, so no setting silences the answer. With
                `decider.must_answer` silence is masked.
            silent: indices of `logits` that mean silence; None: the ids of the silent token and of
                the end of the turn.
        """
        decision = self.peek(logits, stamp_ns, asked, silent)
        self.restraint.note(decision.p_silent, stamp_ns, not decision.silent and not asked)
        return decision

    def hold(
        self, logits: NDArray[np.float32], stamp_ns: int = 0, silent: Sequence[int] | None = None
    ) -> Decision:
        """Decide a chunk in which no words may be said: silence, with the model's own p(silent).

        The arguments are those of `decide`. `reason` is "no_watch" where the model would have
        spoken.
        """
        ids = self.silent_ids if silent is None else silent
        own = read_decision(logits, ids, self.threshold)
        self.restraint.note(own.p_silent, stamp_ns, False)
        return Decision(True, own.p_silent, self.silent_ids[0], None if own.silent else "no_watch")

    def _words(self, logits: NDArray[np.float32], decision: Decision) -> Decision:
        """The best words instead of silence."""
        masked = logits.copy()
        masked[list(self.silent_ids)] = -np.inf
        return Decision(False, decision.p_silent, int(masked.argmax()), "asked")

    def retract(self) -> None:
        """Undo the last `decide`, because its words were discarded unsaid."""
        self.restraint.retract()

    @property
    def memory(self) -> Pasts:
        """What is remembered of earlier chunks. It can be set to an earlier value."""
        return self.restraint.memory

    @memory.setter
    def memory(self, memory: Pasts) -> None:
        self.restraint.memory = memory
