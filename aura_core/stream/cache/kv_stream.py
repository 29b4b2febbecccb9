"""A kv: one session and the turns that its cache holds, with the way back to each of them.

The end of the newest turn (`waiting`) is not in the cache yet: it rides on the next prefill, so
that a silent step is one call of the model. Rollback is exact, so a kv can be rewound to any turn
and go on from there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError
from aura_core.models.backend import Evictable, Piece, Session, Tokens
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.window import Turn, tokens_in


class KVStream:
    """`begin` a window, then for each chunk `enter` its user turn and `leave` with what was
    said."""

    def __init__(self, session: Session, codec: PromptCodec) -> None:
        self.session, self.codec = session, codec
        self.starts: list[int] = []  # cache length at which each turn's user part begins
        self.waiting: list[Piece] = []  # belongs to the kv, but is not in the cache yet
        self.prefilled = 0  # tokens, of all prefills so far

    @property
    def length(self) -> int:
        """Tokens of the kv, those waiting included."""
        return self.session.length + tokens_in(self.waiting)

    def begin(self, head: Tokens) -> None:
        """An empty window behind `head` (system turn and history)."""
        if self.session.length:
            self.session.rollback(0)
        self.starts = []
        self.waiting = [head]

    def add(self, turn: Turn) -> None:
        """A closed turn; it waits, to be prefilled with what comes next."""
        self.starts.append(self.length)
        self.waiting += [
            *self.codec.user(turn.video, turn.question),
            self.codec.assistant(turn.answer_ids),
        ]

    def enter(self, user: Sequence[Piece]) -> NDArray[np.float32]:
        """Prefill what waits and the user turn of a new chunk: float32 logits (vocabulary,) to
        decide on."""
        start = self.length
        logits = self._prefill([*self.waiting, *user])
        self.starts.append(start)
        return logits

    def glance(self, user: Sequence[Piece], question: Tokens) -> NDArray[np.float32]:
        """`enter`, but with `question` for the end of the user turn: its logits. Nothing of the
        question stays, and the user turn's own end waits."""
        *seen, rest = user
        start = self.length
        logits = self._prefill([*self.waiting, *seen, question])
        self.starts.append(start)
        self.session.rollback(self.session.length - len(question))
        self.waiting = [rest]
        return logits

    def proceed(self, rest: Piece) -> NDArray[np.float32]:
        """After a `glance`: `rest` ends the user turn; the logits to answer from."""
        return self._prefill([rest])

    def leave(self, answer_ids: Sequence[int] | None, cached: int = 0) -> None:
        """Close the turn that was entered. The first `cached` ids of its answer are in the cache
        already."""
        self.waiting.append(Tokens(self.codec.assistant(answer_ids).ids[cached:]))

    def take(self, turn: Turn) -> int:
        """`enter` and `leave` a closed turn at once, without anybody reading the logits; tokens
        prefilled."""
        pieces, start = [*self.waiting, *self.codec.user(turn.video, turn.question)], self.length
        self.session.warm(pieces)
        tokens = tokens_in(pieces)
        self.prefilled += tokens
        self.waiting = []
        self.starts.append(start)
        self.leave(turn.answer_ids)
        return tokens

    def decode(self, token: int) -> NDArray[np.float32]:
        """Append one token of an answer; the next logits."""
        return self._prefill([Tokens((token,))])

    def peek(self, pieces: Sequence[Piece]) -> NDArray[np.float32]:
        """Logits after `pieces`, of which nothing stays."""
        length = self.session.length
        logits = self._prefill(pieces)
        self.session.rollback(length)
        return logits

    def rewind(self, turns: int) -> None:
        """Go back to where only the first `turns` turns were here, exactly."""
        if turns == len(self.starts):
            return
        self._back_to(self.starts[turns])
        del self.starts[turns:]

    def reopen(self, turn: Turn) -> None:
        """Go back to where the newest turn, which is `turn`, was to be answered."""
        self._back_to(self.starts[-1] + tokens_in(self.codec.user(turn.video, turn.question)))

    def evict(self, first: int, end: int, turns: int = 0) -> None:
        """Cut tokens `first`..`end` out of the cache (approximate, see `Evictable`); the oldest
        `turns` are gone."""
        session = self.session
        if not isinstance(session, Evictable):
            raise ConfigError("window.policy evict needs a model that runs in this process")
        session.evict(first, end)
        self.starts = [s - (end - first) for s in self.starts[turns:]]

    def _back_to(self, length: int) -> None:
        if length > self.session.length:
            self._prefill(self.waiting)  # a place inside what waits cannot be rolled back to
        self.session.rollback(length)
        self.waiting = []

    def _prefill(self, pieces: Sequence[Piece]) -> NDArray[np.float32]:
        logits = self.session.prefill(pieces)  # first of all: where it fails, nothing has changed
        self.prefilled += tokens_in(pieces)
        self.waiting = []
        return logits
