"""LLaVA-OneVision. A chunk is a video of one or two frames, each pooled to a quarter of its tokens.

After the frames stands one more visual token, the end of the line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aura_core.models.backend import Around
from aura_core.models.families.base import ChunkPrompt, Features
from aura_core.models.families.pictures import PictureFamily, Settings, Sizes, pooled
from aura_core.models.sidecar import AuraSidecar

if TYPE_CHECKING:
    import torch


class LlavaOnevision(PictureFamily):
    """The LLaVA-OneVision family (see the module)."""

    classes: ClassVar[Mapping[str, str]] = {
        "llava_onevision": "LlavaOnevisionForConditionalGeneration"
    }

    @classmethod
    def prompt(cls, model_type: str, sidecar: AuraSidecar) -> ChunkPrompt:
        """See `Family`. The visual tokens stand alone."""
        return ChunkPrompt(({"type": "video"},), "<video>", ("<video>",), Around(("", "")))

    @classmethod
    def sizes(cls, config: Settings, processor: Settings) -> Sizes:
        """See `PictureFamily`. The pooling rounds up."""
        side = config.one(384, "vision_config", "image_size")
        tokens = -(-(side // config.one(14, "vision_config", "patch_size")) // 2)
        return (side, side), (tokens, tokens)

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """One run: the tokens of all frames, and the end of the line."""
        rows, columns = self.pixels.grid
        return ((1, self.pixels.frames * rows * columns + 1),)

    def arrays(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """`pixel_values_videos` float32 (1, frames, 3, height, width)."""
        return {"pixel_values_videos": super().arrays(frames)["pixel_values"][None]}

    def features(self, model: Any, arrays: Mapping[str, torch.Tensor]) -> Features:
        """See `Family`."""
        return pooled(model.model.get_video_features(**arrays))


FAMILY = LlavaOnevision
