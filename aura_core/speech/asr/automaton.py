"""A grammar as its smallest automaton: for a decoder whose time grows with the number of states.

JSGF copies a slot into each template that uses it, and a state for silence and noise with each
word. The grammar of the simulated room becomes 13,915 states that way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from aura_core.speech.asr.grammar import Grammar, Optional, Part, Slot, Word

DIGITS = 6  # of probabilities: what differs less is the same


@dataclass(frozen=True)
class Arc:
    """A word that leads from one state to another, and its probability, at most 1."""

    begin: int
    end: int
    word: str
    probability: float


@dataclass(frozen=True)
class Automaton:
    """States are 0 ... `states` - 1. No two arcs of a state have the same word."""

    states: int
    start: int
    final: frozenset[int]
    arcs: tuple[Arc, ...]


def minimal(grammar: Grammar, before: tuple[str, ...] = ()) -> Automaton:
    """The smallest automaton of the sentences of a grammar. One of the phrases `before` may precede
    each sentence.

    The probability of a word is that of the alternative that it begins: the weight over the sum of
    the slot's weights. Where several begin with it, the largest counts.
    """
    builder = _Builder(grammar)
    starts = {builder.rest(template, _END) for template in grammar.templates}
    plain = tuple(starts)
    for phrase in before:
        words = tuple(Word(word) for word in phrase.split())
        starts |= {builder.rest(words, start) for start in plain}
    start = builder.state(frozenset(starts))
    return Automaton(len(builder.final), start, frozenset(builder.finals()), tuple(builder.arcs))


_END = 0  # the rest of a sentence that is complete
_Words = dict[str, dict[int, float]]  # the rests that a word leads to, each with its probability


@dataclass
class _Builder:
    """The rest of a sentence is a part and the rest after it, by number. A state is the set of
    rests that are possible in it (subset construction). Sentences are finite, so equal states are
    found from the end."""

    grammar: Grammar
    arcs: list[Arc] = field(default_factory=list)
    final: list[bool] = field(default_factory=list)
    _parts: list[tuple[Part, int] | None] = field(default_factory=lambda: [None])
    _numbers: dict[tuple[Part, int], int] = field(default_factory=dict)
    _next: dict[int, tuple[bool, _Words]] = field(default_factory=dict)
    _states: dict[frozenset[int], int] = field(default_factory=dict)
    _known: dict[tuple[bool, tuple[tuple[str, float, int], ...]], int] = field(default_factory=dict)

    def finals(self) -> list[int]:
        """The states in which a sentence may end."""
        return [state for state, final in enumerate(self.final) if final]

    def rest(self, parts: tuple[Part, ...], after: int) -> int:
        """The number of the rest that is these parts and then `after`."""
        for part in reversed(parts):
            pair = (part, after)
            if pair not in self._numbers:
                self._numbers[pair] = len(self._parts)
                self._parts.append(pair)
            after = self._numbers[pair]
        return after

    def state(self, rests: frozenset[int]) -> int:
        """The number of the state in which these rests are possible."""
        if rests in self._states:
            return self._states[rests]
        final, words = False, dict[str, dict[int, float]]()
        for rest in rests:
            ends, begins = self._begins(rest)
            final = final or ends
            for word, found in begins.items():
                _merge(words.setdefault(word, {}), found, 1.0)
        arcs = tuple(
            (word, round(max(found.values()), DIGITS), self.state(frozenset(found)))
            for word, found in sorted(words.items())
        )
        state = self._known.setdefault((final, arcs), len(self.final))
        if state == len(self.final):
            self.final.append(final)
            self.arcs += [Arc(state, end, word, p) for word, p, end in arcs]
        self._states[rests] = state
        return state

    def _begins(self, rest: int) -> tuple[bool, _Words]:
        """Whether nothing need follow, and the words that may begin the rest."""
        if rest in self._next:
            return self._next[rest]
        pair = self._parts[rest]
        ends, words = pair is None, dict[str, dict[int, float]]()
        if pair is not None:
            part, after = pair
            if isinstance(part, Word):
                words[part.text] = {after: 1.0}
            else:
                for parts, share in self._choices(part):
                    may_end, begins = self._begins(self.rest(parts, after))
                    ends = ends or may_end
                    for word, found in begins.items():
                        _merge(words.setdefault(word, {}), found, share)
        self._next[rest] = (ends, words)
        return ends, words

    def _choices(self, part: Slot | Optional) -> list[tuple[tuple[Part, ...], float]]:
        if isinstance(part, Optional):
            return [(part.parts, 1.0), ((), 1.0)]
        alternatives = self.grammar.slots[part.name]
        total = sum(a.weight for a in alternatives)
        return [(a.parts, a.weight / total) for a in alternatives]


def _merge(into: dict[int, float], found: dict[int, float], share: float) -> None:
    for rest, p in found.items():
        into[rest] = max(into.get(rest, 0.0), p * share)
