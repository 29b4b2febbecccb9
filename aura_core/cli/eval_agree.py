"""`aura eval agree`: scores compared item by item with the authors' own scripts."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from aura_core.cli import options, output
from aura_core.errors import InputError


def agree(
    benchmark: Annotated[str, typer.Argument(help="Name of the benchmark.")],
    authors: Annotated[
        Path, typer.Option("--authors", help="Checkout of the authors' repository; its code runs.")
    ],
    n: Annotated[int, typer.Option("--items", min=1, help="Items a seed draws.")] = 100,
    seeds: Annotated[str, typer.Option("--seeds", help="FIRST:END, END excluded.")] = "0:3",
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the table here.")] = None,
) -> None:
    """Score replies drawn at random as the authors' script does, and compare item by item."""
    from rich.console import Console
    from rich.table import Table

    from aura_core.evaluation.agreement import COMPARISONS
    from aura_core.evaluation.agreement.base import Compared, no_intervals

    if benchmark not in COMPARISONS:
        raise InputError(f"benchmark '{benchmark}': expected one of {', '.join(COMPARISONS)}")
    if not authors.is_dir():
        raise InputError(f"--authors {authors}: there is no such folder")
    output.check("--json", json_out)
    rows: dict[str, Compared] = {}
    chosen = options.seeds(seeds)
    for seed in chosen:
        with tempfile.TemporaryDirectory() as folder, no_intervals():
            drawn = COMPARISONS[benchmark](authors.resolve(), Path(folder), n, seed)
        for name, row in drawn.rows.items():
            rows.setdefault(name, Compared(name)).join(row, f"seed {seed}")
    table = Table("compared", "n", "equal", "largest difference")
    for row in rows.values():
        table.add_row(row.name, f"{row.n}", f"{row.equal}", f"{row.largest:.1e}")
    Console().print(table)
    print(f"{benchmark}: {len(chosen)} seeds of {n} items; equal: to 1e-9")
    differing = [r for r in rows.values() if r.equal < r.n]
    if json_out is not None:
        told = [
            {"compared": r.name, "n": r.n, "equal": r.equal, "largest": r.largest, "first": r.first}
            for r in rows.values()
        ]
        about = {"benchmark": benchmark, "items": n, "seeds": seeds, "rows": told}
        output.write(json_out, json.dumps(about, indent=2) + "\n")
    for row in differing:
        print(f"differs: {row.name}: {row.first}", file=sys.stderr)
    if differing:
        raise typer.Exit(1)
