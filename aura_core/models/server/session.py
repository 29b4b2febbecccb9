"""One stream's session on a chat server: the pieces are here, the cache is on the server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ModelError, StreamError
from aura_core.http_client import EventStream
from aura_core.models.backend import ChatFormat, Piece, Tokenizer, Tokens
from aura_core.models.server.answer import Answer
from aura_core.models.server.conversation import Conversation, Reader
from aura_core.models.server.counters import Counters
from aura_core.models.server.prompt_check import PromptCheck
from aura_core.models.server.replies import Replies, choice_of
from aura_core.models.server.requests import Requests
from aura_core.models.server.tokens import Token, certain, ended
from aura_core.models.server.warmer import Warmer

_log = logging.getLogger(__name__)


class ServerSession:
    """A session on a chat server.

    A decision is one request. Its stream goes on with the answer: as long as the engine appends the
    token that the stream gave, the next one is read from the stream. Anything else closes the
    stream, which cancels the answer.

    After an error in a decision the session is as it was before the call. If the server fails
    within an answer, the session asks it to continue after what was said. If that fails too, the
    answer ends there (`cut_answers`): the words so far are kept, and none are said twice.
    """

    def __init__(
        self,
        requests: Requests,
        reader: Reader,
        replies: Replies,
        check: PromptCheck,
        warmer: Warmer,
        tokenizer: Tokenizer,
        chat: ChatFormat,
        one_request: bool,
        answer_tokens: int,
        begin: Callable[[], None],
    ) -> None:
        self.forwards = 0
        self._requests, self._reader, self._replies = requests, reader, replies
        self._check, self._warmer = check, warmer
        self._tokenizer, self._chat = tokenizer, chat
        self._first, self._answer_tokens = (answer_tokens if one_request else 1), answer_tokens
        self._begin = begin  # called before each decision; the first one asks the server
        self._pieces: list[Piece] = []
        self._length = 0
        self._answer: Answer | None = None
        # the conversation of the last request; None after a rollback
        self._sent: Conversation | None = None

    @property
    def counters(self) -> Counters:
        """The backend's counters."""
        return self._requests.counters

    @property
    def length(self) -> int:
        """Number of tokens that were appended."""
        return self._length

    def prefill(
        self, pieces: Sequence[Piece], wanted: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Append `pieces`. Returns float32 log-probabilities (vocabulary,) after the last token.

        With `wanted`, one token is asked for, and the log-probabilities of these ids are exact
        where the server can tell those of ids that it is given.

        Where all turns are closed, there is nothing to predict. Then the server only reads the
        pieces, as by `warm`, and the vector is NaN.

        Raises:
            ModelError: the server gives no decision, after all retries.
            StreamError: the pieces are no conversation.
        """
        if sum(len(p) for p in pieces) == 0:
            raise StreamError("a prefill needs at least one token")
        self._begin()
        answer = self._answer
        only = pieces[0] if len(pieces) == 1 else None
        goes_on = answer is not None and isinstance(only, Tokens) and only.ids == (answer.last,)
        if not goes_on:
            self.close()
        kept, length, sent = len(self._pieces), self._length, self._sent
        self._append(pieces)
        try:
            logits = self._after(goes_on, wanted)
        except (ModelError, StreamError):
            self.close()
            del self._pieces[kept:]
            self._length, self._sent = length, sent
            raise
        self.forwards += 1
        return logits

    def warm(self, pieces: Sequence[Piece]) -> None:
        """Append `pieces`, and let the server read them in the background.

        It returns at once and raises nothing when the server fails. It is for a window that is not
        in use yet (the shadow). Of several calls only the newest may reach the server, because it
        holds the others.
        """
        self.close()
        self._append(pieces)
        self._warm(self._reader.read(self._pieces))

    def rollback(self, length: int) -> None:
        """Forget everything after the first `length` tokens."""
        if not 0 <= length <= self._length:
            raise StreamError(
                f"cannot roll back to {length} tokens: the session holds {self._length}"
            )
        if length == self._length:
            return
        self.close()
        self._sent = None
        while self._length > length:
            piece = self._pieces.pop()
            self._length -= len(piece)
            if self._length < length:
                if not isinstance(piece, Tokens):
                    raise StreamError(
                        f"cannot roll back to {length} tokens: that is inside a chunk"
                    )
                self._append([Tokens(piece.ids[: length - self._length])])

    def close(self) -> None:
        """Close the stream of an answer, if one is open. The session stays usable."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def __del__(self) -> None:
        if getattr(self, "_answer", None) is not None:
            self.close()

    # ---- what comes after the last token -----------------------------------------------------

    def _append(self, pieces: Sequence[Piece]) -> None:
        self._pieces += [p for p in pieces if len(p)]
        self._length += sum(len(p) for p in pieces)

    def _after(self, goes_on: bool, wanted: Sequence[int] | None) -> NDArray[np.float32]:
        if goes_on:
            return self._next()
        conversation = self._reader.read(self._pieces)
        if conversation.said is None:
            self._warm(conversation)
            return np.full(self._replies.vocabulary, np.nan, np.float32)
        if conversation.said:
            return self._resume()
        return self._logits(self._decide(conversation, wanted))

    def _decide(self, conversation: Conversation, wanted: Sequence[int] | None) -> Token:
        self._note(conversation)
        if self._first > 1 and wanted is None:
            token = self._open(conversation, self._first)
            if token is not None:
                return token
            if not self._requests.can.token_ids:  # an empty reply
                self._requests.empty(self._answer.finish if self._answer else None)
                return ended(self._chat.end_id)
            self.close()  # some servers drop the logprobs of a stop token from a stream (SGLang)

        reply = self._requests.decide(conversation, wanted)
        self._check.book(reply, self._length, conversation.chunks)
        choice = choice_of(reply, self._requests.client.url)
        tokens = self._replies.begin().tokens(choice) if choice else []
        if tokens:
            return tokens[0]
        if not self._requests.can.token_ids:  # an empty reply: the turn has ended at once
            self._requests.empty((choice or {}).get("finish_reason"))
            return ended(self._chat.end_id)
        raise ModelError(
            f"{self._requests.client.url}: a reply without logprobs, from which silence is read"
        )

    def _open(self, conversation: Conversation, tokens: int) -> Token | None:
        """Open a stream and read its first token; None when the server ends it at once."""

        length, chunks = self._length, conversation.chunks

        def first(events: EventStream) -> tuple[Answer, Token | None]:
            answer = Answer(
                events,
                self._replies,
                self.counters,
                lambda event: self._check.book(event, length, chunks),
                self._requests.client.url,
            )
            return answer, answer.read()

        self._answer, token = self._requests.stream(conversation, tokens, first)
        if token is not None and self._ends(token):
            self._answer.drain()
            self._answer = None
        return token

    def _next(self) -> NDArray[np.float32]:
        """Log-probabilities of the next token of the open stream."""
        answer = self._answer
        assert answer is not None
        try:
            token = answer.read()
        except ModelError as e:
            _log.warning("an answer broke off, and is asked for from there: %s", e)
            self.counters.add(retries=1)
            return self._resume()
        if token is None and answer.finish != "stop":  # at the limit of one stream
            return self._resume()
        if token is None or self._ends(token):
            answer.drain()
            self._answer = None
        return self._logits(token)

    def _resume(self) -> NDArray[np.float32]:
        """Continue the last turn with a new request."""
        self.close()
        if not self._requests.can.continuation:
            _log.warning("an answer ends where its stream did: the server continues no turn")
            self.counters.add(cut_answers=1)
            return self._logits(None)
        conversation = self._reader.read(self._pieces)
        self._note(conversation)
        try:
            if "\ufffd" in (conversation.said or ""):
                raise ModelError(
                    "it broke off within a character, and a chat server takes whole ones only"
                )
            return self._logits(self._open(conversation, self._answer_tokens))
        except ModelError as e:
            _log.error("an answer was cut where the server failed: %s", e)
            self.counters.add(cut_answers=1)
            self.close()
            return self._logits(None)

    def _logits(self, token: Token | None) -> NDArray[np.float32]:
        """Log-probabilities that choose `token`; None: the answer is over."""
        vocabulary = self._replies.vocabulary
        return certain(self._chat.end_id, vocabulary) if token is None else token.logits(vocabulary)

    def _ends(self, token: Token) -> bool:
        return token.id in (self._chat.silent_id, self._chat.end_id)

    def _note(self, conversation: Conversation) -> None:
        """Count a request that does not extend the one before it: its prefix is not reused."""
        old, self._sent = self._sent, conversation
        if old is None:
            return
        same = conversation.turns[: len(old.turns)] == old.turns
        if old.said and same:
            begun = conversation.turns[len(old.turns) :]
            same = (begun[0][2] if begun else conversation.said or "").startswith(old.said)
        if not same:
            self.counters.add(prefix_violations=1)

    def _warm(self, conversation: Conversation) -> None:
        self._note(conversation)
        self._warmer.submit(id(self), lambda: self._requests.warm(conversation))
