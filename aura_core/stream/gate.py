"""Static-scene gate: a chunk that shows the same as the last encoded one reuses its features.

Each frame is averaged down to cells, `CELLS` of them along its longer side, in colour. Let a and b
be the cells of a frame and of the same frame of the last encoded chunk. The chunk is static when
both conditions hold for each of its frames, with `level` in grey levels (0..255):

    max  |a - b| <= level        no small thing has entered
    mean |a - b| <= level / 4    the light of the whole scene has not changed

Both are taken over cells and colour channels. Sensor noise with a standard deviation of s per pixel
gives a standard deviation of s * sqrt(2 / pixels of a cell) in a - b, so the noise nearly vanishes.
A thing that differs by C grey levels from its background is noticed once it covers level / C of one
cell, or of four cells when it lies on their corner.

The comparison is with the last encoded chunk, not with the previous one, so slow changes add up
until a chunk is encoded. The gate saves the work of the vision encoder. It saves no prefill,
because the number of tokens stays the same. It is approximate: the features are those of the
earlier, nearly equal frames (compare TimeChat-Online's frame dropping).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from aura_core.config import GateConfig
from aura_core.models.backend import Video
from aura_core.models.pixels import resize
from aura_core.types import Chunk

CELLS = 24  # along the longer side: 8 pixels a cell at 192x192, 27 at 640x480
MEAN_SHARE = 4


class StaticGate:
    """Encodes chunks, except those that show the same as the last encoded one.

    Args:
        encode: the backend's.
        config: with `level` None every chunk is encoded and nothing is compared.
    """

    def __init__(self, encode: Callable[[Chunk], Video], config: GateConfig) -> None:
        self.level = config.level
        self.encodes = self.reused = 0
        self._encode = encode
        # cells and features of the last encoded chunk
        self._known: tuple[list[NDArray[np.float32]], Video] | None = None

    def encode(self, chunk: Chunk) -> Video:
        """The chunk's features: encoded, or reused from the last encoded chunk."""
        if self.level is None:
            self.encodes += 1
            return self._encode(chunk)
        seen = [cells(frame.image) for frame in chunk.frames]
        if self._known is not None and same(seen, self._known[0], self.level):
            self.reused += 1
            return self._known[1]
        video = self._encode(chunk)
        self._known = (seen, video)
        self.encodes += 1
        return video


def cells(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Area averages of an RGB uint8 (H, W, 3) image, `CELLS` along its longer side.

    Returns float32 (rows, columns, 3).
    """
    height, width = image.shape[:2]
    scale = min(1.0, CELLS / max(height, width))
    small = resize(image, max(1, round(height * scale)), max(1, round(width * scale)))
    return small.astype(np.float32)


def same(now: list[NDArray[np.float32]], then: list[NDArray[np.float32]], level: float) -> bool:
    """Whether the cells of every frame are equal within `level` (see the module).

    Frames of different shapes are never equal.
    """
    for a, b in zip(now, then, strict=True):
        if a.shape != b.shape:
            return False
        difference = np.abs(a - b)
        if difference.max() > level or difference.mean() > level / MEAN_SHARE:
            return False
    return True
