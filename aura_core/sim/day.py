"""A day in the room: calm for minutes, with bursts in which much happens. A pure function of its
seed.

What happens follows a cast that the seed draws: some objects are there only early in the day, some
only once, some never, and so are some kinds of events. So there is something to ask about whose
last time is hours ago, and something that never was. It gets light and dark by the hour.

Pictures are drawn only around events. In the calm between, the newest two pictures are shown again,
the very same arrays: the room stands still there, the head does not turn and no sensor noise runs.
Whoever keys by the picture (`Stills`) computes nothing twice.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from aura_core.sim.canvas import Image
from aura_core.sim.render import Camera
from aura_core.sim.sensor import IDEAL, Sensor, sensor
from aura_core.sim.world import (
    COLOURS,
    EVENT_S,
    RADIUS,
    RULES,
    SHAPES,
    Event,
    Item,
    Looks,
    State,
    World,
    change,
    placed,
)
from aura_core.types import NS, Frame

HOUR_S = 3600
BEGINS = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
BURST_EVERY_S = 450.0  # of a day of one hour; it grows with the root of the hours
BURST = (6, 16)  # events of a burst
GAP_S = (3.0, 9.0)  # between events of a burst
LONE_SHARE = 0.35  # of the times between two bursts in which a single thing happens
EARLY_SHARE = 0.105  # of a day is early
EARLY, USUAL, ONCE = 10, 7, 3  # objects that come early, all day, once later; the others never do
EARLY_OBJECTS = 0.75  # share of the objects that come early in the day that come only then
SUNRISE_H, SUNSET_H = (7.2, 8.2), (17.3, 18.3)
BEFORE_S, AFTER_S = 2.0, 3.0  # seconds around an event in which pictures are drawn
CHINESE_EVERY = 4  # one day in so many is in Chinese
# What may be left out of a day, or happens only early. The others happen all day.
SUBJECTS = (
    ("person falls",),
    ("person reaches",),
    ("lamp goes on", "lamp goes off"),
    ("kettle starts", "kettle stops"),
    ("cat jumps up", "cat jumps down"),
    ("cup near edge", "cup safe"),
    ("door opens", "door closes"),
)
NEVER_SUBJECTS, EARLY_SUBJECTS = 1, 2
BY_THE_HOUR = ("night falls", "day breaks")

Pair = tuple[str, str]  # colour and shape


@dataclass(frozen=True)
class Cast:
    """What happens when: objects (colour, shape), and kinds of events that are not for all day."""

    early: tuple[Pair, ...]
    usual: tuple[Pair, ...]
    once: tuple[Pair, ...]
    never: tuple[Pair, ...]
    early_kinds: frozenset[str]
    never_kinds: frozenset[str]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Cast:
        """A cast."""
        pairs = [(c, s) for c in COLOURS for s in SHAPES]
        order = [pairs[i] for i in rng.permutation(len(pairs))]
        subjects = [SUBJECTS[i] for i in rng.permutation(len(SUBJECTS))]
        never, early = subjects[:NEVER_SUBJECTS], subjects[NEVER_SUBJECTS:][:EARLY_SUBJECTS]
        a, b, c = EARLY, EARLY + USUAL, EARLY + USUAL + ONCE
        return cls(
            tuple(order[:a]),
            tuple(order[a:b]),
            tuple(order[b:c]),
            tuple(order[c:]),
            frozenset(k for kinds in early for k in kinds),
            frozenset(k for kinds in never for k in kinds),
        )

    def may_happen(self, kind: str, early: bool) -> bool:
        """Whether this kind of event happens at this time of the day."""
        if kind in BY_THE_HOUR or kind in self.never_kinds:
            return False
        return early or kind not in self.early_kinds


@dataclass(frozen=True, eq=False)
class Day:
    """One day in one room.

    Attributes:
        world: what happens; a chunk is a second.
        sensor: the camera; it takes two pictures a second.
        cast: what it was drawn from.
        begins: wall-clock time of the first chunk.
        language: in which is asked: "en" or "zh".
    """

    world: World
    sensor: Sensor
    cast: Cast
    begins: datetime
    language: str

    @classmethod
    def generate(
        cls, seed: int, hours: float, camera: str = "drawn", begins: datetime = BEGINS
    ) -> Day:
        """Deterministic in its arguments. `camera`: "drawn" by the seed (its picture, not its
        clock: it takes a frame each half second), or "ideal"."""
        duration_s = round(hours * HOUR_S)
        rng = np.random.default_rng([seed, 31])
        cast = Cast.draw(rng)
        drawn = sensor(camera, seed)
        if drawn != IDEAL:
            drawn = replace(drawn, fps=2.0, jitter=0.0, drop=0.0, double=0.0, drift=0.0)
        hour = begins.hour + begins.minute / 60
        rises, sets = (float(rng.uniform(*h)) for h in (SUNRISE_H, SUNSET_H))
        suns = [
            ((at - hour) * HOUR_S, kind)
            for at, kind in ((rises, "day breaks"), (sets, "night falls"))
        ]
        times = sorted([(t, "") for t in _times(rng, hours)] + suns)
        initial = _early_room(rng, cast, night=not rises <= hour < sets)
        happenings = _happenings(rng, cast, times, initial, float(duration_s))
        world = World(seed, duration_s, initial, (), (), (), tuple(happenings))
        world = world.looked_at(_looks(drawn, duration_s))
        return cls(world, drawn, cast, begins, "zh" if seed % CHINESE_EVERY == 3 else "en")

    @property
    def seconds(self) -> int:
        """Its length, which is its number of chunks."""
        return self.world.duration_s

    @property
    def begins_wall_ns(self) -> int:
        """`begins` in nanoseconds since the UNIX epoch."""
        return round(self.begins.timestamp()) * NS

    @property
    def midnight_s(self) -> float:
        """The midnight before, in seconds after its beginning (negative)."""
        return -(self.begins.hour * 3600.0 + self.begins.minute * 60.0 + self.begins.second)

    @functools.cached_property
    def drawn_of(self) -> NDArray[np.int64]:
        """The chunk whose pictures each chunk shows: itself around events, else the newest before
        that was drawn. int64 (seconds,)."""
        live = np.zeros(self.seconds, bool)
        live[:1] = True
        begin = self.world.look(0)[0]
        for event in self.world.happenings or ():
            first = int(event.start_s - BEFORE_S - begin)
            live[max(0, first) : max(0, int(event.start_s + EVENT_S + AFTER_S - begin) + 1)] = True
        return np.maximum.accumulate(np.where(live, np.arange(self.seconds), 0))


class Film:
    """The pictures of a day, in any order; cheap where nothing happens."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.drawn = 0  # chunks drawn so far
        self._camera = Camera(day.world, sensor=day.sensor)
        self._of = -1
        self._images: tuple[Image, ...] = ()

    def frames(self, chunk: int) -> tuple[Frame, Frame]:
        """The two frames of a chunk, stamped from 0 at the day's beginning."""
        of = int(self.day.drawn_of[chunk])
        if of != self._of:
            self._images = tuple(self._camera.frame(t) for t in self.day.world.look(of))
            self._of = of
            self.drawn += 1
        first, second = self._images
        return Frame(first, chunk * NS), Frame(second, chunk * NS + NS // 2)


def _times(rng: np.random.Generator, hours: float) -> Iterator[float]:
    """When something happens [s]: a burst in each of the equal parts of the day, two in the early
    ones of a long day."""
    parts = max(1, round(hours * HOUR_S / (BURST_EVERY_S * max(1.0, hours) ** 0.5)))
    part_s = hours * HOUR_S / parts
    for part in range(parts):
        early = part * part_s < EARLY_SHARE * hours * HOUR_S
        for low, high in ((0.05, 0.25), (0.5, 0.7)) if early and parts > 9 else ((0.05, 0.55),):
            at = (part + float(rng.uniform(low, high))) * part_s
            for _ in range(int(rng.integers(BURST[0], BURST[1] + 1))):
                yield at
                at += float(rng.uniform(*GAP_S))
        if rng.random() < LONE_SHARE:
            yield max(at, (part + float(rng.uniform(0.75, 0.95))) * part_s)


def _happenings(
    rng: np.random.Generator,
    cast: Cast,
    times: list[tuple[float, str]],
    state: State,
    end_s: float,
) -> list[Event]:
    once = list(cast.once)
    happenings: list[Event] = []
    for at, kind in times:
        if not 1.0 <= at < end_s - 2.0:
            continue
        early = at < EARLY_SHARE * end_s
        event = _event(rng, cast, at, state, early, kind, once)
        if event is not None:
            happenings.append(event)
            state = event.after
    return happenings


def _event(
    rng: np.random.Generator,
    cast: Cast,
    at_s: float,
    state: State,
    early: bool,
    kind: str,
    once: list[Pair],
) -> Event | None:
    """Something that happens; `kind` "": what may. None where it cannot. `once`: objects that have
    not come yet; one that comes is removed."""
    if kind:
        possible = [kind] if RULES[kind][1](state) else []
    else:
        possible = [k for k, (_, can, _) in RULES.items() if can(state)]
        possible = [k for k in possible if cast.may_happen(k, early)]
    if not possible:
        return None
    shares = np.array([RULES[k][0] for k in possible])
    kind = str(rng.choice(possible, p=shares / shares.sum()))
    if kind != "item enters":
        after, item = change(rng, kind, state)
    else:
        item = _coming(rng, cast, state, early, once)
        after = replace(state, items=(*state.items, item))
    side = ("left", "right", "front")[int(rng.integers(3))]
    return Event(kind, -1, at_s, state, after, item, side)


def _coming(
    rng: np.random.Generator, cast: Cast, state: State, early: bool, once: list[Pair]
) -> Item:
    """The object that comes now."""
    there = {(i.colour, i.shape) for i in state.items}
    pairs = [p for p in cast.usual if p not in there]
    if early and rng.random() < EARLY_OBJECTS:
        pairs = [p for p in cast.early if p not in there]
    elif not early and once and rng.random() < 0.1:
        pairs = [once.pop()]
    colour, shape = pairs[int(rng.integers(len(pairs)))]
    item = Item(colour, shape, 0, 0.0, 0.0, float(rng.uniform(*RADIUS)))
    return placed(rng, item, {i.slot for i in state.items})


def _early_room(rng: np.random.Generator, cast: Cast, night: bool) -> State:
    """The room at the beginning, with an empty table: every object has been seen to come."""
    gone = cast.never_kinds
    return State(
        person=int(rng.integers(3)) if rng.random() < 0.35 else None,
        cat="floor" if rng.random() < 0.35 else None,
        door="door opens" not in gone and bool(rng.random() < 0.4),
        lamp="lamp goes on" not in gone and bool(rng.random() < 0.5),
        kettle=False,
        cup=False,
        night=night,
    )


def _looks(drawn: Sensor, seconds: int) -> Looks:
    return tuple((drawn.phase_s + c, drawn.phase_s + c + 0.5) for c in range(seconds))
