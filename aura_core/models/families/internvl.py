"""InternVL3 and InternVL3.5 in the layout of transformers (names that end in -HF).

A picture is one tile. One frame is shown as an image, two as a video of two frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from aura_core.models.backend import Around
from aura_core.models.families.base import ChunkPrompt
from aura_core.models.families.pictures import PictureFamily, Settings, Sizes
from aura_core.models.sidecar import AuraSidecar


class InternVL(PictureFamily):
    """The InternVL family (see the module)."""

    classes: ClassVar[Mapping[str, str]] = {"internvl": "InternVLForConditionalGeneration"}

    @classmethod
    def prompt(cls, model_type: str, sidecar: AuraSidecar) -> ChunkPrompt:
        """See `Family`."""
        if cls.frames(sidecar) == 1:
            kind, written, texts = "image", "<IMG_CONTEXT>\n", ("<img>", "</img>\n")
        else:
            kind, written = "video", "<video>\n"
            texts = ("Frame1: <img>", "</img>\nFrame2: <img>", "</img>\n")
        special = ("<img>", "</img>", "<IMG_CONTEXT>")
        return ChunkPrompt(({"type": kind},), written, special, Around(texts))

    @classmethod
    def sizes(cls, config: Settings, processor: Settings) -> Sizes:
        """See `PictureFamily`. Two by two patches are one visual token."""
        height, width = config.pair(448, "vision_config", "image_size")
        rows, columns = config.pair(14, "vision_config", "patch_size")
        return (height, width), (height // rows // 2, width // columns // 2)


FAMILY = InternVL
