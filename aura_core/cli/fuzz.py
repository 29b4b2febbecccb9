"""`aura fuzz`: feed malformed input to the readers, and tell what they do with it."""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from aura_core.cli import output
from aura_core.errors import InputError


def fuzz(
    kinds: Annotated[
        str, typer.Option(help="comma-separated: images, texts, yaml, bags")
    ] = "images,texts,yaml,bags",
    n: Annotated[int, typer.Option("--n", min=1, max=1_000_000, help="inputs of each kind")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="of all inputs; other seeds, other inputs")] = 0,
    only: Annotated[
        int | None,
        typer.Option(min=0, help="feed the one input of this seed, and show what becomes of it"),
    ] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="write all figures here")] = None,
) -> None:
    """Feed malformed input by kind: accepted, refused in one clear line, or crashed.

    The exit code is 1 when anything crashed. A crash is printed with the seed of its input, and
    `--kinds KIND --only SEED` feeds that input again.
    """
    from rich.console import Console
    from rich.progress import Progress

    from aura_core.cores import cores
    from aura_core.fuzz import kinds_of, seeds
    from aura_core.fuzz.runner import Tally, run

    chosen = kinds_of(kinds)
    output.check("--json", json_out)
    if only is not None:
        if len(chosen) != 1:
            raise InputError("--only needs the one kind of its seed, as in --kinds images")
        _again(chosen[0], only)
    tallies: list[Tally] = []
    with Progress(console=Console(stderr=True)) as progress:
        for kind in chosen:
            task = progress.add_task(kind, total=n)
            tallies.append(
                run(kind, seeds(seed, n), lambda k, task=task: progress.advance(task, k))  # type: ignore[misc]
            )
    _show(tallies)
    if json_out is not None:
        conditions = {"seed": seed, "cores": cores(), "python": platform.python_version()}
        figures = conditions | {"kinds": [t.as_json() for t in tallies]}
        output.write(json_out, json.dumps(figures, indent=2) + "\n")
    if any(t.crashes for t in tallies):
        raise typer.Exit(1)


def _again(kind: str, seed: int) -> None:
    """Feed one input in this process, and end the command."""
    from aura_core.fuzz import open_kind
    from aura_core.fuzz.runner import feed_one

    with tempfile.TemporaryDirectory(prefix="aura-fuzz-") as folder:
        fed = feed_one(open_kind(kind, Path(folder)), kind, seed)
    print(f"{kind} {seed}: {fed.outcome} after {fed.seconds:.3f} s")
    if fed.message:
        print(_printed(fed.message))
    raise typer.Exit(int(fed.outcome == "crashed"))


def _show(tallies: list[Tally]) -> None:  # type: ignore[name-defined]  # noqa: F821
    from rich.console import Console
    from rich.table import Table

    table = Table("kind", "n", "accepted", "refused", "crashed", "slowest", "memory", "seconds")
    for t in tallies:
        slowest = "-" if t.slowest_seed is None else f"{t.slowest_s:.3f} s ({t.slowest_seed})"
        counts = (t.n, t.accepted, t.refused, len(t.crashes))
        figures = (slowest, f"+{t.grown_mb:.0f} MB", f"{t.seconds:.1f}")
        table.add_row(t.kind, *map(str, counts), *figures)
    Console().print(table)
    for t in tallies:
        for crash in t.crashes:
            last = crash.message.strip().splitlines()[-1] if crash.message.strip() else ""
            print(f"crash: aura fuzz --kinds {t.kind} --only {crash.seed}: {_printed(last)[:300]}")
    sys.stdout.flush()


def _printed(text: str) -> str:
    """`text` without characters that a terminal would obey or could not print."""
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    return kept.encode(errors="backslashreplace").decode()
