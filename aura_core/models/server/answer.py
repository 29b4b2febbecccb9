"""One answer while it is generated: a stream of the server, read token by token."""

from __future__ import annotations

from collections import deque
from typing import Any

from aura_core.errors import ModelError
from aura_core.http_client import EventStream
from aura_core.models.server.counters import Counters
from aura_core.models.server.replies import ReplyReader, Token


class Answer:
    """Reads a stream of events as tokens.

    Args:
        events: the stream.
        reader: reads tokens from events.
        counters: where the reported numbers of tokens are added.
        length: number of tokens of the prompt as counted here, for comparison with the server's.
    """

    def __init__(
        self, events: EventStream, reader: ReplyReader, counters: Counters, length: int
    ) -> None:
        # why the server ended the answer ("stop", "length"); None while it goes on
        self.finish: str | None = None
        self.last: int | None = None  # id of the newest token that was read
        self._events, self._reader, self._counters, self._length = events, reader, counters, length
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
        book_usage(event, self._counters, self._length)
        choice = self._reader.choice(event)
        if choice is not None:
            self._ready.extend(self._reader.tokens(choice))
            self.finish = choice.get("finish_reason") or self.finish


def book_usage(reply: dict[str, Any], counters: Counters, length: int) -> None:
    """Count the prompt tokens that the server reports."""
    usage = reply.get("usage")
    if not isinstance(usage, dict) or not isinstance(total := usage.get("prompt_tokens"), int):
        return
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    counters.add(
        prompt_tokens=total,
        cached_tokens=cached if isinstance(cached, int) else 0,
        prompt_mismatches=int(total != length),
    )
