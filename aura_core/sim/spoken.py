"""The questions about the room as a grammar for a recogniser: text in the format of
`aura_core.speech.asr.grammar`, which this file does not import."""

from __future__ import annotations

import functools

from aura_core.sim.phrases import ENGLISH, Phrases
from aura_core.sim.world import COLOURS, SHAPES

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
"""

# The slots of a topic's questions.
_QUESTION_SLOTS = {
    "count_of": {"x": "{counted}"},
    "exists": {"x": "{thing}"},
    "where": {"x": "{that_one}"},
    "colour": {"x": "{shape}"},
    "shape": {"x": "{colour}"},
    "order": {"x": "{that_one}", "y": "{that_one}"},
}
_CLAUSE_SLOTS = {"item enters": {"x": "{comer}"}, "item leaves": {"x": "{goer}"}}


@functools.cache
def grammar() -> str:
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
        lines += _filled(ways, _QUESTION_SLOTS.get(topic, {}))
    for name, facet in ENGLISH.facets.items():
        lines.append(f"{name}_is: " + " | ".join(facet.values))
        lines += [*_filled(facet.polar, {"v": f"{{{name}_is}}"}), *_filled(facet.open, {})]
    return "\n".join(lines)


def _filled(ways: Phrases, slots: dict[str, str]) -> list[str]:
    """Both those that training hears and those that it does not: a user may say either."""
    return [text.format(**slots).rstrip("?") for text in (*ways.seen, *ways.unseen)]
