"""What `aura train preference` is told. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.plain import require
from aura_core.settings import Settings, setting
from aura_core.sim.world import FIRST_TEST_SEED

METHODS = ("dpo", "grpo")


@dataclass(frozen=True)
class PreferenceRecipe(Settings):
    """How the decisions of a checkpoint are trained on what the simulator makes of them."""

    method: str = setting("dpo", "loss (docs/training.md)", choices=METHODS)
    model: str = setting("aura_tiny", "checkpoint to train: a folder, a hub id or aura_tiny")
    minutes: float = setting(12.0, "wall time of rollouts and updates", unit="min", above=0.0)
    first: int = setting(
        200_000, "seed of the first training room; each further room takes the next", low=0
    )
    seconds: int = setting(60, "length of a room", unit="s", low=10, high=90)
    rooms: int = setting(12, "rooms that are played between two rounds of updates", low=1)
    epochs: int = setting(2, "times that a round's decisions are learned from", low=1)
    batch: int = setting(16, "decisions of an update, about: whole windows are taken", low=1)
    lr: float = setting(5e-5, "largest learning rate of AdamW; it falls to nothing", above=0.0)
    clip: float = setting(1.0, "largest norm of the gradients", above=0.0)
    beta: float = setting(
        0.1, "dpo: strength of the tie to the checkpoint that training begins with", above=0.0
    )
    nll: float = setting(0.0, "dpo: weight of the better turn's own negative log-likelihood")
    margin: float = setting(
        5.0,
        "dpo: a pair is left out where the better turn is already so much likelier",
        unit="nats",
        above=0.0,
    )
    gap: float = setting(0.5, "dpo: least difference of rewards that makes a pair", above=0.0)
    group: int = setting(16, "grpo: turns that are sampled at a prefix", low=2)
    kl: float = setting(
        0.04, "grpo: weight of the divergence from the checkpoint that training begins with"
    )
    ratio: float = setting(
        0.2, "grpo: how far a probability ratio counts beyond 1", above=0.0, below=1.0
    )
    anchor: float = setting(
        0.2,
        "weight of the divergence from the first checkpoint on all turns that are no such decision",
        low=0.0,
    )
    least: float = setting(
        0.005,
        "a decision is doubtful where silence and words are both at least so likely",
        above=0.0,
        below=0.5,
    )
    horizon: int = setting(
        2, "seconds that are played on after a turn before it is judged", unit="s", low=1, high=5
    )
    seed: int = setting(0, "seed of what is drawn")
    device: str = setting("cpu", "where it is trained: cpu, cuda, cuda:0 ...")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.first < FIRST_TEST_SEED,
            f"first ({self.first}) must be below {FIRST_TEST_SEED}: seeds from there on are held"
            " out for tests",
        )
