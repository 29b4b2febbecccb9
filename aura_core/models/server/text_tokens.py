"""Tokens out of the text of a reply, for servers that tell no token ids.

The engine works with token ids. Where the server's own are not known, the text is cut into tokens
of the tokenizer that is used here. It is exact for words, because a conversation goes back to the
server as text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Protocol

from aura_core.models.server.tokens import NEVER, Token

_SPACE = " \t\r\n"


class Encoder(Protocol):
    """Text to token ids. `encode` recognises special tokens; `plain` leaves none in a text."""

    def encode(self, text: str) -> list[int]: ...

    def plain(self, text: str) -> str: ...


class TextTokens:
    """The tokens of one reply. Give it each piece of text in order.

    Args:
        tokenizer: cuts the text.
        held: special tokens as text, such as the silent one, that are meant where they are written.
            Text that may be the begin of one waits for its end. All others are words.
    """

    def __init__(self, tokenizer: Encoder, held: tuple[str, ...]) -> None:
        self._tokenizer, self._held = tokenizer, held
        # an empty choice would match everywhere
        self._parts = re.compile(f"({'|'.join(map(re.escape, held))})" if held else "(?!)")
        self._waiting = ""
        self._begun = False

    def take(self, text: str, last: bool, entries: list[Mapping[str, Any]]) -> list[Token]:
        """The tokens that are complete now.

        Args:
            text: the next piece of the reply.
            last: nothing follows.
            entries: the log-probabilities of the piece's tokens, as OpenAI's API tells them; those
                of the reply's first token decide.
        """
        text = self._waiting + text
        if not self._begun:
            text = text.lstrip(_SPACE)  # templates end a header with a line feed that some repeat
        if not text or (not last and any(h.startswith(text) and h != text for h in self._held)):
            self._waiting = text
            return []
        self._waiting = ""
        if not last and (cut := _begin_of(text, self._held)):
            text, self._waiting = text[:-cut], text[-cut:]
        entries = [e for e in entries if str(e.get("token", "")).strip(_SPACE)]  # as the text is
        ids = self._ids(text)
        tokens = [Token(i, {i: 0.0}) for i in ids]
        if not self._begun and tokens and entries:
            tokens[0] = Token(ids[0], self._first(ids[0], entries[0]))
        self._begun = True
        return tokens

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in self._parts.split(text):
            meant = part in self._held
            ids += self._tokenizer.encode(part if meant else self._tokenizer.plain(part))
        return ids

    def _first(self, chosen: int, entry: Mapping[str, Any]) -> dict[int, float]:
        """Log-probabilities of the first token, by the first id of each told token's text."""
        top = entry.get("top_logprobs")
        others = [t for t in top if isinstance(t, dict)] if isinstance(top, list) else []
        told = {str(t.get("token", "")): t.get("logprob") for t in others}
        told.setdefault(str(entry.get("token", "")), entry.get("logprob"))
        known = {chosen: NEVER}
        for text, logprob in told.items():
            if ids := self._tokenizer.encode(text.strip(_SPACE)):
                known[ids[0]] = _sum(known.get(ids[0], NEVER), _finite(logprob))
        return known


def _sum(a: float, b: float) -> float:
    """The log-probability of either."""
    return max(math.log(math.exp(a) + math.exp(b)), NEVER) if max(a, b) > NEVER else NEVER


def _finite(logprob: Any) -> float:
    """The number, or `NEVER` for what is none."""
    usable = isinstance(logprob, int | float) and math.isfinite(logprob)
    return max(float(logprob), NEVER) if usable else NEVER


def _begin_of(text: str, held: tuple[str, ...]) -> int:
    """Length of the longest end of `text` that is the begin of one of `held`, and not all of it."""
    return max(
        (n for h in held for n in range(1, min(len(h) - 1, len(text)) + 1) if text.endswith(h[:n])),
        default=0,
    )
