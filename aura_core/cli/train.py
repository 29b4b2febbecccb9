"""`aura train`: the recipe that makes the embedded model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Train the embedded model.", no_args_is_help=True)


@app.callback()
def _recipes() -> None:
    """Train the embedded model."""


@app.command()
def tiny(
    out: Annotated[Path, typer.Option(help="folder for the checkpoint")] = Path("runs/aura_tiny"),
    work: Annotated[Path, typer.Option(help="folder for stages, features and logs; continued if it exists")] = Path(
        "runs/work"
    ),
    vision_min: Annotated[float, typer.Option(help="minutes for the vision tower")] = 40.0,
    language_min: Annotated[float, typer.Option(help="minutes for the language model")] = 85.0,
    worlds: Annotated[int, typer.Option(min=1, help="training worlds (90 s each)")] = 1400,
    seed: Annotated[int, typer.Option(help="weights and sampling")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:0...")] = "cpu",
    init: Annotated[Path | None, typer.Option(help="continue from this checkpoint folder")] = None,
    begin: Annotated[float, typer.Option(min=0, max=1, help="skip this share of the curriculum")] = 0.0,
    loss: Annotated[str, typer.Option(help="balanced (Silent-Speech Balanced Loss) or plain")] = "balanced",
) -> None:
    """Make `aura_tiny` from nothing, on two CPU cores, by the documented recipe."""
    from aura_core.errors import ConfigError
    from aura_core.training.recipe import Recipe, run

    if loss not in ("balanced", "plain"):
        raise ConfigError(f"--loss must be balanced or plain, not '{loss}'")
    run(work, out, Recipe(vision_min, language_min, worlds, seed, loss, device, init, begin))
