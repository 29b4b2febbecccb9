"""The grammar of what the assistant understands: its question templates, spoken."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from aura_core.bench.speech.wer import words_of
from aura_core.sim.phrases import ENGLISH, Phrases
from aura_core.sim.world import COLOURS, SHAPES
from aura_core.speech.asr.grammar import Grammar, parse
from aura_core.speech.endpointing import Hint

# In running speech a determiner is a few tens of milliseconds of vowel: what is usual in its place
# weighs most.
SLOTS = f"""
a: /8/ a | the
the: /8/ the | a
colour: {" | ".join(COLOURS)}
shape: {" | ".join(SHAPES)}
shapes: {" | ".join(f"{s}s" for s in SHAPES)}
thing: /4/ {{a}} {{colour}} {{shape}} | {{a}} {{shape}} | something {{colour}}
comer: /4/ {{a}} {{colour}} {{shape}} | {{a}} {{shape}} | something {{colour}} | /0.5/ something
goer: /4/ {{the}} {{colour}} {{shape}} | {{a}} {{shape}} | something {{colour}} | /0.5/ something
counted: {{shapes}} | {{colour}} objects
that_one: {{the}} {{colour}} {{shape}}
colour = K AH L ER
aura = AO R AH
"""

# Words after which nobody stops: the rest of the question is still to come.
TRAILING = frozenset(
    """
    a an the this that my your is are do does did can could will would has have what which
    who where when how why if whether and or but to of in on at for from with by as there me
    you know time many every each tell let alert something
    """.split()  # noqa: SIM905
)


# What stands in the slots of a topic's questions.
_SLOTS = {
    "count_of": {"x": "{counted}"},
    "exists": {"x": "{thing}"},
    "where": {"x": "{that_one}"},
    "colour": {"x": "{shape}"},
    "shape": {"x": "{colour}"},
    "order": {"x": "{that_one}", "y": "{that_one}"},
}
_CLAUSE_SLOTS = {"item enters": {"x": "{comer}"}, "item leaves": {"x": "{goer}"}}


@functools.cache
def built_in() -> Grammar:
    """The English sentences of `aura_core.sim.phrases`, with the words that its rooms put into
    them."""
    clauses = [
        c
        for kind, ways in ENGLISH.clauses.items()
        for c in _filled(ways, _CLAUSE_SLOTS.get(kind, {}))
    ]
    lines = [SLOTS, "clause: " + " | ".join(clauses)]
    for ways in (ENGLISH.once, ENGLISH.always):
        lines += _filled(ways, {"c": "{clause}"})
    for topic, ways in ENGLISH.questions.items():
        lines += _filled(ways, _SLOTS.get(topic, {}))
    for name, facet in ENGLISH.facets.items():
        lines.append(f"{name}_is: " + " | ".join(facet.values))
        lines += [*_filled(facet.polar, {"v": f"{{{name}_is}}"}), *_filled(facet.open, {})]
    return parse("\n".join(lines), "built-in grammar")


class Hinter:
    """Complete, extendable: a sentence of the grammar. Dangling: ends with a word that wants
    another."""

    def __init__(
        self, grammar: Grammar | None = None, wake: Iterable[tuple[str, ...]] = ()
    ) -> None:
        self._grammar = grammar
        self._wake = tuple(wake)

    def __call__(self, partial: str) -> Hint:
        words = words_of(partial)
        for phrase in self._wake:
            if tuple(words[: len(phrase)]) == phrase:
                words = words[len(phrase) :]
                if not words:
                    return Hint.DANGLING  # only the wake phrase so far
                break
        if not words:
            return Hint.UNKNOWN
        if self._grammar is not None and self._grammar.matches(" ".join(words)):
            return Hint.EXTENDABLE if self._grammar.goes_on(" ".join(words)) else Hint.COMPLETE
        return Hint.DANGLING if words[-1] in TRAILING else Hint.UNKNOWN


def _filled(ways: Phrases, slots: dict[str, str]) -> list[str]:
    """Both those that training hears and those that it does not: a user may say either."""
    return [text.format(**slots).rstrip("?") for text in (*ways.seen, *ways.unseen)]
