"""Sample records of the simulator, and small recipes, for the tests of the trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import checkpoints
from safetensors.torch import load_file, save_file

from aura_core.models.backend import Video
from aura_core.sim.episode import DENSE_PLAN, Episode
from aura_core.stream.prefix import QAGroup
from aura_core.training.finetune.opening import Opened
from aura_core.training.finetune.settings import TuneRecipe
from aura_core.training.finetune.trainer import Trainer


class Float64Trainer(Trainer):
    """The trainer with weights, activations, gradients and moments in float64.

    AdamW moves a weight by lr * g / (|g| + 1e-8): where a gradient is only rounding, float32 noise
    of 1e-8 becomes a step of the whole learning rate, so no bound on float32 weights is safe. In
    float64 the noise is 1e-16 and moves a weight by lr * 1e-8.
    """

    def _open(self) -> Opened:
        opened = super()._open()
        checkpoints.in_float64(opened.backend)
        opened.module.double()  # the layers of LoRA, which are not the backend's
        return opened


def equal_weights(first: Path, second: Path) -> None:
    """Assert that two saved results are equal up to the float32 that they are written in."""
    one, other = (load_file(folder / "model.safetensors") for folder in (first, second))
    assert one.keys() == other.keys()
    for name, weight in one.items():
        difference = float((weight - other[name]).abs().max())
        assert difference <= checkpoints.float32_steps(weight), (name, difference)


def tied(folder: Path) -> Path:
    """Let a checkpoint's head be its embedding, as in the smaller published ones."""
    for file in sorted(folder.glob("*.safetensors")):
        state = load_file(file)
        if state.pop("lm_head.weight", None) is not None:
            save_file(state, file, {"format": "pt"})
    for name in ("config.json", "model.safetensors.index.json"):
        path = folder / name
        if path.is_file():
            data = json.loads(path.read_text())
            for part in (data, data.get("text_config", {})) if name == "config.json" else ():
                part["tie_word_embeddings"] = True
            data.get("weight_map", {}).pop("lm_head.weight", None)
            path.write_text(json.dumps(data))
    return folder


def sample(seed: int, first: int, stop: int, history: tuple[QAGroup, ...] = ()) -> dict[str, Any]:
    """Return a window of the ideal conversation about world `seed`.

    It has the format of the data engine.
    """
    episode = Episode.generate(seed, stop, DENSE_PLAN)
    asks, script = {a.chunk: a for a in episode.asks}, episode.script()
    turns = [
        {"chunk": c, "question": asks[c].text if c in asks else None, "answer": script.get(c)}
        for c in range(first, stop)
        if c in asks or c in script
    ]
    groups = [
        {"query_id": g.query_id, "question": g.question, "answers": list(g.answers)}
        for g in history
    ]
    return {
        "type": "Sample",
        "version": 1,
        "id": f"{seed}-{stop}",
        "clip": {"video": f"sim:{seed}"},
        "first": first,
        "stop": stop,
        "history": groups,
        "turns": turns,
        "events": [e.chunk for e in episode.world.events],
    }


def write_shards(folder: Path, seeds: range, chunks: int = 6, shards: int = 2) -> str:
    """Write records of windows of `chunks` chunks in shards, and return their pattern."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(shards):
        lines = [json.dumps(sample(s, 2, 2 + chunks)) for s in seeds[i::shards]]
        (folder / f"shard-{i:05d}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return str(folder / "shard-*.jsonl")


def recipe_dict(model: Path | str, train: str, **changes: Any) -> dict[str, Any]:
    """Return a recipe of few and small steps in plain values."""
    data = {
        "model": str(model),
        "data": {"train": train, "workers": 0},
        "precision": "fp32",
        "max_pixels": 4096,
        "batch": {"tokens": 1000, "rows": 1},
        "schedule": {"steps": 4, "lr": 1e-3, "warmup": 0.25},
        "save_every": 2,
        "checkpointing": False,
    }
    return data | changes


def recipe(model: Path | str, train: str, **changes: Any) -> TuneRecipe:
    """Return `recipe_dict` as a recipe."""
    from aura_core.plain import build

    return build(TuneRecipe, recipe_dict(model, train, **changes), "recipe")


def placeholder(video: Video) -> list[int]:
    """Return what an example holds for a chunk."""
    return [0] * len(video)
