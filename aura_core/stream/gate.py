"""Static-scene gate: a chunk that shows what the last encoded one showed reuses its features.

Each frame is averaged down to cells, CELLS along its longer side (colour kept, so that equal
brightness hides nothing). With a and b the cells of a frame and of the same frame of the last
ENCODED chunk, the chunk is static when, for both of its frames and with `level` in grey levels
(0..255):

    max |a - b| <= level      over cells and channels: a small thing that enters is not averaged away
    mean |a - b| <= level / 4 over the same: the light of the whole scene may not change by nearly
    `level`

Sensor noise of deviation s a pixel is s * sqrt(2 / pixels of a cell) in a - b, so it vanishes in
the cells; a thing that differs by C grey levels from what is behind it is seen once it covers level
/ C of one cell (of four cells in the worst place). Because the last encoded chunk is the measure,
not the previous one, slow change adds up until it is encoded. The tokens in the prompt are as many
as ever: it saves the vision encoder's work, not the prefill. Approximate: features are those of the
earlier, nearly equal frames (after STC, TimeChat-Online's frame dropping).
"""  # noqa: E501

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
    """Stands before the vision encoder.

    Args:
        encode: the backend's.
        config: with `level` None every chunk is encoded and nothing is compared.
    """

    def __init__(self, encode: Callable[[Chunk], Video], config: GateConfig) -> None:
        self.level = config.level
        self.encodes = self.reused = 0
        self._encode = encode
        # of the last encoded chunk
        self._known: tuple[list[NDArray[np.float32]], Video] | None = None

    def encode(self, chunk: Chunk) -> Video:
        """The chunk's features: encoded, or those of the last encoded chunk when it shows
        the same."""
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
    """Area averages of an RGB uint8 (H, W, 3) image: float32 (rows, columns, 3), CELLS along the
    longer side."""
    height, width = image.shape[:2]
    scale = min(1.0, CELLS / max(height, width))
    small = resize(image, max(1, round(height * scale)), max(1, round(width * scale)))
    return small.astype(np.float32)


def same(now: list[NDArray[np.float32]], then: list[NDArray[np.float32]], level: float) -> bool:
    """Whether every frame's cells are equal within `level` (see the module); frames of another
    shape are not."""
    for a, b in zip(now, then, strict=True):
        if a.shape != b.shape:
            return False
        difference = np.abs(a - b)
        if difference.max() > level or difference.mean() > level / MEAN_SHARE:
            return False
    return True
