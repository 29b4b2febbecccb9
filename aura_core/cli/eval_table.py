"""`aura eval table`: results beside the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aura_core.cli import output
from aura_core.errors import InputError


def table(
    folder: Annotated[
        Path, typer.Argument(help="Folder with results (--json), also in its folders.")
    ],
    md: Annotated[Path | None, typer.Option("--md", help="Write the tables here.")] = None,
    png: Annotated[Path | None, typer.Option("--png", help="Write a picture here.")] = None,
) -> None:
    """All results of a folder beside the published rows, each with its source, as Markdown."""
    from aura_core.evaluation import field

    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    output.check("--md", md)
    output.check("--png", png)
    rows = field.results(folder)
    text = field.markdown(rows)
    print(text, end="")
    if md is not None:
        output.write(md, text)
    if png is not None:
        field.draw(rows, png)
