"""What families share whose chunk is pictures: each frame is one picture of a fixed size.

Frames are squeezed to that size, as the families' own processors do with the frames of a video; no
tiles are cut. A chunk shows its newest frame, or both (`shown_by_default`, `chunk_frames` in
`aura.json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ModelError
from aura_core.models.families.base import Family, Features
from aura_core.models.pixels import normalised
from aura_core.models.positions import PlainPositions
from aura_core.models.sidecar import (
    AuraSidecar,
    read_aura,
    read_json,
    read_preprocessor,
    three_numbers,
)

if TYPE_CHECKING:
    import torch

NONE, ALL = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # mean and deviation of colours that stay as they are


# (height, width) of a picture in pixels, and (rows, columns) of its visual tokens
Sizes = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Settings:
    """A JSON file of a checkpoint, read number by number."""

    path: Path
    data: Mapping[str, Any]

    @classmethod
    def config(cls, folder: Path) -> Self:
        """The checkpoint's config.json."""
        return cls(folder / "config.json", read_json(folder / "config.json"))

    def pair(self, default: int, *keys: str) -> tuple[int, int]:
        """The number or the two numbers at `keys`. Raises `ModelError` where it is none."""
        value: Any = self.data
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        value = default if value is None else value
        both = value if isinstance(value, list) else [value, value]
        if len(both) != 2 or not all(type(v) is int and v > 0 for v in both):
            raise ModelError(f"{self.path}: {'.'.join(keys)} must be a size, not {value!r}")
        return both[0], both[1]

    def one(self, default: int, *keys: str) -> int:
        """The number at `keys`. Raises `ModelError` where it is none."""
        return self.pair(default, *keys)[0]


@dataclass(frozen=True)
class PictureSpec:
    """How a checkpoint wants its pictures.

    Attributes:
        height: of a picture, in pixels.
        width: of a picture, in pixels.
        grid: (rows, columns) of visual tokens of one picture.
        frames: how many of a chunk's newest frames are shown.
        mean: of each colour, for normalisation.
        std: of each colour.
    """

    height: int
    width: int
    grid: tuple[int, int]
    frames: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def max_pixels(self) -> int:
        """Pixels of one picture."""
        return self.height * self.width


class PictureFamily(Family):
    """A family whose chunk is pictures of one size, and whose positions count tokens."""

    #: how many of a chunk's newest frames are shown where `aura.json` does not say; one picture of
    #: about 256 tokens, or two small ones, costs what a chunk of Qwen3-VL does
    shown_by_default: ClassVar[int] = 1
    evicts = True
    pixels: Any

    @classmethod
    def frames(cls, sidecar: AuraSidecar) -> int:
        """How many of a chunk's newest frames are shown."""
        return sidecar.chunk_frames or cls.shown_by_default

    @classmethod
    def sizes(cls, config: Settings, processor: Settings) -> Sizes:
        """The sizes of a picture, from config.json and the image processor's settings.

        A family whose pictures have no fixed size opens itself instead.
        """
        raise NotImplementedError

    @classmethod
    def open(cls, folder: Path, model_type: str, max_pixels: int | None) -> Self:
        """See `Family`. `max_pixels` has no effect: the size is fixed."""
        data, path, _ = read_preprocessor(folder)
        (height, width), grid = cls.sizes(Settings.config(folder), Settings(path, data))
        mean, std = NONE, ALL
        if data.get("do_normalize") is not False:
            mean = three_numbers(data, "image_mean", path)
            std = three_numbers(data, "image_std", path)
        frames = cls.frames(read_aura(folder))
        return cls(model_type, PictureSpec(height, width, grid, frames, mean, std))

    @property
    def shown(self) -> int:
        """See `Family`."""
        return self.pixels.frames

    def frame_size(self, height: int, width: int) -> tuple[int, int]:
        """The one size. Raises `ValueError` for a frame without area."""
        with_area(height, width)
        return self.pixels.height, self.pixels.width

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """One run of visual tokens for each frame."""
        return (self.pixels.grid,) * self.pixels.frames

    def arrays(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """`pixel_values` float32 (frames, 3, height, width)."""
        return {"pixel_values": normalised(frames, self.pixels.mean, self.pixels.std)}

    def vision(self, model: Any) -> torch.nn.Module:
        """See `Family`."""
        return model.model.vision_tower

    def features(self, model: Any, arrays: Mapping[str, torch.Tensor]) -> Features:
        """See `Family`."""
        return pooled(model.model.get_image_features(**arrays))

    def positions(self) -> PlainPositions:
        """See `Family`."""
        return PlainPositions()


def with_area(height: int, width: int) -> None:
    """Raises `ValueError` for a frame without area."""
    if min(height, width) < 1:
        raise ValueError(f"a frame of {width}x{height} pixels has no area")


def pooled(out: Any) -> Features:
    """The features of the library's output: (pictures, tokens, width), or a list of (V, width)."""
    import torch

    return Features(torch.cat(list(out.pooler_output)))
