"""Questions about what was seen minutes, hours or days ago, with true answers, and notes about a
room: what memory is trained and tested with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aura_core.memory import form
from aura_core.sim.memory_phrases import CHINESE_MEMORY, ENGLISH_MEMORY, MemoryWords
from aura_core.sim.phrases import Phrases
from aura_core.sim.talk import Talk, Wait
from aura_core.sim.world import COLOURS, KINDS, SHAPES, Event

MEMORY_WORDS: dict[str, MemoryWords] = {"en": ENGLISH_MEMORY, "zh": CHINESE_MEMORY}
ASKED = tuple(ENGLISH_MEMORY.deeds)  # kinds of event that may be asked about
COMING = ("item enters", "person enters", "cat comes")
PLACED = ("item enters", "item moves")  # notes of these tell a place
HOUR_S = 3600.0
MORNING_S = (5 * HOUR_S, 12 * HOUR_S)  # after midnight
MOST_TOLD = 6  # facts of one answer
AROUND_S, AROUND_SHARE = 60.0, 0.05  # "10 minutes ago" means so much before and after, or so much

History = Sequence[tuple[float, Event]]  # (seconds, event), oldest first
Span = tuple[float, float]


@dataclass(frozen=True)
class MemoryQuestion:
    """A question about the past, and the true answer.

    Attributes:
        kind: when, ever, often, around, where, first, first of all.
        text: the question.
        answer: what ought to be said.
        evidence: places in the history of the events that the answer tells of, oldest first; none
            where nothing of the kind happened.
        about: the events that it asks for (one of them); none for `around` and `first of all`.
        span: only what happened from .. until these times counts [s].
        unseen: in words kept out of training.
    """

    kind: str
    text: str
    answer: str
    evidence: tuple[int, ...]
    about: tuple[Wait, ...] = ()
    span: Span | None = None
    unseen: bool = False

    @property
    def found(self) -> bool:
        """Whether what is asked about happened."""
        return bool(self.evidence)


class MemoryTalk:
    """One person's way of asking about the past, and one way of noting: a language ("en" or "zh"),
    and how often in phrasings kept out of training."""

    def __init__(self, language: str = "en", unseen: float = 0.0) -> None:
        self.language, self.unseen = language, unseen
        self.talk, self.words = Talk(language), MEMORY_WORDS[language]

    # ---- notes ---------------------------------------------------------------------------------

    def fact(self, event: Event) -> str:
        """What a note says about one event; an object that came or moved with its place."""
        if event.item is None or event.kind not in PLACED:
            return self.talk.announce(event)
        colour, shape = event.item.colour, event.item.shape
        return self.words.placed[event.kind].format(
            a=self.talk.thing(colour, shape),
            the=self.talk.thing(colour, shape, definite=True),
            p=place(self.talk, event),
        )

    def note(self, events: Sequence[Event]) -> str:
        """The note about a block's events: their facts in order of time; "" where nothing
        happened."""
        ordered = sorted(events, key=lambda e: (e.chunk, KINDS.index(e.kind)))
        return self.words.separator.join(map(self.fact, ordered))

    # ---- questions -----------------------------------------------------------------------------

    def ask(
        self,
        rng: np.random.Generator,
        history: History,
        now_s: float,
        kind: str | None = None,
        about: Wait | None = None,
        stretch: str = "",
        midnight_s: float = 0.0,
    ) -> MemoryQuestion | None:
        """A question of this kind (None: any) about `history`; None where it cannot be asked.

        Args:
            rng: draws what is left open.
            history: what happened until now.
            now_s: the time of the question, on the clock of the history.
            about: the event that is asked for; None: drawn, mostly one that happened.
            stretch: the time that counts: "", today, morning or hour.
            midnight_s: the last midnight, for "today" and "this morning".
        """
        kind = kind or str(rng.choice(list(self.words.questions)))
        span = span_of(stretch, now_s, midnight_s)
        said = _one(rng, self.words.stretches[stretch])
        if kind == "around":
            return self._around(rng, history, now_s, stretch, span)
        if kind in ("first", "first of all"):
            return self._first(rng, history, kind, said, span)
        wait = about or drawn(rng, [e for _, e in history], kind)
        places = matching(history, wait, span)
        if kind == "where":
            return self._where(rng, history, wait, said, span)
        if kind == "when":
            answer = form.ago(now_s - history[places[-1]][0], self.language) if places else ""
        elif kind == "ever":
            answer = self.talk.words.yes_no[0]
        else:
            answer = self.times(len(places))
        slots = self.deed(rng, wait)
        return self._asked(rng, kind, slots, said, answer, places, (wait,), span)

    def times(self, count: int) -> str:
        """How often: "1 time", "3 times"."""
        return self.words.once if count == 1 else self.words.times.format(n=count)

    def deed(self, rng: np.random.Generator, wait: Wait) -> dict[str, str]:
        """The slots s, v, p and c of what is asked about."""
        deed = self.words.deeds[wait.kind]
        subject, (verb, past) = _one(rng, deed.subjects), deed.verbs[rng.integers(len(deed.verbs))]
        definite = bool(rng.random() < 0.5)
        subject = subject.format(x=self.talk.thing(wait.colour, wait.shape, definite))
        return {"s": subject, "v": verb, "p": past, "c": subject + past}

    def named(self, event: Event, definite: bool) -> str:
        """Who or what came: "the red cube", "a person", "the cat"."""
        if event.item is not None:
            return self.talk.thing(event.item.colour, event.item.shape, definite)
        if event.kind == "cat comes":
            return self.talk.words.nouns["where_cat"]
        return self.talk.words.nouns["where_person"] if definite else self.talk.words.person

    def _asked(
        self,
        rng: np.random.Generator,
        kind: str,
        slots: dict[str, str],
        said: str,
        answer: str,
        places: Sequence[int],
        about: tuple[Wait, ...],
        span: Span | None,
    ) -> MemoryQuestion:
        text, unseen = self.phrase(rng, kind, stretch=bool(said))
        return MemoryQuestion(
            kind,
            text.format(**{"r": said, "t": ""} | slots),
            answer if places else self.words.forgotten,
            tuple(places),
            about,
            span,
            unseen,
        )

    def phrase(
        self, rng: np.random.Generator, kind: str, stretch: bool = False
    ) -> tuple[str, bool]:
        """A phrasing, and whether it is kept out of training; with a stretch of time, one that can
        name it."""
        phrases: Phrases = self.words.questions[kind]
        unseen = rng.random() < self.unseen
        ways = phrases.unseen if unseen else phrases.seen
        able = [w for w in ways if "{r}" in w] if stretch else list(ways)
        if not able:  # no phrasing of these can name a stretch of time
            unseen, able = False, [w for w in phrases.seen if "{r}" in w]
        return _one(rng, able), bool(unseen)

    def _where(
        self,
        rng: np.random.Generator,
        history: History,
        wait: Wait,
        said: str,
        span: Span | None,
    ) -> MemoryQuestion:
        """Where an object was last: where it last came or was moved to."""
        wait = Wait("item enters", wait.colour, wait.shape)
        places = [
            i
            for i, (at, e) in enumerate(history)
            if e.kind in PLACED and fits(e, wait) and within(at, span)
        ]
        answer = place(self.talk, history[places[-1]][1]) if places else ""
        slots = {"x": self.talk.thing(wait.colour, wait.shape, definite=True)}
        return self._asked(rng, "where", slots, said, answer, places[-1:], (wait,), span)

    def _around(
        self,
        rng: np.random.Generator,
        history: History,
        now_s: float,
        stretch: str,
        span: Span | None,
    ) -> MemoryQuestion | None:
        """What happened so long ago, or in a stretch of time; None where it is too much to
        tell."""
        said = _one(rng, self.words.stretches[stretch]).strip()
        if not stretch:
            drawn_at = self._ago(rng, history, now_s)
            if drawn_at is None:
                return None
            said, span = drawn_at
        places = [i for i, (at, _) in enumerate(history) if within(at, span)]
        if len(places) > MOST_TOLD:
            return None
        answer = self.words.separator.join(self.fact(history[i][1]) for i in places)
        return self._asked(rng, "around", {"t": said}, "", answer, places, (), span)

    def _ago(
        self, rng: np.random.Generator, history: History, now_s: float
    ) -> tuple[str, Span] | None:
        """A time so many minutes, hours or days ago, at which something happened, in words."""
        ages = [now_s - at for at, _ in history if now_s - at >= form.MINUTE_S]
        if not ages:
            return None
        age = ages[int(rng.integers(len(ages)))]
        unit = next(u for u, *_ in form.UNITS if age >= u)
        count = max(1, round(age / unit))
        slack = max(AROUND_S, AROUND_SHARE * count * unit)
        span = (now_s - count * unit - slack, now_s - count * unit + slack)
        return self.ago_words(rng, count, unit), span

    def ago_words(self, rng: np.random.Generator, count: int, unit_s: int) -> str:
        """A way to say "so many units ago", in digits or in words."""
        if count == 1:
            return _one(rng, self.words.one_unit[unit_s])
        spelled = [w for w, n in self.words.numbers.items() if n == count]
        number = spelled[0] if spelled and rng.random() < 0.5 else str(count)
        return _one(rng, self.words.units[unit_s]).format(n=number)

    def _first(
        self,
        rng: np.random.Generator,
        history: History,
        kind: str,
        said: str,
        span: Span | None,
    ) -> MemoryQuestion | None:
        """Who or what came first, of all or of two."""
        came = [i for i, (at, e) in enumerate(history) if e.kind in COMING and within(at, span)]
        if kind == "first of all":
            answer = self.named(history[came[0]][1], False) if came else ""
            return self._asked(rng, kind, {}, said, answer, came[:1], (), span)
        firsts: dict[str, int] = {}
        for i in came:
            firsts.setdefault(self.named(history[i][1], True), i)
        if len(firsts) < 2:
            return None
        pair = [list(firsts)[i] for i in rng.choice(len(firsts), 2, replace=False)]
        places = sorted(firsts[x] for x in pair)
        answer = min(pair, key=lambda x: firsts[x])
        about = tuple(asked_for(history[firsts[x]][1]) for x in pair)
        return self._asked(
            rng, kind, {"x": pair[0], "y": pair[1]}, said, answer, places, about, span
        )


def place(talk: Talk, event: Event) -> str:
    """Where an object is after it came or was moved: one of `Language.places`."""
    assert event.item is not None
    item = event.item
    if event.kind == "item moves":
        item = next(i for i in event.after.items if i not in event.before.items)
    return talk.words.places[item.column]


def span_of(stretch: str, now_s: float, midnight_s: float) -> Span | None:
    """From when until when something counts; None: always."""
    if stretch == "today":
        return midnight_s, now_s
    if stretch == "morning":
        return midnight_s + MORNING_S[0], min(now_s, midnight_s + MORNING_S[1])
    return (now_s - HOUR_S, now_s) if stretch == "hour" else None


def within(at_s: float, span: Span | None) -> bool:
    """Whether a time is in a span."""
    return span is None or span[0] <= at_s <= span[1]


def fits(event: Event, wait: Wait) -> bool:
    """Whether an event is about the object that `wait` is about, whatever happens to it."""
    item = event.item
    return (
        item is not None and wait.colour in (None, item.colour) and wait.shape in (None, item.shape)
    )


def matching(history: History, wait: Wait, span: Span | None = None) -> list[int]:
    """Places in the history of what `wait` asks for."""
    return [i for i, (at, e) in enumerate(history) if wait.matches(e) and within(at, span)]


def asked_for(event: Event) -> Wait:
    """What asks for just such an event."""
    item = event.item
    return Wait(event.kind, item.colour, item.shape) if item else Wait(event.kind)


def drawn(
    rng: np.random.Generator, events: Sequence[Event], kind: str, missing: float = 0.2
) -> Wait:
    """What to ask for: one of `events`, or with the odds `missing` anything; for `where` an object.

    An object by colour and shape mostly, or by one of them.
    """
    events = [e for e in events if (e.kind in PLACED if kind == "where" else e.kind in ASKED)]
    if events and rng.random() >= missing:
        event = events[int(rng.integers(len(events)))]
        wait = asked_for(event)
    else:
        kinds = PLACED if kind == "where" else ASKED
        wait = Wait(kinds[int(rng.integers(len(kinds)))])
        if wait.kind.startswith("item"):
            wait = Wait(wait.kind, _one(rng, COLOURS), _one(rng, SHAPES))
    if wait.colour is None:
        return wait
    form_of = rng.random()
    if form_of < 0.7:
        return wait
    return Wait(wait.kind, wait.colour) if form_of < 0.82 else Wait(wait.kind, None, wait.shape)


def _one(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]
