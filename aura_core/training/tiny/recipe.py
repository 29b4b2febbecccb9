"""The one recipe that makes `aura_tiny` from nothing: vision tower, language model, saved folder.

Every stage leaves its result in the working folder and is skipped or continued when that is there.
"""

from __future__ import annotations

from pathlib import Path

import torch

from aura_core.errors import ConfigError, ModelError
from aura_core.training.tiny import features, language, vision
from aura_core.training.tiny import model as tiny
from aura_core.training.tiny.settings import Recipe

FEATURE_RMS = 0.3
_LAST_LAYERS = ("merger.linear_fc2.", "deepstack_merger_list.0.linear_fc2.")
_VISUAL = "model.visual."

Weights = dict[str, torch.Tensor]


def tower_of(path: Path) -> Weights:
    """The vision tower's weights out of a stage-1 checkpoint, its two outputs scaled to
    `FEATURE_RMS`.

    Trained alone, the tower gives features of RMS 3 to 8 beside words of RMS 0.1: what attention
    writes onto visual tokens then drowns, and matching what is seen with what was asked is learned
    ten times slower.
    """
    state = torch.load(path, weights_only=True, map_location="cpu")
    tower = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}
    visual = tiny.build_model()[0].model.visual
    visual.load_state_dict(tower)
    outputs = torch.from_numpy(
        features.encode_world(visual, features.training_world(features.FIRST_SEED))
    ).float()
    for layer, output in zip(_LAST_LAYERS, outputs.split(features.WIDTH, dim=-1), strict=True):
        scale = FEATURE_RMS / output.square().mean().sqrt()
        tower |= {k: v * scale for k, v in tower.items() if k.startswith(layer)}
    return tower


def run(folder: Path, out: Path, recipe: Recipe) -> None:
    """Run all stages in `folder` and write the checkpoint to `out`."""
    weights = folder / "language.pt"
    if weights.exists() and recipe.init is not None:
        raise ConfigError(
            f"{weights}: is gone on with, and --init would be ignored: leave it out, or take"
            " another --work"
        )
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    if recipe.device != "cpu":
        torch.set_float32_matmul_precision("high")  # TF32
    model, tokenizer = tiny.build_model(recipe.seed)
    if weights.exists():
        model.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    elif recipe.init is not None:
        model.load_state_dict(_saved(recipe.init))
    if weights.exists() or recipe.init is not None:
        tower = {
            k.removeprefix(_VISUAL): v.clone()
            for k, v in model.state_dict().items()
            if k.startswith(_VISUAL)
        }
    else:
        towers = folder / "vision.pt"
        if not towers.exists():
            part = folder / "vision.part.pt"  # a stage that was cut off goes on from here
            vision.train(part, recipe.vision_min, device=recipe.device)
            part.rename(towers)
        tower = tower_of(towers)
    language.train(
        model,
        tiny.codec(tokenizer),
        tower,
        folder,
        recipe.language_min,
        tokens=recipe.tokens,
        worlds=recipe.worlds,
        seed=recipe.seed,
        loss=recipe.loss,
        begin=recipe.begin,
        save=lambda: torch.save(model.state_dict(), weights),
        device=recipe.device,
    )
    torch.save(model.state_dict(), weights)
    tiny.save(model.cpu(), tokenizer, out)


def _saved(folder: Path) -> Weights:
    """Weights of a checkpoint folder, float32; the tied output layer is filled in."""
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    if not path.is_file():
        raise ModelError(f"{folder}: no model.safetensors to continue from")
    state = {k: v.float() for k, v in load_file(path).items()}
    state.setdefault("lm_head.weight", state["model.language_model.embed_tokens.weight"])
    return state
