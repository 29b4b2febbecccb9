"""The weights of a checkpoint folder, for a model that goes on with more words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from aura_core.errors import ModelError
from aura_core.models.sidecar import read_json

EMBEDDINGS = "model.language_model.embed_tokens.weight"

Weights = dict[str, torch.Tensor]


def known(folder: Path) -> dict[str, int]:
    """The words of a checkpoint, and their ids. Raises `ModelError`."""
    words = read_json(folder / "tokenizer.json").get("model", {}).get("vocab")
    if not isinstance(words, dict):
        raise ModelError(f"{folder}: tokenizer.json has no vocabulary of words")
    return words


def saved(folder: Path, vocabulary: Mapping[str, int], rows: torch.Tensor) -> Weights:
    """Weights of a checkpoint folder, float32, for another vocabulary.

    Args:
        folder: the checkpoint; its own vocabulary may be smaller or in another order.
        vocabulary: ids of the tokens, of the model that is continued.
        rows: float32 (n, width), the embeddings that this model begins with: those of tokens that
            the checkpoint lacks stay.

    The tied output layer is filled in. Raises `ModelError`.
    """
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    if not path.is_file():
        raise ModelError(f"{folder}: no model.safetensors to continue from")
    state = {k: v.float() for k, v in load_file(path).items()}
    old = known(folder)
    was, now = state[EMBEDDINGS], rows.clone()
    if was.shape[1] != now.shape[1]:
        raise ModelError(
            f"{folder}: its embeddings are {was.shape[1]} wide, those of aura_tiny {now.shape[1]}"
        )
    for token, at in vocabulary.items():
        if token in old:
            now[at] = was[old[token]]
    return state | {EMBEDDINGS: now, "lm_head.weight": now}
