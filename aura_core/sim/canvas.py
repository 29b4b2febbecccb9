"""Drawing in the room's units, anti-aliased, shifted by where the camera looks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Colour = tuple[float, float, float]
Point = tuple[float, float]
_SHIFT = 4  # sub-pixel bits of cv2's drawing functions


class Canvas:
    """`image` uint8 (H, W, 3); a unit of length is W pixels. `dx`, `dy` move everything."""

    def __init__(self, image: Image, dx: float, dy: float) -> None:
        self.image, self._width, self._dx, self._dy = image, image.shape[1], dx, dy

    def line(self, a: Point, b: Point, colour: Colour, width: float) -> None:
        """A stroke with round ends."""
        cv2.line(
            self.image,
            self._px(a),
            self._px(b),
            colour,
            max(1, round(width * self._width)),
            cv2.LINE_AA,
            _SHIFT,
        )

    def circle(self, at: Point, radius: float, colour: Colour) -> None:
        """A disc."""
        cv2.circle(self.image, self._px(at), self._len(radius), colour, -1, cv2.LINE_AA, _SHIFT)

    def ellipse(self, at: Point, radii: Point, colour: Colour, angle: float = 0.0) -> None:
        """A filled ellipse, turned by `angle` degrees."""
        axes = self._len(radii[0]), self._len(radii[1])
        cv2.ellipse(self.image, self._px(at), axes, angle, 0, 360, colour, -1, cv2.LINE_AA, _SHIFT)

    def poly(self, points: list[Point], colour: Colour) -> None:
        """A filled polygon."""
        corners = np.asarray([self._px(p) for p in points], np.int32)
        cv2.fillPoly(self.image, [corners], colour, cv2.LINE_AA, _SHIFT)

    def rect(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """A filled rectangle."""
        self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def paste(self, source: Image, margin: int, x0: float, y0: float, x1: float, y1: float) -> None:
        """Copy a rectangle of a prepared picture, that is larger than ours by `margin` pixels on
        each side."""
        ox, oy = round(self._dx * self._width), round(self._dy * self._width)
        h, w = self.image.shape[:2]
        left, right = max(0, round(x0 * self._width) + ox), min(w, round(x1 * self._width) + ox)
        top, bottom = max(0, round(y0 * self._width) + oy), min(h, round(y1 * self._width) + oy)
        self.image[top:bottom, left:right] = source[
            top - oy + margin : bottom - oy + margin, left - ox + margin : right - ox + margin
        ]

    def _px(self, p: Point) -> tuple[int, int]:
        scale = self._width * (1 << _SHIFT)
        return round((p[0] + self._dx) * scale), round((p[1] + self._dy) * scale)

    def _len(self, length: float) -> int:
        return round(length * self._width * (1 << _SHIFT))


def smooth(u: float) -> float:
    """0 to 1 with a soft beginning and end."""
    u = min(max(u, 0.0), 1.0)
    return u * u * (3.0 - 2.0 * u)


def mix(a: float, b: float, u: float) -> float:
    """`a` at 0, `b` at 1."""
    return a + (b - a) * u


def shade(colour: Colour, factor: float) -> Colour:
    """Darker below 1, lighter above."""
    r, g, b = (min(255.0, c * factor) for c in colour)
    return r, g, b
