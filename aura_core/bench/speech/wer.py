"""Word error rate: how many words must be changed, taken out or put in to make what was heard what
was said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

DETERMINERS = frozenset({"a", "an", "the", "this", "that", "these", "those"})

LETTERS = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # each is a word of its own
LETTER_OR_WORD = re.compile(rf"[{LETTERS}]|[^\W_{LETTERS}]+(?:'[^\W_{LETTERS}]+)*")


@dataclass(frozen=True)
class WordErrors:
    """Counts over one or more sentences. `words` is the length of what was said."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    words: int = 0

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per word said. Nothing said: 0, or 1 where something was heard."""
        return self.errors / self.words if self.words else float(self.errors > 0)

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.words + other.words,
        )


def words_of(text: str, ignore: Iterable[str] = ()) -> list[str]:
    """The words of `text`, small letters, without punctuation and without the words of `ignore`.

    Chinese, Japanese and Korean letters count as a word each.
    """
    words = LETTER_OR_WORD.findall(text.lower().replace("’", "'"))
    dropped = frozenset(ignore)
    return [w for w in words if w not in dropped]


def align(said: list[str], heard: list[str]) -> list[tuple[str | None, str | None]]:
    """Pairs (said, heard) of a shortest edit path; None where a word is missing on that side."""
    n, m = len(said), len(heard)
    cost = [[0] * (m + 1) for _ in range(n + 1)]
    for i in range(n + 1):
        for j in range(m + 1):
            if not i or not j:
                cost[i][j] = i + j
                continue
            swap = cost[i - 1][j - 1] + (said[i - 1] != heard[j - 1])
            cost[i][j] = min(swap, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    pairs: list[tuple[str | None, str | None]] = []
    i, j = n, m
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (said[i - 1] != heard[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((said[i], heard[j]))
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            pairs.append((said[i], None))
        else:
            j -= 1
            pairs.append((None, heard[j]))
    return pairs[::-1]


def word_errors(said: str, heard: str, ignore: Iterable[str] = ()) -> WordErrors:
    """Compare two texts; the words of `ignore` (such as `DETERMINERS`) count on neither side."""
    ignore = frozenset(ignore)
    reference = words_of(said, ignore)
    pairs = align(reference, words_of(heard, ignore))
    deleted = sum(h is None for _, h in pairs)
    inserted = sum(s is None for s, _ in pairs)
    swapped = sum(s is not None and h is not None and s != h for s, h in pairs)
    return WordErrors(swapped, deleted, inserted, len(reference))
