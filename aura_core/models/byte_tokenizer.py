"""A tokenizer without a file: one token for each UTF-8 byte, and whole ones for a few texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aura_core.models.special_tokens import SpecialTokens

BYTES = 256
# Those of ChatML, the form in which most models write a conversation, and the silent token.
SPECIALS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|silent|>",
)
START, END, _, _, SILENT = range(BYTES, BYTES + len(SPECIALS))


class ByteTokenizer:
    """One token for each UTF-8 byte, and one for each special token and word.

    Args:
        specials: special tokens; wherever they stand in a text, they are one token, from id 256 on.
        words: words that are one token where they stand alone; the ids after those of `specials`.
    """

    def __init__(self, specials: Sequence[str] = SPECIALS, words: Sequence[str] = ()) -> None:
        self._whole = [*specials, *words]
        self._ids = {text: BYTES + i for i, text in enumerate(self._whole)}
        self._skipped = {BYTES + i for i in range(len(specials))}
        parts = [*map(re.escape, specials), *(rf"(?<!\w){re.escape(w)}(?!\w)" for w in words)]
        self._parts = re.compile(f"({'|'.join(parts)})")
        self._special = SpecialTokens(dict(enumerate(specials, BYTES)), self.encode, self.written)

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return BYTES + len(self._whole)

    def encode(self, text: str) -> list[int]:
        """Ids of `text`; special tokens that are written in it are recognised."""
        ids: list[int] = []
        for part in self._parts.split(text):
            ids += [self._ids[part]] if part in self._ids else part.encode()
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids` without special tokens; an incomplete character is left out."""
        shown = (i for i in ids if i not in self._skipped)
        return b"".join(map(self._bytes, shown)).decode(errors="ignore")

    def plain(self, text: str) -> str:
        """`text` without special tokens, see `SpecialTokens.plain`."""
        return self._special.plain(text)

    def written(self, ids: Sequence[int]) -> str:
        """Text of `ids` with special tokens written out; `encode` reads them back."""
        return b"".join(map(self._bytes, ids)).decode(errors="ignore")

    def _bytes(self, token: int) -> bytes:
        return bytes([token]) if token < BYTES else self._whole[token - BYTES].encode()
