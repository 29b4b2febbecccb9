"""Small random checkpoints of both families, with the files of the published ones.

They have the real architecture at small sizes: windowed vision attention (Qwen2.5-VL), deepstack
and learned positions (Qwen3-VL), mRoPE sections, byte-level BPE with the families' special tokens,
sharded safetensors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FAMILIES = ("qwen3_vl", "qwen2_5_vl")
SPECIALS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
SILENT = "<|silent|>"
# One pre-tokenization rule of the family: words, digits, runs of punctuation, line breaks, blanks.
_SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CORPUS = (
    "user assistant system You are watching a live video stream. Tell me when the red cube appears"
    " on the table. What colour is the ball? seconds I will tell you. The hand has left. 0.2"
    " 0123456789\n" * 3
)

_CONTENT = (
    "{%- macro content(c) -%}{%- if c is string -%}{{ c }}{%- else -%}{%- for part in c -%}"
    "{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>"
    "{%- elif part.type == 'video' -%}<|vision_start|><|video_pad|><|vision_end|>"
    "{%- else -%}{{ part.text }}{%- endif -%}{%- endfor -%}{%- endif -%}{%- endmacro -%}"
)
_TURNS = (
    "{%- for m in messages -%}{{ '<|im_start|>' + m.role + '\n' }}{{ content(m.content) }}{{"
    " '<|im_end|>\n' }}{%- endfor -%}{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n'"
    " }}{%- endif -%}"
)
_DEFAULT_SYSTEM = (
    "{%- if messages[0].role != 'system' -%}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{%- endif -%}"
)
TEMPLATES = {"qwen3_vl": _CONTENT + _TURNS, "qwen2_5_vl": _CONTENT + _DEFAULT_SYSTEM + _TURNS}
# strings only: fails on a video
TEXT_ONLY = "{%- for m in messages -%}{{ m.role + m.content }}{%- endfor -%}"


def tokenizer(silent: bool, specials: tuple[str, ...] = SPECIALS) -> Any:
    """A byte-level BPE with a few dozen merges and the special tokens."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        [_CORPUS],
        trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False),
    )
    core.add_special_tokens(
        [AddedToken(s, special=True) for s in (*specials, *([SILENT] if silent else []))]
    )
    return core


def config(family: str, vocab: dict[str, int], layers: int = 3, head_dim: int = 16) -> Any:
    """The family's configuration at small sizes. `head_dim` is of Qwen3-VL alone."""
    import transformers

    text: dict[str, Any] = {
        "vocab_size": (len(vocab) + 15) // 16 * 16,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "initializer_range": 0.15,
        "bos_token_id": None,
        "eos_token_id": vocab["<|im_end|>"],
    }
    vision: dict[str, Any] = {
        "depth": 3,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": 64,
        "initializer_range": 0.15,
    }
    ids = {
        "image_token_id": vocab["<|image_pad|>"],
        "video_token_id": vocab["<|video_pad|>"],
        "vision_start_token_id": vocab["<|vision_start|>"],
        "vision_end_token_id": vocab["<|vision_end|>"],
    }
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": 5_000.0}
    if family == "qwen3_vl":
        half = head_dim // 2  # of it, a half stands for the time, a quarter for each direction
        section = [half // 2, half // 4, half // 4]
        text |= {
            "head_dim": head_dim,
            "rope_parameters": rope | {"mrope_section": section, "mrope_interleaved": True},
        }
        vision |= {
            "patch_size": 16,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
        }
        return transformers.Qwen3VLConfig(
            text_config=text, vision_config=vision, tie_word_embeddings=False, **ids
        )
    text |= {"rope_parameters": rope | {"mrope_section": [2, 3, 3]}}
    # Windows of 4 x 4 merged tokens and one full layer, so that both kinds of attention run.
    vision |= {
        "patch_size": 14,
        "window_size": 112,
        "fullatt_block_indexes": [2],
        "tokens_per_second": 2,
    }
    return transformers.Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=False, **ids
    )


def in_float64(backend: Any) -> Any:
    """Let `backend` compute in float64, in place. Its session still returns float32 logits.

    Two orders of the same sums then differ by 1e-15, and not by the rounding of this machine's
    float32 kernels (threads, instruction set, BLAS). So a test needs no tuned tolerance. The
    library normalises in float32 whatever the type of the model; inputs that agree to 1e-15 round
    to the same float32.
    """
    backend.model.double()
    return backend


def float32_steps(values: Any, count: int = 2) -> float:
    """`count` times the distance of neighbouring float32 numbers at the largest of `values`.

    That is the difference that remains between two float64 results that are equal up to rounding,
    when each is rounded to float32.
    """
    import numpy as np

    return count * float(np.spacing(np.float32(np.abs(np.asarray(values)).max())))


def write(
    folder: Path,
    family: str,
    *,
    silent: bool = True,
    seed: int = 0,
    layers: int = 3,
    head_dim: int = 16,
) -> Path:
    """Write a random checkpoint of `family` to `folder`; returns the folder."""
    import torch
    import transformers

    core = tokenizer(silent)
    torch.manual_seed(seed)
    name = (
        "Qwen3VLForConditionalGeneration"
        if family == "qwen3_vl"
        else "Qwen2_5_VLForConditionalGeneration"
    )
    model = getattr(transformers, name)(config(family, core.get_vocab(), layers, head_dim)).float()
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, max_shard_size="300KB")
    _publish_config(folder / "config.json", family)
    _write_tokenizer(folder, core, family, silent)
    three = [0.5, 0.5, 0.5] if family == "qwen3_vl" else [0.48145466, 0.4578275, 0.40821073]
    std = [0.5, 0.5, 0.5] if family == "qwen3_vl" else [0.26862954, 0.26130258, 0.27577711]
    patch = 16 if family == "qwen3_vl" else 14
    pixels: dict[str, Any] = {
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "patch_size": patch,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": three,
        "image_std": std,
    }
    if family == "qwen3_vl":
        total = {"size": {"longest_edge": 25_165_824, "shortest_edge": 8_192}}
        _write_json(folder / "video_preprocessor_config.json", pixels | total)
        pixels["size"] = {"longest_edge": 16_777_216, "shortest_edge": 1024}
    else:
        pixels |= {"min_pixels": 784, "max_pixels": 12_845_056}
    _write_json(folder / "preprocessor_config.json", pixels)
    return folder


def _publish_config(path: Path, family: str) -> None:
    """Write the configuration as the hub's files have it, instead of as transformers 5 does.

    That is `rope_scaling`, and Qwen2.5-VL without sections.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    text = data["text_config"]
    rope = text.pop("rope_parameters")
    text["rope_theta"] = rope.pop("rope_theta")
    text["rope_scaling"] = rope
    if family == "qwen2_5_vl":
        rope["type"] = "mrope"
        del data["text_config"], text["model_type"], text["layer_types"]
        data |= text
    _write_json(path, data)


def _write_tokenizer(folder: Path, core: Any, family: str, silent: bool) -> None:
    core.save(str(folder / "tokenizer.json"))
    settings: dict[str, Any] = {
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "bos_token": None,
        "unk_token": None,
        "model_max_length": 4096,
        "clean_up_tokenization_spaces": False,
        "additional_special_tokens": [*SPECIALS[1:], *([SILENT] if silent else [])],
        "errors": "replace",
    }
    if family == "qwen2_5_vl":  # published so: the text-only template beside the one with videos
        settings["chat_template"] = TEXT_ONLY
        _write_json(folder / "chat_template.json", {"chat_template": TEMPLATES[family]})
    else:
        (folder / "chat_template.jinja").write_text(TEMPLATES[family], encoding="utf-8")
    _write_json(folder / "tokenizer_config.json", settings)


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
