"""Questions about a simulated day, at given lags, with the answers that the day makes true.

A question of lag L is about something whose newest occurrence was about L ago (`band`): answering
needs what happened then and, for "the last time", that it has not happened since. Questions of no
lag are about what never happened, or not in the time that they name.

What is asked has one answer whoever rounds how: it is the same `EDGE_S` earlier and later, so "40
minutes ago" is not asked about at 39 min 55 s, nor a span of time at whose edge something happened.
Then no tolerance is needed: answers are compared word for word.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aura_core.memory import form
from aura_core.sim.day import Day
from aura_core.sim.memory import (
    AROUND_S,
    AROUND_SHARE,
    ASKED,
    COMING,
    MOST_TOLD,
    PLACED,
    MemoryQuestion,
    MemoryTalk,
    asked_for,
    within,
)
from aura_core.sim.talk import Wait
from aura_core.sim.world import KINDS, Event

LAGS_S = (60.0, 600.0, 3600.0, 39_600.0)
SHARES = {"when": 0.28, "ever": 0.1, "often": 0.2, "where": 0.16, "around": 0.14, "first": 0.12}
STRETCHES = ("", "", "today", "morning", "hour")
WIDER = 0.25  # share of questions about objects that name only the colour or only the shape
EDGE_S = (-18.0, 8.0)  # of notes: a block is 10 s, and it closes after what happened in it
QUIET_S = 25  # nothing happens so long before a question
APART_S = 12  # chunks between questions
AGAIN_S = 2400  # the same is not asked again within
MOST_BLOCKS = 5  # of 10 s that an answer may need
BLOCK_S = 10
ATTEMPTS = 6000
UNSEEN = 0.2  # share of phrasings kept out of training


@dataclass(frozen=True)
class DayQuestion:
    """One question about the day.

    Attributes:
        id: its place in the order of asking.
        chunk: when it is asked.
        lag_s: how long ago it was, one of the lags asked for; None: it never was.
        asked: question and true answer.
        evidence: chunks of the events that the answer tells of, oldest first.
        language: "en" or "zh".
    """

    id: str
    chunk: int
    lag_s: float | None
    asked: MemoryQuestion
    evidence: tuple[int, ...]
    language: str

    @property
    def newest(self) -> int | None:
        """The chunk of the newest event that it is about; None where it never happened."""
        return self.evidence[-1] if self.evidence else None


def band(lag_s: float) -> tuple[float, float]:
    """How long ago something may be that is asked about at this lag [s]."""
    return max(70.0, 0.97 * lag_s), 1.05 * lag_s + 60.0


def lags_of(day: Day, lags_s: Sequence[float]) -> list[float]:
    """The lags that the day is long enough for."""
    return [lag for lag in lags_s if band(lag)[0] + 120 < day.seconds]


def questions(
    day: Day,
    seed: int,
    lags_s: Sequence[float] = LAGS_S,
    each: int = 20,
    never: int = 20,
    unseen: float = UNSEEN,
) -> list[DayQuestion]:
    """What is asked during the day, in order; deterministic in its arguments.

    Args:
        day: what happens.
        seed: draws the questions.
        lags_s: lags, of which those longer than the day are left out.
        each: questions of a lag; fewer where the day has not so many.
        never: questions about what did not happen.
        unseen: share of phrasings kept out of training.
    """
    asker = _Asker(day, seed, unseen)
    chosen: list[_Chosen] = []
    for lag_s in sorted(lags_of(day, lags_s), reverse=True):  # long lags have the least choice
        chosen += asker.some(lag_s, each)
    chosen += asker.some(None, never)
    return _numbered(day, chosen)


def closing(day: Day, seed: int, count: int, within_s: int = 120) -> list[DayQuestion]:
    """`count` questions in the last `within_s` seconds of the day, about anything earlier; each of
    another kind where that is possible, and the last one about what never happened."""
    asker = _Asker(day, seed, 0.0)
    chosen: list[_Chosen] = []
    begin = max(QUIET_S, day.seconds - within_s)
    for _ in range(ATTEMPTS):
        now = int(asker.rng.integers(begin, day.seconds - 1))
        lag_s = None if len(chosen) == count - 1 else 0.0
        one = asker.at(now, lag_s, asker.rarest(chosen))
        if one is not None:
            asker.take(one)
            chosen.append(one)
            if len(chosen) == count:
                break
    return _numbered(day, chosen)


def _numbered(day: Day, chosen: Sequence[_Chosen]) -> list[DayQuestion]:
    return [
        DayQuestion(f"m{n}", chunk, lag_s, q, evidence, day.language)
        for n, (chunk, lag_s, q, evidence) in enumerate(sorted(chosen, key=lambda c: c[0]))
    ]


_Chosen = tuple[int, float | None, MemoryQuestion, tuple[int, ...]]


class _Asker:
    def __init__(self, day: Day, seed: int, unseen: float) -> None:
        self.day, self.rng = day, np.random.default_rng([seed, 33])
        self.talk = MemoryTalk(day.language, unseen)
        events = sorted(day.world.events, key=lambda e: (e.chunk, KINDS.index(e.kind)))
        self.history = [(e.chunk + 0.5, e) for e in events]
        self.chunks = [e.chunk for e in events]
        self.taken: list[int] = []
        self.before: dict[object, list[int]] = {}  # what was asked, and when

    def some(self, lag_s: float | None, count: int) -> list[_Chosen]:
        """`count` questions, or as many as are found."""
        found: list[_Chosen] = []
        low = 0.0 if lag_s is None else band(lag_s)[0]
        first = max(120, int(low) + 20)
        for attempt in range(ATTEMPTS * bool(count)):
            now = int(self.rng.integers(first, self.day.seconds - 1))
            chosen = self.at(now, lag_s, self.rarest(found) if attempt % 3 else "")
            if chosen is not None:
                found.append(chosen)
                self.take(chosen)
                if len(found) == count:
                    break
        return found

    def take(self, chosen: _Chosen) -> None:
        """Remember that this is asked."""
        self.taken.append(chosen[0])
        self.before.setdefault(_content(chosen[2]), []).append(chosen[0])

    def rarest(self, found: Sequence[_Chosen]) -> str:
        """The kind of question of which most are lacking."""
        counts = {k: sum(c[2].kind == k for c in found) for k in SHARES}
        return min(SHARES, key=lambda k: counts[k] / SHARES[k])

    def at(self, now: int, lag_s: float | None, kind: str) -> _Chosen | None:
        """A question in second `now`, where the first that is drawn can be asked.

        `lag_s` 0: of any lag; None: about what did not happen. `kind` "": any.
        """
        if any(abs(now - t) < APART_S for t in self.taken):
            return None
        end = bisect_left(self.chunks, now)
        if end and now - self.chunks[end - 1] < QUIET_S:
            return None
        if lag_s is None:
            asked = self._never(now, end)
        else:
            low, high = band(lag_s) if lag_s else (band(0.0)[0], float(now))
            begin, near = (bisect_left(self.chunks, now - ago) for ago in (high, low))
            if not lag_s and near and kind == "around":
                ages = now - np.array(self.chunks[:near])
                lag_s = float(60 * round(int(self.rng.choice(ages)) / 60))
            asked = self._about(now, end, begin, min(near, end), lag_s, kind)
        if asked is None:
            return None
        asked_at = self.before.get(_content(asked), ())
        if any(abs(now - t) < AGAIN_S for t in asked_at):
            return None
        return now, lag_s, asked, tuple(self.chunks[i] for i in asked.evidence)

    def _about(
        self, now: int, end: int, begin: int, near: int, lag_s: float, kind: str
    ) -> MemoryQuestion | None:
        """A question whose newest evidence is one of the events begin..near."""
        kind = kind or str(self.rng.choice(list(SHARES), p=np.array(list(SHARES.values()))))
        if kind == "around":
            return self._around(now, end, round(lag_s), True)
        if begin == near:
            return None
        event = self.history[int(self.rng.integers(begin, near))][1]
        stretch = str(self.rng.choice(STRETCHES))
        if kind == "first":
            return self._first(now, end, event, stretch or "today", begin, near)
        if event.kind not in (PLACED if kind == "where" else ASKED):
            return None
        about = self._widened(asked_for(event))
        if kind == "where" and self._there(now, about):
            return None
        q = self._same(now, end, kind, about, stretch)
        return q if q is not None and q.evidence and begin <= q.evidence[-1] < near else None

    def _never(self, now: int, end: int) -> MemoryQuestion | None:
        """About what has not happened: never, not in a stretch of time, or nothing at a time."""
        form_of = self.rng.random()
        if form_of < 0.12:
            unit = int(self.rng.choice([60, 3600]))
            most = (now - 300) // unit
            if most < 1:
                return None
            count = int(self.rng.integers(1, min(most, 40) + 1))
            return self._around(now, end, unit * count, False)
        kind = str(self.rng.choice(["when", "ever", "often", "where"]))
        stretch = "hour" if form_of < 0.35 else ""
        if stretch:
            happened = [e for _, e in self.history[:end] if e.kind in ASKED]
            if not happened:
                return None
            about = asked_for(happened[int(self.rng.integers(len(happened)))])
            kind = "ever" if kind in ("when", "where") else kind
        elif self.rng.random() < 0.35:
            missing = [k for k in ASKED if not any(e.kind == k for _, e in self.history)]
            if not missing:
                return None
            about, kind = Wait(str(self.rng.choice(missing))), "ever" if kind == "where" else kind
        else:
            about = self._absent(now)
            if kind != "where":
                about = Wait(str(self.rng.choice(("item enters", "item leaves"))), *_pair(about))
        q = self._same(now, end, kind, about, stretch)
        return q if q is not None and not q.evidence else None

    def _same(
        self, now: int, end: int, kind: str, about: Wait, stretch: str
    ) -> MemoryQuestion | None:
        """The question, where it has the same answer a little earlier and later."""
        state = self.rng.bit_generator.state
        asked = []
        for shift in (0.0, *EDGE_S):
            self.rng.bit_generator.state = state
            asked.append(
                self.talk.ask(
                    self.rng,
                    self.history[:end],
                    now + shift,
                    kind,
                    about,
                    stretch,
                    self.day.midnight_s,
                )
            )
        first = asked[0]
        if first is None or any(q is None or _answer(q) != _answer(first) for q in asked):
            return None
        return first

    def _around(self, now: int, end: int, age_s: int, something: bool) -> MemoryQuestion | None:
        """What happened about `age_s` ago."""
        unit = next(u for u, *_ in form.UNITS if age_s >= u)
        count = round(age_s / unit)
        slack = max(AROUND_S, AROUND_SHARE * count * unit)
        middle = now - count * unit
        if middle - slack < 0:
            return None
        places = [
            [
                i
                for i, (at, _) in enumerate(self.history[:end])
                if within(at + shift, (middle - slack, middle + slack))
            ]
            for shift in (0.0, *EDGE_S)
        ]
        if any(p != places[0] for p in places) or bool(places[0]) != something:
            return None
        found = places[0]
        if len(found) > MOST_TOLD or len({self.chunks[i] // BLOCK_S for i in found}) > MOST_BLOCKS:
            return None
        text, unseen = self.talk.phrase(self.rng, "around")
        said = self.talk.ago_words(self.rng, count, unit)
        answer = self.talk.words.separator.join(self.talk.fact(self.history[i][1]) for i in found)
        return MemoryQuestion(
            "around",
            text.format(t=said, r=""),
            answer or self.talk.words.forgotten,
            tuple(found),
            (),
            (middle - slack, middle + slack),
            unseen,
        )

    def _first(
        self, now: int, end: int, event: Event, stretch: str, begin: int, near: int
    ) -> MemoryQuestion | None:
        """Which of two came first; the newer of them is one of the events begin..near."""
        if event.kind not in COMING:
            return None
        q = self._same(now, end, "first", Wait(""), stretch)
        if q is None or not begin <= q.evidence[-1] < near:
            return None
        a, b = (self.chunks[i] for i in q.evidence)
        return q if b // BLOCK_S > a // BLOCK_S else None

    def _widened(self, about: Wait) -> Wait:
        if about.colour is None or self.rng.random() >= WIDER:
            return about
        if self.rng.random() < 0.5:
            return Wait(about.kind, about.colour)
        return Wait(about.kind, None, about.shape)

    def _there(self, now: int, about: Wait) -> bool:
        """Whether the object is on the table: then the picture answers."""
        return any(
            about.colour in (None, i.colour) and about.shape in (None, i.shape)
            for i in self.day.world.states[now].items
        )

    def _absent(self, now: int) -> Wait:
        """An object that never comes, often nearly one that does."""
        pairs = self.day.cast.never
        colour, shape = pairs[int(self.rng.integers(len(pairs)))]
        return Wait("item enters", colour, shape)


def _pair(about: Wait) -> tuple[str | None, str | None]:
    return about.colour, about.shape


def _answer(q: MemoryQuestion) -> tuple[str, str, tuple[int, ...]]:
    return q.text, q.answer, q.evidence


def _content(q: MemoryQuestion) -> object:
    """What is asked, whatever the words."""
    stretch = "" if q.span is None else round(q.span[1] - q.span[0], -2)
    return q.kind, q.about, stretch, q.text if q.kind in ("first", "around") else ""
