"""Questions about a room in words, with the answers that the room makes true."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from aura_core.sim.chinese import CHINESE
from aura_core.sim.paraphrases import varied
from aura_core.sim.phrases import ENGLISH, Language, Phrases
from aura_core.sim.world import COLOURS, SHAPES, Event, Item, State, World

LANGUAGES: dict[str, Language] = {"en": ENGLISH, "zh": CHINESE}
VARIED = {name: varied(name, words) for name, words in LANGUAGES.items()}
PAST_S = 25  # what is asked about lies no further back: in every window's view
FORGOTTEN_S = 65  # further back than any window reaches
WAITABLE = tuple(ENGLISH.clauses)  # kinds of event that may be waited for

TOPICS = {
    "list": 0.11,
    "count": 0.06,
    "count_of": 0.08,
    "exists": 0.10,
    "where": 0.08,
    "colour": 0.07,
    "shape": 0.05,
    "person": 0.03,
    "who": 0.02,
    "where_person": 0.03,
    "pose": 0.04,
    "cat": 0.03,
    "where_cat": 0.03,
    "door": 0.03,
    "lamp": 0.03,
    "kettle": 0.03,
    "cup": 0.03,
    "night": 0.02,
    "took": 0.04,
    "brought": 0.04,
    "last": 0.04,
    "order": 0.07,
}
PAST = ("took", "brought", "last", "order")
FACETS = ("door", "lamp", "kettle", "cup", "night")
ITEMS = ("list", "count", "count_of", "exists", "where", "colour", "shape")
LIVING = ("person", "who", "where_person", "pose", "cat", "where_cat")
# What is said to what is no question about the room.
ODD = ("unknown", "thanks", "greeting")
DECLINED = ("foreign", "unknown")


@dataclass(frozen=True)
class Wait:
    """What a standing question waits for: an event of this kind, and for objects of this colour and
    shape."""

    kind: str
    colour: str | None = None
    shape: str | None = None

    def matches(self, event: Event | None) -> bool:
        """Whether `event` is what the question waits for."""
        if event is None or event.kind != self.kind:
            return False
        if event.item is None:
            return True
        return self.colour in (None, event.item.colour) and self.shape in (None, event.item.shape)


@dataclass(frozen=True)
class Question:
    """A question about now or the recent past, and the true answer. `unseen`: in words kept out of
    training. `evidence`: the chunk that has to be in view to answer it, where that is not its own.
    `about`: the topic and what it is asked about, for the question that follows. `follows`: it can
    be understood only after the question before.
    """

    topic: str
    text: str
    answer: str
    unseen: bool
    evidence: int | None = None
    about: About | None = None
    follows: bool = False


About = tuple[str, tuple[Any, ...]]  # a topic, and its parameters (see `Talk.chosen`)

# The phrases of a question, its slots, the true answer, and the evidence (see `Question`).
_Asked = tuple[Phrases, dict[str, str], str] | tuple[Phrases, dict[str, str], str, int]


class Talk:
    """One person's way of asking: a language ("en" or "zh"), how often in phrasings kept out of
    training, and whether in the many further ones that are for training alone."""

    def __init__(self, language: str = "en", unseen: float = 0.0, varied: bool = False) -> None:
        self.language, self.words = language, (VARIED if varied else LANGUAGES)[language]
        self.unseen = unseen

    def real_time(
        self, rng: np.random.Generator, room: World, chunk: int, topics: dict[str, float] = TOPICS
    ) -> Question:
        """A question in `chunk`. A topic that cannot be asked then is drawn again, and so is one
        about something that is just changing."""
        shares = np.array(list(topics.values())) / sum(topics.values())
        asked: _Asked | None = None
        while asked is None:
            topic = str(rng.choice(list(topics), p=shares))
            if not settled(room, topic, chunk):
                topic = "list" if settled(room, "list", chunk) else "door"
            chosen = self.chosen(rng, topic, room.states[chunk])
            asked = self.resolved((topic, chosen), room, chunk)
        phrases, slots, answer, *evidence = asked
        text, unseen = self._phrase(rng, phrases)
        text = text.format(**slots)
        if rng.random() < 0.2:
            text = _one(rng, self.words.decorations).format(q=text)
        return Question(topic, text, answer, unseen, *(evidence or [None]), (topic, chosen))

    def follow_up(
        self, rng: np.random.Generator, room: World, chunk: int, last: About
    ) -> Question | None:
        """A question that only the one before, `last`, explains; None where there is none."""
        w, (topic, chosen) = self.words, last
        if topic in PAST or topic not in (*FACETS, *ITEMS, *LIVING):
            return None
        also, noun = self._other(rng, topic, chosen, room.states[chunk])
        forms: list[tuple[Phrases, dict[str, str], About]] = [(w.again, {}, last)]
        if also is not None:
            forms += [(w.also, {"x": noun}, also), (w.correction, {"x": noun}, also)]
        if topic in ("cat", "person"):
            forms.append((w.where_it, {}, (f"where_{topic}", ())))
        if topic == "exists" and None not in chosen:
            forms.append((w.where_it, {}, ("where", chosen)))
        phrases, slots, about = forms[int(rng.integers(len(forms)))]
        if not settled(room, about[0], chunk):
            return None
        asked = self.resolved(about, room, chunk)
        if asked is None:
            return None
        text, unseen = self._phrase(rng, phrases)
        return Question(about[0], text.format(**slots), asked[2], unseen, None, about, True)

    def odd(self, rng: np.random.Generator) -> Question:
        """Thanks, a greeting, or something with words that it does not know."""
        topic = str(rng.choice(ODD, p=(0.45, 0.2, 0.35)))
        if topic == "unknown":
            text, unseen = self._phrase(rng, self.words.strange)
            text = re.sub(r"\{z\}", lambda _: _one(rng, self.words.strangers), text)
            return Question(topic, text, self.words.unknown, unseen)
        phrases, answer = self.words.thanks if topic == "thanks" else self.words.greeting
        text, unseen = self._phrase(rng, phrases)
        return Question(topic, text, answer, unseen)

    def lost(self, rng: np.random.Generator) -> Question:
        """A follow-up to nothing: it is not understood."""
        text, unseen = self._phrase(
            rng, self.words.where_it if rng.random() < 0.5 else self.words.again
        )
        return Question("unknown", text, self.words.unknown, unseen)

    def _other(
        self, rng: np.random.Generator, topic: str, chosen: tuple[Any, ...], state: State
    ) -> tuple[About | None, str]:
        """The same question about something else, and how that is named."""
        w = self.words
        if topic in FACETS:
            other = _one(rng, [t for t in FACETS[:-1] if t != topic])
            return (other, ("open",)), w.nouns[other]
        swaps = {
            "where_cat": "where_person",
            "where_person": "where_cat",
            "cat": "person",
            "person": "cat",
        }
        if topic in swaps:
            return (swaps[topic], ()), w.nouns[swaps[topic]]
        if topic in ("where", "exists"):
            other_thing = _target(rng, state.items)
            if other_thing == chosen:
                return None, ""
            return (topic, other_thing), self.thing(*other_thing, definite=topic == "where")
        return None, ""

    def standing(self, rng: np.random.Generator, wait: Wait, repeated: bool) -> tuple[str, bool]:
        """A standing question in words, and whether in words kept out of training."""
        frame, new_frame = self._phrase(rng, self.words.always if repeated else self.words.once)
        clause, new_clause = self._phrase(rng, self.words.clauses[wait.kind])
        x = self.thing(wait.colour, wait.shape, definite=wait.kind == "item leaves")
        return frame.format(c=clause.format(x=x)), new_frame or new_clause

    def standing_plainly(self, wait: Wait, repeated: bool) -> str:
        """A standing question in the first of its phrasings."""
        frame = (self.words.always if repeated else self.words.once).seen[0]
        x = self.thing(wait.colour, wait.shape, definite=wait.kind == "item leaves")
        return frame.format(c=self.words.clauses[wait.kind].seen[0].format(x=x))

    def announce_all(self, events: Sequence[Event]) -> str:
        """What is said about events that are told together."""
        return self.words.conjunction.join(self.announce(e) for e in events)

    def announce(self, event: Event) -> str:
        """What is said about an event, whichever standing question it answers."""
        words = self.words.announcements[event.kind]
        if event.item is None:
            return words
        colour, shape = event.item.colour, event.item.shape
        return words.format(
            a=self.thing(colour, shape), the=self.thing(colour, shape, definite=True)
        )

    def thing(self, colour: str | None, shape: str | None, definite: bool = False) -> str:
        """A noun phrase for a colour, a shape, both or neither."""
        w = self.words
        c, s = w.colours.get(colour or ""), w.shapes.get(shape or "")
        if c and s:
            return (w.the_thing if definite else w.a_thing).format(c=c, s=s)
        if s:
            return w.a_shape.format(s=s)
        return w.a_colour.format(c=c) if c else w.anything

    def listing(self, items: Sequence[Item]) -> str:
        """All objects, by colour and shape; 'nothing' for an empty table."""
        ordered = sorted(items, key=lambda i: (COLOURS.index(i.colour), SHAPES.index(i.shape)))
        return (
            self.words.conjunction.join(self.thing(i.colour, i.shape) for i in ordered)
            or self.words.nothing
        )

    def chosen(self, rng: np.random.Generator, topic: str, state: State) -> tuple[Any, ...]:
        """What a question of this topic is about: parameters that `resolved` knows."""
        if topic in FACETS:
            polar = rng.random() < 0.5
            return ("polar", int(rng.integers(2))) if polar else ("open",)
        if topic == "order":
            return (bool(rng.random() < 0.5),)
        if topic in PAST or topic in LIVING or topic in ("list", "count"):
            return ()
        colour, shape = _target(rng, state.items)
        if topic == "count_of":
            return (None, shape) if rng.random() < 0.5 else (colour, None)
        if topic == "exists":
            form = rng.random()
            return (colour if form < 0.8 else None, shape if form < 0.6 or form >= 0.8 else None)
        if topic == "where":
            return (colour, shape)
        return (shape,) if topic == "colour" else (colour,)

    def resolved(self, about: About, room: World, chunk: int) -> _Asked | None:
        """Phrases, slots and true answer; None where it cannot be asked in `chunk`."""
        topic, chosen = about
        state = room.states[chunk]
        if topic in FACETS:
            return self._facet(topic, chosen, state)
        if topic in PAST:
            return self._past(topic, chosen, room, chunk)
        if topic in LIVING:
            return self._living(topic, state)
        return self._items(topic, chosen, state.items)

    def _phrase(self, rng: np.random.Generator, phrases: Phrases) -> tuple[str, bool]:
        unseen = rng.random() < self.unseen
        return _one(rng, phrases.unseen if unseen else phrases.seen), unseen

    def _facet(self, topic: str, chosen: tuple[Any, ...], state: State) -> _Asked:
        facet, first = self.words.facets[topic], bool(getattr(state, topic))
        value = facet.values[0 if first else 1]
        if chosen[0] == "open":
            return facet.open, {}, value
        asked = facet.values[chosen[1]]
        return facet.polar, {"v": asked}, self.words.yes_no[asked != value]

    def _living(self, topic: str, state: State) -> _Asked:
        w = self.words
        if topic in ("person", "cat"):
            return w.questions[topic], {}, w.yes_no[getattr(state, topic) is None]
        if topic == "who":
            found = state.person is not None
            return w.questions[topic], {}, w.person if found else w.not_seen.format(x=w.person)
        if topic == "where_cat":
            answer = w.cat_places[state.cat] if state.cat else w.not_seen.format(x=w.cat)
        elif state.person is None:
            answer = w.not_seen.format(x=w.person)
        else:
            answer = w.stands[state.person] if topic == "where_person" else w.poses[state.lying]
        return w.questions[topic], {}, answer

    def _past(self, topic: str, chosen: tuple[Any, ...], room: World, chunk: int) -> _Asked | None:
        phrases = self.words.questions[topic]
        before = [e for e in room.events if e.chunk < chunk]
        recent = [e for e in before if e.chunk > chunk - PAST_S]
        if topic == "last":
            if len(recent) > 1 and recent[-1].chunk == recent[-2].chunk:
                return None  # which of the two is hardly seen
            return (phrases, {}, self.announce(recent[-1]), recent[-1].chunk) if recent else None
        if topic == "order":
            return self._order(chosen[0], phrases, recent)
        kind = "item leaves" if topic == "took" else "item enters"
        matching = [e for e in before if e.kind == kind and e.chunk > chunk - FORGOTTEN_S]
        if not matching:
            return phrases, {}, self.words.nothing
        item, at = matching[-1].item, matching[-1].chunk
        assert item is not None
        return (
            (phrases, {}, self.thing(item.colour, item.shape, True), at)
            if at > chunk - PAST_S
            else None
        )

    def _order(self, swapped: bool, phrases: Phrases, recent: list[Event]) -> _Asked | None:
        """The last two different objects that came."""
        came = [e for e in recent if e.kind == "item enters"]
        names = [(e.item.colour, e.item.shape) for e in came if e.item is not None]
        if len(names) < 2 or len(set(names)) < len(names):
            return None
        if came[-2].chunk == came[-1].chunk:
            return None
        first, second = (self.thing(*n, definite=True) for n in names[-2:])
        x, y = (second, first) if swapped else (first, second)
        return phrases, {"x": x, "y": y}, first, came[-2].chunk

    def _items(self, topic: str, chosen: tuple[Any, ...], items: Sequence[Item]) -> _Asked | None:
        w, phrases = self.words, self.words.questions[topic]
        if topic == "list":
            return phrases, {}, self.listing(items)
        if topic == "count":
            return phrases, {}, w.numbers[len(items)]
        has: Callable[[Item], bool]
        if topic in ("count_of", "exists", "where"):
            c, s = chosen
            fits = [i for i in items if c in (None, i.colour) and s in (None, i.shape)]
            if topic == "count_of":
                x = (
                    w.plural_shape.format(s=w.shapes[s])
                    if s
                    else w.plural_colour.format(c=w.colours[c])
                )
                return phrases, {"x": x}, w.numbers[len(fits)]
            if topic == "exists":
                return phrases, {"x": self.thing(c, s)}, w.yes_no[not fits]
            lost = w.not_seen.format(x=self.thing(c, s))
            answer = w.places[fits[0].column] if fits else lost
            return phrases, {"x": self.thing(c, s, definite=True)}, answer
        colour = shape = chosen[0]
        by_shape = topic == "colour"
        has = (lambda i: i.shape == shape) if by_shape else (lambda i: i.colour == colour)
        seen = [i for i in items if has(i)]
        if len(seen) > 1:
            return None
        if by_shape:
            answer = (
                w.colours[seen[0].colour] if seen else w.not_seen.format(x=self.thing(None, shape))
            )
            return phrases, {"x": w.shapes[shape]}, answer
        answer = (
            self.thing(None, seen[0].shape)
            if seen
            else w.not_seen.format(x=self.thing(colour, None))
        )
        return phrases, {"x": w.colours[colour]}, answer


def vocabulary() -> set[str]:
    """Every English word and Chinese character that questions and answers can contain."""
    found: set[str] = set()

    def walk(value: object) -> None:
        if isinstance(value, str):
            found.update(
                re.findall(r"[a-z]+|[\u4e00-\u9fff]", re.sub(r"\{\w+\}", " ", value.lower()))
            )
            if value in SHAPES:  # the English plural is made by a letter
                found.add(f"{value}s")
        elif isinstance(value, dict):
            walk(tuple(value.values()))
        elif isinstance(value, tuple):
            for part in value:
                walk(part)
        elif is_dataclass(value):
            for f in fields(value):
                if f.name != "strangers":
                    walk(getattr(value, f.name))

    walk((*LANGUAGES.values(), *VARIED.values()))
    return found - {"s"}


def settled(room: World, topic: str, chunk: int) -> bool:
    """Whether what a question of this topic is about is clear at the end of `chunk`: nothing of it
    is under way, and nothing of it has just happened where the past is asked about."""
    moving = room.unsettled(chunk)
    if topic in PAST:
        just = {e.subject for e in room.events_at(chunk)}
        subjects = {"item"} if topic != "last" else {"item", *just, *moving}
        return not subjects & (moving | just)
    if topic in FACETS:
        return topic not in moving
    if topic in ITEMS:
        return "item" not in moving
    return ("cat" if "cat" in topic else "person") not in moving


def _target(rng: np.random.Generator, items: Sequence[Item]) -> tuple[str, str]:
    """A colour and shape to ask about: of an object that is there (60%), else mixed or random."""
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
