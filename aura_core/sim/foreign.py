"""Pictures that are not the simulated room: what the model must say it does not know.

Procedural, for training: flat, noise, gradients, stripes, texture with the spectrum of photographs,
overlapping shapes ("dead leaves"), other drawings, and the room itself upside down or in pieces.
They stand, drift or flicker.
"""

from __future__ import annotations

import cv2
import numpy as np

from aura_core.sim.canvas import Image

KINDS = (
    "flat",
    "noise",
    "gradient",
    "stripes",
    "texture",
    "leaves",
    "drawing",
    "landscape",
    "upside down",
    "pieces",
)


class Foreign:
    """One foreign film: `frame(t_s)` is uint8 RGB (height, width, 3), a pure function of seed and
    time. `room`: a picture of a room, for the kinds that distort one."""

    def __init__(self, seed: int, width: int, height: int, room: Image) -> None:
        rng = np.random.default_rng([seed, 31])
        self.kind = str(rng.choice(KINDS))
        self.width, self.height, self._seed = width, height, seed
        big = (height * 5 // 4, width * 5 // 4)
        self._still = self._drawn(rng, big, cv2.resize(room, (big[1], big[0])))
        moves = rng.random()
        speed = float(rng.uniform(0.05, 0.6))
        self._speed = 0.0 if moves < 0.4 else speed
        self._flicker = float(rng.uniform(0.05, 0.3)) if moves > 0.8 else 0.0
        self._cut_s = float(rng.uniform(2.0, 12.0)) if rng.random() < 0.3 else 0.0
        self._other = self._drawn(rng, big, self._still)

    def frame(self, t_s: float) -> Image:
        """The picture at `t_s`."""
        rng = np.random.default_rng([self._seed, 32, max(0, round(t_s * 1000))])
        if self.kind == "noise":
            return rng.integers(0, 256, (self.height, self.width, 3), np.uint8)
        second = self._cut_s and int(t_s / self._cut_s) % 2
        still = self._other if second else self._still
        dy, dx = still.shape[0] - self.height, still.shape[1] - self.width
        y = round(dy * (0.5 + 0.5 * np.sin(self._speed * t_s)))
        x = round(dx * (0.5 + 0.5 * np.cos(0.7 * self._speed * t_s)))
        image = still[y : y + self.height, x : x + self.width]
        gain = 1.0 + self._flicker * float(rng.uniform(-1, 1))
        return np.asarray(cv2.convertScaleAbs(image, alpha=gain), np.uint8)

    def _drawn(self, rng: np.random.Generator, size: tuple[int, int], room: Image) -> Image:
        h, w = size
        kind = self.kind
        if kind == "flat":
            colour = (
                rng.integers(0, 256, 3) if rng.random() < 0.5 else int(rng.choice([0, 12, 255]))
            )
            return np.full((h, w, 3), colour, np.uint8)
        if kind == "gradient":
            corners = rng.uniform(0, 255, (2, 2, 3)).astype(np.float32)
            return np.asarray(cv2.resize(corners, (w, h)), np.uint8)
        if kind == "stripes":
            along = np.arange(w)[None, :] * rng.uniform(-1, 1) + np.arange(h)[:, None]
            on = (np.sin(along * rng.uniform(0.05, 0.8)) > rng.uniform(-0.5, 0.5))[..., None]
            return np.where(on, rng.integers(0, 256, 3), rng.integers(0, 256, 3)).astype(np.uint8)
        if kind == "texture":
            return self._texture(rng, h, w)
        if kind == "upside down":
            return np.ascontiguousarray(room[::-1])
        if kind == "pieces":
            n = int(rng.integers(2, 5))
            tiles = [t for row in np.array_split(room, n) for t in np.array_split(row, n, axis=1)]
            order = rng.permutation(len(tiles))
            if (order == np.arange(len(tiles))).mean() > 0.5:  # nearly the room itself
                order = np.roll(order, 1)
            size_wh = (w // n + 1, h // n + 1)
            tiles = [np.asarray(cv2.resize(tiles[i], size_wh), np.uint8) for i in order]
            rows = [np.concatenate(tiles[i * n : (i + 1) * n], axis=1) for i in range(n)]
            return np.ascontiguousarray(np.concatenate(rows)[:h, :w])
        if kind == "leaves":
            return self._leaves(rng, h, w)
        if kind == "landscape":
            return self._landscape(rng, h, w)
        return self._drawing(rng, h, w)

    @staticmethod
    def _texture(rng: np.random.Generator, h: int, w: int) -> Image:
        """Noise whose amplitude falls with frequency as in photographs."""
        fy, fx = np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w)[None, :]
        fall = np.maximum(np.hypot(fy, fx), 1 / w) ** -float(rng.uniform(0.8, 1.7))
        planes = []
        shared = rng.standard_normal((h, w))
        mix = float(rng.uniform(0.0, 0.7))
        for _ in range(3):
            own = (1 - mix) * shared + mix * rng.standard_normal((h, w))
            plane = np.fft.irfft2(np.fft.rfft2(own) * fall, (h, w))
            plane = (plane - plane.mean()) / (plane.std() + 1e-9)
            planes.append(rng.uniform(40, 210) + plane * rng.uniform(15, 60))
        return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)

    @classmethod
    def _leaves(cls, rng: np.random.Generator, h: int, w: int) -> Image:
        image = cls._texture(rng, h, w)
        for _ in range(int(rng.integers(20, 160))):
            r = float(min(h / 2, h * 0.02 / max(rng.random(), 0.02)))
            at = (int(rng.integers(w)), int(rng.integers(h)))
            colour = tuple(float(v) for v in rng.uniform(0, 255, 3))
            angle = float(rng.uniform(0, 180))
            if rng.random() < 0.5:
                axes = (max(1, int(r)), max(1, int(r * rng.uniform(0.3, 1))))
                cv2.ellipse(image, at, axes, angle, 0, 360, colour, -1, cv2.LINE_AA)
            else:
                box = cv2.boxPoints(
                    (
                        (float(at[0]), float(at[1])),
                        (2 * r, 2 * r * float(rng.uniform(0.2, 1))),
                        angle,
                    )
                )
                cv2.fillPoly(image, [box.astype(np.int32)], colour, cv2.LINE_AA)
        sigma = float(rng.uniform(0.0, 2.0))
        return (
            np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8) if sigma > 0.3 else image
        )

    @classmethod
    def _landscape(cls, rng: np.random.Generator, h: int, w: int) -> Image:
        horizon = int(h * rng.uniform(0.25, 0.8))
        image = np.empty((h, w, 3), np.uint8)
        top, low = rng.uniform(60, 255, 3), rng.uniform(60, 255, 3)
        fade = np.linspace(0, 1, h)[:, None, None]
        image[:] = (top * (1 - fade) + low * fade).astype(np.uint8)
        ground = cls._texture(rng, h, w)
        image[horizon:] = ground[horizon:]
        for _ in range(int(rng.integers(1, 8))):
            x, width = int(rng.integers(-20, w)), int(rng.integers(5, max(6, w // 3)))
            tall = int(h * rng.uniform(0.05, 0.6))
            colour = tuple(float(v) for v in rng.uniform(0, 220, 3))
            if rng.random() < 0.5:
                cv2.rectangle(image, (x, horizon - tall), (x + width, horizon + 4), colour, -1)
            else:
                peak = np.asarray(
                    [(x, horizon + 4), (x + width // 2, horizon - tall), (x + width, horizon + 4)]
                )
                cv2.fillPoly(image, [peak.astype(np.int32)], colour, cv2.LINE_AA)
        return image

    @staticmethod
    def _drawing(rng: np.random.Generator, h: int, w: int) -> Image:
        """Lines, boxes and letters on a sheet: a page, a screen, a plan."""
        image = np.full((h, w, 3), rng.integers(0, 256, 3), np.uint8)
        for _ in range(int(rng.integers(3, 40))):
            a = (int(rng.integers(w)), int(rng.integers(h)))
            b = (int(rng.integers(w)), int(rng.integers(h)))
            colour = tuple(float(v) for v in rng.uniform(0, 255, 3))
            form, thick = int(rng.integers(4)), int(rng.integers(1, 5))
            if form == 0:
                cv2.line(image, a, b, colour, thick, cv2.LINE_AA)
            elif form == 1:
                cv2.rectangle(image, a, b, colour, thick if rng.random() < 0.6 else -1)
            elif form == 2:
                cv2.circle(image, a, int(rng.integers(2, h // 3)), colour, thick, cv2.LINE_AA)
            else:
                letters = "".join(chr(int(c)) for c in rng.integers(65, 91, 6))
                scale = float(rng.uniform(0.3, 1.2))
                cv2.putText(image, letters, a, 0, scale, colour, max(1, thick // 2), cv2.LINE_AA)
        return image
