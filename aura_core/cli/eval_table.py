"""`aura eval table`: results beside the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aura_core.cli import output
from aura_core.errors import InputError


def table(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with results (--json), also in its folders.")
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="The published rows alone, without a folder.")
    ] = False,
    md: Annotated[Path | None, typer.Option("--md", help="Write the tables here.")] = None,
    png: Annotated[Path | None, typer.Option("--png", help="Write a picture here.")] = None,
) -> None:
    """All results of a folder beside the published rows, each with its source, as Markdown."""
    from aura_core.evaluation import field

    if published == (folder is not None):
        raise InputError("name a folder with results, or give --published: one of the two")
    if published and png is not None:
        raise InputError("--png shows own results: it needs a folder, not --published")
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    output.check("--md", md)
    output.check("--png", png)
    rows = field.results(folder) if folder is not None else []
    text = field.markdown(rows) if rows else field.published()
    print(text, end="")
    if md is not None:
        output.write(md, text)
    if png is not None:
        field.draw(rows, png)
