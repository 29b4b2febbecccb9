"""Memory for training samples: a past that never was, what a search of it finds, questions about it
and notes.

The past of a sample is a list of events of other rooms. Some are told in the system turn, as the
newest notes are; questions about them come with the lines that a search finds, with lines that only
nearly match, or with nothing. What the window itself shows is newer than any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aura_core.memory import form
from aura_core.sim.episode import Ask, Episode
from aura_core.sim.memory import (
    COMING,
    PLACED,
    History,
    MemoryQuestion,
    MemoryTalk,
    asked_for,
    fits,
    within,
)
from aura_core.sim.talk import Wait
from aura_core.sim.world import (
    COLOURS,
    COLUMNS,
    KINDS,
    ROWS,
    SHAPES,
    Event,
    Item,
    State,
    World,
)
from aura_core.types import Kind

NOW_S = 1e6  # the time of the first chunk
OLDEST_S, NEWEST_S = 4 * 86_400.0, 65.0  # ages of a past
BLOCK_S = 10  # of a note
MOST_LINES = 5  # that a search shows
NOTHING_KEPT = 0.4  # of questions for which nothing is found: they are many, and soon learned
KINDS_ASKED = {
    "when": 0.24,
    "ever": 0.16,
    "often": 0.14,
    "around": 0.14,
    "where": 0.16,
    "first": 0.08,
    "first of all": 0.08,
}
# Share of searches that show lines that only nearly match: where nothing matches, and beside what
# does. The search of a model that was trained with facts shows none.
NEARLY = (0.0, 0.0)
SEARCHED = (
    0.9  # of the questions where notes stand in the system turn; memory is always searched else
)
STRETCHES = ("today", "morning", "hour")
SUBJECT = {"item": "item", "day": "night"}


@dataclass(frozen=True)
class Past:
    """What happened before the window: `events` with their times on the clock in which chunk 0 is
    at `NOW_S`, oldest first; those from `told` on stand in the system turn as `text`."""

    events: tuple[tuple[float, Event], ...] = ()
    told: int = 0
    text: str = ""

    @property
    def in_text(self) -> History:
        """What the system turn tells."""
        return self.events[self.told :] if self.text else ()


def past(
    rng: np.random.Generator,
    talk: MemoryTalk,
    tokens: int = 0,
    count: Callable[[str], int] = len,
) -> Past:
    """A past; the newest of it in the system turn with at most so many tokens, as `count` has
    them."""
    n = int(rng.integers(1, 7)) if rng.random() < 0.4 else int(rng.integers(7, 40))
    cast = [_thing(rng) for _ in range(int(rng.integers(1, 4)))]
    some = rng.choice(KINDS, size=int(rng.integers(2, 10)))
    ages = np.exp(rng.uniform(np.log(NEWEST_S), np.log(OLDEST_S), size=n))
    ages = np.sort(ages)[::-1]
    events = []
    for i, age in enumerate(ages):
        if i and rng.random() < 0.2:  # in the block of the one before
            age = events[-1][0]
        events.append((float(age), happened(rng, cast, some)))
    events.sort(key=lambda e: -e[0])
    timed = tuple((NOW_S - age, e) for age, e in events)
    if not tokens:
        return Past(timed)
    told, text = len(timed), ""
    while told > 0:
        first = told - 1
        while first > 0 and timed[told - 1][0] - timed[first - 1][0] < BLOCK_S:
            first -= 1
        longer = form.remembered(lines(talk, timed[first:], NOW_S), talk.language)
        if count(longer) > tokens:
            break
        told, text = first, longer
    return Past(timed, told, text)


def happened(
    rng: np.random.Generator, cast: Sequence[tuple[str, str]], some: Sequence[str]
) -> Event:
    """An event of some other room: about one of the things `cast`, or of one of the kinds `some`
    mostly."""
    form_of = rng.random()
    if form_of < 0.45:
        kind = ("item enters", "item leaves", "item moves")[int(rng.choice(3, p=(0.5, 0.3, 0.2)))]
    else:
        options = [k for k in (some if form_of < 0.9 else KINDS) if not k.startswith("item")]
        kind = str(rng.choice(options or ["door opens"]))
    if not kind.startswith("item"):
        return Event(kind, 0, 0.0, State(), State())
    colour, shape = cast[int(rng.integers(len(cast)))] if rng.random() < 0.8 else _thing(rng)
    was, now = (int(s) for s in rng.choice(len(COLUMNS) * len(ROWS), 2, replace=False))
    item, there = Item(colour, shape, was, 0.0, 0.0, 0.0), Item(colour, shape, now, 0.0, 0.0, 0.0)
    return Event(kind, 0, 0.0, State((item,)), State((there,)), item)


def lines(talk: MemoryTalk, events: History, now_s: float) -> list[form.Line]:
    """Events as lines of memory; those within one block stand in one line."""
    blocks: list[list[tuple[float, Event]]] = []
    for at, event in events:
        if blocks and at - blocks[-1][0][0] < BLOCK_S:
            blocks[-1].append((at, event))
        else:
            blocks.append([(at, event)])
    return [
        form.Line(
            now_s - block[-1][0], "", talk.words.separator.join(talk.fact(e) for _, e in block)
        )
        for block in blocks
    ]


# ---- questions ---------------------------------------------------------------------------------


def remembering(
    rng: np.random.Generator,
    episode: Episode,
    talk: MemoryTalk,
    since: int,
    stop: int,
    share: float,
    before: Past,
) -> Episode:
    """The episode with this share of its questions about now in chunks since .. stop - 1 replaced
    by questions about the past `before`; `since` is the first chunk in which the window shows what
    happens."""
    asks = {a.chunk: a for a in episode.asks}
    followed = {a.chunk for a, b in zip(episode.asks, episode.asks[1:], strict=False) if b.follows}
    for chunk in range(since, stop):
        old = asks.get(chunk)
        if old is None or old.condition is not None or chunk in followed or rng.random() >= share:
            continue
        ask = question(rng, talk, episode.world, since, chunk, before)
        if ask is not None:
            asks[chunk] = ask
    return replace(episode, asks=tuple(asks[c] for c in sorted(asks)))


def question(
    rng: np.random.Generator,
    talk: MemoryTalk,
    world: World,
    since: int,
    chunk: int,
    before: Past,
) -> Ask | None:
    """A question about the past in `chunk`; None where what was drawn cannot be asked there."""
    if world.is_foreign(world.look(chunk)[0]) or world.is_foreign(world.look(chunk)[1]):
        return None
    now_s = NOW_S + chunk
    searched = not before.text or rng.random() < SEARCHED
    known = before.events if searched else before.in_text
    shown = [(NOW_S + e.chunk, e) for e in world.events if since <= e.chunk < chunk]
    noted = [*known, *(s for s in shown if searched and s[0] < now_s - BLOCK_S)]
    kind = str(rng.choice(list(KINDS_ASKED), p=list(KINDS_ASKED.values())))
    stretch = STRETCHES[int(rng.integers(3))] if rng.random() < 0.2 else ""
    midnight_s = now_s - float(rng.uniform(5.5, 20.0)) * 3600
    history = [*known, *shown]
    about = _wanted(rng, kind, history, shown)
    told = talk.ask(rng, history, now_s, kind, about, stretch, midnight_s)
    if told is None or not _clear(told, world, chunk):
        return None
    newest = told.evidence[-1] if told.evidence else -1
    evidence = shown[newest - len(known)][1].chunk if newest >= len(known) else None
    if kind == "where":
        told, evidence = _seen(talk, told, world, since, chunk, evidence)
        if told is None:
            return None
    result = search(rng, told, noted)
    if result is None:
        return None
    hits, matches = result
    if kind in ("often", "around") and any(i >= len(noted) for i in told.evidence):
        return None  # what the window alone shows is not among the matches
    if not hits and not told.found and rng.random() >= NOTHING_KEPT:
        return None
    recalled = ""
    if searched:
        recalled = form.recalled(lines(talk, hits, now_s), matches, talk.language)
    elif kind == "often":
        return None
    return Ask(
        f"m{chunk}",
        chunk,
        told.text,
        Kind.REAL_TIME,
        told.answer,
        f"memory {kind}" if told.found or evidence is not None else "memory nothing",
        None,
        talk.language,
        told.unseen,
        evidence,
        recalled=recalled,
    )


def search(
    rng: np.random.Generator, told: MemoryQuestion, noted: Sequence[tuple[float, Event]]
) -> tuple[list[tuple[float, Event]], int] | None:
    """What a search for the question finds, oldest first, and how many match; None where the answer
    would not be in it."""
    able = [(at, e) for at, e in noted if within(at, told.span)]
    if told.kind == "around":
        if len(lines_of(able)) > MOST_LINES:
            return None
        return able, len(able)
    if told.kind == "first of all":
        right = [(at, e) for at, e in able if e.kind in COMING]
    elif told.kind == "where":
        right = [(at, e) for at, e in able if e.kind in PLACED and fits(e, told.about[0])]
    else:
        right = [(at, e) for at, e in able if any(w.matches(e) for w in told.about)]
    first = told.kind == "first of all"
    if told.kind == "first" and len(right) > MOST_LINES:
        return None
    hits, matches = right[:MOST_LINES] if first else right[-MOST_LINES:], len(right)
    room = MOST_LINES - len(hits)
    nearly = [p for p in able if p not in right and _near(p[1], told)]
    if told.kind == "often" and right:
        nearly = []  # the number of matches is the answer
    if nearly and room and rng.random() < NEARLY[bool(right)]:
        more = nearly[-int(rng.integers(1, min(room, 3) + 1)) :]
        hits = sorted([*hits, *more], key=lambda p: p[0])
        matches += len(more)
    return hits, matches


def lines_of(events: Sequence[tuple[float, Event]]) -> list[int]:
    """Where the blocks of events begin."""
    begins: list[int] = []
    for i, (at, _) in enumerate(events):
        if not begins or at - events[begins[-1]][0] >= BLOCK_S:
            begins.append(i)
    return begins


def _wanted(
    rng: np.random.Generator,
    kind: str,
    history: Sequence[tuple[float, Event]],
    shown: Sequence[tuple[float, Event]],
) -> Wait | None:
    """Something that the window shows, something close to what happened, or None: anything."""
    if kind in ("around", "first", "first of all"):
        return None
    askable = PLACED if kind == "where" else tuple(KINDS)
    form_of = rng.random()
    seen = [e for _, e in shown if e.kind in askable and e.kind != "cup safe"]
    if seen and form_of < 0.15:
        return asked_for(seen[int(rng.integers(len(seen)))])
    events = [e for _, e in history if e.kind in askable and e.item is not None]
    if events and form_of < 0.3:  # a near miss
        wait = asked_for(events[int(rng.integers(len(events)))])
        colour, shape = _thing(rng)
        if rng.random() < 0.5:
            return replace(wait, colour=colour)
        return replace(wait, shape=shape)
    return None


def _near(event: Event, told: MemoryQuestion) -> bool:
    """Whether an event has something in common with what is asked about."""
    if not told.about:
        return True
    for wait in told.about:
        subject = wait.kind.split()[0]
        if event.kind.split()[0] != subject:
            continue
        if event.item is None or event.item.colour == wait.colour:
            return True
        if event.item.shape == wait.shape:
            return True
    return False


def _clear(told: MemoryQuestion, world: World, chunk: int) -> bool:
    """Whether nothing that is asked about is happening just now."""
    moving = world.unsettled(chunk) | {e.subject for e in world.events_at(chunk)}
    if not told.about:
        return told.kind == "around" or not moving
    return not any(SUBJECT.get(s := w.kind.split()[0], s) in moving for w in told.about)


def _seen(
    talk: MemoryTalk,
    told: MemoryQuestion,
    world: World,
    since: int,
    chunk: int,
    evidence: int | None,
) -> tuple[MemoryQuestion | None, int | None]:
    """The question where something was last, answered by what the window shows, where it does."""
    wait = told.about[0]
    for c in range(chunk, since - 1, -1):
        there = [
            i
            for i in world.states[c].items
            if wait.colour in (None, i.colour) and wait.shape in (None, i.shape)
        ]
        if there and told.span is None:
            if len({i.column for i in there}) > 1:
                return None, None
            return replace(told, answer=talk.talk.words.places[there[0].column]), c
        if there:
            return None, None
    return told, evidence


def _thing(rng: np.random.Generator) -> tuple[str, str]:
    return COLOURS[int(rng.integers(len(COLOURS)))], SHAPES[int(rng.integers(len(SHAPES)))]


# ---- notes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Noted:
    """A note that is asked for before chunk `stop`: what asks for it, and its text; "": nothing is
    new."""

    stop: int
    request: str
    text: str


def noted(
    rng: np.random.Generator,
    talk: MemoryTalk,
    requests: dict[str, str],
    world: World,
    since: int,
    stop: int,
) -> Noted:
    """A note before chunk `stop` about the last chunks, of which all from `since` on are in
    view."""
    seconds = BLOCK_S if rng.random() < 0.75 else int(rng.integers(3, 15))
    seconds = max(1, min(seconds, stop - since))
    events = [e for e in world.events if stop - seconds <= e.chunk < stop]
    return Noted(stop, requests[talk.language].format(seconds=seconds), talk.note(events))
