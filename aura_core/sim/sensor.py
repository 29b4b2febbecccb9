"""A camera as cameras are: when it takes its frames, and what it does to the picture.

`Sensor.draw(seed)` draws one; `IDEAL` takes two frames a second, at 0 and at half, and changes
nothing. Everything is a pure function of its fields.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aura_core.config import SamplingConfig
from aura_core.sim.canvas import Image

FPS = (5.0, 60.0)
WIDTHS = (128, 160, 160, 192, 192, 192, 224, 256, 320)
ASPECTS = ("4:3", "4:3", "4:3", "5:4", "3:2", "16:9")
CAMERAS = ("drawn", "ideal")
NS = 1_000_000_000


_LUMA = np.asarray([0.299, 0.587, 0.114])


@functools.cache
def _grain() -> NDArray[np.float32]:
    """Noise of sigma 1, larger than any frame by 64 pixels."""
    rng = np.random.default_rng(20_242)
    shape = (max(WIDTHS) + 64, max(WIDTHS) * 2 + 64, 3)
    return rng.standard_normal(shape, np.float32)


@dataclass(frozen=True)
class Shot:
    """One frame: what moment it shows [s of the room], and its stamp [ns since the first frame]."""

    t_s: float
    stamp_ns: int


@dataclass(frozen=True)
class Sensor:
    """One camera.

    Time: the first frame is taken at `phase_s`; then `fps` a second, each up to `jitter` periods
    late or early; a frame is lost with probability `drop`, or shows the picture before with
    probability `double`; the clock of its stamps goes `drift` (share) too fast.

    Picture: `width` pixels; `aspect`: 5:4 and 3:2 see a part of the room's 4:3, 16:9 squeezes a
    part of it; `gains` of red, green and blue; `steps` of exposure (from when [s], gain); sensor
    `noise` (sigma, of 255) in numbered grains; `blur` (sigma, pixels at 192 wide); `saturation`, 0
    is monochrome (never drawn: nobody could tell colours); `jpeg` quality, 0 uncompressed.
    """

    seed: int = 0
    phase_s: float = 0.0
    fps: float = 2.0
    jitter: float = 0.0
    drop: float = 0.0
    double: float = 0.0
    drift: float = 0.0
    width: int = 192
    aspect: str = "4:3"
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    steps: tuple[tuple[float, float], ...] = ()
    noise: float = 0.0
    blur: float = 0.0
    saturation: float = 1.0
    jpeg: int = 0

    @classmethod
    def draw(cls, seed: int) -> Sensor:
        """A camera by its seed: half of them good ones, each fault alone or with others."""
        rng = np.random.default_rng([seed, 21])

        def sometimes(share: float, low: float, high: float, other: float = 0.0) -> float:
            value = float(rng.uniform(low, high))
            return value if rng.random() < share else other

        warm = sometimes(0.5, -0.12, 0.12)
        steps, t = [], 0.0
        exposure = rng.random() < 0.4
        while exposure and t < 600:
            steps.append((t, float(rng.uniform(0.75, 1.25))))
            t += float(rng.uniform(6.0, 40.0))
        return cls(
            seed=seed,
            phase_s=float(rng.uniform(0.0, 1.0)),
            fps=float(np.exp(rng.uniform(*np.log(FPS)))),
            jitter=sometimes(0.6, 0.0, 0.3),
            drop=sometimes(0.3, 0.0, 0.1),
            double=sometimes(0.3, 0.0, 0.1),
            drift=sometimes(0.5, -0.002, 0.002),
            width=int(rng.choice(WIDTHS)),
            aspect=str(rng.choice(ASPECTS)),
            gains=(1.0 + warm, 1.0 + sometimes(0.3, -0.04, 0.04), 1.0 - warm),
            steps=tuple(steps),
            noise=sometimes(0.5, 0.0, 9.0),
            blur=sometimes(0.35, 0.3, 1.1),
            saturation=sometimes(0.4, 0.6, 1.1, 1.0),
            jpeg=int(sometimes(0.6, 35, 95)),
        )

    def shots(self, seconds: int) -> list[Shot]:
        """All frames of the first `seconds` and a bit, in order. Those of a longer time begin with
        these."""
        n = int((seconds + 1) * self.fps) + 2
        draws = [np.random.default_rng([self.seed, 22, k]).random(n) for k in range(3)]
        early = (2.0 * draws[0] - 1.0) * self.jitter
        lost, doubled = draws[1] < self.drop, draws[2] < self.double
        taken = self.phase_s + (np.arange(n) + early - early[0]) / self.fps
        lost[0] = doubled[0] = False
        shows = np.where(doubled, np.concatenate((taken[:1], taken[:-1])), taken)
        stamps = np.round((taken - taken[0]) * (1.0 + self.drift) * NS).astype(np.int64)
        return [Shot(float(t), int(s)) for t, s in zip(shows[~lost], stamps[~lost], strict=True)]

    def chunks(self, seconds: int) -> list[tuple[Shot, Shot]]:
        """The two frames of each of the first `seconds` chunks, by the rule of
        `stream.sampling.ChunkSampler`: the first in each slot of half a second; a slot that got
        none repeats the chunk's other. A chunk without any, which the sampler would leave out,
        repeats the one before."""
        slot_ns, early_ns = NS // 2, round(SamplingConfig().tolerance_s * NS)
        first: dict[int, Shot] = {}
        for shot in self.shots(seconds):
            first.setdefault((shot.stamp_ns + early_ns) // slot_ns, shot)
        out: list[tuple[Shot, Shot]] = []
        for chunk in range(seconds):
            pair = [first[s] for s in (2 * chunk, 2 * chunk + 1) if s in first]
            out.append((pair[0], pair[-1]) if pair else (out[-1][1], out[-1][1]))
        return out

    def looks(self, seconds: int) -> tuple[tuple[float, float], ...]:
        """What moments the frames of `chunks` show [s of the room]."""
        return tuple((a.t_s, b.t_s) for a, b in self.chunks(seconds))

    def picture(self, image: Image, t_s: float) -> Image:
        """What it makes of a 4:3 RGB picture of the room at `t_s`."""
        if self == IDEAL:
            return image
        image = self._framed(image)
        if self.blur:
            sigma = self.blur * image.shape[1] / 192
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
        gain = next((g for since, g in reversed(self.steps) if t_s >= since), 1.0)
        levels = np.arange(256, dtype=np.float32)[:, None] * (gain * np.asarray(self.gains))
        table = np.clip(levels, 0, 255).astype(np.uint8)[None]
        if gain != 1.0 or self.gains != (1.0, 1.0, 1.0):
            image = np.asarray(cv2.LUT(image, table), np.uint8)
        if self.saturation != 1.0:
            grey = (1.0 - self.saturation) * _LUMA
            image = np.asarray(
                cv2.transform(image, np.eye(3) * self.saturation + grey[None]), np.uint8
            )
        if self.noise:
            rng = np.random.default_rng([self.seed, 23, max(0, round(t_s * 1000))])
            ny, nx = rng.integers(0, 64, 2)
            h, w = image.shape[:2]
            grain = (_grain()[ny : ny + h, nx : nx + w] * self.noise).astype(np.int16)
            image = np.asarray(cv2.add(image, grain, dtype=cv2.CV_8U), np.uint8)
        if self.jpeg:
            coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])[1]
            image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED), np.uint8)
        return image

    def _framed(self, image: Image) -> Image:
        h, w = image.shape[:2]
        if self.aspect == "5:4":
            cut = round(w * (1 - 15 / 16) / 2)
            return np.ascontiguousarray(image[:, cut : w - cut])
        if self.aspect in ("3:2", "16:9"):
            cut = round(h / 27)  # more wall than table
            image = np.ascontiguousarray(image[2 * cut : h - cut])
        if self.aspect == "16:9":
            size = (round(image.shape[0] * 16 / 9), image.shape[0])
            image = np.asarray(cv2.resize(image, size), np.uint8)
        return image


IDEAL = Sensor()


def sensor(camera: str, seed: int) -> Sensor:
    """The camera called `camera` (one of `CAMERAS`) of the episode `seed`."""
    return IDEAL if camera == "ideal" else Sensor.draw(seed)
