"""The room: who and what is in it and what happens there, second by second. A pure function of its
seed.

Lengths are in units of the image's width; x runs to the right over [0, 1], y down over [0, 0.75].

Time runs in seconds from the first frame. Every event belongs to one 1-second chunk and begins a
quarter of a second (+- `START_JITTER_S`) before the chunk's first frame, so that its two frames
show the action early and late.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

COLOURS = ("red", "green", "blue", "yellow", "purple", "white")
SHAPES = ("cube", "ball", "cone", "star")
SIDES = ("left", "right", "front")
EVENT_S = 1.0
START_LEAD_S, START_JITTER_S = 0.25, 0.12

# Held-out seeds: training never touches a seed at or above this (checked in `training/`).
FIRST_TEST_SEED = 500_000

MAX_ITEMS = 3
COLUMNS, ROWS = (0.475, 0.65, 0.825), (0.53, 0.66)  # of the places on the table
RADIUS = (0.054, 0.064)


@dataclass(frozen=True)
class Pace:
    """Seconds between events: uniform integers in [min_gap_s, max_gap_s]."""

    min_gap_s: int
    max_gap_s: int


CALM = Pace(3, 9)
BUSY = Pace(2, 4)


class Item(NamedTuple):
    """A coloured object on the table. `slot` counts the places row by row; `x`, `y` is its
    middle."""

    colour: str
    shape: str
    slot: int
    x: float
    y: float
    radius: float

    @property
    def column(self) -> int:
        """0 left, 1 middle, 2 right."""
        return self.slot % len(COLUMNS)


@dataclass(frozen=True)
class State:
    """The room at rest. `person` and `cat` are places (below) or None for away."""

    items: tuple[Item, ...] = ()
    person: int | None = None  # 0 left, 1 middle, 2 right
    lying: bool = False
    cat: str | None = None  # "floor" or "table"
    door: bool = False  # open
    lamp: bool = False  # on
    kettle: bool = False  # steaming
    cup: bool = False  # near the edge
    night: bool = False


@dataclass(frozen=True)
class Event:
    """One change of the room in one chunk, from `before` to `after`. `item` is the object that the
    hand holds."""

    kind: str
    chunk: int
    start_s: float
    before: State
    after: State
    item: Item | None = None
    side: str = "front"  # where the hand comes from

    def progress(self, t_s: float) -> float:
        """0 before it begins, 1 when it is over."""
        return float(np.clip((t_s - self.start_s) / EVENT_S, 0.0, 1.0))


# What may happen: how often, when it can, and what the room is like afterwards. Items and persons:
# see `_change`.
_Rule = tuple[float, Callable[[State], bool], dict[str, object]]
_RULES: dict[str, _Rule] = {
    "item enters": (0.20, lambda s: len(s.items) < MAX_ITEMS, {}),
    "item leaves": (0.14, lambda s: bool(s.items), {}),
    "item moves": (0.05, lambda s: bool(s.items), {}),
    "person enters": (0.11, lambda s: s.person is None, {}),
    "person leaves": (0.05, lambda s: s.person is not None and not s.lying, {"person": None}),
    "person reaches": (0.05, lambda s: s.person is not None and not s.lying, {}),
    "person falls": (0.05, lambda s: s.person is not None and not s.lying, {"lying": True}),
    "person gets up": (0.09, lambda s: s.lying, {"lying": False}),
    "door opens": (0.05, lambda s: not s.door, {"door": True}),
    "door closes": (0.05, lambda s: s.door, {"door": False}),
    "lamp goes on": (0.05, lambda s: not s.lamp, {"lamp": True}),
    "lamp goes off": (0.05, lambda s: s.lamp, {"lamp": False}),
    "kettle starts": (0.05, lambda s: not s.kettle, {"kettle": True}),
    "kettle stops": (0.05, lambda s: s.kettle, {"kettle": False}),
    "cat comes": (0.07, lambda s: s.cat is None, {"cat": "floor"}),
    "cat leaves": (0.04, lambda s: s.cat == "floor", {"cat": None}),
    "cat jumps up": (0.04, lambda s: s.cat == "floor", {"cat": "table"}),
    "cat jumps down": (0.05, lambda s: s.cat == "table", {"cat": "floor"}),
    "cup near edge": (0.05, lambda s: not s.cup, {"cup": True}),
    "cup safe": (0.05, lambda s: s.cup, {"cup": False}),
    "night falls": (0.02, lambda s: not s.night, {"night": True}),
    "day breaks": (0.02, lambda s: s.night, {"night": False}),
}
KINDS = tuple(_RULES)


@dataclass(frozen=True)
class World:
    """Everything that happens in one room. `states[c]` is the room at the end of chunk `c`."""

    seed: int
    duration_s: int
    initial: State
    events: tuple[Event, ...]
    states: tuple[State, ...]

    @classmethod
    def generate(cls, seed: int, duration_s: int, pace: Pace = CALM) -> World:
        """Deterministic in its arguments."""
        rng = np.random.default_rng([seed, 11])
        state = initial = _furnished(rng)
        events: list[Event] = []
        states: list[State] = []
        due = 1 + int(rng.integers(0, pace.max_gap_s))
        for chunk in range(duration_s):
            if chunk == due:
                events.append(_happening(rng, chunk, state))
                state = events[-1].after
                due += int(rng.integers(pace.min_gap_s, pace.max_gap_s + 1))
            states.append(state)
        return cls(seed, duration_s, initial, tuple(events), tuple(states))

    def event_at(self, chunk: int) -> Event | None:
        """The event of this chunk, if there is one."""
        return self._by_chunk.get(chunk)

    @functools.cached_property
    def _by_chunk(self) -> dict[int, Event]:
        return {e.chunk: e for e in self.events}

    def at(self, t_s: float) -> tuple[State, Event | None]:
        """The room at `t_s`: at rest, or as it was before the event under way, and that event."""
        state = self.initial
        for event in self.events:
            if t_s < event.start_s:
                break
            if t_s < event.start_s + EVENT_S:
                return event.before, event
            state = event.after
        return state, None


def _furnished(rng: np.random.Generator) -> State:
    state = State(
        person=int(rng.integers(3)) if rng.random() < 0.35 else None,
        cat=str(rng.choice(["floor", "table"])) if rng.random() < 0.35 else None,
        door=rng.random() < 0.4,
        lamp=rng.random() < 0.5,
        kettle=rng.random() < 0.3,
        cup=rng.random() < 0.3,
        night=rng.random() < 0.4,
    )
    for _ in range(int(rng.integers(0, MAX_ITEMS + 1))):
        state = replace(state, items=(*state.items, _new_item(rng, state.items)))
    return state


def _happening(rng: np.random.Generator, chunk: int, state: State) -> Event:
    possible = [k for k, (_, can, _) in _RULES.items() if can(state)]
    shares = np.array([_RULES[k][0] for k in possible])
    kind = str(rng.choice(possible, p=shares / shares.sum()))
    start_s = chunk - START_LEAD_S + float(rng.uniform(-START_JITTER_S, START_JITTER_S))
    after, item = _change(rng, kind, state)
    return Event(kind, chunk, start_s, state, after, item, SIDES[int(rng.integers(len(SIDES)))])


def _change(rng: np.random.Generator, kind: str, state: State) -> tuple[State, Item | None]:
    """The room after the event, and what the hand carries (as it was, when it leaves or moves)."""
    if kind == "item enters":
        item = _new_item(rng, state.items)
        return replace(state, items=(*state.items, item)), item
    if kind in ("item leaves", "item moves"):
        item = state.items[int(rng.integers(len(state.items)))]
        rest = tuple(i for i in state.items if i != item)
        if kind == "item leaves":
            return replace(state, items=rest), item
        return (
            replace(state, items=(*rest, _placed(rng, item, {i.slot for i in state.items}))),
            item,
        )
    if kind == "person enters":
        return replace(state, person=int(rng.integers(3))), None
    changes = _RULES[kind][2]
    return replace(state, **changes), None  # type: ignore[arg-type]


def _new_item(rng: np.random.Generator, others: tuple[Item, ...]) -> Item:
    """An item whose colour-and-shape and place are not taken."""
    names = {(i.colour, i.shape) for i in others}
    while True:
        colour, shape = (
            COLOURS[int(rng.integers(len(COLOURS)))],
            SHAPES[int(rng.integers(len(SHAPES)))],
        )
        if (colour, shape) not in names:
            break
    return _placed(
        rng, Item(colour, shape, 0, 0.0, 0.0, float(rng.uniform(*RADIUS))), {i.slot for i in others}
    )


def _placed(rng: np.random.Generator, item: Item, taken: set[int]) -> Item:
    free = [s for s in range(len(COLUMNS) * len(ROWS)) if s not in taken]
    slot = free[int(rng.integers(len(free)))]
    row, column = divmod(slot, len(COLUMNS))
    dx, dy = rng.uniform(-0.012, 0.012, size=2)
    return item._replace(slot=slot, x=float(COLUMNS[column] + dx), y=float(ROWS[row] + dy))
