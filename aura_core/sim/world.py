"""The tabletop world: what lies on the table and what a hand does to it, second by second.

A `World` is a pure function of its seed. Nothing here draws: `render.py` turns a world and a time
into pixels, `questions.py` turns a world into questions with known answers.

Time runs in seconds from the first frame. Every event belongs to one 1-second chunk: the hand
starts a quarter of a second (+- `START_JITTER_S`) before the chunk's first frame and is out of
sight before the next chunk, so both frames of the chunk show the action.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

COLOURS = ("red", "green", "blue", "yellow", "purple", "white")
SHAPES = ("cube", "ball", "cone", "star")
SIDES = ("left", "right", "front")
GRID = 3
MAX_ITEMS = 4
EVENT_S = 1.0
START_LEAD_S = 0.25
START_JITTER_S = 0.12

# Held-out seeds: training never touches a seed at or above this (checked in `training/`).
FIRST_TEST_SEED = 500_000


@dataclass(frozen=True)
class Item:
    """One object. `x`, `y` and `radius` are fractions of the image's width and height."""

    colour: str
    shape: str
    slot: int
    x: float
    y: float
    radius: float

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"

    @property
    def column(self) -> int:
        """0 left, 1 middle, 2 right, as the camera sees it."""
        return self.slot % GRID


@dataclass(frozen=True)
class Event:
    """A hand brings (`enter`), takes (`leave`) or shifts (`move`) one object in one chunk."""

    kind: str
    chunk: int
    start_s: float
    before: Item | None
    after: Item | None
    side: str

    @property
    def item(self) -> Item:
        item = self.after if self.after is not None else self.before
        assert item is not None
        return item

    def progress(self, t_s: float) -> float:
        """0 before the hand shows, 1 when it has gone."""
        return float(np.clip((t_s - self.start_s) / EVENT_S, 0.0, 1.0))


@dataclass(frozen=True)
class Pace:
    """Seconds between events: uniform integers in [min_gap_s, max_gap_s]."""

    min_gap_s: int
    max_gap_s: int


CALM = Pace(3, 9)
BUSY = Pace(2, 4)


@dataclass(frozen=True)
class World:
    """Everything that happens on one table. `states[c]` holds the items at the end of chunk `c`."""

    seed: int
    duration_s: int
    initial: tuple[Item, ...]
    events: tuple[Event, ...]
    states: tuple[tuple[Item, ...], ...]

    @classmethod
    def generate(cls, seed: int, duration_s: int, pace: Pace = CALM) -> World:
        rng = np.random.default_rng([seed, 1])
        items: list[Item] = []
        for _ in range(int(rng.integers(0, MAX_ITEMS))):
            items.append(_new_item(rng, items))
        initial = tuple(items)
        events: list[Event] = []
        states: list[tuple[Item, ...]] = []
        due = 1 + int(rng.integers(0, pace.max_gap_s))
        for chunk in range(duration_s):
            if chunk == due:
                event = _new_event(rng, chunk, items)
                events.append(event)
                items = [i for i in items if i != event.before]
                if event.after is not None:
                    items.append(event.after)
                due += int(rng.integers(pace.min_gap_s, pace.max_gap_s + 1))
            states.append(tuple(items))
        return cls(seed, duration_s, initial, tuple(events), tuple(states))

    def event_at(self, chunk: int) -> Event | None:
        """The event of this chunk, if there is one."""
        return self._by_chunk.get(chunk)

    @functools.cached_property
    def _by_chunk(self) -> dict[int, Event]:
        return {e.chunk: e for e in self.events}

    def resting(self, t_s: float) -> tuple[tuple[Item, ...], Event | None]:
        """Items that no hand touches at `t_s`, and the event under way (None between events)."""
        items = self.initial
        for event in self.events:
            if t_s < event.start_s:
                break
            rest = tuple(i for i in items if i != event.before)
            if t_s < event.start_s + EVENT_S:
                return rest, event
            items = rest if event.after is None else (*rest, event.after)
        return items, None


def _new_item(rng: np.random.Generator, others: list[Item] | tuple[Item, ...]) -> Item:
    """An item whose colour-and-shape and slot are not taken."""
    names = {i.name for i in others}
    while True:
        colour = COLOURS[int(rng.integers(len(COLOURS)))]
        shape = SHAPES[int(rng.integers(len(SHAPES)))]
        if f"{colour} {shape}" not in names:
            break
    blank = Item(colour, shape, 0, 0.0, 0.0, float(rng.uniform(0.115, 0.14)))
    return _placed(rng, blank, {i.slot for i in others})


def _placed(rng: np.random.Generator, item: Item, taken: set[int]) -> Item:
    free = [s for s in range(GRID * GRID) if s not in taken]
    slot = free[int(rng.integers(len(free)))]
    row, column = divmod(slot, GRID)
    dx, dy = rng.uniform(-0.025, 0.025, size=2)
    x, y = (column + 0.5) / GRID + dx, (row + 0.5) / GRID + dy
    return replace(item, slot=slot, x=float(x), y=float(y))


def _new_event(rng: np.random.Generator, chunk: int, items: list[Item]) -> Event:
    n = len(items)
    if n == 0:
        kind = "enter"
    elif n >= MAX_ITEMS:
        kind = str(rng.choice(["leave", "move"], p=[0.75, 0.25]))
    else:
        kind = str(rng.choice(["enter", "leave", "move"], p=[0.5, 0.3, 0.2]))
    before = None if kind == "enter" else items[int(rng.integers(n))]
    if kind == "enter":
        after: Item | None = _new_item(rng, items)
    elif kind == "move":
        assert before is not None
        after = _placed(rng, before, {i.slot for i in items})
    else:
        after = None
    start = chunk - START_LEAD_S + float(rng.uniform(-START_JITTER_S, START_JITTER_S))
    return Event(kind, chunk, start, before, after, SIDES[int(rng.integers(len(SIDES)))])
