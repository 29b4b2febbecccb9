"""What a person may ask about the table, in words, with the answers that the world makes true.

Templates, not free text: the embedded model knows these words and no others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aura_core.sim.world import COLOURS, SHAPES, Event, Item

NUMBERS = ("none", "one", "two", "three", "four")
PLACES = ("on the left", "in the middle", "on the right")
ACKNOWLEDGMENT = "okay"
VERBS = {"enter": ("appears", "comes", "arrives"), "leave": ("leaves", "is gone", "is taken away")}
DONE = {"enter": "appeared", "leave": "left"}

PROACTIVE = (
    "tell me when {x} {v}",
    "let me know when {x} {v}",
    "alert me when {x} {v}",
    "tell me if {x} {v}",
)
MULTI = (
    "tell me every time {x} {v}",
    "let me know whenever {x} {v}",
    "each time {x} {v} tell me",
    "alert me every time {x} {v}",
)
LIST = ("what is on the table?", "what do you see?", "what is there?")
COUNT = ("how many objects are on the table?", "how many things do you see?")
COUNT_OF = ("how many {x} are there?", "how many {x} do you see?")
EXISTS = ("is there {x}?", "do you see {x}?", "is {x} on the table?")
WHERE = ("where is {x}?", "where do you see {x}?")
COLOUR = ("what colour is the {x}?", "which colour does the {x} have?")
TOPICS = ("list", "count", "count_of", "exists", "where", "colour", "shape")
TOPIC_SHARES = (0.20, 0.12, 0.10, 0.20, 0.16, 0.12, 0.10)
SHAPE = ("what is the {x} object?", "what shape is the {x} thing?")


@dataclass(frozen=True)
class Condition:
    """What a standing question waits for: something of this colour and shape enters or leaves."""

    verb: str  # "enter" or "leave"
    colour: str | None
    shape: str | None

    def matches(self, event: Event | None) -> bool:
        """Whether `event` is what the question waits for."""
        if event is None or event.kind != self.verb:
            return False
        return self.colour in (None, event.item.colour) and self.shape in (None, event.item.shape)

    @property
    def phrase(self) -> str:
        """The thing in words: 'a red cube', 'something red', 'a cube', 'something'; 'the' when it leaves."""
        return thing(self.colour, self.shape, definite=self.verb == "leave")


def thing(colour: str | None, shape: str | None, definite: bool = False) -> str:
    """A noun phrase for a colour, a shape, both or neither."""
    if shape is None:
        return f"something {colour}" if colour else "something"
    article = "the" if definite and colour else "a"
    return f"{article} {colour} {shape}" if colour else f"{article} {shape}"


def announce(event: Event) -> str:
    """What is said about an event, whichever standing question it answers."""
    article = "a" if event.kind == "enter" else "the"
    return f"{article} {event.item.name} {DONE[event.kind]}"


def listing(items: Sequence[Item]) -> str:
    """'a red cube and a blue ball', by colour and shape; 'nothing' for an empty table."""
    ordered = sorted(items, key=lambda i: (COLOURS.index(i.colour), SHAPES.index(i.shape)))
    return " and ".join(f"a {i.name}" for i in ordered) if ordered else "nothing"


def standing(rng: np.random.Generator, condition: Condition, repeated: bool) -> str:
    """A standing question in words."""
    templates = MULTI if repeated else PROACTIVE
    verb = _one(rng, VERBS[condition.verb])
    return _one(rng, templates).format(x=condition.phrase, v=verb)


def real_time(
    rng: np.random.Generator, items: Sequence[Item], shares: tuple[float, ...] = TOPIC_SHARES
) -> tuple[str, str, str]:
    """A question about now: (topic, question, answer that is true for `items`). `shares` go with `TOPICS`."""
    topic = str(rng.choice(TOPICS, p=shares))
    if topic == "list":
        return topic, _one(rng, LIST), listing(items)
    if topic == "count":
        return topic, _one(rng, COUNT), NUMBERS[len(items)]
    colour, shape = _target(rng, items)
    if topic == "count_of":
        if rng.random() < 0.5:
            n = sum(i.shape == shape for i in items)
            return topic, _one(rng, COUNT_OF).format(x=f"{shape}s"), NUMBERS[n]
        n = sum(i.colour == colour for i in items)
        return topic, _one(rng, COUNT_OF).format(x=f"{colour} objects"), NUMBERS[n]
    if topic == "exists":
        form = rng.random()
        c, s = (colour, shape) if form < 0.6 else (colour, None) if form < 0.8 else (None, shape)
        found = any(c in (None, i.colour) and s in (None, i.shape) for i in items)
        return topic, _one(rng, EXISTS).format(x=thing(c, s)), "yes" if found else "no"
    if topic == "where":
        found_at = [i for i in items if i.colour == colour and i.shape == shape]
        question = _one(rng, WHERE).format(x=f"the {colour} {shape}")
        return topic, question, PLACES[found_at[0].column] if found_at else f"i do not see a {colour} {shape}"
    if topic == "colour":
        seen = [i for i in items if i.shape == shape]
        if len(seen) < 2:
            answer = seen[0].colour if seen else f"i do not see a {shape}"
            return topic, _one(rng, COLOUR).format(x=shape), answer
    seen = [i for i in items if i.colour == colour]
    if len(seen) < 2:
        answer = f"a {seen[0].shape}" if seen else f"i do not see something {colour}"
        return "shape", _one(rng, SHAPE).format(x=colour), answer
    return "list", _one(rng, LIST), listing(items)


def _target(rng: np.random.Generator, items: Sequence[Item]) -> tuple[str, str]:
    """A colour and shape to ask about: of an item that is there (60%), else mixed or random."""
    form = rng.random()
    if items and form < 0.6:
        item = items[int(rng.integers(len(items)))]
        return item.colour, item.shape
    colour, shape = _one(rng, COLOURS), _one(rng, SHAPES)
    if items and form < 0.85:  # near miss: right colour or right shape, but perhaps not together
        item = items[int(rng.integers(len(items)))]
        return (item.colour, shape) if rng.random() < 0.5 else (colour, item.shape)
    return colour, shape


def _one(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def words() -> set[str]:
    """Every word that questions and answers can contain: the embedded model's vocabulary."""
    texts = [*PROACTIVE, *MULTI, *LIST, *COUNT, *COUNT_OF, *EXISTS, *WHERE, *COLOUR, *SHAPE]
    texts += [v for group in VERBS.values() for v in group]
    texts += [*NUMBERS, *PLACES, *COLOURS, *SHAPES, *DONE.values(), *(f"{s}s" for s in SHAPES)]
    texts += [ACKNOWLEDGMENT, "nothing", "something a the and objects", "i do not see", "yes no"]
    return {w for text in texts for w in re.findall(r"[a-z]+", re.sub(r"\{\w\}", "", text))}
