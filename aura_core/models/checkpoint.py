"""Find a checkpoint, and check that it is complete. Nothing here imports torch."""

from __future__ import annotations

import re
from pathlib import Path

from aura_core.errors import ModelError
from aura_core.extras import how_to_install
from aura_core.models import families, quantized
from aura_core.models.sidecar import read_json

# Models that the package brings, by the name that `model.path` takes.
EMBEDDED = {name: Path(__file__).parent / name for name in ("aura_tiny", "aura_tiny_memory")}

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_TEXT_FILES = ["*.json", "*.jinja", "merges.txt"]
_FILES = [*_TEXT_FILES, "*.safetensors"]


def find(path: str, name: str, weights: bool = True) -> Path:
    """The folder of a checkpoint: an embedded one, a local folder, or a snapshot from the hub.

    Args:
        path: a name in `EMBEDDED`, a folder, or a hub id such as `Qwen/Qwen3-VL-2B-Instruct`. What
            looks like a local path, or exists, is never looked up on the hub.
        name: the model, for messages.
        weights: False fetches only the small files.

    Raises:
        ModelError: there is no such folder, or the hub does not give it.
    """
    if path in EMBEDDED:
        return _embedded(path)
    local = Path(path).expanduser()
    if is_local(path):
        if not local.is_dir():
            state = "is not a folder" if local.exists() else "does not exist"
            raise ModelError(f"{name}: the model folder {local} {state}")
        return local
    if not _HUB_ID.fullmatch(path):
        raise ModelError(
            f"{name or 'model.path'}: neither a folder, a hub id (owner/name), 'aura_tiny',"
            " 'aura_tiny_memory' nor 'scripted'"
        )
    folder = _snapshot(path, _TEXT_FILES)
    if not weights:
        return folder
    if (folder / "config.json").is_file():
        quantized.check(folder, name)  # before gigabytes are fetched
    return _snapshot(path, _FILES)


def is_local(path: str) -> bool:
    """Whether a path is a folder's, and no name and no hub id."""
    if path in EMBEDDED:
        return False
    return path.startswith(("/", ".", "~")) or (bool(path) and Path(path).expanduser().exists())


def _embedded(name: str) -> Path:
    folder = EMBEDDED[name]
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{name}: incomplete checkpoint: config.json is missing in {folder}; install the"
            " package again, or name another model"
        )
    return folder


def family(folder: Path, name: str) -> str:
    """The `model_type` in config.json. Raises `ModelError` when it is missing or not supported."""
    if not (folder / "config.json").is_file():
        raise _missing(name, folder, "config.json")
    model_type = read_json(folder / "config.json").get("model_type")
    families.find(model_type, name)
    return str(model_type)


def check(folder: Path, name: str, quantize: str = "none") -> str:
    """The `model_type` of a checkpoint, after checking that its files are there.

    `quantize` is `model.quantize`. Raises `ModelError` naming what is missing or not supported,
    packages that read quantized weights included.
    """
    model_type = family(folder, name)
    quantized.check(folder, name, quantize)
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        weights = read_json(index).get("weight_map")
        if not isinstance(weights, dict) or not weights:
            raise ModelError(f"{index}: no weight_map in it")
        for shard in sorted(set(weights.values())):
            if not (folder / shard).is_file():
                raise _missing(name, folder, shard)
    elif not (folder / "model.safetensors").is_file():
        raise _missing(
            name, folder, "model.safetensors (or model.safetensors.index.json and its shards)"
        )
    if not (folder / "tokenizer.json").is_file():
        for file in ("vocab.json", "merges.txt"):
            if not (folder / file).is_file():
                raise _missing(name, folder, "tokenizer.json")
    return model_type


def _missing(name: str, folder: Path, file: str) -> ModelError:
    return ModelError(f"{name}: incomplete checkpoint: {file} is missing in {folder}")


def _snapshot(hub_id: str, files: list[str]) -> Path:
    try:
        from huggingface_hub import snapshot_download

        # the HTTP error of the client that this version of huggingface_hub uses
        from huggingface_hub.errors import HTTPError
    except ImportError as e:
        raise not_installed(e) from e
    try:
        return Path(snapshot_download(hub_id, allow_patterns=files))
    except (HTTPError, OSError, ValueError) as e:
        reason = next(
            (line.strip() for line in str(e).splitlines() if line.strip()), type(e).__name__
        )
        raise ModelError(
            f"{hub_id}: not found on disk, and the hub did not give it: {reason[:200]}"
        ) from e


def not_installed(error: ImportError) -> ModelError:
    """The `ModelError` for a missing optional package."""
    return ModelError(
        f"{error.name or error} is not installed, and a model needs it: {how_to_install('model')}"
        " (torch first and alone for another build of it, CPU or CUDA)"
    )
