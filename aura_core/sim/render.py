"""Pixels of a room. `Camera(world).frame(t_s)` is a pure function of the room's seed and of `t_s`
rounded to a millisecond, so a replay, a bag and a live node see the same bytes."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from aura_core.sim import things
from aura_core.sim.canvas import Canvas, Colour, Image, mix, smooth
from aura_core.sim.foreign import Foreign
from aura_core.sim.sensor import IDEAL, Sensor
from aura_core.sim.world import Event, State, World

WIDTH = 192  # pixels, unless told
FILM_S = 7.0  # one foreign film after the other
_WALLS = ((196, 190, 176), (170, 184, 190), (188, 176, 160), (160, 166, 158), (204, 196, 200))
_FLOORS = ((120, 92, 66), (104, 98, 92), (134, 116, 92), (86, 78, 74))
_TABLES = ((146, 104, 66), (112, 82, 58), (168, 148, 122), (128, 128, 132))
_SKINS: tuple[Colour, ...] = ((224, 172, 135), (198, 134, 96), (141, 92, 62), (92, 60, 42))
_CLOTHES: tuple[Colour, ...] = (
    (60, 80, 120),
    (130, 60, 66),
    (70, 110, 84),
    (150, 140, 120),
    (90, 80, 100),
)
_HAIR: tuple[Colour, ...] = ((40, 30, 26), (110, 74, 40), (70, 64, 60), (180, 160, 110))
_FUR: tuple[Colour, ...] = ((60, 56, 54), (196, 130, 66), (150, 146, 142), (226, 220, 210))
_DOORS: tuple[Colour, ...] = ((150, 110, 74), (120, 130, 140), (170, 160, 146), (98, 112, 100))
_METAL: tuple[Colour, ...] = ((170, 174, 180), (120, 60, 56), (70, 90, 110))
_CUPS: tuple[Colour, ...] = ((230, 226, 216), (90, 150, 160), (206, 140, 90))
_EDGE = {"left": (-0.15, None), "right": (1.15, None), "front": (None, 0.83)}
_PAN, _TILT, _TURN_S = 0.045, 0.022, 0.4


@functools.lru_cache(maxsize=4)
def _noise(width: int) -> NDArray[np.int16]:
    """Sensor noise of sigma 16, larger than a frame by 64 pixels."""
    rng = np.random.default_rng(20_241)
    return np.clip(rng.normal(0.0, 16.0, (height_of(width) + 64, width + 64, 3)), -64, 64).astype(
        np.int16
    )


def height_of(width: int) -> int:
    """Height of a frame [pixels]: three quarters of its width."""
    return width * 3 // 4


class Camera:
    """The robot's head in one room: uint8 RGB frames (height, width, 3), 4:3 and `width` pixels
    wide; or as `sensor` makes them of its own width."""

    def __init__(self, world: World, width: int = WIDTH, sensor: Sensor = IDEAL) -> None:
        width = width if sensor == IDEAL else sensor.width
        self.world, self.width, self.height = world, width, height_of(width)
        self.sensor = sensor
        rng = np.random.default_rng([world.seed, 12])

        def one(options: tuple[Colour, ...]) -> Colour:
            r, g, b = np.clip(
                np.asarray(options[int(rng.integers(len(options)))]) * rng.uniform(0.9, 1.1), 0, 255
            )
            return float(r), float(g), float(b)

        self._skin, self._sleeve, self._clothes, self._hair = (
            one(_SKINS),
            one(_CLOTHES),
            one(_CLOTHES),
            one(_HAIR),
        )
        self._fur, self._door, self._metal, self._cup = (
            one(_FUR),
            one(_DOORS),
            one(_METAL),
            one(_CUPS),
        )
        self._light, self._swing = float(rng.uniform(0.85, 1.1)), float(rng.uniform(0.0, 0.08))
        self._period_s, self._cloud = float(rng.uniform(8.0, 30.0)), float(rng.random())
        self._grain = (_noise(self.width) * float(rng.uniform(0.1, 0.35))).astype(np.int16)
        self._margin = int(np.ceil(self.width * (_PAN + 0.02)))
        self._walls = self._textured(rng, one(_WALLS), one(_FLOORS))
        table = one(_TABLES)
        self._table = self._textured(rng, table, table)
        self._turns = self._head(rng)
        self._films: dict[int, Foreign] = {}

    def frame(self, t_s: float) -> Image:
        """RGB frame at `t_s` seconds."""
        foreign = self.world.is_foreign(t_s)
        image = self._other(int(t_s // FILM_S)).frame(t_s) if foreign else self._room(t_s)
        return self.sensor.picture(image, t_s)

    def _other(self, number: int) -> Foreign:
        if number not in self._films:
            seed = self.world.seed * 1000 + max(0, number)
            self._films[number] = Foreign(seed, self.width, self.height, self._room(0.0))
        return self._films[number]

    def _room(self, t_s: float) -> Image:
        rng = np.random.default_rng([self.world.seed, 13, round(t_s * 1000) + 1_000_000])
        dx, dy = self.looking(t_s)
        c = Canvas(np.empty((self.height, self.width, 3), np.uint8), dx, dy)
        c.paste(self._walls, self._margin, -1.0, -1.0, 2.0, 2.0)
        state, under_way = self.world.at(t_s)
        now = {e.subject: (e, e.progress(t_s)) for e in under_way}
        seen = state  # of what changes at once
        for other, q in now.values():
            seen = other.applied(seen) if q >= 0.5 else seen
        nothing: tuple[Event | None, float] = (None, 0.0)
        things.window(c, seen.night, self._cloud)
        things.door(c, self._opened(state, *now.get("door", nothing)), self._door)
        things.lamp(c, seen.lamp)
        self._draw_person(c, state, *now.get("person", nothing))
        c.paste(self._table, self._margin, *things.TABLE)
        things.cup(c, self._cup_at(state, *now.get("cup", nothing)), self._cup)
        things.kettle(c, seen.kettle, self._metal, (0.9 * t_s) % 1.0)
        self._draw_cat(c, state, *now.get("cat", nothing), t_s)
        self._draw_items(c, state, *now.get("item", nothing))
        dark = mix(0.46, 0.66, seen.lamp) if seen.night else 1.0
        gain = dark * self._light * (1.0 + self._swing * np.sin(2 * np.pi * t_s / self._period_s))
        image = cv2.convertScaleAbs(c.image, alpha=gain)
        if seen.lamp:  # it is no darker by night
            things.lamp(Canvas(image, dx, dy), on=True)
        nx, ny = rng.integers(0, 64, 2)
        return cv2.add(
            image, self._grain[ny : ny + self.height, nx : nx + self.width], dtype=cv2.CV_8U
        )

    def looking(self, t_s: float) -> tuple[float, float]:
        """How far the picture is shifted at `t_s`: the head turns now and then."""
        x, y, last = 0.0, 0.0, (0.0, 0.0)
        for start, target in self._turns:
            if t_s < start:
                break
            u = smooth((t_s - start) / _TURN_S)
            x, y = mix(last[0], target[0], u), mix(last[1], target[1], u)
            last = target
        return x, y

    def _head(self, rng: np.random.Generator) -> list[tuple[float, tuple[float, float]]]:
        def anywhere() -> tuple[float, float]:
            return float(rng.uniform(-_PAN, _PAN)), float(rng.uniform(-_TILT, _TILT))

        turns = [(-10.0, anywhere())]
        t = float(rng.uniform(2.0, 12.0))
        while rng_moves := t < self.world.duration_s:
            turns.append((t, anywhere()))
            t += float(rng.uniform(4.0, 16.0))
        assert not rng_moves
        return turns if rng.random() < 0.6 else turns[:1]

    def _textured(self, rng: np.random.Generator, above: Colour, below: Colour) -> Image:
        h, w = self.height + 2 * self._margin, self.width + 2 * self._margin
        horizon = self._margin + round(0.43 * self.width)
        base = np.empty((h, w, 3), np.float32)
        base[:horizon], base[horizon:] = above, below
        coarse = rng.normal(0.0, 1.0, (int(rng.integers(3, 7)), int(rng.integers(3, 16)))).astype(
            np.float32
        )
        grain = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC)
        ramp = np.linspace(-1, 1, w, dtype=np.float32)[None, :] * float(rng.uniform(-10, 10))
        return np.clip(
            base + (float(rng.uniform(1.5, 5)) * grain + ramp)[..., None], 0, 255
        ).astype(np.uint8)

    def _opened(self, state: State, event: Event | None, p: float) -> float:
        if event is None or event.kind not in ("door opens", "door closes"):
            return float(state.door)
        return mix(float(state.door), float(event.after.door), smooth((p - 0.2) / 0.6))

    def _cup_at(self, state: State, event: Event | None, p: float) -> float:
        places = things.CUP_SAFE, things.CUP_EDGE
        after = event.after if event is not None else state
        return mix(places[state.cup], places[after.cup], smooth((p - 0.1) / 0.8))

    def _draw_person(self, c: Canvas, state: State, event: Event | None, p: float) -> None:
        looks = self._skin, self._clothes, self._hair
        kind = event.kind if event is not None else ""
        if kind == "person enters":
            assert event is not None and event.after.person is not None
            things.person(
                c,
                mix(-0.1, things.STANDS[event.after.person], smooth(0.25 + 0.75 * p)),
                0.0,
                0.0,
                *looks,
            )
            return
        if state.person is None:
            return
        x = things.STANDS[state.person]
        if kind == "person leaves":
            things.person(c, mix(x, -0.1, smooth(0.9 * p)), 0.0, 0.0, *looks)
        elif kind in ("person falls", "person gets up"):
            u = smooth(p / 0.85)
            things.person(c, x, u if kind == "person falls" else 1.0 - u, 0.0, *looks)
        else:
            reach = float(np.sin(np.pi * min(1.0, p * 1.02))) if kind == "person reaches" else 0.0
            things.person(c, x, float(state.lying), reach, *looks)

    def _draw_cat(self, c: Canvas, state: State, event: Event | None, p: float, t_s: float) -> None:
        away = (-0.12, things.CAT["floor"][1])
        before = things.CAT[state.cat] if state.cat else away
        after = event.after if event is not None else state
        to = things.CAT[after.cat] if after.cat else away
        if before == to == away:
            return
        u = smooth(0.1 + 0.9 * p) if before != to else 0.0
        arch = 0.0 if away in (before, to) else 0.12 * float(np.sin(np.pi * u))
        things.cat(c, (mix(before[0], to[0], u), mix(before[1], to[1], u) - arch), self._fur, t_s)

    def _draw_items(self, c: Canvas, state: State, event: Event | None, p: float) -> None:
        held = event.item if event is not None else None
        for thing in sorted(state.items, key=lambda i: i.y):  # those behind first
            if thing != held:
                things.item(c, thing, thing.x, thing.y)
        if event is None or held is None:
            return
        edge_x, edge_y = _EDGE[event.side]
        away = (held.x if edge_x is None else edge_x, held.y if edge_y is None else edge_y)
        home = (held.x, held.y)
        if event.kind == "item enters":  # carried in until 0.6, then the empty hand withdraws
            at = _between(away, home, p / 0.6)
            hand = _between(at, away, (p - 0.6) / 0.4)
        elif event.kind == "item leaves":  # the empty hand comes until 0.4, then carries it out
            at = _between(home, away, (p - 0.4) / 0.6)
            hand = at if p > 0.4 else _between(away, home, p / 0.4)
        else:  # comes until 0.3, carries until 0.65, withdraws
            moved = next(
                i for i in event.after.items if (i.colour, i.shape) == (held.colour, held.shape)
            )
            at = _between(home, (moved.x, moved.y), (p - 0.3) / 0.35)
            hand = _between(_between(away, at, p / 0.3), away, (p - 0.65) / 0.35)
        things.hand(c, event.side, *hand, self._skin, self._sleeve)
        things.item(c, held, *at)


def _between(a: tuple[float, float], b: tuple[float, float], u: float) -> tuple[float, float]:
    u = smooth(u)
    return mix(a[0], b[0], u), mix(a[1], b[1], u)
