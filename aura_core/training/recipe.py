"""The one recipe that makes `aura_tiny` from nothing: vision tower, language model, saved folder.

Every stage leaves its result in the working folder and is skipped or continued when that is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from aura_core.training import language, tiny, vision


@dataclass(frozen=True)
class Recipe:
    """Minutes of wall time on 2 CPU cores; everything else derives from the stages' defaults."""

    vision_min: float = 25.0
    language_min: float = 75.0
    worlds: int = 1400
    seed: int = 0
    loss: str = "balanced"
    device: str = "cpu"


def tower_of(path: Path) -> dict[str, torch.Tensor]:
    """The vision tower's weights out of a stage-1 checkpoint."""
    state = torch.load(path, weights_only=True, map_location="cpu")
    return {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}


def run(folder: Path, out: Path, recipe: Recipe) -> None:
    """Run all stages in `folder` and write the checkpoint to `out`."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    towers = folder / "vision.pt"
    if not towers.exists():
        vision.train(towers, recipe.vision_min, device=recipe.device)
    model, tokenizer = tiny.build_model(recipe.seed)
    weights = folder / "language.pt"
    if weights.exists():
        model.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    begin = 0.5 if weights.exists() else 0.0
    codec = tiny.codec(tokenizer)
    language.train(
        model, codec, tower_of(towers), folder, recipe.language_min, worlds=recipe.worlds, seed=recipe.seed,
        loss=recipe.loss, begin=begin, save=lambda: torch.save(model.state_dict(), weights),
        device=recipe.device,
    )  # fmt: skip
    torch.save(model.state_dict(), weights)
    tiny.save(model, tokenizer, out)
