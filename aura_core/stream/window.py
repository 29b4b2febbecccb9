"""The dual window: when to append, when to switch, what to keep. Pure logic, no model.

The window floats between `keep` and `max` chunks (AURA's N and N + N'): turns are appended, the prefix
stays byte-identical and so cached, until `max` is reached; then one switch drops all but the newest
`keep` turns and rewrites the text history, and only that switch costs a rebuild.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from aura_core.config import WindowConfig
from aura_core.models.backend import Piece, Tokens, Video
from aura_core.stream.history import QAGroup, Round, fold
from aura_core.stream.prompt import PromptCodec


@dataclass(frozen=True, eq=False)
class Turn:
    """One chunk's turn of the conversation, closed: its video, its question, what was said."""

    chunk: int
    video: Video
    question_id: str | None = None
    question: str | None = None
    answer_ids: tuple[int, ...] | None = None  # None: silent
    answer: str | None = None
    answer_id: str | None = None  # query that the answer belongs to

    def pieces(self, codec: PromptCodec) -> list[Piece]:
        """User turn, assistant header and assistant turn."""
        return [*codec.user(self.video, self.question), codec.assistant(self.answer_ids)]


class DualWindow:
    """Turns in view and the text of those that left."""

    def __init__(self, config: WindowConfig) -> None:
        self.config = config
        self.turns: list[Turn] = []
        self.history: tuple[QAGroup, ...] = ()

    def append(self, turn: Turn) -> None:
        """Add the newest closed turn."""
        self.turns.append(turn)

    @property
    def full(self) -> bool:
        """True when the next chunk must be preceded by a switch."""
        return len(self.turns) >= self.config.max

    def switch(self, still_open: Container[str] = ()) -> None:
        """Drop all but the newest `keep` turns; their words join the history.

        A question whose answer is still in view stays, so that the answer does not stand there alone.
        """
        gone, self.turns = self.turns[: -self.config.keep], self.turns[-self.config.keep :]
        rounds = (Round(t.question_id, t.question, t.answer_id, t.answer) for t in gone)
        in_view = {t.answer_id for t in self.turns if t.answer_id is not None}
        needed = {i for i in self._ids(gone) if i in still_open or i in in_view}
        self.history = fold(self.history, rounds, self.config.qa_groups, needed)

    def _ids(self, gone: list[Turn]) -> set[str]:
        """Ids of all questions of the history and of `gone`."""
        return {g.query_id for g in self.history} | {t.question_id for t in gone if t.question_id is not None}

    def pieces(self, codec: PromptCodec) -> list[Piece]:
        """The whole window from nothing: what a full recompute prefills."""
        out: list[Piece] = [codec.head(self.history)]
        for turn in self.turns:
            out += turn.pieces(codec)
        return out


def tokens_in(pieces: list[Piece]) -> int:
    """Number of tokens that `pieces` put into the cache."""
    return sum(len(p) for p in pieces)


__all__ = ["DualWindow", "Piece", "Tokens", "Turn", "tokens_in"]
