"""One answer while it is generated: a stream of the server, read token by token."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from aura_core.errors import ModelError
from aura_core.http_client import EventStream
from aura_core.models.server.counters import Counters
from aura_core.models.server.replies import Replies, choice_of
from aura_core.models.server.tokens import Token


class Answer:
    """Reads a stream of events as tokens.

    Args:
        events: the stream.
        reader: reads tokens from events.
        counters: where closed streams are counted.
        book: called with each event, for the numbers of tokens that it may report.
        url: the server, for messages.
    """

    def __init__(
        self,
        events: EventStream,
        reader: Replies,
        counters: Counters,
        book: Callable[[dict[str, Any]], None],
        url: str,
    ) -> None:
        # why the server ended the answer ("stop", "length"); None while it goes on
        self.finish: str | None = None
        self.last: int | None = None  # id of the newest token that was read
        self._events, self._counters, self._book = events, counters, book
        self._reading, self._url = reader.begin(), url
        self._ready: deque[Token] = deque()
        self._closed = False

    def read(self) -> Token | None:
        """The next token; None when the server has ended the answer.

        Raises `TransientError` or another `ModelError`.
        """
        try:
            while not self._ready:
                event = next(iter(self._events), None)
                if event is None:
                    return None
                self._take(event)
        except ModelError:
            self._end()
            raise
        token = self._ready.popleft()
        self.last = token.id
        return token

    def drain(self) -> None:
        """Read the rest of an answer that is over.

        The rest holds the counts, and a connection that was read to its end can be used again.
        """
        try:
            if self.read() is not None:  # the server ignores stop_token_ids and goes on
                self.close()
        except ModelError:
            pass  # the rest is not needed
        self._end()

    def close(self) -> None:
        """Cancel the answer: the server stops when the connection closes."""
        if not self._closed and self.finish is None:
            self._counters.add(aborted_streams=1)
        self._end()

    def _end(self) -> None:
        self._closed = True
        self._events.close()

    def _take(self, event: dict[str, Any]) -> None:
        self._book(event)
        choice = choice_of(event, self._url)
        if choice is not None:
            self._ready.extend(self._reading.tokens(choice))
            self.finish = choice.get("finish_reason") or self.finish
