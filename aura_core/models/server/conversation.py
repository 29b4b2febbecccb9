"""Pieces to chat messages: the inverse of `stream/prompt.py` and of the chat template.

The engine appends token ids, but a chat server takes messages and makes the ids itself. So the ids
are split at the template's own markers, and the ids between them become text. The server's template
puts the same markers back. So a prefix of the ids gives a prefix of the messages, byte for byte,
and the server can reuse its cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aura_core.errors import StreamError
from aura_core.models.backend import ChatFormat, Piece, Tokenizer, Video

Message = dict[str, Any]
Item = int | Video


@dataclass(frozen=True, eq=False)
class Conversation:
    """The turns that the pieces hold.

    `turns` are the closed turns: role, the chunk in it, its text. `said` is the text of an
    assistant turn that is still open; None: there is none.
    """

    turns: tuple[tuple[str, Video | None, str], ...]
    said: str | None

    def messages(self, parts: Callable[[Video], list[Message]]) -> list[Message]:
        """The messages for the server; `parts` gives the message parts of a chunk."""
        out: list[Message] = []
        for role, video, text in self.turns:
            if video is None:
                out.append({"role": role, "content": text})
            else:
                words = [{"type": "text", "text": text}] if text else []
                out.append({"role": role, "content": [*parts(video), *words]})
        if self.said:
            out.append({"role": "assistant", "content": self.said})
        return out

    @property
    def chunks(self) -> int:
        """Number of chunks in it."""
        return sum(video is not None for _, video, _ in self.turns)

    @property
    def continues(self) -> bool:
        """Whether the server must continue the last message instead of beginning a new one."""
        return bool(self.said)


class Reader:
    """Splits token ids into turns.

    Args:
        tokenizer: the checkpoint's tokenizer.
        chat: the checkpoint's chat format.

    """

    def __init__(self, tokenizer: Tokenizer, chat: ChatFormat) -> None:
        self._text = tokenizer.written

        def ids(text: str) -> tuple[int, ...]:
            return tuple(tokenizer.encode(text))

        # The server's processor writes these texts itself: before, between and after the runs.
        before, *after = chat.chunk.parts(chat.chunk.stand_in(None))[::2]
        self._user = ids(chat.user[0])
        self._chunk = ids(chat.user[0] + str(before))
        self._after = [ids(str(text)) for text in after]
        self._turns = [
            (role, ids(around[0]), ids(around[1]))
            for role, around in (
                ("system", chat.system),
                ("user", chat.user),
                ("assistant", chat.assistant),
            )
        ]

    def read(self, pieces: Sequence[Piece]) -> Conversation:
        """The turns in `pieces`.

        Raises `StreamError` when they are no conversation; that is a bug in the caller.
        """
        items: list[Item] = []
        for piece in pieces:
            if isinstance(piece, Video):
                items.append(piece)
            else:
                items.extend(piece.ids)
        turns: list[tuple[str, Video | None, str]] = []
        at = 0
        while at < len(items):
            role, start, close = self._begin(items, at)
            video = None
            if role == "user" and (video := self._chunk_at(items, at)) is not None:
                start = at + len(self._chunk) + sum(1 + len(ids) for ids in self._after)
            end = _find(items, close, start)
            if end is None:
                if role != "assistant":
                    raise StreamError(
                        f"the pieces end inside a {role} turn: a chat server cannot go on from"
                        " there"
                    )
                return Conversation(tuple(turns), self._words(items[start:]))
            turns.append((role, video, self._words(items[start:end])))
            at = end + len(close)
        return Conversation(tuple(turns), None)

    def _begin(self, items: list[Item], at: int) -> tuple[str, int, tuple[int, ...]]:
        """Role of the turn at `at`, the index of its text, and the ids that close it."""
        for role, opening, close in self._turns:
            if _is(items, at, opening):
                return role, at + len(opening), close
        raise StreamError(
            f"token {at} of the window begins no turn of the chat template: the pieces are out of"
            " order"
        )

    def _chunk_at(self, items: list[Item], at: int) -> Video | None:
        """The chunk of the user turn at `at`; None for a turn of text only."""
        place = at + len(self._chunk)
        if not _is(items, at, self._chunk) or place >= len(items):
            return None
        first = items[place]
        if not isinstance(first, Video) and self._chunk == self._user:
            return None  # nothing stands before a chunk: a turn of text begins alike
        for after in self._after:
            run = items[place] if place < len(items) else None
            if not isinstance(run, Video) or not _is(items, place + 1, after):
                raise StreamError(
                    f"token {place} of the window: expected a chunk and what stands after it"
                )
            place += 1 + len(after)
        assert isinstance(first, Video)
        return first

    def _words(self, items: list[Item]) -> str:
        if any(isinstance(i, Video) for i in items):
            raise StreamError(
                "a chunk stands where words were expected: the pieces are out of order"
            )
        return self._text([i for i in items if isinstance(i, int)])


def _is(items: list[Item], at: int, ids: tuple[int, ...]) -> bool:
    return tuple(i if isinstance(i, int) else -1 for i in items[at : at + len(ids)]) == ids


def _find(items: list[Item], ids: tuple[int, ...], start: int) -> int | None:
    first = ids[0]
    for i in range(start, len(items) - len(ids) + 1):
        if isinstance(items[i], int) and items[i] == first and _is(items, i, ids):
            return i
    return None
