"""`aura train preference`: train the decisions of a checkpoint on what the simulator makes of
them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aura_core.cli import options, output
from aura_core.training.preference.settings import PreferenceRecipe


@options.takes(PreferenceRecipe)
def preference(
    out: Annotated[
        Path, typer.Option(help="folder for train.log, and for the checkpoint in model/")
    ] = Path("runs/preference"),
    *,
    settings: PreferenceRecipe,
) -> None:
    """Train when to speak: DPO on pairs of turns, or GRPO on sampled ones, in simulated rooms."""
    from aura_core.training.preference.trainer import PreferenceTrainer

    with output.stage_bars(out / "train.log") as told:
        trainer = PreferenceTrainer(settings, out, told)
        folder = trainer.run()
    rooms = trainer.seed - settings.first
    print(f"{folder}: {rooms} rooms, {trainer.updates} updates")
