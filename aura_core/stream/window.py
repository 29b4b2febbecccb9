"""The dual window: when to append, when to switch, what to keep. Pure logic, no model.

The window floats between `keep` and `max` chunks (AURA's N and N + N'): turns are appended and the
prefix stays byte-identical, and so cached, until `max` is reached; then one switch drops the oldest
turns and rewrites the text history.

What the next window begins with is known long before the switch: as soon as the turns that will go
are closed, `plan` fixes their text history. That is what lets a shadow be prefilled ahead
(`policies.py`).
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from aura_core.config import WindowConfig
from aura_core.errors import ConfigError
from aura_core.models.backend import Piece, Tokens, Video
from aura_core.stream.prefix import QAGroup, Round, fold
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


@dataclass(frozen=True)
class Plan:
    """The next switch: the oldest `drop` turns go, and `history` is the text that then stands
    before the rest."""

    drop: int
    history: tuple[QAGroup, ...]


class DualWindow:
    """Turns in view, the text of those that left, and the plan of the next switch."""

    def __init__(self, config: WindowConfig, history: tuple[QAGroup, ...] = ()) -> None:
        self.config = config
        self.turns: list[Turn] = []
        self.history = history
        self.plan: Plan | None = None

    def append(self, turn: Turn, still_open: Container[str] = ()) -> None:
        """Add the newest closed turn. `still_open` are the ids of questions that still wait for an
        answer."""
        self.turns.append(turn)
        self._prepare(still_open)

    @property
    def full(self) -> bool:
        """True when the next chunk should be preceded by a switch."""
        return len(self.turns) >= self.config.max

    def switch(self, still_open: Container[str] = ()) -> None:
        """Carry out the plan: the oldest turns go, their words are in the history."""
        assert self.plan is not None
        self.turns, self.history, self.plan = self.turns[self.plan.drop :], self.plan.history, None
        self._prepare(still_open)

    def amend(self, index: int, turn: Turn, still_open: Container[str] = ()) -> None:
        """Put `turn` in the place of the turn at `index`; the plan is made again if it had words of
        that turn."""
        self.turns[index] = turn
        if self.plan is not None and index < self.plan.drop:
            self.plan = None
            self._prepare(still_open)

    def words(self, still_open: Container[str] = ()) -> tuple[QAGroup, ...]:
        """What the history would be if every turn went."""
        needed = {i for i in self._ids(self.turns) if i in still_open}
        return fold(self.history, _rounds(self.turns), self.config.qa_groups, needed)

    def _prepare(self, still_open: Container[str]) -> None:
        """Fix the next window's history once the turns that will go are closed.

        A question whose answer is still in view stays, so that the answer does not stand there
        alone; so does, for one window, a question that has no answer yet: it may get one while the
        plan waits.
        """
        drop = self.config.max - self.config.keep
        if self.plan is not None or len(self.turns) < drop:
            return
        gone, stay = self.turns[:drop], self.turns[drop:]
        in_view = {t.answer_id for t in stay if t.answer_id is not None}
        answered = {t.answer_id for t in gone}
        unanswered = {t.question_id for t in gone if t.question_id is not None} - answered
        needed = {i for i in self._ids(gone) if i in still_open or i in in_view}
        self.plan = Plan(
            drop, fold(self.history, _rounds(gone), self.config.qa_groups, needed, unanswered)
        )

    def _ids(self, gone: list[Turn]) -> set[str]:
        """Ids of all questions of the history and of `gone`."""
        return {g.query_id for g in self.history} | {
            t.question_id for t in gone if t.question_id is not None
        }

    def pieces(self, codec: PromptCodec) -> list[Piece]:
        """The whole window from nothing: what a full recompute prefills."""
        out: list[Piece] = [codec.head(self.history)]
        for turn in self.turns:
            out += turn.pieces(codec)
        return out


def _rounds(turns: Iterable[Turn]) -> Iterable[Round]:
    return (Round(t.question_id, t.question, t.answer_id, t.answer) for t in turns)


def check_context(config: WindowConfig, per_chunk: int, context: int | None, name: str) -> None:
    """Refuse a window that a model cannot hold. `per_chunk`: tokens of one silent turn."""
    need = config.cap * per_chunk
    if context is not None and need > context:
        raise ConfigError(
            f"window.max ({config.max}) is too large for {name}: {config.cap} chunks of {per_chunk}"
            f" tokens are {need}, its context is {context}; lower window.max or model.max_pixels"
        )


def tokens_in(pieces: Iterable[Piece]) -> int:
    """Number of tokens that `pieces` put into the cache."""
    return sum(len(p) for p in pieces)


__all__ = ["DualWindow", "Piece", "Tokens", "Turn", "tokens_in"]
