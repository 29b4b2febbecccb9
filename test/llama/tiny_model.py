"""Writes a tiny random llama and a random projector as GGUF files; runs in `.llama`.

    python tiny_model.py FOLDER

The tokenizer has one token for each byte, a few whole words, and special tokens.
"""

import sys
from pathlib import Path

import gguf
import numpy as np

WIDTH, INNER, HEADS, LAYERS = 64, 128, 4, 2
SEEN, SEEN_INNER, SEEN_LAYERS, PATCH, SIDE = 32, 64, 3, 14, 56  # of the projector
MERGES = ["y e", "ye s", "n o", "Y e", "Ye s", "N o"]
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|silent|>"]
TEMPLATE = (
    "{%- for m in messages -%}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)
RNG = np.random.default_rng(0)


def random(*shape: int, scale: float = 0.5) -> np.ndarray:
    """Float32 numbers."""
    return (RNG.standard_normal(shape) * scale).astype(np.float32)


def ones(n: int) -> np.ndarray:
    """Float32 ones."""
    return np.ones(n, np.float32)


def zeros(n: int) -> np.ndarray:
    """Float32 zeros."""
    return np.zeros(n, np.float32)


def byte_texts() -> list[str]:
    """The letters that stand for the bytes 0 to 255 in a byte-level BPE."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(b) if b in shown else chr(next(others)) for b in range(256)]


def write_model(path: Path) -> None:
    """The language model."""
    words = [*byte_texts(), *(m.replace(" ", "") for m in MERGES)]
    tokens = [*words, *SPECIALS]
    normal, control = int(gguf.TokenType.NORMAL), int(gguf.TokenType.CONTROL)
    w = gguf.GGUFWriter(str(path), "llama")
    w.add_name("tiny")
    w.add_context_length(4096)
    w.add_embedding_length(WIDTH)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(INNER)
    w.add_head_count(HEADS)
    w.add_head_count_kv(HEADS)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(WIDTH // HEADS)
    w.add_vocab_size(len(tokens))
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types([normal] * len(words) + [control] * len(SPECIALS))
    w.add_token_merges(MERGES)
    w.add_bos_token_id(tokens.index("<|endoftext|>"))
    w.add_eos_token_id(tokens.index("<|im_end|>"))
    w.add_add_bos_token(False)
    w.add_chat_template(TEMPLATE)
    w.add_tensor("token_embd.weight", random(len(tokens), WIDTH))
    w.add_tensor("output_norm.weight", ones(WIDTH))
    w.add_tensor("output.weight", random(len(tokens), WIDTH))
    for i in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            w.add_tensor(f"blk.{i}.{name}.weight", ones(WIDTH))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            w.add_tensor(f"blk.{i}.{name}.weight", random(WIDTH, WIDTH, scale=0.125))
        for name in ("ffn_gate", "ffn_up"):
            w.add_tensor(f"blk.{i}.{name}.weight", random(INNER, WIDTH, scale=0.125))
        w.add_tensor(f"blk.{i}.ffn_down.weight", random(WIDTH, INNER, scale=0.125))
    finish(w)


def write_projector(path: Path) -> None:
    """The vision encoder and the projector of a LLaVA."""
    w = gguf.GGUFWriter(str(path), "clip")
    w.add_bool("clip.has_vision_encoder", True)
    w.add_string("clip.projector_type", "mlp")
    w.add_bool("clip.use_gelu", False)
    w.add_bool("clip.use_silu", False)
    for name, value in (
        ("image_size", SIDE),
        ("patch_size", PATCH),
        ("embedding_length", SEEN),
        ("feed_forward_length", SEEN_INNER),
        ("projection_dim", WIDTH),
        ("block_count", SEEN_LAYERS),
        ("attention.head_count", 2),
    ):
        w.add_uint32(f"clip.vision.{name}", value)
    w.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    w.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    w.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    w.add_tensor("v.patch_embd.weight", random(SEEN, 3, PATCH, PATCH))
    w.add_tensor("v.class_embd", random(SEEN))
    w.add_tensor("v.position_embd.weight", random((SIDE // PATCH) ** 2 + 1, SEEN))
    w.add_tensor("v.pre_ln.weight", ones(SEEN))
    w.add_tensor("v.pre_ln.bias", zeros(SEEN))
    for i in range(SEEN_LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            w.add_tensor(f"v.blk.{i}.{name}.weight", random(SEEN, SEEN))
            w.add_tensor(f"v.blk.{i}.{name}.bias", zeros(SEEN))
        for name in ("ln1", "ln2"):
            w.add_tensor(f"v.blk.{i}.{name}.weight", ones(SEEN))
            w.add_tensor(f"v.blk.{i}.{name}.bias", zeros(SEEN))
        w.add_tensor(f"v.blk.{i}.ffn_up.weight", random(SEEN_INNER, SEEN))
        w.add_tensor(f"v.blk.{i}.ffn_up.bias", zeros(SEEN_INNER))
        w.add_tensor(f"v.blk.{i}.ffn_down.weight", random(SEEN, SEEN_INNER))
        w.add_tensor(f"v.blk.{i}.ffn_down.bias", zeros(SEEN))
    for name, rows, columns in (("mm.0", WIDTH, SEEN), ("mm.2", WIDTH, WIDTH)):
        w.add_tensor(f"{name}.weight", random(rows, columns))
        w.add_tensor(f"{name}.bias", zeros(rows))
    finish(w)


def finish(w: gguf.GGUFWriter) -> None:
    """Write the file."""
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_model(folder / "tiny.gguf")
    write_projector(folder / "tiny-mmproj.gguf")
