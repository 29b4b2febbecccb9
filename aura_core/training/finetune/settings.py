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

STEPS, ROWS = 1000, 1  # where neither epochs nor samples say it
RUNS = 16


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
    run: int | None = setting(
        None,
        "samples of one clip, in the order of time, that one process reads, so that the seconds"
        " that they share are decoded once (`finetune/order.py`)",
        low=1,
        null="all samples come in any order",
    )
    runs_at_once: int | None = setting(
        None,
        "with run: runs that are mixed, on all processes together; a multiple of the processes that"
        " decode",
        low=1,
        null=f"{RUNS}",
    )
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
    """A step processes rows of at most `tokens` tokens, one after another.

    `tokens` bounds the memory. How many samples a step has is said by `rows` (on each process, so
    it depends on the samples' lengths and on the number of processes) or by `samples` (exactly, on
    all processes together).
    """

    tokens: int = setting(16_384, "most tokens of a row, which packs samples", unit="tokens", low=1)
    rows: int | None = setting(
        None, "rows of a step on each process", low=1, null=f"{ROWS}, or as many as samples need"
    )
    samples: int | None = setting(
        None, "samples of a step, on all processes together", low=1, null="as many as rows hold"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.rows is None or self.samples is None,
            f"batch.rows ({self.rows}) and batch.samples ({self.samples}) both say how large a step"
            " is: give one",
        )


@dataclass(frozen=True)
class ScheduleSettings(Settings, section="schedule"):
    """AdamW. The learning rate rises linearly, then falls as a cosine."""

    steps: int | None = setting(
        None, "steps of the optimizer", low=1, null=f"{STEPS}, or as many as epochs need"
    )
    epochs: float | None = setting(
        None, "passes over all samples, instead of steps", above=0.0, null="steps says it"
    )
    lr: float = setting(1e-5, "largest learning rate", above=0.0)
    warmup: float = setting(0.03, "share of the steps in which the rate rises", low=0.0, below=1.0)
    floor: float = setting(0.1, "share of lr that the rate falls to", low=0.0, below=1.0)
    weight_decay: float = setting(0.0, "weight decay")
    beta2: float = setting(0.95, "beta2 of AdamW", low=0.0, below=1.0)
    clip: float = setting(1.0, "largest norm of the gradients", above=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.steps is None or self.epochs is None,
            f"schedule.steps ({self.steps}) and schedule.epochs ({self.epochs}) both say how long"
            " the run is: give one",
        )


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
    keep: int = setting(
        1, "newest checkpoints to resume from that are kept; each takes 12 bytes a weight", low=1
    )
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
    def read(cls, name: str | None, given: Mapping[str, Any] | None = None) -> TuneRecipe:
        """Read a YAML file, or a recipe of `finetune/recipes` by its name without .yaml.

        Args:
            name: None: the defaults.
            given: values that come before those of the file; a section may be given in part.

        Raises `ConfigError`.
        """
        where = name or "without --recipe"
        data = _over({} if name is None else read_yaml(_source(name), "recipe"), given or {})
        for key in ("model", "data"):
            if not data.get(key):
                missing = f"give it, or --{key}" if name is None or key == "model" else "give it"
                raise ConfigError(f"{where}: '{key}' is missing in the recipe: {missing}")
        return build(cls, data, where)

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
    "keep",
    "result",
    "sim_seeds",
    "data.workers",
    "data.eval",
    "data.eval_samples",
)


def _source(name: str) -> Any:
    packaged = resources.files("aura_core.training.finetune") / "recipes" / f"{name}.yaml"
    return packaged if "/" not in name and packaged.is_file() else Path(name)


def _over(data: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`data` with the values of `given`."""
    made = dict(data)
    for key, value in given.items():
        held = made.get(key)
        nested = isinstance(value, Mapping)
        made[key] = _over(held if isinstance(held, dict) else {}, value) if nested else value
    return made


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in data.items():
        out |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return out
