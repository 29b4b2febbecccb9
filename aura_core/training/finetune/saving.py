"""Saves a trained model as a checkpoint that loads by itself (`aura run --model FOLDER`).

The checkpoint decides by its silent token.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from aura_core.config import ModelConfig
from aura_core.errors import ModelError
from aura_core.extras import how_to_install
from aura_core.models import checkpoint, portable
from aura_core.models.bars import without_bars
from aura_core.models.chat import SILENT
from aura_core.models.grammar import FORMS
from aura_core.models.local import LocalBackend
from aura_core.models.sidecar import read_aura, read_json
from aura_core.training.finetune.opening import open_base

_OURS = ("config.json", "aura.json", "README.md")  # written again, or true of the base alone


def base_folder(path: str) -> Path:
    """Return the folder of a base checkpoint. Raises `ModelError`."""
    return checkpoint.find(path, path)


def save_checkpoint(
    backend: LocalBackend,
    added: bool,
    base: Path,
    out: Path,
    dtype: torch.dtype,
    state: dict[str, Any] | None = None,
) -> None:
    """Write `backend`'s model in the layout of `base`.

    That is: weights in `dtype`, which config.json tells, tokenizer, processors and `aura.json`.
    transformers 4.57 and vLLM read the folder too (`models/portable.py`).

    Args:
        added: whether the silent token is new to the base.
        state: the model's whole state, if the model itself holds only a part (sharded over
            processes).
    """
    out.mkdir(parents=True, exist_ok=True)
    state = backend.model.state_dict() if state is None else state
    with without_bars():
        backend.model.save_pretrained(
            out, state_dict={k: v.detach().to("cpu", dtype) for k, v in state.items()}
        )
    # The base's own files last: transformers has written some of them in its newest form.
    for file in portable.small_files(base):
        if file.name not in _OURS:
            shutil.copyfile(file, out / file.name)
    rows = int(backend.model.get_input_embeddings().weight.shape[0])
    told_dtype = str(dtype).removeprefix("torch.")
    config = portable.config(read_json(base / "config.json"), told_dtype, rows)
    portable.write_json(out / "config.json", config)
    if added:
        portable.add_special(out, SILENT, backend.chat.silent_id)
    else:
        portable.tokenizer_config(out)
    told = read_aura(base)
    sidecar = {
        "trained_to_decide": True,
        **_markers(backend),
        "system_prompt": backend.chat.system_prompt,
        "frame_timestamps": told.frame_timestamps,
        "max_pixels": backend.pixels.max_pixels,
    } | ({"memory": asdict(told.memory)} if told.memory else {})
    for key in ("frame_height", "frame_width", "chunk_frames"):
        if (value := getattr(told, key)) is not None:
            sidecar[key] = value
    portable.write_json(out / "aura.json", sidecar)


def save_pixels(adapter: Path, max_pixels: int) -> None:
    """Write the size of the training frames beside an adapter; `merge` reads it."""
    portable.write_json(adapter / "aura.json", {"max_pixels": max_pixels})


def merge(config: ModelConfig, adapter: Path, out: Path, dtype: torch.dtype) -> None:
    """Write the checkpoint of `config` with `adapter` (LoRA) merged into its weights.

    The arithmetic is float32. The size of frames is that in the adapter's `aura.json`, else that of
    `config` and the checkpoint.

    Raises `ModelError` when the adapter is missing, or was made for another checkpoint.
    """
    try:
        from peft import PeftModel, get_peft_model_state_dict
        from safetensors import safe_open
    except ImportError as e:
        raise ModelError(
            f"peft is not installed, and LoRA needs it: {how_to_install('train')}"
        ) from e
    weights = adapter / "adapter_model.safetensors"
    if not weights.is_file():
        raise ModelError(f"{adapter}: no adapter_model.safetensors in it")
    if pixels := read_aura(adapter).max_pixels:
        config = replace(config, max_pixels=pixels)
    backend, added = open_base(config)
    try:
        model = PeftModel.from_pretrained(backend.model, adapter)
    except (RuntimeError, ValueError, KeyError) as e:
        raise ModelError(
            f"{adapter}: does not fit {config.path}: {' '.join(str(e).split())[:200]}"
        ) from e
    with safe_open(weights, "pt") as file:
        strangers = sorted(
            set(file.keys()) ^ set(get_peft_model_state_dict(model, save_embedding_layers=False))
        )
    if strangers:  # peft ignores unknown weights without an error
        raise ModelError(
            f"{adapter}: does not fit {config.path}: {len(strangers)} weights, first {strangers[0]}"
        )
    backend.model = model.merge_and_unload()
    save_checkpoint(backend, added, base_folder(config.path), out, dtype)


def _markers(backend: LocalBackend) -> dict[str, str]:
    """The tokens of `aura.json` that say how the checkpoint decides."""
    grammar = backend.chat.grammar
    if grammar is None:
        return {"silent_token": _spelled(backend, backend.chat.silent_id)}
    form = grammar.form
    if form in FORMS.values():
        return {"grammar": next(name for name, known in FORMS.items() if known == form)}
    tokens = {"silent_token": form.silent, "respond_token": form.respond}
    if form.delegates:
        tokens["delegate_token"] = form.delegates[0]
    return {key: token for key, token in tokens.items() if token}


def _spelled(backend: LocalBackend, token: int) -> str:
    return str(backend.tokenizer.inner.convert_ids_to_tokens(token))
