"""Writes a trained checkpoint in the form of the one that training began with.

Tokens, template and `aura.json` are the same; only the weights differ. They are stored in the
number format of the first checkpoint.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from aura_core.errors import ModelError
from aura_core.models.bars import without_bars
from aura_core.models.local import LocalBackend


def save(backend: LocalBackend, base: Path, out: Path) -> None:
    """Write `backend`'s model to `out`; `base` is the folder that it was loaded from.

    Raises `ModelError` where `out` is `base`, or `base` has no weights.
    """
    if out.resolve() == base.resolve():
        raise ModelError(f"{out}: is the checkpoint that was trained; write to another folder")
    dtype = stored_dtype(base)
    out.mkdir(parents=True, exist_ok=True)
    state = {k: v.detach().to("cpu", dtype) for k, v in backend.model.state_dict().items()}
    with without_bars():
        backend.model.save_pretrained(out, state_dict=state)
    for file in base.iterdir():
        # the model card describes the first checkpoint alone
        if file.is_file() and ".safetensors" not in file.name and file.name != "README.md":
            shutil.copyfile(file, out / file.name)


def stored_dtype(folder: Path) -> torch.dtype:
    """The number format of a checkpoint's first weight. Raises `ModelError`."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 (it is no dict)
                return file.get_tensor(name).dtype
    raise ModelError(f"{folder}: no checkpoint with .safetensors weights")
