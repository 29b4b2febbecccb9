"""The one recipe that makes `aura_tiny` from nothing: vision tower, language model, saved folder.

Every stage leaves its result in the working folder and is skipped or continued when that is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from aura_core.cores import cores
from aura_core.errors import ConfigError
from aura_core.training.tiny import language, vision
from aura_core.training.tiny import model as tiny
from aura_core.training.tiny.batches import CONTINUED, CURRICULUM, Drawer
from aura_core.training.tiny.checkpoint import saved
from aura_core.training.tiny.settings import Recipe
from aura_core.training.tiny.store import CHUNKS, HELD, Pictures, Store
from aura_core.training.tiny.teacher import open_teacher

FEATURE_RMS = 0.3
CALMER = 0.5  # of the busy rooms that a model which is continued does not see
MEAN = 0.99  # kept of the mean of the weights of a model that is continued, at each step
CPU_REPORTS = 12  # each takes a core half a minute
_LAST_LAYERS = ("merger.linear_fc2.", "deepstack_merger_list.0.linear_fc2.")

Told = Callable[[str, float, str], None]


def scaled(visual: Any, pictures: Pictures) -> None:
    """Scale the tower's two outputs to an RMS of `FEATURE_RMS`, in place.

    Trained alone, the tower gives features of RMS 3 to 8 beside words of RMS 0.1: what attention
    writes onto visual tokens then drowns, and matching what is seen with what was asked is learned
    ten times slower.
    """
    frames = pictures.frames[pictures.places[:12]].flatten(0, 1)
    with torch.no_grad():
        outputs = vision.batched_vision(visual, vision.patches_of(frames))
        for layer, output in zip(_LAST_LAYERS, outputs, strict=True):
            scale = FEATURE_RMS / output.square().mean().sqrt()
            for name, p in visual.named_parameters():
                if name.startswith(layer):
                    p.mul_(scale)


def run(folder: Path, out: Path, recipe: Recipe, told: Told = lambda *_: None) -> None:
    """Run all stages in `folder` and write the checkpoint to `out`; `told` hears of the stage, the
    share of it that is done and its figures."""
    weights = folder / "language.pt"
    if weights.exists() and recipe.init is not None:
        raise ConfigError(
            f"{weights}: is gone on with, and --init would be ignored: leave it out, or take"
            " another --work"
        )
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    torch.set_num_threads(max(1, min(4, cores() // 2)))  # the rest is the workers'
    model, tokenizer = tiny.build_model(recipe.seed)
    codec = tiny.codec(tokenizer)
    tokens = recipe.tokens or (20_480 if recipe.gpu else 4096)
    workers = recipe.workers or max(1, cores() - (2 if recipe.gpu else 1))
    stages = CURRICULUM if recipe.init is None else CONTINUED
    calmer = 0.0 if recipe.init is None else CALMER
    store = Store(recipe.worlds + HELD, workers, Drawer(codec, tokens, stages, calmer))
    try:
        _stages(folder, out, recipe, model, tokenizer, codec, store, told, begun)
    finally:
        store.close()


def _stages(
    folder: Path,
    out: Path,
    recipe: Recipe,
    model: Any,
    tokenizer: Any,
    codec: Any,
    store: Store,
    told: Told,
    begun: float,
) -> None:
    weights, towers, part = (folder / f"{n}.pt" for n in ("language", "vision", "vision.part"))
    if recipe.gpu:
        torch.set_float32_matmul_precision("high")  # TF32
    pictures = Pictures(store, recipe.device)
    visual = model.model.visual
    if weights.exists():
        model.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
    elif recipe.init is not None:
        rows = model.get_input_embeddings().weight.detach()
        model.load_state_dict(saved(recipe.init, tokenizer.get_vocab(), rows))
    if weights.exists() or recipe.init is not None:
        _rendered(store, pictures, recipe.vision_min, told)
    else:
        if not towers.exists():  # a stage that was cut off goes on from `part`
            vision.train(
                part,
                pictures,
                recipe.vision_min,
                batch=recipe.chunks or (1536 if recipe.gpu else 192),
                seed=recipe.seed,
                device=recipe.device,
                told=told,
            )
            part.rename(towers)
        else:
            _rendered(store, pictures, recipe.vision_min, told)
        state = torch.load(towers, weights_only=True, map_location="cpu")
        visual.load_state_dict(
            {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}
        )
    store.rendered()
    visual.to(recipe.device)
    pictures.update(len(store.ready))
    if not weights.exists() and recipe.init is None:
        scaled(visual, pictures)
    bank = language.encoded(visual, pictures)
    store.draw_from(pictures.places)
    told("features", 1.0, f"{len(pictures.places)} rooms, RMS {_rms(bank, pictures):.3f}")

    minutes = recipe.language_min
    if recipe.total_min is not None:
        minutes = max(0.1, recipe.total_min - (time.monotonic() - begun) / 60)

    heads = folder / "auxiliary.pt"
    taught_by = (recipe.teacher or recipe.init) if recipe.teaching else None
    teacher = open_teacher(taught_by, tokenizer.get_vocab()) if taught_by else None

    def save() -> None:
        torch.save(model.state_dict(), weights)
        tiny.save(model, tokenizer, out)

    language.train(
        model,
        codec,
        store,
        pictures,
        bank,
        minutes,
        lr=recipe.lr,
        seed=recipe.seed,
        loss=recipe.loss,
        begin=recipe.begin,
        heads=heads,
        # read-outs that are drawn anew would disturb a language model that is there
        aside=recipe.init is None or heads.exists(),
        mean=0.0 if recipe.init is None else MEAN,
        reports=language.REPORTS if recipe.gpu else CPU_REPORTS,
        save=save,
        device=recipe.device,
        teacher=teacher,
        teaching=recipe.teaching,
        told=told,
    )


def _rms(bank: torch.Tensor, pictures: Pictures) -> float:
    room = pictures.places[0] * CHUNKS
    return float(bank[room : room + CHUNKS].float().square().mean().sqrt())


def _rendered(store: Store, pictures: Pictures, minutes: float, told: Told) -> None:
    """Let the rooms be rendered, for at most `minutes`."""
    start = time.monotonic()
    while (used := (time.monotonic() - start) / (60 * minutes)) < 1.0 and not store.ready[
        HELD:
    ].all():
        pictures.update(100)
        told("rooms", min(1.0, used), f"{int(store.ready.sum())} rooms")
        time.sleep(min(5.0, 6 * minutes))
    pictures.update(len(store.ready))
