"""Gemma 3 (4B and larger; the smaller ones have no eyes). A chunk is one or two pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from aura_core.models.backend import Around
from aura_core.models.families.base import ChunkPrompt
from aura_core.models.families.gemma import Gemma
from aura_core.models.families.pictures import Settings, Sizes
from aura_core.models.sidecar import AuraSidecar

OPEN, CLOSE = "\n\n<start_of_image>", "<end_of_image>\n\n"


def gemma_pictures(written: str, frames: int, special: tuple[str, ...]) -> ChunkPrompt:
    """The prompt of a chunk of pictures, each of which the template marks as `written`."""
    texts = Around((OPEN, *(CLOSE + OPEN,) * (frames - 1), CLOSE))
    return ChunkPrompt(({"type": "image"},) * frames, written * frames, special, texts)


class Gemma3(Gemma):
    """The Gemma 3 family (see the module)."""

    classes: ClassVar[Mapping[str, str]] = {"gemma3": "Gemma3ForConditionalGeneration"}
    whole_pictures_everywhere = True

    @classmethod
    def prompt(cls, model_type: str, sidecar: AuraSidecar) -> ChunkPrompt:
        """See `Family`."""
        special = ("<start_of_image>", "<end_of_image>", "<image_soft_token>")
        return gemma_pictures("<start_of_image>", cls.frames(sidecar), special)

    @classmethod
    def sizes(cls, config: Settings, processor: Settings) -> Sizes:
        """See `PictureFamily`."""
        side = config.one(896, "vision_config", "image_size")
        tokens = math.isqrt(config.one(256, "mm_tokens_per_image"))
        return (side, side), (tokens, tokens)

    def logits(self, model: Any, hidden: Any) -> Any:
        """See `Family`. The library's class does not bound them."""
        return model.lm_head(hidden)


FAMILY = Gemma3
