"""Pixels of a tabletop world: about half a millisecond a 192x192 frame on one core.

`Camera(world).frame(t_s)` is a pure function of the world's seed and of `t_s` rounded to a
millisecond, so a replay, a bag and a live node see the same bytes.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from aura_core.sim.world import Event, Item, World

SIZE = 192
_SHIFT = 4  # sub-pixel bits of cv2's drawing functions
_RGB = {
    "red": (208, 40, 38),
    "green": (44, 165, 62),
    "blue": (44, 84, 214),
    "yellow": (236, 208, 44),
    "purple": (150, 58, 182),
    "white": (238, 238, 238),
}
_TABLES = ((124, 92, 62), (96, 98, 104), (150, 122, 92), (70, 78, 90), (92, 84, 70), (120, 118, 112))
_SKINS = ((224, 172, 135), (198, 134, 96), (141, 92, 62), (92, 60, 42))
_SLEEVES = ((40, 46, 60), (110, 40, 50), (60, 80, 60), (200, 200, 196))
_EDGE = {"left": (-0.22, None), "right": (1.22, None), "front": (None, 1.22)}

Image = NDArray[np.uint8]


@functools.lru_cache(maxsize=4)
def _noise_bank(size: int) -> NDArray[np.int16]:
    """Shared sensor noise, sigma 16 (scaled by each camera), larger than a frame by 64 pixels."""
    rng = np.random.default_rng(20_240)
    return np.clip(rng.normal(0.0, 16.0, (size + 64, size + 64, 3)), -64, 64).astype(np.int16)


class Camera:
    """Looks down on one world. `size` is the frame's width and height in pixels."""

    def __init__(self, world: World, size: int = SIZE) -> None:
        self.world, self.size = world, size
        rng = np.random.default_rng([world.seed, 2])
        self._skin = _SKINS[int(rng.integers(len(_SKINS)))]
        self._sleeve = _SLEEVES[int(rng.integers(len(_SLEEVES)))]
        self._light = float(rng.uniform(0.75, 1.15))
        self._swing = float(rng.uniform(0.0, 0.1))
        self._period_s = float(rng.uniform(8.0, 30.0))
        self._tint = rng.uniform(0.95, 1.05, 3)
        self._noise = float(rng.uniform(0.1, 0.4))
        self._jitter = float(rng.uniform(0.0, 0.008))
        self._margin = int(np.ceil(self.size * 0.02))
        self._table = self._draw_table(rng)
        bank = _noise_bank(size).astype(np.float32) * self._noise
        self._bank = bank.astype(np.int16)

    def frame(self, t_s: float) -> Image:
        """RGB frame, uint8 (size, size, 3), of the world at `t_s` seconds."""
        rng = np.random.default_rng([self.world.seed, 3, round(t_s * 1000) + 1_000_000])
        dx, dy = rng.uniform(-self._jitter, self._jitter, 2)
        m, s = self._margin, self.size
        ox, oy = m - round(dx * s), m - round(dy * s)
        image = self._table[oy : oy + s, ox : ox + s].copy()
        items, event = self.world.resting(t_s)
        for item in items:
            self._draw_item(image, item, item.x + dx, item.y + dy)
        if event is not None:
            self._draw_event(image, event, event.progress(t_s), dx, dy)
        gain = self._light * (1.0 + self._swing * np.sin(2 * np.pi * t_s / self._period_s))
        image = cv2.convertScaleAbs(image, alpha=gain)
        nx, ny = rng.integers(0, 64, 2)
        return cv2.add(image, self._bank[ny : ny + s, nx : nx + s], dtype=cv2.CV_8U)

    def _draw_table(self, rng: np.random.Generator) -> Image:
        side = self.size + 2 * self._margin
        base = np.asarray(_TABLES[int(rng.integers(len(_TABLES)))]) * rng.uniform(0.85, 1.15)
        coarse = rng.normal(0.0, 1.0, (int(rng.integers(3, 7)), int(rng.integers(3, 24)), 1))
        grain = cv2.resize(coarse.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
        ramp = np.linspace(-1, 1, side, dtype=np.float32)
        slope = rng.uniform(-10, 10) * ramp[None, :] + rng.uniform(-10, 10) * ramp[:, None]
        table = base * self._tint + (rng.uniform(2, 7) * grain + slope)[..., None]
        return np.clip(table, 0, 255).astype(np.uint8)

    def _draw_event(self, image: Image, event: Event, p: float, dx: float, dy: float) -> None:
        """The hand and what it carries at progress `p` (see the phases in each branch)."""
        home = event.item
        edge_x, edge_y = _EDGE[event.side]
        out_x, out_y = home.x if edge_x is None else edge_x, home.y if edge_y is None else edge_y
        if event.kind == "enter":  # carry in until 0.6, then the empty hand withdraws
            u = _smooth(p / 0.6)
            x, y = _mix(out_x, home.x, u), _mix(out_y, home.y, u)
            v = _smooth((p - 0.6) / 0.4)
            hand_x, hand_y = _mix(x, out_x, v), _mix(y, out_y, v)
        elif event.kind == "leave":  # the empty hand comes until 0.4, then carries out
            u, v = _smooth(p / 0.4), _smooth((p - 0.4) / 0.6)
            x, y = _mix(home.x, out_x, v), _mix(home.y, out_y, v)
            hand_x, hand_y = (x, y) if v > 0 else (_mix(out_x, x, u), _mix(out_y, y, u))
        else:  # comes until 0.3, carries until 0.65, withdraws
            old = event.before
            assert old is not None
            from_x = old.x if edge_x is None else edge_x
            from_y = old.y if edge_y is None else edge_y
            u, v, w = _smooth(p / 0.3), _smooth((p - 0.3) / 0.35), _smooth((p - 0.65) / 0.35)
            x, y = _mix(old.x, home.x, v), _mix(old.y, home.y, v)
            hand_x, hand_y = _mix(_mix(from_x, x, u), out_x, w), _mix(_mix(from_y, y, u), out_y, w)
        self._draw_hand(image, event.side, hand_x + dx, hand_y + dy)
        self._draw_item(image, home, x + dx, y + dy)

    def _draw_hand(self, image: Image, side: str, x: float, y: float) -> None:
        reach = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "front": (0.0, 1.0)}[side]
        palm = (x + 0.10 * reach[0], y + 0.10 * reach[1])
        wrist = (x + 0.26 * reach[0], y + 0.26 * reach[1])
        far = (x + 1.5 * reach[0], y + 1.5 * reach[1])
        width = max(1, round(0.10 * self.size))
        cv2.line(image, self._px(*wrist), self._px(*far), self._sleeve, round(width * 1.3), cv2.LINE_AA, _SHIFT)
        cv2.line(image, self._px(*palm), self._px(*wrist), self._skin, width, cv2.LINE_AA, _SHIFT)
        cv2.circle(image, self._px(*palm), self._len(0.075), self._skin, -1, cv2.LINE_AA, _SHIFT)
        across = (-reach[1], reach[0])
        for spread in (-0.055, 0.055):  # two fingers around the object
            tip = (x - 0.05 * reach[0] + spread * across[0] * 2, y - 0.05 * reach[1] + spread * across[1] * 2)
            cv2.line(image, self._px(*palm), self._px(*tip), self._skin, max(1, width // 3), cv2.LINE_AA, _SHIFT)

    def _draw_item(self, image: Image, item: Item, x: float, y: float) -> None:
        r = item.radius
        if not (-r < x < 1 + r and -r < y < 1 + r):
            return
        colour = tuple(float(c) for c in np.clip(np.asarray(_RGB[item.colour]) * self._tint, 0, 255))
        light = tuple(min(255.0, c * 0.6 + 102.0) for c in colour)
        dark = tuple(c * 0.62 for c in colour)
        shadow = (x + 0.15 * r, y + 0.3 * r)
        cv2.ellipse(image, self._px(*shadow), (self._len(r * 0.9), self._len(r * 0.75)), 0, 0, 360,
                    (38, 34, 32), -1, cv2.LINE_AA, _SHIFT)  # fmt: skip
        if item.shape == "ball":
            cv2.circle(image, self._px(x, y), self._len(r * 0.9), colour, -1, cv2.LINE_AA, _SHIFT)
            cv2.circle(image, self._px(x - r * 0.3, y - r * 0.32), self._len(r * 0.26), light, -1, cv2.LINE_AA, _SHIFT)
        elif item.shape == "cube":
            a, top = r * 0.78, r * 0.42
            self._poly(image, [(x - a, y - a + top), (x + a, y - a + top), (x + a, y + a), (x - a, y + a)], colour)
            self._poly(image, [(x - a, y - a + top), (x - a * 0.6, y - a - top * 0.2),
                               (x + a * 1.25, y - a - top * 0.2), (x + a, y - a + top)], light)  # fmt: skip
            self._poly(image, [(x + a, y - a + top), (x + a * 1.25, y - a - top * 0.2),
                               (x + a * 1.25, y + a * 0.7), (x + a, y + a)], dark)  # fmt: skip
        elif item.shape == "cone":
            self._poly(image, [(x, y - r), (x + r * 0.85, y + r * 0.75), (x - r * 0.85, y + r * 0.75)], colour)
            self._poly(image, [(x, y - r), (x + r * 0.85, y + r * 0.75), (x + r * 0.35, y + r * 0.85)], dark)
        else:
            turns = np.arange(10) * np.pi / 5 - np.pi / 2
            spokes = np.where(np.arange(10) % 2 == 0, 1.08, 0.46) * r
            points = [(x + d * np.cos(a), y + d * np.sin(a)) for a, d in zip(turns, spokes, strict=True)]
            cv2.fillPoly(image, [np.asarray([self._px(*p) for p in points], np.int32)], colour, cv2.LINE_AA, _SHIFT)

    def _poly(self, image: Image, points: list[tuple[float, float]], colour: tuple[float, ...]) -> None:
        corners = np.asarray([self._px(*p) for p in points], np.int32)
        cv2.fillConvexPoly(image, corners, colour, cv2.LINE_AA, _SHIFT)

    def _px(self, x: float, y: float) -> tuple[int, int]:
        return round(x * self.size * (1 << _SHIFT)), round(y * self.size * (1 << _SHIFT))

    def _len(self, length: float) -> int:
        return round(length * self.size * (1 << _SHIFT))


def _smooth(u: float) -> float:
    u = min(max(u, 0.0), 1.0)
    return u * u * (3.0 - 2.0 * u)


def _mix(a: float, b: float, u: float) -> float:
    return a + (b - a) * u
