"""The grammar of what the assistant understands: its question templates, spoken."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from aura_core.sim import questions as q
from aura_core.sim.world import COLOURS, SHAPES
from aura_core.speech.asr.grammar import Grammar, parse
from aura_core.speech.endpointing import Hint
from aura_core.speech.wer import words_of

# In running speech a determiner is a few tens of milliseconds of vowel: what is usual in its place weighs most.
SLOTS = f"""
a: /8/ a | the
the: /8/ the | a
colour: {" | ".join(COLOURS)}
shape: {" | ".join(SHAPES)}
shapes: {" | ".join(f"{s}s" for s in SHAPES)}
thing: /4/ {{a}} {{colour}} {{shape}} | {{a}} {{shape}} | something {{colour}}
comer: /4/ {{a}} {{colour}} {{shape}} | {{a}} {{shape}} | something {{colour}} | /0.5/ something
goer: /4/ {{the}} {{colour}} {{shape}} | {{a}} {{shape}} | something {{colour}} | /0.5/ something
comes: {" | ".join(q.VERBS["enter"])}
goes: {" | ".join(q.VERBS["leave"])}
event: {{comer}} {{comes}} | {{goer}} {{goes}}
counted: {{shapes}} | {{colour}} objects
that_one: {{the}} {{colour}} {{shape}}
colour = K AH L ER
aura = AO R AH
"""

# Words after which nobody stops: the rest of the question is still to come.
TRAILING = frozenset(
    """
    a an the this that my your is are do does did can could will would has have what which who where
    when how why if whether and or but to of in on at for from with by as there me you know time many
    every each tell let alert something
    """.split()  # noqa: SIM905
)


@functools.cache
def built_in() -> Grammar:
    """The sentences of `aura_core.sim.questions`, with the words that its worlds put into them."""
    events = _filled((*q.PROACTIVE, *q.MULTI), "{x} {v}", "{event}")
    about = (
        *q.LIST,
        *q.COUNT,
        *_filled(q.COUNT_OF, "{x}", "{counted}"),
        *_filled(q.EXISTS, "{x}", "{thing}"),
        *_filled(q.WHERE, "{x}", "{that_one}"),
        *_filled(q.COLOUR, "{x}", "{shape}"),
        *_filled(q.SHAPE, "{x}", "{colour}"),
    )
    return parse("\n".join((SLOTS, *events, *about)), "built-in grammar")


class Hinter:
    """Complete, extendable: a sentence of the grammar. Dangling: ends with a word that wants another."""

    def __init__(self, grammar: Grammar | None = None, wake: Iterable[tuple[str, ...]] = ()) -> None:
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


def _filled(templates: Iterable[str], old: str, new: str) -> tuple[str, ...]:
    return tuple(t.replace(old, new) for t in templates)
