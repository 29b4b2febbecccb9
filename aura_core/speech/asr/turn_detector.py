"""Turn detection: whether a user who pauses has finished, judged by the words so far."""

from __future__ import annotations

from collections.abc import Iterable

from aura_core.speech.asr.grammar import Grammar
from aura_core.speech.asr.unfinished import unfinished
from aura_core.speech.endpointing import Completeness
from aura_core.words import spoken_words

# No question ends with one of these words: more words will follow.
TRAILING = frozenset(
    """
    a an the this that my your is are do does did can could will would has have what which
    who where when how why if whether and or but to of in on at for from with by as there me
    you know time many every each tell let alert something
    """.split()  # noqa: SIM905
)


class TurnDetector:
    """Tells the endpointer how complete a partial transcript is.

    The transcript is complete if it is a sentence of the grammar, and incomplete if it ends with a
    word that needs another one (free speech: `unfinished`), whatever mark stands after it. Else a
    recogniser of free speech writes a question mark where the voice asks: then the words are
    complete, and may go on. It writes a full stop where the voice ends a sentence. Of 79 sentences
    that were cut at a random point, Whisper tiny.en ended 27 with a question mark and 14 with a
    full stop.

    Args:
        grammar: the sentences that are expected; None: any words may come.
        wake: spellings of the wake phrase, as words. It may precede each sentence.
    """

    def __init__(
        self, grammar: Grammar | None = None, wake: Iterable[tuple[str, ...]] = ()
    ) -> None:
        self._grammar = grammar
        self._wake = tuple(wake)

    def __call__(self, partial: str) -> Completeness:
        words = spoken_words(partial)
        for phrase in self._wake:
            if tuple(words[: len(phrase)]) == phrase:
                words = words[len(phrase) :]
                if not words:
                    return Completeness.INCOMPLETE  # only the wake phrase so far
                break
        if not words:
            return Completeness.UNKNOWN
        if self._grammar is not None and self._grammar.matches(" ".join(words)):
            return (
                Completeness.EXTENDABLE
                if self._grammar.goes_on(" ".join(words))
                else Completeness.COMPLETE
            )
        if self._grammar is not None:
            return Completeness.INCOMPLETE if words[-1] in TRAILING else Completeness.UNKNOWN
        if unfinished(words):
            return Completeness.INCOMPLETE
        text = partial.rstrip()
        if len(words) > 2 and text.endswith(("?", "？")):
            return Completeness.EXTENDABLE
        stated = text.endswith((".", "。")) and not text.endswith("..")
        return Completeness.STATED if stated and len(words) > 2 else Completeness.UNKNOWN
