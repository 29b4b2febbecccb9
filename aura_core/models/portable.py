"""The JSON files of a saved checkpoint, in a form that transformers 4.57, 5 and vLLM all read.

transformers 5 writes some keys that 4.57 does not know. 4.57.6 stops with an error where it
finds them without its own:

| transformers 5 writes | 4.57 reads |
| --- | --- |
| `rope_parameters` | `rope_theta`, `rope_scaling` |
| `extra_special_tokens`, a list | `additional_special_tokens` |
| `tokenizer_class: TokenizersBackend` | `PreTrainedTokenizerFast` |

So the files of a result are those of its base with as few changes as possible, and the older keys
beside the newer ones. Knows no torch.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from aura_core.errors import ModelError
from aura_core.models.sidecar import read_json

_TYPES = ("dtype", "torch_dtype")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".h5", ".msgpack")


def small_files(folder: Path) -> list[Path]:
    """The files of a checkpoint that hold no weights: settings, tokenizer, processors, texts.

    Weights in other formats are left out too, because a result has new ones.
    """
    return [
        file
        for file in sorted(folder.iterdir())
        if file.is_file() and file.suffix not in _WEIGHTS and ".safetensors" not in file.name
    ]


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write an object as the hub's files are written."""
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


# ---- config.json --------------------------------------------------------------------------------


def config(
    base: dict[str, Any], dtype: str | None = None, rows: int | None = None
) -> dict[str, Any]:
    """The config.json of a checkpoint that was made of another one.

    Args:
        base: the other one's config.json.
        dtype: the type of all stored tensors, such as "bfloat16"; None: as before.
        rows: rows of the embedding table; None: as before.
    """
    made = copy.deepcopy(base)
    parts = [made, *(v for k, v in made.items() if k.endswith("_config") and isinstance(v, dict))]
    for part in parts:
        if dtype is not None:
            part |= {key: dtype for key in _TYPES if key in part}
        _older_rope(part)
    if dtype is not None:
        made |= dict.fromkeys(_TYPES, dtype)
    if rows is not None:
        text = made.get("text_config")
        holders = [p for p in (text, made) if isinstance(p, dict) and "vocab_size" in p]
        for part in holders or [made]:
            part["vocab_size"] = rows
    return made


def _older_rope(part: dict[str, Any]) -> None:
    """Add the keys of transformers 4 for one kind of rotation. Others it does not know at all."""
    rope = part.get("rope_parameters")
    if not isinstance(rope, dict) or "rope_theta" not in rope or "rope_theta" in part:
        return
    if part.get("model_type", "").endswith("_vision"):
        return  # 4.57 computes the vision encoder's rotation without settings
    part["rope_theta"] = rope["rope_theta"]
    part.setdefault("rope_scaling", {k: v for k, v in rope.items() if k != "rope_theta"})


# ---- the tokenizer's files ----------------------------------------------------------------------


def tokenizer_config(folder: Path) -> None:
    """Rewrite tokenizer_config.json where transformers 5 wrote it, for 4.57 to read."""
    path = folder / "tokenizer_config.json"
    if not path.is_file():
        return
    data = read_json(path)
    made = {k: v for k, v in data.items() if k != "extra_special_tokens"}
    extra = data.get("extra_special_tokens")
    if isinstance(extra, list):
        known = made.get("additional_special_tokens") or []
        made["additional_special_tokens"] = [*known, *(t for t in extra if t not in known)]
    elif extra is not None:
        made["extra_special_tokens"] = extra  # names of single tokens, as 4.57 has them
    if made.get("tokenizer_class") == "TokenizersBackend":
        made["tokenizer_class"] = "PreTrainedTokenizerFast"
    if made != data:
        write_json(path, made)


def add_special(folder: Path, content: str, token: int) -> None:
    """Add a special token with the id `token` to the tokenizer's files in `folder`.

    All other entries stay as they are. Raises `ModelError` for files that are no tokenizer's.
    """
    entry = {
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    whole, settings = folder / "tokenizer.json", folder / "tokenizer_config.json"
    if whole.is_file():
        data = read_json(whole)
        added = data.setdefault("added_tokens", [])
        if not isinstance(added, list):
            raise ModelError(f"{whole}: added_tokens must be a list, not {type(added).__name__}")
        added.append({"id": token} | entry)
        write_json(whole, data)
    tokenizer_config(folder)
    data = read_json(settings) if settings.is_file() else {}
    if isinstance(data.get("added_tokens_decoder"), dict) or not whole.is_file():
        data.setdefault("added_tokens_decoder", {})[str(token)] = entry
    data["additional_special_tokens"] = [*(data.get("additional_special_tokens") or []), content]
    write_json(settings, data)
    _added_where_listed(folder, content, token)


def _added_where_listed(folder: Path, content: str, token: int) -> None:
    """Add the token to the two lists that older checkpoints have."""
    path = folder / "added_tokens.json"
    if path.is_file():
        write_json(path, read_json(path) | {content: token})
    path = folder / "special_tokens_map.json"
    if path.is_file():
        data = read_json(path)
        known = data.get("additional_special_tokens")
        if isinstance(known, list):
            write_json(path, data | {"additional_special_tokens": [*known, content]})
