"""Averages the weights of several checkpoints ("model soups", arXiv 2203.05482).

The mean of runs that share a beginning is often better than each of them, and inference costs the
same.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from aura_core.errors import ModelError


def average(folders: Sequence[Path], out: Path) -> None:
    """Write the mean of checkpoints of the same architecture to `out`.

    The mean of each weight is computed in float32. The other files and the dtypes are those of the
    first checkpoint. One file of the first checkpoint is held in memory at a time.

    Raises `ModelError` when fewer than two checkpoints are given, `out` is one of them, a folder
    has no weights, or names or shapes differ.
    """
    if len(folders) < 2:
        raise ModelError(f"a mean needs two checkpoints or more, not {len(folders)}")
    if out.resolve() in (folder.resolve() for folder in folders):
        raise ModelError(f"{out}: is one of the checkpoints; write the mean to another folder")
    with ExitStack() as stack:
        weights = [_weights_of(folder, stack) for folder in folders]
        first = weights[0]
        for folder, theirs in zip(folders, weights, strict=True):
            differ = first.keys() ^ theirs.keys() or [
                n for n in first if _shape(first, n) != _shape(theirs, n)
            ]
            if differ:
                raise ModelError(
                    f"{folder}: not of one shape with {folders[0]}: they differ in {min(differ)}"
                )
        out.mkdir(parents=True, exist_ok=True)
        for file in folders[0].iterdir():
            # the model card describes the first checkpoint alone
            if file.is_file() and file.suffix != ".safetensors" and file.name != "README.md":
                shutil.copyfile(file, out / file.name)
        for path in sorted(folders[0].glob("*.safetensors")):
            with safe_open(path, "pt") as part:
                mean = {
                    name: _mean([w[name].get_tensor(name) for w in weights])
                    for name in list(part.keys())
                }
                save_file(mean, out / path.name, part.metadata())


def _shape(weights: dict[str, Any], name: str) -> list[int]:
    return list(weights[name].get_slice(name).get_shape())


def _mean(tensors: list[torch.Tensor]) -> torch.Tensor:
    if not tensors[0].is_floating_point():
        return tensors[0]
    total = tensors[0].float()
    for t in tensors[1:]:
        total = total + t.float()
    return (total / len(tensors)).to(tensors[0].dtype)


def _weights_of(folder: Path, stack: ExitStack) -> dict[str, Any]:
    """Return the opened file that holds each weight, by the weight's name."""
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            file = stack.enter_context(safe_open(path, "pt"))
        except (SafetensorError, OSError) as e:
            raise ModelError(f"{path}: cannot be read: {e}") from e
        found |= dict.fromkeys(file.keys(), file)
    if not found:
        raise ModelError(f"{folder}: no checkpoint with .safetensors weights")
    return found
