"""Word error rate (WER): words to replace, delete and insert, divided by the words said.

jiwer aligns the two texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aura_core.errors import ConfigError
from aura_core.extras import how_to_install
from aura_core.words import spoken_words

DETERMINERS = frozenset({"a", "an", "the", "this", "that", "these", "those"})


@dataclass(frozen=True)
class WordErrors:
    """Counts over one or more sentences; `words` counts the words that were said."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    words: int = 0

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per word said. With no words said: 0, or 1 if something was recognised."""
        return self.errors / self.words if self.words else float(self.errors > 0)

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.words + other.words,
        )


def load_jiwer() -> Any:
    """The module jiwer. Raises `ConfigError` where it is missing.

    Call it before a long measurement.
    """
    try:
        import jiwer
    except ImportError:
        raise ConfigError(f"word error rates need jiwer: {how_to_install('bench-voice')}") from None
    return jiwer


def word_errors(said: str, heard: str, ignore: Iterable[str] = ()) -> WordErrors:
    """Compare two texts, without case and punctuation.

    Words of `ignore` (such as `DETERMINERS`) count in neither text. Raises `ConfigError` where
    jiwer is not installed.
    """
    jiwer = load_jiwer()
    ignored = frozenset(ignore)
    reference, hypothesis = (
        [w for w in spoken_words(text) if w not in ignored] for text in (said, heard)
    )
    found = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    return WordErrors(found.substitutions, found.deletions, found.insertions, len(reference))
