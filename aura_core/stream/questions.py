"""Questions on their way into the conversation: checked when they come, one a chunk when their time
has come."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from aura_core.config import GenerationConfig, WatchConfig
from aura_core.errors import InputError
from aura_core.stream.attribution import Attribution, standing_kind
from aura_core.stream.prompt import PromptCodec
from aura_core.types import Chunk, Kind, Query

STANDING = (Kind.PROACTIVE, Kind.MULTI_RESPONSE)


class QuestionQueue:
    """Waiting questions of one stream; taken ones are in its `attribution`."""

    def __init__(
        self,
        codec: PromptCodec,
        attribution: Attribution,
        speaker: GenerationConfig,
        watch: WatchConfig,
    ) -> None:
        self._codec, self._ledger, self._speaker, self._watch = codec, attribution, speaker, watch
        self._waiting: deque[tuple[Query, int]] = deque()  # and the first chunk that may take it
        self._named = 0
        self._taken: Query | None = None  # by the step that is being made
        self._broken: Query | None = None  # the one over which the model last broke

    def add(self, query: Query, next_chunk: int) -> Query:
        """Queue a question that came while `next_chunk` was being filled; it gets an id if it has
        none.

        Raises `InputError` when it is empty or too long, and when too many wait or watch already.
        """
        if not query.text.strip():
            raise InputError("the question is empty")
        if len(self._waiting) >= self._speaker.max_pending_questions:
            raise InputError(
                f"{len(self._waiting)} questions are waiting already; ask again when they are"
                " answered"
            )
        tokens = self._codec.question_tokens(query.text)
        if tokens > self._speaker.max_question_tokens:
            raise InputError(
                f"the question has {tokens} tokens; at most {self._speaker.max_question_tokens} are"
                " allowed"
            )
        if _stands(query):
            watches = len(self._ledger.open_ids()) + sum(_stands(q) for q, _ in self._waiting)
            if watches >= self._watch.max_open:
                raise InputError(f"{watches} watches are open already; cancel one first")
        if not query.id:
            self._named += 1
            query = replace(query, id=f"q{self._named}")
        self._waiting.append((query, next_chunk))
        return query

    def take(self, chunk: Chunk) -> Query | None:
        """The oldest question whose time has come; one a chunk, the others wait for the next."""
        for waiting in self._waiting:
            query, first = waiting
            if chunk.index >= first if query.stamp_ns is None else query.stamp_ns < chunk.end_ns:
                self._waiting.remove(waiting)
                self._ledger.ask(query)
                self._taken = query
                return query
        return None

    def done(self) -> None:
        """The step that took a question has been made."""
        self._taken = None

    def give_back(self) -> None:
        """The step could not be made: its question is the first to be taken again."""
        query, self._taken = self._taken, None
        if query is not None:
            self._ledger.forget(query)
            self._waiting.appendleft((query, 0))

    def retry(self) -> Query | None:
        """`give_back`, where the model broke: once. The second time the question is given up, and
        returned."""
        query = self._taken
        if query is not None and query is self._broken:
            self._ledger.forget(query)
            self._taken = None
            return query
        self._broken = query or self._broken
        self.give_back()
        return None

    def remove(self, query_id: str) -> bool:
        """Take a waiting question back; False when none has this id."""
        for waiting in self._waiting:
            if waiting[0].id == query_id:
                self._waiting.remove(waiting)
                return True
        return False


def _stands(query: Query) -> bool:
    return (query.kind or standing_kind(query.text)) in STANDING
