"""`aura model`: change a checkpoint's folder without training it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Change a checkpoint without training it.", no_args_is_help=True)


@app.callback()
def _model() -> None:
    """Change a checkpoint without training it."""


@app.command("add-silent")
def add_silent(
    model: Annotated[str, typer.Option("--model", help="checkpoint: a folder or a hub id")],
    out: Annotated[Path, typer.Option(help="folder for the checkpoint with the token")],
) -> None:
    """Write a checkpoint with a silent token, which training then teaches when to use.

    The logits of all other tokens stay as they are, to the bit. A checkpoint that has the token is
    copied, and a folder that holds the result is left alone.
    """
    from aura_core.models.add_silent import add_silent as write
    from aura_core.models.chat import SILENT

    done = write(model, out)
    before, after = done.rows
    if done.had:
        how = "had it before, and was copied"
    elif before == after:
        how = f"in a spare row of {before}"
    else:
        how = f"rows {before} -> {after}"
    there = "; the folder held this already" if done.there else ""
    print(f"{out}: {SILENT} is token {done.token} ({how}){there}")
