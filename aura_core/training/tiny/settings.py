"""What `aura train tiny` and `aura train ablation` are told. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aura_core.settings import Settings, setting

LOSSES = ("balanced_all", "plain")


@dataclass(frozen=True)
class Recipe(Settings):
    """How `aura_tiny` is made. Everything else derives from the stages' defaults."""

    vision_min: float = setting(
        40.0,
        "wall time of the vision tower; rooms that are not rendered then are left out",
        unit="min",
        above=0.0,
    )
    language_min: float = setting(85.0, "wall time of the language model", unit="min", above=0.0)
    worlds: int = setting(1400, "training rooms, 90 s each", low=1)
    seed: int = setting(0, "seed of weights and sampling")
    loss: str = setting("balanced_all", "loss (docs/training.md)", choices=LOSSES)
    device: str = setting("cpu", "where it is trained: cpu, cuda, cuda:0 ...")
    init: Path | None = setting(
        None,
        "checkpoint folder to continue from: its tower is kept, its language model trained on;"
        " rooms are rendered for vision_min at most",
        null="from nothing",
    )
    teacher: Path | None = setting(
        None,
        "checkpoint folder that a model follows in conversation, wherever it is right: what was"
        " learned before is kept while more is learned",
        null="that of --init",
    )
    teaching: float = setting(1.0, "weight of the teacher in the loss; 0: no teacher", low=0.0)
    begin: float = setting(0.0, "share of the curriculum that is skipped", low=0.0, high=1.0)
    lr: float = setting(2.5e-3, "largest learning rate of the language model", above=0.0)
    tokens: int | None = setting(
        None,
        "tokens of a batch of the language model",
        unit="tokens",
        low=512,
        null="4096 on a CPU, 20480 on a GPU",
    )
    chunks: int | None = setting(
        None,
        "chunks of a batch of the vision tower",
        unit="chunks",
        low=8,
        null="192 on a CPU, 1536 on a GPU",
    )
    workers: int | None = setting(
        None, "processes that render and draw", low=1, null="all cores but one, on a GPU but two"
    )
    total_min: float | None = setting(
        None,
        "wall time in all: the language model gets what stage 1 leaves of it",
        unit="min",
        above=0.0,
        null="the sum of the stages",
    )

    @property
    def gpu(self) -> bool:
        """Whether it runs on a GPU."""
        return self.device != "cpu"


@dataclass(frozen=True)
class Budget(Settings):
    """What each arm of an ablation gets: `steps` batches out of `worlds` worlds, in windows of
    `chunks` (least, most), then `episodes` episodes with the window `keep`/`max`."""

    steps: int = setting(600, "batches of each arm", low=1)
    tokens: int = setting(4096, "tokens of a batch", unit="tokens", low=1)
    worlds: int = setting(200, "worlds to train on, 90 s each", low=1)
    chunks: tuple[int, int] = setting((8, 14), "shortest and longest window of a batch")
    keep: int = setting(7, "window.keep of the episodes", unit="chunks", low=1)
    max: int = setting(14, "window.max of the episodes", unit="chunks", low=2)
    lr: float = setting(2e-3, "learning rate", above=0.0)
    episodes: int = setting(20, "minutes of the simulator that each arm plays", low=1)
    seed: int = setting(0, "seed of weights and sampling")
    fresh: bool = setting(
        True,
        "the language model starts from nothing; false: from the checkpoint, at a quarter of the"
        " learning rate",
    )
