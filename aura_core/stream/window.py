"""The dual window: when to append, when to switch, what to keep. It has no model.

The window grows from `keep` to `max` chunks (AURA's N and N + N', arXiv 2604.04184). Turns are
appended until `max` is reached, so the tokens before them stay the same and their cache stays
valid. Then one switch drops the oldest turns and rewrites the prefix (`prefix.py`).

The start of the next window is known long before the switch. As soon as the turns that will leave
are closed, `plan` fixes the prefix of the next window. A second cache (the shadow, see
`cache/policies.py`) can be prefilled with it ahead of the switch.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace

from aura_core.config import WindowConfig
from aura_core.errors import ConfigError
from aura_core.models.backend import Piece, Seen
from aura_core.stream.prefix import Prefix, Round
from aura_core.stream.prompt import PromptCodec


@dataclass(frozen=True, eq=False)
class Turn:
    """One closed turn of a chunk: its video, its question and its answer."""

    chunk: int
    video: Seen
    question_id: str | None = None
    question: str | None = None
    answer_ids: tuple[int, ...] | None = None  # token ids; None: silent
    answer: str | None = None
    answer_id: str | None = None  # id of the question that the answer belongs to
    response_id: str | None = None  # id of the response that said the answer
    result: str | None = None  # what a tool answered; it stands in the place of the question
    lead: str = ""  # words of the response that an earlier turn holds, before a call
    recalled: str = ""  # what memory told about the question; it leaves with the video
    shown: tuple[tuple[Seen, str], ...] = ()  # pictures of memory, each with its caption

    def pieces(self, codec: PromptCodec) -> list[Piece]:
        """User turn, assistant header and assistant turn, as pieces of the prompt."""
        return [*self.user(codec), codec.assistant(self.answer_ids)]

    def user(self, codec: PromptCodec) -> list[Piece]:
        """The user turn and the assistant header after it, see `PromptCodec.user`.

        Pictures of memory stand before it, as silent turns of their own.
        """
        before: list[Piece] = []
        for picture, caption in self.shown:
            before += [*codec.user(picture, caption), codec.assistant(None)]
        own = codec.user(self.video, self.question, self.result, self.recalled)
        return [*before, *own]


@dataclass(frozen=True)
class Plan:
    """The next switch: the oldest `drop` turns leave; `prefix` then stands before the others."""

    drop: int
    prefix: Prefix


class DualWindow:
    """The turns in view, the prefix before them, and the plan of the next switch.

    Args:
        config: sizes in chunks.
        prefix: what stands before the first turn.
        still_open: returns the ids of the open watches; called whenever a plan is made.
        memory: returns the notes that stand before the next window; called whenever a plan is made.
            None: those of `prefix` stay.
    """

    def __init__(
        self,
        config: WindowConfig,
        prefix: Prefix | None = None,
        still_open: Callable[[], Container[str]] = frozenset,
        memory: Callable[[], str] | None = None,
    ) -> None:
        self.config = config
        self.turns: list[Turn] = []
        self.prefix = prefix or Prefix()
        self.plan: Plan | None = None
        self.still_open, self.memory = still_open, memory

    def append(self, turn: Turn) -> None:
        """Add a closed turn as the newest."""
        self.turns.append(turn)
        self._prepare()

    @property
    def full(self) -> bool:
        """Whether a switch is due before the next chunk."""
        return len(self.turns) >= self.config.max

    def switch(self) -> None:
        """Carry out the plan: the oldest turns leave, and the planned prefix holds their words."""
        assert self.plan is not None
        self.turns, self.prefix = self.turns[self.plan.drop :], self.plan.prefix
        self.plan = None
        self._prepare()

    def renew(self, prefix: Prefix, turns: list[Turn]) -> None:
        """Put another prefix before the turns in view, put `turns` in their place, and make the
        plan again."""
        self.prefix, self.turns, self.plan = prefix, turns, None
        self._prepare()

    def amend(self, index: int, turn: Turn) -> None:
        """Replace the turn at `index`. A plan that holds words of the old turn is made again."""
        self.turns[index] = turn
        if self.plan is not None and index < self.plan.drop:
            self.plan = None
            self._prepare()

    def take_back(self) -> Turn:
        """Remove the newest turn and return it. A plan that it was part of is dropped."""
        turn = self.turns.pop()
        if self.plan is not None and len(self.turns) < self.plan.drop:
            self.plan = None
        return turn

    def words(self) -> Prefix:
        """The prefix as it would be if every turn left the window."""
        still_open = self.still_open()
        needed = {i for i in self._ids(self.turns) if i in still_open}
        return self.prefix.after(_rounds(self.turns), self.config.qa_groups, needed)

    def _prepare(self) -> None:
        """Make the plan of the next switch once the turns that will leave are closed."""
        drop = self.config.max - self.config.keep
        if self.plan is not None or len(self.turns) < drop:
            return
        prefix = self.without(drop)
        if self.memory is not None:
            prefix = replace(prefix, memory=self.memory())
        self.plan = Plan(drop, prefix)

    def without(self, drop: int) -> Prefix:
        """The prefix as it is when the oldest `drop` turns have left.

        A question whose answer is still in view stays, so that the answer keeps its question. A
        question without an answer stays for one more window, because it may be answered before the
        switch.
        """
        gone, stay = self.turns[:drop], self.turns[drop:]
        in_view = {t.answer_id for t in stay if t.answer_id is not None}
        answered = {t.answer_id for t in gone}
        unanswered = {t.question_id for t in gone if t.question_id is not None} - answered
        still_open = self.still_open()
        needed = {i for i in self._ids(gone) if i in still_open or i in in_view}
        return self.prefix.after(_rounds(gone), self.config.qa_groups, needed, unanswered)

    def _ids(self, gone: list[Turn]) -> set[str]:
        """Ids of all questions in the prefix and in the turns `gone`."""
        own = {g.query_id for g in self.prefix.groups}
        return own | {t.question_id for t in gone if t.question_id is not None}

    def pieces(self, codec: PromptCodec) -> list[Piece]:
        """The whole window as pieces of the prompt: what a full recompute prefills."""
        out: list[Piece] = [codec.head(self.prefix)]
        for turn in self.turns:
            out += turn.pieces(codec)
        return out


def sliding(config: WindowConfig) -> WindowConfig:
    """The window of the policies that drop one chunk at a time: `fifo` and `evict`."""
    if config.policy in ("fifo", "evict"):
        return replace(config, keep=config.max - 1)
    return config


def check_context(
    config: WindowConfig, per_chunk: int, context: int | None, name: str, notes: int = 0
) -> None:
    """Raise `ConfigError` when the model's context is too short for the window.

    Args:
        config: sizes of the window.
        per_chunk: tokens of one silent turn.
        context: most tokens that the model can hold; None: not known.
        name: the model, for the message.
        notes: most tokens of the notes before the video.
    """
    need = config.cap * per_chunk + notes
    if context is not None and need > context:
        besides = f" and {notes} of notes" if notes else ""
        less = "window.max, memory.prefix_tokens or" if notes else "window.max or"
        raise ConfigError(
            f"window.max ({config.max}) is too large for {name}: {config.cap} chunks of"
            f" {per_chunk} tokens{besides} are {need}, its context is {context}; lower {less}"
            " model.max_pixels"
        )


def tokens_in(pieces: Iterable[Piece]) -> int:
    """Number of tokens that `pieces` put into the cache."""
    return sum(len(p) for p in pieces)


def _rounds(turns: Iterable[Turn]) -> Iterable[Round]:
    return (Round(t.question_id, t.question, t.answer_id, t.answer) for t in turns)
