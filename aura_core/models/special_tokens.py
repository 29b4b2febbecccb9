"""Text from outside, changed so that a tokenizer reads no special token in it.

The tokenizer itself tells what is special and what it reads. So it does not matter how a token is
called (`<|im_end|>`, `<tool_call>`, `[INST]`, `<s>`), and a form that the tokenizer normalises to a
token is found too. A text in which it reads no special token stays as it is, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

# Rounds in which a space is put into what was found; overlapping tokens take a few. A tokenizer
# that drops spaces would take endless ones: after these rounds the tokens are removed.
ROUNDS = 8


class SpecialTokens:
    """The special tokens of one tokenizer.

    Args:
        tokens: their texts, by id.
        encode: ids of a text; special tokens that are written in it are recognised.
        written: text of ids, with special tokens written out. A chat server gets this text.
        unknown: the token that stands for a word that the tokenizer does not know, if there is one.
            Its id is no control: every unknown word has it. Only its written form is broken up.
    """

    def __init__(
        self,
        tokens: Mapping[int, str],
        encode: Callable[[str], Sequence[int]],
        written: Callable[[Sequence[int]], str],
        unknown: str | None = None,
    ) -> None:
        self._unknown = unknown or ""
        self._tokens = {i: t for i, t in tokens.items() if t and t != unknown}
        self._encode, self._written = encode, written

    def plain(self, text: str) -> str:
        """`text` with a space within each special token that is written in it.

        A token that a space does not break up is left out. Half a surrogate pair, which no
        tokenizer takes, becomes a question mark.
        """
        text = text.encode(errors="replace").decode()
        if self._unknown and self._unknown in text:
            text = broken(text, [self._unknown])
        for _ in range(ROUNDS):
            found = self._found(text)
            if not found:
                return text
            apart = broken(text, found)
            # It is there in another form where nothing was broken up.
            text = apart if apart != text else broken(self._written(self._encode(text)), found)
        while self._found(text):
            text = self._without(text)
        return text

    def _found(self, text: str) -> set[str]:
        """The special tokens that are read in `text`, or in what a chat server gets for it."""
        ids = self._encode(text)
        found = self._among(ids)
        return found or self._among(self._encode(self._written(ids)))

    def _among(self, ids: Iterable[int]) -> set[str]:
        return {self._tokens[i] for i in ids if i in self._tokens}

    def _without(self, text: str) -> str:
        """A shorter text, without the tokens that are read in it now."""
        ids = self._encode(text)
        if not self._among(ids):
            ids = self._encode(self._written(ids))
        left = self._written([i for i in ids if i not in self._tokens])
        return left if len(left) < len(text) else text[:-1]


def broken(text: str, tokens: Iterable[str]) -> str:
    """`text` with a space within each of `tokens` that is written in it.

    >>> broken("a <tool_call> b", ["<tool_call>"])
    'a < tool_call> b'
    """
    for token in sorted(tokens, key=len, reverse=True):
        if len(token) > 1:
            at = _gap(token)
            text = text.replace(token, f"{token[:at]} {token[at:]}")
    return text


def _gap(token: str) -> int:
    """Where a space breaks `token` up: not beside another space, which may be part of a token."""
    places = range(1, len(token))
    return next((i for i in places if not (token[i - 1] + token[i]).count(" ")), 1)
