"""What stands, lies, walks and hangs in the room: each a function that draws it on a canvas."""

from __future__ import annotations

import numpy as np

from aura_core.sim.canvas import Canvas, Colour, Point, mix, shade
from aura_core.sim.world import Item

RGB: dict[str, Colour] = {
    "red": (208, 40, 38),
    "green": (44, 165, 62),
    "blue": (44, 84, 214),
    "yellow": (236, 208, 44),
    "purple": (150, 58, 182),
    "white": (238, 238, 238),
}
DOOR = (0.06, 0.13, 0.18, 0.43)
WINDOW = (0.40, 0.07, 0.56, 0.20)
LAMP = (0.80, 0.08)
KETTLE = (0.935, 0.545)
CUP_SAFE, CUP_EDGE, CUP_Y = 0.445, 0.372, 0.475
TABLE = (0.36, 0.46, 1.2, 1.2)  # to beyond the picture
STANDS = (0.27, 0.49, 0.70)
CAT = {"floor": (0.17, 0.63), "table": (0.745, 0.465)}


def item(c: Canvas, thing: Item, x: float, y: float) -> None:
    """One coloured object with its shadow."""
    r, colour = thing.radius, RGB[thing.colour]
    light, dark = tuple(min(255.0, v * 0.6 + 102.0) for v in colour), shade(colour, 0.62)
    c.ellipse((x + 0.15 * r, y + 0.5 * r), (r * 0.9, r * 0.5), (40, 34, 30))
    if thing.shape == "ball":
        c.circle((x, y), r * 0.9, colour)
        c.circle((x - r * 0.3, y - r * 0.32), r * 0.26, light)
    elif thing.shape == "cube":
        a, top = r * 0.78, r * 0.42
        c.rect(x - a, y - a + top, x + a, y + a, colour)
        back = y - a - top * 0.2
        c.poly(
            [(x - a, y - a + top), (x - a * 0.6, back), (x + a * 1.25, back), (x + a, y - a + top)],
            light,
        )
        c.poly(
            [
                (x + a, y - a + top),
                (x + a * 1.25, back),
                (x + a * 1.25, y + a * 0.7),
                (x + a, y + a),
            ],
            dark,
        )
    elif thing.shape == "cone":
        c.poly([(x, y - r), (x + r * 0.85, y + r * 0.75), (x - r * 0.85, y + r * 0.75)], colour)
        c.poly([(x, y - r), (x + r * 0.85, y + r * 0.75), (x + r * 0.35, y + r * 0.85)], dark)
    else:
        turns = np.arange(10) * np.pi / 5 - np.pi / 2
        spokes = np.where(np.arange(10) % 2 == 0, 1.08, 0.46) * r
        c.poly(
            [(x + d * np.cos(a), y + d * np.sin(a)) for a, d in zip(turns, spokes, strict=True)],
            colour,
        )


def hand(c: Canvas, side: str, x: float, y: float, skin: Colour, sleeve: Colour) -> None:
    """An arm that comes from `side` and whose fingers are around (x, y)."""
    rx, ry = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "front": (0.0, 1.0)}[side]
    palm, wrist = (x + 0.055 * rx, y + 0.055 * ry), (x + 0.14 * rx, y + 0.14 * ry)
    c.line(wrist, (x + 1.4 * rx, y + 1.4 * ry), sleeve, 0.07)
    c.line(palm, wrist, skin, 0.05)
    c.circle(palm, 0.038, skin)
    for spread in (-0.05, 0.05):
        c.line(palm, (x - 0.03 * rx - spread * ry, y - 0.03 * ry + spread * rx), skin, 0.018)


def person(
    c: Canvas, x: float, fallen: float, reach: float, skin: Colour, clothes: Colour, hair: Colour
) -> None:
    """Feet at x. `fallen` 0 stands, 1 lies; `reach` 0 to 1 stretches an arm over the table."""
    angle = fallen * np.pi / 2
    foot_y = mix(0.47, 0.425, fallen)

    # along the body from the feet, across to the right
    def at(along: float, across: float = 0.0) -> Point:
        return x + along * np.sin(angle) + across * np.cos(angle), foot_y - along * np.cos(
            angle
        ) + across * np.sin(angle)

    trousers = shade(clothes, 0.5)
    for leg in (-0.02, 0.02):
        c.line(at(0.0, leg), at(0.14, leg), trousers, 0.03)
    c.line(at(0.15), at(0.25), clothes, 0.075)
    c.circle(at(0.325), 0.036, skin)
    c.ellipse(at(0.345), (0.036, 0.02), hair, float(np.degrees(angle)))
    if reach > 0:
        c.line(at(0.25, 0.02), (x + 0.10 * reach, 0.36 + 0.12 * reach), clothes, 0.03)
        c.circle((x + 0.11 * reach, 0.37 + 0.13 * reach), 0.02, skin)
    else:
        c.line(at(0.25, 0.04), at(0.14, 0.055), clothes, 0.025)
    c.line(at(0.25, -0.04), at(0.14, -0.055), clothes, 0.025)


def cat(c: Canvas, at: Point, fur: Colour, t_s: float) -> None:
    """A cat that sits, its tail moving."""
    x, y = at
    wave = 0.02 * float(np.sin(2.2 * t_s))
    c.line((x + 0.05, y + 0.03), (x + 0.09, y - 0.02 + wave), fur, 0.018)
    c.ellipse((x, y), (0.058, 0.044), fur)
    c.circle((x - 0.045, y - 0.045), 0.032, fur)
    for ear in (-0.066, -0.026):
        c.poly(
            [(x + ear - 0.012, y - 0.062), (x + ear + 0.012, y - 0.062), (x + ear, y - 0.096)], fur
        )
    for eye in (-0.056, -0.034):
        c.circle((x + eye, y - 0.05), 0.006, (40, 60, 20))


def door(c: Canvas, opened: float, paint: Colour) -> None:
    """A door that swings inwards: `opened` 0 to 1."""
    x0, y0, x1, y1 = DOOR
    c.rect(x0 - 0.012, y0 - 0.012, x1 + 0.012, y1, (225, 220, 210))
    c.rect(x0, y0, x1, y1, (26, 24, 30))
    leaf = mix(x1, x0 + 0.028, opened)
    slope = 0.02 * opened
    c.poly([(x0, y0), (leaf, y0 + slope), (leaf, y1 + slope), (x0, y1)], paint)
    if opened < 0.5:
        c.circle((leaf - 0.018, (y0 + y1) / 2), 0.009, (220, 190, 90))


def window(c: Canvas, night: bool, cloud: float) -> None:
    """Sky behind a cross of wood."""
    x0, y0, x1, y1 = WINDOW
    c.rect(x0 - 0.01, y0 - 0.01, x1 + 0.01, y1 + 0.01, (235, 232, 225))
    c.rect(x0, y0, x1, y1, (16, 20, 52) if night else (150, 205, 250))
    if night:
        c.circle((mix(x0 + 0.03, x1 - 0.03, cloud), y0 + 0.035), 0.014, (240, 235, 200))
    else:
        c.ellipse((mix(x0 + 0.04, x1 - 0.04, cloud), y0 + 0.05), (0.03, 0.014), (245, 248, 252))
    c.line(((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1), (235, 232, 225), 0.01)


def lamp(c: Canvas, on: bool) -> None:
    """A lamp that hangs from the ceiling."""
    x, y = LAMP
    c.line((x, -0.1), (x, y - 0.03), (60, 60, 60), 0.008)
    c.poly(
        [(x - 0.025, y - 0.03), (x + 0.025, y - 0.03), (x + 0.06, y + 0.03), (x - 0.06, y + 0.03)],
        (255, 236, 150) if on else (96, 92, 90),
    )
    c.ellipse((x, y + 0.036), (0.03, 0.016), (255, 255, 225) if on else (70, 68, 66))


def kettle(c: Canvas, steaming: bool, metal: Colour, phase: float) -> None:
    """A kettle; its steam curls with `phase`."""
    x, y = KETTLE
    c.line((x - 0.03, y), (x - 0.065, y - 0.03), metal, 0.018)
    c.ellipse((x, y + 0.005), (0.045, 0.042), metal)
    c.ellipse((x, y - 0.035), (0.022, 0.01), shade(metal, 0.6))
    c.line((x - 0.025, y - 0.055), (x + 0.025, y - 0.055), (40, 40, 44), 0.012)
    if steaming:
        for k in range(4):
            u = (k / 4 + phase) % 1.0
            drift = 0.02 * float(np.sin(6.0 * u + 9.0 * phase))
            c.circle(
                (x - 0.07 - 0.02 * u + drift, y - 0.05 - 0.15 * u),
                0.018 + 0.018 * u,
                (232, 234, 238),
            )


def cup(c: Canvas, x: float, paint: Colour) -> None:
    """A cup with a handle."""
    y = CUP_Y
    c.circle((x + 0.03, y - 0.012), 0.015, shade(paint, 0.8))
    c.poly(
        [
            (x - 0.026, y - 0.04),
            (x + 0.026, y - 0.04),
            (x + 0.02, y + 0.015),
            (x - 0.02, y + 0.015),
        ],
        paint,
    )
    c.ellipse((x, y - 0.04), (0.026, 0.009), shade(paint, 0.55))
