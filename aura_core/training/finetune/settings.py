"""The recipe of a fine-tuning run: one YAML file, frozen, unknown keys refused."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from aura_core.errors import ConfigError
from aura_core.plain import build, one_of, read_yaml, require
from aura_core.sim.world import FIRST_TEST_SEED
from aura_core.training.loss import LOSSES


@dataclass(frozen=True)
class DataSettings:
    """Samples: a run folder of `aura data`, or a pattern of shards (`training/shards.py`).

    `workers`: processes that decode and tokenise ahead.
    """

    train: str = ""
    eval: str = ""  # held-out samples; empty: no evaluation
    eval_samples: int = 64  # at most so many of them, the first ones
    workers: int = 2

    def __post_init__(self) -> None:
        require(
            bool(self.train),
            "data.train must name a run of `aura data`, or shards, such as samples/train-*.jsonl",
        )
        require(
            self.eval_samples >= 1, f"data.eval_samples must be at least 1, not {self.eval_samples}"
        )
        require(self.workers >= 0, f"data.workers must not be negative, not {self.workers}")


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adapters in every linear layer of the blocks; `rank` 0 trains all weights
    instead."""

    rank: int = 0
    alpha: int = 32
    dropout: float = 0.0

    def __post_init__(self) -> None:
        require(self.rank >= 0, f"lora.rank must not be negative, not {self.rank}")
        require(self.alpha >= 1, f"lora.alpha must be at least 1, not {self.alpha}")
        require(0.0 <= self.dropout < 1.0, f"lora.dropout must be in [0, 1), not {self.dropout}")


@dataclass(frozen=True)
class BatchSettings:
    """A step is `rows` rows on each process, one after another; a row packs samples up to `tokens`
    tokens."""

    tokens: int = 16_384
    rows: int = 1

    def __post_init__(self) -> None:
        require(self.tokens >= 1, f"batch.tokens must be at least 1, not {self.tokens}")
        require(self.rows >= 1, f"batch.rows must be at least 1, not {self.rows}")


@dataclass(frozen=True)
class ScheduleSettings:
    """AdamW. The rate rises for `warmup` of the steps, then falls as a cosine to `floor` of
    itself."""

    steps: int = 1000
    lr: float = 1e-5
    warmup: float = 0.03
    floor: float = 0.1
    weight_decay: float = 0.0
    beta2: float = 0.95
    clip: float = 1.0  # largest norm of the gradients

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"schedule.steps must be at least 1, not {self.steps}")
        require(self.lr > 0.0, f"schedule.lr must be above 0, not {self.lr}")
        require(self.clip > 0.0, f"schedule.clip must be above 0, not {self.clip}")
        for name in ("warmup", "floor", "beta2"):
            require(
                0.0 <= getattr(self, name) < 1.0,
                f"schedule.{name} must be in [0, 1), not {getattr(self, name)}",
            )


@dataclass(frozen=True)
class TuneRecipe:
    """Everything that a run is told.

    `model`: a folder, a hub id or aura_tiny. `precision`: fp32, or bf16 (arithmetic in bfloat16;
    with LoRA the frozen weights are bfloat16 too). `vision`: frozen or tuned. `every`: steps
    between two evaluations. `save_every`: steps between two checkpoints to resume from. `result`:
    merged (a checkpoint that loads by itself) or adapter (LoRA). `sim_seeds`: FIRST:END, seeds of
    the simulator that each evaluation also plays free-running; empty: none.
    """

    model: str
    data: DataSettings
    loss: str = "balanced"
    vision: str = "frozen"
    lora: LoraSettings = field(default_factory=LoraSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    precision: str = "bf16"
    attention: str = "auto"
    checkpointing: bool = True  # forget activations and compute them twice
    max_pixels: int | None = None  # per frame; None: as the engine would
    seed: int = 0
    every: int = 100
    save_every: int = 100
    result: str = "merged"
    sim_seeds: str = ""

    def __post_init__(self) -> None:
        one_of("loss", self.loss, LOSSES)
        one_of("vision", self.vision, ("frozen", "tuned"))
        one_of("precision", self.precision, ("fp32", "bf16"))
        one_of("attention", self.attention, ("auto", "sdpa", "flash_attention_2"))
        one_of("result", self.result, ("merged", "adapter"))
        require(
            self.result == "merged" or self.lora.rank > 0, "result: adapter needs lora.rank above 0"
        )
        require(self.every >= 1 and self.save_every >= 1, "every and save_every must be at least 1")
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
        """A YAML file, or a recipe of `training/recipes` by its name without .yaml. Raises
        `ConfigError`."""
        packaged = resources.files("aura_core.training.finetune") / "recipes" / f"{name}.yaml"
        source: Any = packaged if "/" not in name and packaged.is_file() else Path(name)
        data = read_yaml(source, "recipe")
        for key in ("model", "data"):
            if key not in data:
                raise ConfigError(f"{name}: '{key}' is missing in the recipe")
        return build(cls, data, name)

    def as_json(self) -> dict[str, Any]:
        """The recipe in plain values."""
        return dataclasses.asdict(self)

    def unlike(self, other: dict[str, Any]) -> list[str]:
        """Keys in which a run by `other` (`as_json`) cannot be gone on with; how often things are
        looked at is free."""
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
