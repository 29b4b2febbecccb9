"""The room: who and what is in it and what happens there, second by second. A pure function of its
seed.

Lengths are in units of the image's width; x runs to the right over [0, 1], y down over [0, 0.75].

Time runs in seconds. Events begin at any time and last one second; two may overlap when they happen
to different subjects (`Event.subject`). A camera looks at the room at times of its own
(`sensor.py`): `World.looks`, two frames for each 1-second chunk. An event belongs to the first
chunk in which it is complete in a frame that was looked at: the progress is then at least
`DONE[kind]`, from where on the picture of what it is about no longer changes visibly. "person
reaches" leaves nothing behind: it is complete in a frame that shows the arm at least
`REACH` of its way out. An event that no frame shows complete is not among `World.events`.

With `aligned`, every event begins a quarter of a second (+- `START_JITTER_S`) before the chunk that
it belongs to, so that the two frames of an ideal camera show the action early and late.
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

# Progress at which what an event is about has reached its end, within 4% of its way (`render.py`).
DONE = {
    "item enters": 0.6,
    "item leaves": 0.9,
    "item moves": 0.65,
    "person enters": 0.85,
    "person leaves": 0.95,
    "person reaches": 0.25,
    "person falls": 0.85,
    "person gets up": 0.85,
    "door opens": 0.75,
    "door closes": 0.75,
    "lamp goes on": 0.5,
    "lamp goes off": 0.5,
    "kettle starts": 0.5,
    "kettle stops": 0.5,
    "cat comes": 0.85,
    "cat leaves": 0.9,
    "cat jumps up": 0.85,
    "cat jumps down": 0.85,
    "cup near edge": 0.8,
    "cup safe": 0.8,
    "night falls": 0.5,
    "day breaks": 0.5,
}
REACH_OVER = 0.75  # progress after which a reaching arm is no longer seen stretched
# Share of events that another one joins within a second; share of gaps that are long, in seconds.
TOGETHER, SPELL, SPELL_S = 0.15, 0.012, (20.0, 45.0)
# Nothing begins so long before something foreign: what does, and what joins it, is over and seen.
FOREIGN_CLEAR_S = 3.5
FIELDS = {
    "item": ("items",),
    "person": ("person", "lying"),
    "door": ("door",),
    "lamp": ("lamp",),
    "kettle": ("kettle",),
    "cat": ("cat",),
    "cup": ("cup",),
    "night": ("night",),
}
Looks = tuple[tuple[float, float], ...]

# Held-out seeds: training never touches a seed at or above this (checked in `training/`).
FIRST_TEST_SEED = 500_000

MAX_ITEMS = 3
COLUMNS, ROWS = (0.475, 0.65, 0.825), (0.53, 0.66)  # of the places on the table
RADIUS = (0.054, 0.064)


@dataclass(frozen=True)
class Pace:
    """Seconds between the beginnings of events: uniform in [min_gap_s, max_gap_s]."""

    min_gap_s: int
    max_gap_s: int


CALM = Pace(3, 9)
BUSY = Pace(2, 4)
QUIET = Pace(8, 30)


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

    @property
    def subject(self) -> str:
        """What it happens to: a key of `FIELDS`."""
        subject = self.kind.split()[0]
        return "night" if subject == "day" else subject

    @property
    def done_s(self) -> float:
        """From when on it is complete."""
        return self.start_s + DONE[self.kind] * EVENT_S

    def applied(self, state: State) -> State:
        """`state` after it, whatever else happens meanwhile."""
        return replace(state, **{f: getattr(self.after, f) for f in FIELDS[self.subject]})

    def progress(self, t_s: float) -> float:
        """0 before it begins, 1 when it is over."""
        return float(np.clip((t_s - self.start_s) / EVENT_S, 0.0, 1.0))


# What may happen: how often, when it can, and what the room is like afterwards. Items and persons:
# see `change`.
Rule = tuple[float, Callable[[State], bool], dict[str, object]]
RULES: dict[str, Rule] = {
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
KINDS = tuple(RULES)


@dataclass(frozen=True)
class World:
    """Everything that happens in one room, and when a camera looks at it.

    `events` are those that the camera sees complete, in order of chunk; `states[c]` is the room at
    the end of chunk `c` by what is complete. `looks[c]` are the times of the two frames of chunk
    `c`; empty: at c and c + 0.5. `happenings` are all events in order of time, seen or not; None:
    `events`. `foreign` are the times (begin, end) in which the camera shows something that is not
    this room (`foreign.py`).
    """

    seed: int
    duration_s: int
    initial: State
    events: tuple[Event, ...]
    states: tuple[State, ...]
    looks: Looks = ()
    happenings: tuple[Event, ...] | None = None
    foreign: tuple[tuple[float, float], ...] = ()

    @classmethod
    def generate(
        cls,
        seed: int,
        duration_s: int,
        pace: Pace = CALM,
        looks: Looks = (),
        aligned: bool = False,
        foreign: tuple[tuple[float, float], ...] = (),
    ) -> World:
        """Deterministic in its arguments. Nothing happens during `foreign`."""
        if aligned:
            return cls._aligned(seed, duration_s, pace)
        rng = np.random.default_rng([seed, 11])
        state = initial = _furnished(rng)
        happenings: list[Event] = []
        at = float(rng.uniform(0.5, pace.max_gap_s))
        end = max(float(duration_s), looks[-1][1] if looks else 0.0)
        while at < end:
            if not any(a - FOREIGN_CLEAR_S < at < b + 0.5 for a, b in foreign):
                happenings.append(_happening(rng, -1, at, state))
                state = happenings[-1].after
                if rng.random() < TOGETHER:
                    near = at + float(rng.uniform(0.05, 0.95))
                    happenings.append(_happening(rng, -1, near, state, happenings[-1].subject))
                    state, at = happenings[-1].after, near
            long = rng.random() < SPELL
            at += float(rng.uniform(*(SPELL_S if long else (pace.min_gap_s, pace.max_gap_s))))
        world = cls(seed, duration_s, initial, (), (), (), tuple(happenings), foreign)
        return world.looked_at(looks or tuple((float(c), c + 0.5) for c in range(duration_s)))

    def looked_at(self, looks: Looks, margin_s: float = 0.0) -> World:
        """The same room seen at other times. `margin_s` makes every event complete so much later:
        its truth moves, its pictures do not."""
        happenings = self.events if self.happenings is None else self.happenings
        times = np.asarray(looks).reshape(-1)
        seen, state = [], self.initial
        for i, event in enumerate(happenings):
            until = next(
                (e.start_s for e in happenings[i + 1 :] if e.subject == event.subject), np.inf
            )
            if event.kind == "person reaches":
                until = event.start_s + REACH_OVER * EVENT_S
            k = int(np.searchsorted(times, event.done_s + margin_s))
            if k == 0:  # over before anybody looked: a state, no event
                state = event.applied(state)
            elif k < len(times) and times[k] < until:
                seen.append(replace(event, chunk=k // 2))
        seen.sort(key=lambda e: e.chunk)
        states, left = [], list(seen)
        for chunk in range(len(looks)):
            while left and left[0].chunk == chunk:
                state = left.pop(0).applied(state)
            states.append(state)
        return replace(
            self,
            duration_s=len(looks),
            events=tuple(seen),
            states=tuple(states),
            looks=tuple(looks),
            happenings=happenings,
        )

    @classmethod
    def _aligned(cls, seed: int, duration_s: int, pace: Pace) -> World:
        rng = np.random.default_rng([seed, 11])
        state = initial = _furnished(rng)
        events: list[Event] = []
        states: list[State] = []
        due = 1 + int(rng.integers(0, pace.max_gap_s))
        for chunk in range(duration_s):
            if chunk == due:
                events.append(_happening(rng, chunk, None, state))
                state = events[-1].after
                due += int(rng.integers(pace.min_gap_s, pace.max_gap_s + 1))
            states.append(state)
        return cls(seed, duration_s, initial, tuple(events), tuple(states))

    def event_at(self, chunk: int) -> Event | None:
        """The first event of this chunk, if there is one."""
        events = self._by_chunk.get(chunk)
        return events[0] if events else None

    def events_at(self, chunk: int) -> tuple[Event, ...]:
        """All events of this chunk."""
        return self._by_chunk.get(chunk, ())

    @functools.cached_property
    def _by_chunk(self) -> dict[int, tuple[Event, ...]]:
        found: dict[int, tuple[Event, ...]] = {}
        for event in self.events:
            found[event.chunk] = (*found.get(event.chunk, ()), event)
        return found

    def look(self, chunk: int) -> tuple[float, float]:
        """When the two frames of a chunk are taken [s]."""
        return self.looks[chunk] if self.looks else (float(chunk), chunk + 0.5)

    def is_foreign(self, t_s: float) -> bool:
        """Whether the camera shows something else at `t_s`."""
        return any(a <= t_s < b for a, b in self.foreign)

    def under_way(self, t_s: float) -> tuple[Event, ...]:
        """Events that have begun and are not over."""
        all_events = self.events if self.happenings is None else self.happenings
        return tuple(e for e in all_events if e.start_s <= t_s < e.start_s + EVENT_S)

    def unsettled(self, chunk: int) -> set[str]:
        """Subjects of events that the last frame of a chunk shows begun and not clearly
        complete."""
        t_s = self.look(chunk)[1]
        return {e.subject for e in self.under_way(t_s) if t_s < e.done_s + 0.1}

    def at(self, t_s: float) -> tuple[State, tuple[Event, ...]]:
        """The room at `t_s`, as it was before the events under way, and these (each to another
        subject)."""
        over = int(np.searchsorted(self._ends, t_s, side="right"))
        return self._rests[over], self.under_way(t_s)

    @functools.cached_property
    def _ends(self) -> list[float]:
        """When each event is over."""
        all_events = self.events if self.happenings is None else self.happenings
        return [e.start_s + EVENT_S for e in all_events]

    @functools.cached_property
    def _rests(self) -> list[State]:
        """The room before any event is over, after the first, after the second..."""
        all_events = self.events if self.happenings is None else self.happenings
        states = [self.initial]
        for event in all_events:
            states.append(event.applied(states[-1]))
        return states


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


def _happening(
    rng: np.random.Generator, chunk: int, at_s: float | None, state: State, not_to: str = ""
) -> Event:
    """Something that may happen; `at_s` None: just before its chunk; not to the subject
    `not_to`."""
    possible = [k for k, (_, can, _) in RULES.items() if can(state)]
    if not_to:
        other = ("night", "day") if not_to == "night" else (not_to,)
        possible = [k for k in possible if k.split()[0] not in other]
    shares = np.array([RULES[k][0] for k in possible])
    kind = str(rng.choice(possible, p=shares / shares.sum()))
    if at_s is None:
        at_s = chunk - START_LEAD_S + float(rng.uniform(-START_JITTER_S, START_JITTER_S))
    after, item = change(rng, kind, state)
    return Event(kind, chunk, at_s, state, after, item, SIDES[int(rng.integers(len(SIDES)))])


def change(rng: np.random.Generator, kind: str, state: State) -> tuple[State, Item | None]:
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
            replace(state, items=(*rest, placed(rng, item, {i.slot for i in state.items}))),
            item,
        )
    if kind == "person enters":
        return replace(state, person=int(rng.integers(3))), None
    changes = RULES[kind][2]
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
    return placed(
        rng, Item(colour, shape, 0, 0.0, 0.0, float(rng.uniform(*RADIUS))), {i.slot for i in others}
    )


def placed(rng: np.random.Generator, item: Item, taken: set[int]) -> Item:
    free = [s for s in range(len(COLUMNS) * len(ROWS)) if s not in taken]
    slot = free[int(rng.integers(len(free)))]
    row, column = divmod(slot, len(COLUMNS))
    dx, dy = rng.uniform(-0.012, 0.012, size=2)
    return item._replace(slot=slot, x=float(COLUMNS[column] + dx), y=float(ROWS[row] + dy))
