"""Gemma 4. A chunk is a video of one or two frames of any aspect, about 70 tokens each.

The time stands before each frame. It is counted from the start of the chunk, so it is the same in
each chunk, and cached prompts stay valid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aura_core.models.backend import Around
from aura_core.models.families.base import Block, ChunkPrompt, Features
from aura_core.models.families.gemma import Gemma
from aura_core.models.families.pictures import ALL, NONE, Settings, pooled, with_area
from aura_core.models.pixels import normalised
from aura_core.models.sidecar import AuraSidecar, read_aura, read_video_preprocessor

if TYPE_CHECKING:
    import torch

TOKENS = 70  # of one frame, at most: the video processor's number where the checkpoint has none
OPEN, CLOSE = "00:00 <|image>", "<image|>"


@dataclass(frozen=True)
class PatchSpec:
    """The sizes that a checkpoint wants its frames in.

    Attributes:
        patch: side of a patch, in pixels.
        pool: side of one visual token, in patches.
        max_pixels: most pixels of one frame.
        frames: how many of a chunk's newest frames are shown.
    """

    patch: int
    pool: int
    max_pixels: int
    frames: int

    @property
    def factor(self) -> int:
        """Side of one visual token, in pixels."""
        return self.patch * self.pool


class Gemma4(Gemma):
    """The Gemma 4 family (see the module)."""

    classes: ClassVar[Mapping[str, str]] = {"gemma4": "Gemma4ForConditionalGeneration"}
    shown_by_default = 2
    pixels: PatchSpec

    @classmethod
    def prompt(cls, model_type: str, sidecar: AuraSidecar) -> ChunkPrompt:
        """See `Family`."""
        between = (f"{CLOSE} {OPEN}",) * (cls.frames(sidecar) - 1)
        texts = Around((OPEN, *between, CLOSE))
        return ChunkPrompt(({"type": "video"},), "<|video|>", ("<|image>", "<image|>"), texts)

    @classmethod
    def open(cls, folder: Path, model_type: str, max_pixels: int | None) -> Self:
        """See `Family`. A frame has at most as many tokens as in a video."""
        config = Settings.config(folder)
        patch = config.one(16, "vision_config", "patch_size")
        pool = config.one(3, "vision_config", "pooling_kernel_size")
        video = Settings(folder / "processor_config.json", read_video_preprocessor(folder))
        most = max_pixels or video.one(TOKENS, "max_soft_tokens") * (patch * pool) ** 2
        return cls(model_type, PatchSpec(patch, pool, most, cls.frames(read_aura(folder))))

    def frame_size(self, height: int, width: int) -> tuple[int, int]:
        """The largest size in whole tokens within `max_pixels`; the aspect is kept.

        This is the rule of the library's video processor. Raises `ValueError` for a frame without
        area.
        """
        with_area(height, width)
        f, scale = self.pixels.factor, math.sqrt(self.pixels.max_pixels / (height * width))
        most = max(1, self.pixels.max_pixels // f**2)  # tokens of a frame
        rows, columns = int(height * scale / f), int(width * scale / f)
        if not rows:
            rows, columns = 1, min(max(1, width // height), most)
        elif not columns:
            rows, columns = min(max(1, height // width), most), 1
        return rows * f, columns * f

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """One run of visual tokens for each frame."""
        f = self.pixels.factor
        return ((height // f, width // f),) * self.pixels.frames

    def arrays(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """`patches` float32 (frames, P, patch * patch * 3), and `places` int64 (frames, P, 2)."""
        p = self.pixels.patch
        n, _, height, width = (planes := normalised(frames, NONE, ALL)).shape
        rows, columns = height // p, width // p
        x = planes.reshape(n, 3, rows, p, columns, p).transpose(0, 2, 4, 3, 5, 1)
        y_x = np.indices((rows, columns)).reshape(2, -1)
        places = np.broadcast_to(y_x[::-1].T, (n, rows * columns, 2)).astype(np.int64)
        return {"patches": x.reshape(n, rows * columns, -1), "places": places}

    def features(self, model: Any, arrays: Mapping[str, torch.Tensor]) -> Features:
        """See `Family`. A frame needs no padding, because it runs alone or beside equal ones."""
        return pooled(model.model.get_image_features(arrays["patches"], arrays["places"]))

    def bidirectional(self, model: Any) -> bool:
        """See `Gemma`. The smaller models read pictures like text."""
        return self.text(model).config.use_bidirectional_attention == "vision"

    def per_layer(self, model: Any, block: Block) -> Mapping[str, Any]:
        """See `Gemma`. A visual token has the entry of the padding token, as in the library."""
        text = self.text(model)
        if not text.config.hidden_size_per_layer_input:
            return {}
        ids = block.ids.masked_fill(block.visual, text.config.pad_token_id)
        return {"per_layer_inputs": text.get_per_layer_inputs(ids, None)}


FAMILY = Gemma4
