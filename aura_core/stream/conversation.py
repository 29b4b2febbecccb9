"""What was seen, asked and said in one stream: window, questions, watches and attribution.

The rules of the conversation without a model, a cache or a clock. The engine plays it with a model;
the data engine, the training samples and tests play it with words that are given. So what a model
learns from is what it meets.

One chunk is played like this:

    conversation.ask(query)                   where a question belongs to the chunk
    turn = conversation.open(chunk, video, query)
    said = conversation.say(turn, ids, ...)   where words are spoken; else the turn stays silent
    conversation.close(said.turn)             the engine's window policy does this for it
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aura_core.config import GenerationConfig, WatchConfig, WindowConfig
from aura_core.errors import InputError
from aura_core.models.backend import Video
from aura_core.stream.attribution import STANDING, Attribution, standing_kind
from aura_core.stream.ids import Ids
from aura_core.stream.prefix import QAGroup
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.watches import Watches
from aura_core.stream.window import DualWindow, Turn, sliding
from aura_core.types import Query, Response


@dataclass(frozen=True)
class Said:
    """Words of a turn, as the conversation took them.

    `response` is None where they must not be said; `suppressed` tells why (cancelled, limit,
    cooldown or duplicate), and `turn` is then the silent turn.
    """

    turn: Turn
    response: Response | None
    suppressed: str = ""


class Conversation:
    """One stream's conversation.

    Args:
        codec: text to token ids; counts a question's tokens.
        window: sizes of the dual window.
        watch: limits of the standing questions.
        generation: limits of questions.
        ids: names of questions and responses.
        groups: questions and answers of before, which stand in the prefix.
    """

    def __init__(
        self,
        codec: PromptCodec,
        window: WindowConfig,
        watch: WatchConfig | None = None,
        generation: GenerationConfig | None = None,
        ids: Ids | None = None,
        groups: Iterable[QAGroup] = (),
    ) -> None:
        self.codec, self.config = codec, window
        self.ids = ids or Ids("run")
        self.attribution = Attribution()
        self.watches = Watches(self.attribution, watch or WatchConfig())
        self._watch = watch or WatchConfig()
        self._generation = generation or GenerationConfig()
        self.window = self._window(groups)

    def restart(self) -> None:
        """The video is lost (a model broke): the window begins anew, and the words stay."""
        self.window = self._window(self.window.words().groups)

    # ---- questions ---------------------------------------------------------------------------

    def admit(self, query: Query, waiting: Sequence[Query] = ()) -> Query:
        """The question with an id, if it has none.

        `waiting` are the questions that were admitted and not asked yet. Raises `InputError` when
        the question is too long, or begins a watch and too many are open already.
        """
        tokens, limit = self.codec.question_tokens(query.text), self._generation.max_question_tokens
        if tokens > limit:
            raise InputError(f"the question has {tokens} tokens; at most {limit} are allowed")
        if stands(query):
            watches = len(self.attribution.open_ids()) + sum(map(stands, waiting))
            if watches >= self._watch.max_open:
                raise InputError(f"{watches} watches are open already; cancel one first")
        return query if query.id else replace(query, id=self.ids.next("q"))

    def ask(self, query: Query) -> None:
        """The question enters the conversation, in the chunk in which the model sees it."""
        self.attribution.ask(query)

    def forget(self, query: Query | None) -> None:
        """A question whose answer was taken back was never asked."""
        self.attribution.forget(query)

    def open_texts(self) -> list[str]:
        """The words of the standing questions that still owe an answer, oldest first."""
        return self.attribution.open_texts()

    # ---- turns -------------------------------------------------------------------------------

    def open(self, chunk: int, video: Video, query: Query | None) -> Turn:
        """The turn of a chunk, silent so far."""
        return Turn(chunk, video, query.id if query else None, query.text if query else None)

    def settled(self, stamp_ns: int, query: Query | None) -> bool:
        """Whether words of this chunk may be told as they come: unasked ones that may still be
        taken back are not."""
        return query is not None or self.watches.settled(stamp_ns)

    def say(
        self,
        turn: Turn,
        answer_ids: Sequence[int],
        query: Query | None,
        stamp_ns: int,
        response_id: str = "",
        owners: Sequence[str] = (),
    ) -> Said:
        """Words in a turn: to which question they belong, and whether they may be said.

        Args:
            turn: the open turn.
            answer_ids: token ids of the words.
            query: the question of this chunk; None: the words are unasked.
            stamp_ns: of the chunk's newest frame, which the words describe.
            response_id: id of the response; a new one when empty.
            owners: ids of the watches that unasked words answer, where they are known for certain
                (training, tests): then nothing is found out and nothing held back.
        """
        text = self.codec.text(answer_ids)
        if query is None and not owners:
            suppressed = self.watches.objection(text, stamp_ns)
            if suppressed:
                return Said(turn, None, suppressed)
        booked = self.attribution.book(text, query, owners)
        response = Response(
            text,
            booked.kind,
            booked.query_id,
            booked.index,
            booked.acknowledgment,
            stamp_ns,
            urgent=booked.urgent,
            id=response_id or self.ids.next("r"),
        )
        if query is None:
            self.watches.said(booked.query_id, text, stamp_ns)
        spoken = replace(
            turn,
            answer_ids=tuple(answer_ids),
            answer=text,
            answer_id=booked.query_id,
            response_id=response.id,
        )
        return Said(spoken, response)

    def make_room(self) -> bool:
        """Before a chunk is added: switch if the window is full; whether it did."""
        if not self.window.full:
            return False
        self.window.switch()
        return True

    def close(self, turn: Turn) -> None:
        """The turn is over: it stands in the window."""
        self.window.append(turn)

    def amended(self, response_id: str, said: str) -> tuple[int, Turn] | None:
        """The turn of a response, as if only `said` had been said, and its place in the window;
        None when the response is no longer in view."""
        for index, turn in enumerate(self.window.turns):
            if turn.response_id == response_id and turn.answer_ids is not None:
                ids = tuple(self.codec.tokenizer.encode(said)) or None
                owner = turn.answer_id if said else None
                amended = replace(turn, answer_ids=ids, answer=said or None, answer_id=owner)
                return index, amended
        return None

    def _window(self, groups: Iterable[QAGroup]) -> DualWindow:
        prefix = self.codec.prefix(groups)
        return DualWindow(sliding(self.config), prefix, self.attribution.open_ids)


def stands(query: Query) -> bool:
    """Whether the question begins a watch: it was registered as one, or its words say so."""
    return (query.kind or standing_kind(query.text)) in STANDING
