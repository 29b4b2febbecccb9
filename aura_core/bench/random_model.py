"""Qwen3-VL with random weights of a given size.

The cost of a step does not depend on what a model has learned, so no checkpoint is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from aura_core.errors import ConfigError
from aura_core.models.chat import HFTokenizer, extract
from aura_core.models.families.qwen_vl import PixelSpec, QwenVL
from aura_core.models.local import LocalBackend
from aura_core.models.sidecar import sidecar
from aura_core.training.tiny.model import AURA_JSON, CHAT_TEMPLATE, build_tokenizer


@dataclass(frozen=True)
class Size:
    """A model's shape, and the size (height, width) of the frames that it is measured with."""

    text: dict[str, Any]
    vision: dict[str, Any]
    frame: tuple[int, int]


SIZES = {
    # 12 million parameters, 64 visual tokens per chunk. The proportions are those of an 8B model:
    # the vision encoder is a small part of a step, and with a full window attention costs nearly as
    # much as the matrix products.
    "small": Size(
        {
            "vocab_size": 512,
            "hidden_size": 384,
            "intermediate_size": 2304,
            "num_hidden_layers": 4,
            "num_attention_heads": 6,
            "num_key_value_heads": 1,
            "head_dim": 32,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
        },
        {
            "depth": 1,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 384,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [0],
        },
        (256, 256),
    ),
    "8b": Size(  # Qwen3-VL-8B's configuration; 300 visual tokens a chunk
        {
            "vocab_size": 151_936,
            "hidden_size": 4096,
            "intermediate_size": 12_288,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "tie_word_embeddings": False,
            "max_position_embeddings": 262_144,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5_000_000.0,
                "mrope_section": [24, 20, 20],
                "mrope_interleaved": True,
            },
        },
        {
            "depth": 27,
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_heads": 16,
            "out_hidden_size": 4096,
            "num_position_embeddings": 2304,
            "deepstack_visual_indexes": [8, 16, 24],
        },
        (480, 640),
    ),
}


class RandomBackend(LocalBackend):
    """A backend with random weights.

    Args:
        size: a key of `SIZES`.
        device, dtype: as torch names them.
        attention: sdpa or flash_attention_2.
    """

    def __init__(
        self, size: str, device: str = "cpu", dtype: str = "float32", attention: str = "sdpa"
    ) -> None:
        from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

        if size not in SIZES:
            raise ConfigError(f"--size must be one of {', '.join(SIZES)}, not '{size}'")
        shape = SIZES[size]
        inner = build_tokenizer()
        ids = inner.get_vocab()
        config = Qwen3VLConfig(
            text_config=shape.text,
            vision_config=shape.vision | {"patch_size": 16, "spatial_merge_size": 2},
            image_token_id=ids["<|image_pad|>"],
            video_token_id=ids["<|video_pad|>"],
            vision_start_token_id=ids["<|vision_start|>"],
            vision_end_token_id=ids["<|vision_end|>"],
            tie_word_embeddings=shape.text["tie_word_embeddings"],
        )
        config._attn_implementation = attention
        self.frame = shape.frame
        kind = getattr(torch, dtype)
        torch.manual_seed(0)
        before = torch.get_default_dtype()
        # 8 billion weights are made on their device and in their dtype.
        torch.set_default_dtype(kind)
        try:
            with torch.device(device):
                model = Qwen3VLForConditionalGeneration(config).eval()
        finally:
            torch.set_default_dtype(before)
        tokenizer, name = HFTokenizer(inner), f"random {size}"
        chat = extract(tokenizer, CHAT_TEMPLATE, "qwen3_vl", sidecar(AURA_JSON, name), name)
        pixels = shape.frame[0] * shape.frame[1]
        spec = PixelSpec(16, 2, 2, pixels, pixels, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        super().__init__(name, QwenVL("qwen3_vl", spec), model, tokenizer, chat)
