"""A KV stream: one model session, the turns that its cache holds, and the way back to each of them.

The end of the newest turn (`waiting`) is not in the cache yet. It is prefilled together with the
next chunk, so that a silent step is one call of the model. Rollback is exact, so a KV stream can be
rewound to any turn and go on from there.

A model that thinks first gets an empty thought before each answer (`PromptCodec.deciding`). It is
rolled back when the turn is left, because the chat template leaves it out of earlier turns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import AuraError
from aura_core.models.backend import Evictable, Piece, Session, Tokens
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.window import Turn, tokens_in


class KVStream:
    """Call `begin` for a window; then, for each chunk, `enter` its user turn and `leave` it."""

    def __init__(self, session: Session, codec: PromptCodec) -> None:
        self.session, self.codec = session, codec
        self.starts: list[int] = []  # cache length at which each turn's user part begins
        self.waiting: list[Piece] = []  # comes next in the cache, but is not in it yet
        self.prefilled = 0  # tokens of all prefills so far
        self._head = Tokens(())  # stands before the first turn
        # Number of tokens before the thought that is in the cache; None: none is in it.
        self._before_thought: int | None = None
        # What `aside` found: the cache's length, and what waited. None: nothing stands aside.
        self._aside: tuple[int, list[Piece]] | None = None

    @property
    def length(self) -> int:
        """Number of tokens, those of `waiting` included."""
        return self.session.length + tokens_in(self.waiting)

    def begin(self, head: Tokens, reuse: bool = False) -> None:
        """Begin an empty window after `head`, the tokens of the prefix.

        Args:
            head: of the new window.
            reuse: the tokens with which the head before began too stay in the cache. Exact: a token
                depends on those before it alone.
        """
        self.back()
        kept = 0
        if reuse:
            kept = min(_common(self._head.ids, head.ids), self.session.length)
        if self.session.length > kept:
            self.session.rollback(kept)
        self._before_thought = None
        self.starts = []
        self.waiting = [Tokens(head.ids[kept:])] if kept < len(head) else []
        self._head = head

    def add(self, turn: Turn) -> None:
        """Add a closed turn. It waits, and is prefilled with what comes next."""
        self.back()
        self.starts.append(self.length)
        self.waiting += [
            *turn.user(self.codec),
            self.codec.assistant(turn.answer_ids),
        ]

    def enter(self, user: Sequence[Piece]) -> NDArray[np.float32]:
        """Prefill what waits and the user turn of a new chunk.

        Returns float32 logits (vocabulary,) to decide on.
        """
        self.back()
        start = self.length
        logits = self._prefill([*self.waiting, *self.codec.deciding(user)])
        self.starts.append(start)
        self._thought_after(start + tokens_in(user))
        return self.codec.allowed(logits)

    def probe(
        self, user: Sequence[Piece], question: Tokens, wanted: Sequence[int]
    ) -> NDArray[np.float32]:
        """`enter` with `question` in place of the user turn's end, which is then rolled back.

        Returns float32 logits (vocabulary,) after the question, of which those of the ids `wanted`
        are read. The user turn's own end waits.
        """
        self.back()
        *seen, rest = user
        start = self.length
        logits = self._prefill([*self.waiting, *seen, question], wanted)
        self.starts.append(start)
        self.session.rollback(self.session.length - len(question))
        self.waiting = [rest]
        return logits

    def end_user_turn(self, rest: Piece) -> NDArray[np.float32]:
        """After `probe`: prefill `rest` as the end of the user turn.

        Returns float32 logits (vocabulary,) of the answer's first token.
        """
        start = self.session.length
        logits = self._prefill(self.codec.deciding([rest]))
        self._thought_after(start + len(rest))
        return self.codec.allowed(logits)

    def _thought_after(self, user_end: int) -> None:
        """Note where the thought begins that stands at the end of a user turn."""
        if self.codec.thought:
            self._before_thought = user_end - len(self.codec.lead)

    def _without_thought(self) -> bool:
        """Take the thought, and what follows it, out of the cache; returns whether it was there."""
        if self._before_thought is None:
            return False
        self.session.rollback(self._before_thought)
        self._before_thought = None
        self.waiting = [self.codec.lead] if len(self.codec.lead) else []
        return True

    def leave(self, answer_ids: Sequence[int] | None, cached: int = 0) -> None:
        """Close the turn that was entered.

        Args:
            answer_ids: token ids of the answer; None: silent.
            cached: how many of them are in the cache already.
        """
        if self._without_thought():
            cached = 0
        self.waiting.append(Tokens(self.codec.assistant(answer_ids).ids[cached:]))

    def take(self, turn: Turn) -> int:
        """Prefill a closed turn ahead of time; nobody reads its logits.

        Returns the number of tokens prefilled.
        """
        self.back()
        pieces, start = [*self.waiting, *turn.user(self.codec)], self.length
        self.session.warm(pieces)
        tokens = tokens_in(pieces)
        self.prefilled += tokens
        self.waiting = []
        self.starts.append(start)
        self.leave(turn.answer_ids)
        return tokens

    def decode(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Append tokens of an answer. Returns the next float32 logits (vocabulary,)."""
        return self._prefill([Tokens(tuple(ids))])

    def peek(self, pieces: Sequence[Piece], wanted: Sequence[int]) -> NDArray[np.float32]:
        """Float32 logits (vocabulary,) after `pieces`, which are then rolled back.

        Those of the ids `wanted` are read.
        """
        length = self.session.length
        logits = self._prefill(pieces, wanted)
        self.session.rollback(length)
        return logits

    def aside(self, pieces: Sequence[Piece]) -> NDArray[np.float32]:
        """Prefill `pieces` behind everything, until `back` takes them out again.

        What the stream does next takes them out first, so it is as if they had never been there.
        They may be followed by more of them.

        Returns float32 logits (vocabulary,) after them.
        """
        if self._aside is None:
            self._aside = self.session.length, self.waiting
        waiting, self.waiting = self.waiting, []
        try:
            return self._prefill([*waiting, *pieces])
        except AuraError:
            self.back()
            raise

    @property
    def is_aside(self) -> bool:
        """Whether what `aside` has put in is there."""
        return self._aside is not None

    def back(self) -> None:
        """Take out what `aside` has put in."""
        if self._aside is None:
            return
        (length, self.waiting), self._aside = self._aside, None
        self.session.rollback(length)

    def rewind(self, turns: int) -> None:
        """Go back to the state in which only the first `turns` turns were there."""
        self.back()
        if turns == len(self.starts):
            return
        self._back_to(self.starts[turns])
        del self.starts[turns:]

    def reopen(self, turn: Turn) -> None:
        """Go back to the state before the answer of the newest turn, which is `turn`."""
        self.back()
        if not self._without_thought():
            self._back_to(self.starts[-1] + tokens_in(turn.user(self.codec)))

    def evict(self, first: int, end: int, turns: int = 0) -> None:
        """Cut tokens `first`..`end` out of the cache; the oldest `turns` turns go with them.

        Approximate, see `Evictable`. The session must be one.
        """
        assert isinstance(self.session, Evictable)
        self.back()
        if end > self.session.length:
            self._prefill(self.waiting)  # only what is in the cache can be cut out
        self.session.evict(first, end)
        self.starts = [s - (end - first) for s in self.starts[turns:]]

    def _back_to(self, length: int) -> None:
        if length > self.session.length:
            self._prefill(self.waiting)  # only what is in the cache can be rolled back
        self.session.rollback(length)
        self._before_thought = None
        self.waiting = []

    def _prefill(
        self, pieces: Sequence[Piece], wanted: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        logits = self.session.prefill(pieces, wanted)  # first: if it fails, nothing has changed
        self.prefilled += tokens_in(pieces)
        self.waiting = []
        return logits


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """With how many equal tokens both begin."""
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
