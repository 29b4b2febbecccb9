"""How much GPU memory a checkpoint takes, computed from its small files: `aura fit`.

No weights are read. The names and shapes of the tensors come from the headers of the safetensors
files where they are there, else from the architecture that config.json describes, made without
memory (torch's meta device). Everything is in bytes:

    weights     = sum over tensors: numbers * bytes of a number, see `bytes_of`
    KV a token  = sum over layers that keep their own: 2 * key-value heads * head size * bytes
    turn        = visual tokens of a chunk + tokens of the template around it
    window      = ROOM * (max * turn + WORDS) * KV a token
    shadow      = ROOM * (keep * turn + WORDS) * KV a token      (window.policy shadow alone)
    activations = BLOCK * (6 * hidden + 3 * intermediate) * bytes       one block of a prefill
                + BLOCK * window tokens * bytes                         its attention mask
                + 2 * window tokens * heads * head size * bytes         keys and values, by head
                + patches * (4 * vision hidden + 2 * vision intermediate) * bytes
                + 2 * vocabulary * 4                                    the logits
    GPU         = CONTEXT, what CUDA and its libraries take

The first two are exact. `ROOM` is the most by which the buffers of the cache are larger than what
they hold. The activations are an estimate: which of them live at the same time depends on the
attention code. `CONTEXT` and `WORDS` are assumptions.

Knows no torch, but where only config.json is there.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.config import WindowConfig
from aura_core.errors import InputError, ModelError, one_line
from aura_core.models import checkpoint, families, quantized
from aura_core.models.backend import Tokens
from aura_core.models.families.base import Family
from aura_core.models.sidecar import read_aura, read_json, read_template

GB = 2**30
ROOM = 1.25  # see `models/kv_cache.py`
BLOCK = 2048  # most tokens of one call of the language model, see `models/kv_session.py`
WORDS = 1024  # tokens of the prefix and of all questions and answers in view
TEMPLATE = 24  # tokens around a chunk where the tokenizer's files are not there
CONTEXT = round(0.7 * GB)
BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
QUANTIZE = ("none", "fp8", "int8", "4bit")
GPUS = (8, 12, 16, 24, 48, 80)  # GB

_HEADER_MOST = 100_000_000  # bytes of the header of a safetensors file, by its specification


@dataclass(frozen=True)
class Tensor:
    """One tensor of a checkpoint. `stored` are its bytes in the file; None where there is none."""

    shape: tuple[int, ...]
    stored: int | None = None

    @property
    def size(self) -> int:
        """Number of numbers."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Plan:
    """What is computed of a checkpoint.

    Attributes:
        name: as the user gave it.
        tensors: by name.
        method: how the stored weights are quantized; "" when they are not.
        kv: numbers that the keys and values of one token are, in all layers.
        heads: width of all heads of a layer together, the widest.
        hidden, intermediate, vocabulary: of the language model.
        vision: hidden and intermediate size of the vision encoder.
        patches: of one chunk.
        visual: visual tokens of one chunk.
        template: tokens of a silent turn around them.
        context: most positions of the model.
    """

    name: str
    tensors: Mapping[str, Tensor]
    method: str
    kv: int
    heads: int
    hidden: int
    intermediate: int
    vocabulary: int
    vision: tuple[int, int]
    patches: int
    visual: int
    template: int
    context: int

    @property
    def parameters(self) -> int:
        """Numbers of all tensors; of quantized ones, as they are packed."""
        return sum(t.size for t in self.tensors.values())

    @property
    def turn(self) -> int:
        """Tokens of a silent turn."""
        return self.visual + self.template

    def kv_token(self, dtype: str) -> int:
        """Bytes of the keys and values of one token."""
        return round(self.kv * BYTES[dtype])


@dataclass(frozen=True)
class Need:
    """Bytes of each part."""

    weights: int
    window: int
    shadow: int
    activations: int
    context: int = CONTEXT

    @property
    def total(self) -> int:
        """Their sum."""
        return self.weights + self.window + self.shadow + self.activations + self.context


# ---- the checkpoint -----------------------------------------------------------------------------


def plan(path: str, frame: tuple[int, int], max_pixels: int | None = None) -> Plan:
    """Read the small files of a checkpoint.

    Args:
        path: a folder, a hub id, or aura_tiny. Of the hub, only the small files are fetched.
        frame: (height, width) of the camera, in pixels.
        max_pixels: as `model.max_pixels`.

    Raises:
        ModelError: the checkpoint is missing, of an unknown family, or its config.json does not
            describe a model.
        InputError: the frame cannot be used.
    """
    try:
        import transformers
    except ImportError as e:
        raise checkpoint.not_installed(e) from e
    folder = checkpoint.find(path, path, weights=False)
    model_type = checkpoint.family(folder, path)
    kind = families.find(model_type, path)
    family = _family(kind, folder, model_type, max_pixels or read_aura(folder).max_pixels)
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        text = config.get_text_config()
        vision = getattr(config, "vision_config", None)
        layers = [_layer(layer) for layer in _layers(text)]
        own = len(layers) - int(getattr(text, "num_kv_shared_layers", None) or 0)
        wide = int(getattr(vision, "hidden_size", 0))
        sizes = {
            "kv": sum(2 * kv_heads * head for _, kv_heads, head, _ in layers[:own]),
            "heads": max(heads * head for heads, _, head, _ in layers),
            "hidden": int(text.hidden_size),
            "intermediate": max(inner for _, _, _, inner in layers),
            "vocabulary": int(text.vocab_size),
            "context": int(text.max_position_embeddings),
            "vision": (wide, _most(getattr(vision, "intermediate_size", 4 * wide))),
        }
    except Exception as e:  # transformers checks each field by validators of its own
        reason = one_line(e, 200)
        raise ModelError(f"{path}: its config.json does not describe a model: {reason}") from e
    try:
        height, width = family.frame_size(*frame)
    except ValueError as e:
        raise InputError(f"--frame: {e}") from e
    grids = family.grids(height, width)
    merge = int(getattr(vision, "spatial_merge_size", 1))
    visual = sum(rows * columns for rows, columns in grids)
    return Plan(
        name=path,
        tensors=stored(folder) or described(config, kind.classes[model_type], path),
        method=quantized.method(folder),
        visual=visual,
        patches=visual * merge**2,
        template=_template(folder, model_type, path),
        **sizes,
    )


def _layers(text: Any) -> list[Any]:
    """The configuration of each layer; most configurations have one for all."""
    each = getattr(text, "per_layer_config", None)
    return list(each) if each else [text] * int(text.num_hidden_layers)


def _layer(layer: Any) -> tuple[int, int, int, int]:
    """Heads, key-value heads, width of a head, and intermediate size."""
    heads = int(layer.num_attention_heads)
    kv_heads = int(getattr(layer, "num_key_value_heads", None) or heads)
    head = int(getattr(layer, "head_dim", None) or layer.hidden_size // heads)
    return heads, kv_heads, head, _most(layer.intermediate_size)


def _most(size: Any) -> int:
    """A size that some configurations give for each layer."""
    return int(max(size) if isinstance(size, list | tuple) else size)


def _family(kind: type[Family], folder: Path, model_type: str, max_pixels: int | None) -> Family:
    """The family as the checkpoint uses it; where only config.json is there, with its defaults."""
    if list(folder.glob("*processor_config.json")):
        return kind.open(folder, model_type, max_pixels)
    with tempfile.TemporaryDirectory(prefix="aura-fit-") as made:
        shutil.copyfile(folder / "config.json", Path(made) / "config.json")
        grey = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
        (Path(made) / "preprocessor_config.json").write_text(json.dumps(grey), encoding="utf-8")
        return kind.open(Path(made), model_type, max_pixels)


def stored(folder: Path) -> dict[str, Tensor]:
    """The tensors of the safetensors files in `folder`, from their headers; {} where one is not
    there. Raises `ModelError` for a file that is no safetensors file."""
    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.is_file():
        names = set(map(str, dict(read_json(index).get("weight_map") or {}).values()))
    files = [folder / name for name in sorted(names)]
    if not files or not all(file.is_file() for file in files):
        return {}
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors |= _header(file)
    return tensors


def _header(file: Path) -> dict[str, Tensor]:
    """A header: 8 bytes with its length, then JSON with dtype, shape and place of each tensor."""
    try:
        with file.open("rb") as f:
            length = int.from_bytes(f.read(8), "little")
            if not 0 < length <= _HEADER_MOST:
                raise ValueError("its header has no sensible length")
            entries = json.loads(f.read(length))
        return {
            name: Tensor(
                tuple(map(int, entry["shape"])),
                int(entry["data_offsets"][1]) - int(entry["data_offsets"][0]),
            )
            for name, entry in entries.items()
            if name != "__metadata__"
        }
    except (AttributeError, IndexError, KeyError, OSError, TypeError, ValueError) as e:
        raise ModelError(f"{file}: no readable safetensors file: {one_line(e, 100)}") from e


def described(config: Any, kind: str, where: str) -> dict[str, Tensor]:
    """The tensors of the model that `config` describes. `kind` is its class of transformers."""
    try:
        import torch
        import transformers
    except ImportError as e:
        raise checkpoint.not_installed(e) from e
    if not hasattr(transformers, kind):
        raise ModelError(
            f"{where}: transformers {transformers.__version__} has no {kind}; install a newer one"
        )
    try:
        with torch.device("meta"):
            model = getattr(transformers, kind)(config)
    except (AttributeError, ImportError, KeyError, RuntimeError, TypeError, ValueError) as e:
        reason = one_line(e, 200)
        raise ModelError(f"{where}: its config.json does not describe a model: {reason}") from e
    return {name: Tensor(tuple(p.shape)) for name, p in model.named_parameters()}


def _template(folder: Path, model_type: str, where: str) -> int:
    """Tokens of a silent turn around the visual tokens."""
    from aura_core.models.chat import extract, open_tokenizer
    from aura_core.stream.prompt import PromptCodec

    if not (folder / "tokenizer.json").is_file() and not (folder / "vocab.json").is_file():
        return TEMPLATE
    tokenizer = open_tokenizer(folder, where)
    template = read_template(folder, tokenizer.inner.chat_template)
    chat = extract(tokenizer, template, model_type, read_aura(folder), where)
    codec = PromptCodec(tokenizer, chat)
    turn = [*codec.user(chat.chunk.stand_in(None), None), codec.assistant(None)]
    return sum(len(piece) for piece in turn if isinstance(piece, Tokens))


# ---- the formulas -------------------------------------------------------------------------------


def bytes_of(name: str, tensor: Tensor, dtype: str, quantize: str) -> float:
    """Bytes of one tensor in memory.

    Quantized are matrices, of the language model and the vision encoder, but neither embeddings nor
    the head: fp8 and int8 take a byte a number, 4bit half a byte. With them come the scales, in
    float32: one for 128 x 128 numbers (fp8), for each row (int8), for 64 numbers (4bit, as
    bitsandbytes stores NF4; AWQ and GPTQ take a little less).
    """
    if quantize == "none" or not _is_matrix(name, tensor):
        return tensor.size * BYTES[dtype]
    rows = tensor.size // tensor.shape[-1]
    if quantize == "int8":
        return tensor.size + 4 * rows
    return tensor.size * (1 + 4 / 128**2 if quantize == "fp8" else 0.5 + 4 / 64)


def _is_matrix(name: str, tensor: Tensor) -> bool:
    return len(tensor.shape) > 1 and not any(p in name for p in ("embed", "lm_head", "norm"))


def weights(plan: Plan, dtype: str, quantize: str) -> int:
    """Bytes of all weights. A checkpoint that is quantized already takes what its files take.

    Raises `InputError` where it would have to be quantized again.
    """
    if not plan.method:
        return round(sum(bytes_of(n, t, dtype, quantize) for n, t in plan.tensors.items()))
    if quantize != "none":
        raise InputError(f"{plan.name}: its weights are quantized already ({plan.method})")
    if any(t.stored is None for t in plan.tensors.values()):
        raise InputError(
            f"{plan.name}: its weights are quantized ({plan.method}), and only their files tell how"
            " large they are; they are not there"
        )
    return sum(t.stored or 0 for t in plan.tensors.values())


def need(plan: Plan, window: WindowConfig, dtype: str = "bfloat16", quantize: str = "none") -> Need:
    """The bytes that the checkpoint takes with this window; see the module for the formulas."""
    size, per_token = BYTES[dtype], plan.kv_token(dtype)
    tokens = window.max * plan.turn + WORDS
    shadow = window.keep * plan.turn + WORDS if window.policy == "shadow" else 0
    wide, inner = plan.vision
    activations = (
        BLOCK * (6 * plan.hidden + 3 * plan.intermediate) * size
        + BLOCK * tokens * size
        + 2 * tokens * plan.heads * size
        + plan.patches * (4 * wide + 2 * inner) * size
        + 2 * plan.vocabulary * 4
    )
    return Need(
        weights(plan, dtype, quantize),
        round(ROOM * tokens * per_token),
        round(ROOM * shadow * per_token),
        round(activations),
    )


def largest(
    plan: Plan, window: WindowConfig, room: int, dtype: str, quantize: str
) -> WindowConfig | None:
    """The largest window with the proportions of `window` that fits in `room` bytes; at most
    `window`. None where not even one of 2 chunks does."""

    def of(chunks: int) -> WindowConfig:
        keep = max(1, min(chunks - 1, chunks * window.keep // window.max))
        return WindowConfig(keep=keep, max=chunks, policy=window.policy)

    def fits(chunks: int) -> bool:
        made = of(chunks)
        long = (made.max * plan.turn) > plan.context
        return not long and need(plan, made, dtype, quantize).total <= room

    low, high = 1, window.max  # `low` fits, or is no window
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return None if low < 2 else window if low == window.max else of(low)
