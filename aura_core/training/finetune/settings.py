"""The recipe of a fine-tuning run: one frozen YAML file. Unknown keys are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from aura_core.errors import ConfigError
from aura_core.plain import build, read_yaml, require
from aura_core.settings import REQUIRED, Settings, named, section, setting
from aura_core.sim.world import FIRST_TEST_SEED
from aura_core.training import LOSSES


@dataclass(frozen=True)
class MixSettings(Settings):
    """A further source of samples."""

    path: str = setting("", "run folder of `aura data`, folder of a stage, or a pattern of shards")
    weight: float = setting(
        1.0, "how often each of its samples comes in an epoch, on average", above=0.0, high=100.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.path), "data.mix: a source needs a path")


@dataclass(frozen=True)
class DataSettings(Settings, section="data"):
    """Samples: a run folder of `aura data`, or a pattern of shards (`finetune/shards.py`)."""

    train: str = setting("", "run folder of `aura data`, or a pattern of shards, to train on")
    eval: str = setting(
        "",
        "run folder of `aura data`, or a pattern of shards, to evaluate on; empty: no evaluation",
    )
    eval_samples: int = setting(64, "most held-out samples that are taken, the first ones", low=1)
    workers: int = setting(2, "processes that decode and tokenise ahead", low=0)
    mix: Mapping[str, MixSettings] = named(
        MixSettings, "further samples to train on, such as offline ones, by a name"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            bool(self.train),
            "data.train must name a run of `aura data`, or shards, such as samples/train-*.jsonl",
        )


@dataclass(frozen=True)
class LoraSettings(Settings, section="lora"):
    """Low-rank adapters in every linear layer of the blocks."""

    rank: int = setting(0, "rank of the adapters; 0: all weights are trained instead", low=0)
    alpha: int = setting(32, "scale of the adapters, in units of rank", low=1)
    dropout: float = setting(0.0, "dropout of the adapters' inputs", low=0.0, below=1.0)


@dataclass(frozen=True)
class BatchSettings(Settings, section="batch"):
    """A step processes `rows` rows on each process, one after another."""

    tokens: int = setting(16_384, "most tokens of a row, which packs samples", unit="tokens", low=1)
    rows: int = setting(1, "rows of a step on each process", low=1)


@dataclass(frozen=True)
class ScheduleSettings(Settings, section="schedule"):
    """AdamW. The learning rate rises linearly, then falls as a cosine."""

    steps: int = setting(1000, "steps of the optimizer", low=1)
    lr: float = setting(1e-5, "largest learning rate", above=0.0)
    warmup: float = setting(0.03, "share of the steps in which the rate rises", low=0.0, below=1.0)
    floor: float = setting(0.1, "share of lr that the rate falls to", low=0.0, below=1.0)
    weight_decay: float = setting(0.0, "weight decay")
    beta2: float = setting(0.95, "beta2 of AdamW", low=0.0, below=1.0)
    clip: float = setting(1.0, "largest norm of the gradients", above=0.0)


@dataclass(frozen=True)
class TuneRecipe(Settings):
    """All settings of a run."""

    model: str = setting(REQUIRED, "checkpoint to train: a folder, a hub id or aura_tiny")
    data: DataSettings
    loss: str = setting("balanced", "loss (docs/finetune.md)", choices=LOSSES)
    vision: str = setting(
        "frozen", "whether the vision tower is trained", choices=("frozen", "tuned")
    )
    lora: LoraSettings = section(LoraSettings)
    batch: BatchSettings = section(BatchSettings)
    schedule: ScheduleSettings = section(ScheduleSettings)
    precision: str = setting(
        "bf16",
        "arithmetic; with bf16 and LoRA the frozen weights are bfloat16 too",
        choices=("fp32", "bf16"),
    )
    attention: str = setting(
        "auto",
        "attention code; auto is flash_attention_2 where installed, else sdpa",
        choices=("auto", "sdpa", "flash_attention_2"),
    )
    checkpointing: bool = setting(
        True, "recompute activations in the backward pass instead of keeping them"
    )
    max_pixels: int | None = setting(
        None, "most pixels of one frame", unit="pixels", null="as the engine would"
    )
    seed: int = setting(0, "seed of the order of the samples and of new weights")
    every: int = setting(100, "steps between two evaluations", low=1)
    save_every: int = setting(100, "steps between two checkpoints to resume from", low=1)
    result: str = setting(
        "merged",
        "merged: a checkpoint that loads by itself; adapter: the LoRA alone",
        choices=("merged", "adapter"),
    )
    sim_seeds: str = setting(
        "",
        "FIRST:END, seeds of the simulator that each evaluation also plays free-running; empty:"
        " none",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.result == "merged" or self.lora.rank > 0, "result: adapter needs lora.rank above 0"
        )
        first, _, end = self.sim_seeds.partition(":")
        ok = not self.sim_seeds or (first.isdecimal() and end.isdecimal() and int(first) < int(end))
        require(ok, f"sim_seeds must be FIRST:END, as in 420000:420010, not '{self.sim_seeds}'")
        if self.sim_seeds:
            kept = (
                f"sim_seeds {self.sim_seeds}: seeds from {FIRST_TEST_SEED} on are held out for"
                " tests; use lower ones"
            )
            require(int(end) <= FIRST_TEST_SEED, kept)

    @classmethod
    def read(cls, name: str) -> TuneRecipe:
        """Read a YAML file, or a recipe of `finetune/recipes` by its name without .yaml.

        Raises `ConfigError`.
        """
        packaged = resources.files("aura_core.training.finetune") / "recipes" / f"{name}.yaml"
        source: Any = packaged if "/" not in name and packaged.is_file() else Path(name)
        data = read_yaml(source, "recipe")
        for key in ("model", "data"):
            if key not in data:
                raise ConfigError(f"{name}: '{key}' is missing in the recipe")
        return build(cls, data, name)

    def as_json(self) -> dict[str, Any]:
        """Return the recipe in plain values."""
        return dataclasses.asdict(self)

    def unlike(self, other: dict[str, Any]) -> list[str]:
        """Return the keys in which this recipe differs from that of a run to be continued.

        Args:
            other: the run's recipe, from `as_json`.

        Keys that only decide how often something is evaluated or saved may differ.
        """
        mine, theirs = (
            _flat({k: v for k, v in d.items() if k not in _FREE}) for d in (self.as_json(), other)
        )
        return sorted(
            k
            for k in mine.keys() | theirs.keys()
            if mine.get(k) != theirs.get(k) and k not in _FREE
        )


_FREE = (
    "every",
    "save_every",
    "result",
    "sim_seeds",
    "data.workers",
    "data.eval",
    "data.eval_samples",
)


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in data.items():
        out |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return out
