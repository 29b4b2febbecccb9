"""Gemma 3n. A chunk is one or two pictures. Its vision encoder needs the package timm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from aura_core.models.families.base import Block, ChunkPrompt
from aura_core.models.families.gemma import Gemma
from aura_core.models.families.gemma3 import gemma_pictures
from aura_core.models.families.pictures import Settings, Sizes
from aura_core.models.sidecar import AuraSidecar

if TYPE_CHECKING:
    import torch


class Gemma3n(Gemma):
    """The Gemma 3n family (see the module)."""

    classes: ClassVar[Mapping[str, str]] = {"gemma3n": "Gemma3nForConditionalGeneration"}

    @classmethod
    def prompt(cls, model_type: str, sidecar: AuraSidecar) -> ChunkPrompt:
        """See `Family`."""
        special = ("<start_of_image>", "<end_of_image>", "<image_soft_token>")
        return gemma_pictures("<image_soft_token>", cls.frames(sidecar), special)

    @classmethod
    def sizes(cls, config: Settings, processor: Settings) -> Sizes:
        """See `PictureFamily`. Only the image processor knows the size in pixels."""
        tokens = math.isqrt(config.one(256, "vision_soft_tokens_per_image"))
        side = processor.one(768, "size", "height")
        return (side, side), (tokens, tokens)

    def bidirectional(self, model: Any) -> bool:
        """See `Gemma`."""
        return False

    def embed(self, model: Any, block: Block) -> torch.Tensor:
        """See `Family`. The marks around a picture have a table of their own."""
        inner, embeds = model.model, super().embed(model, block)
        table = inner.embed_vision
        first, end = table.vocab_offset, inner.embed_audio.vocab_offset
        marks = (block.ids >= first) & (block.ids < end)
        ids = block.ids.where(marks, first)
        return table(input_ids=ids).to(embeds.dtype).where(marks[..., None], embeds)

    def per_layer(self, model: Any, block: Block) -> Mapping[str, Any]:
        """See `Gemma`. Visual tokens and marks have the entry of token 0, as in the library."""
        text = self.text(model)
        without = block.visual | (block.ids >= text.config.vocab_size_per_layer_input)
        return {"per_layer_inputs": text.get_per_layer_inputs(block.ids.masked_fill(without, 0))}


FAMILY = Gemma3n
