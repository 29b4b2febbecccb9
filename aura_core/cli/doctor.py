"""`aura doctor`: what is installed, plugged in and reachable, in one table with fixes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aura_core.cli import output

if TYPE_CHECKING:
    from aura_core.doctor.findings import Finding

COLOURS = {"ok": "green", "warn": "yellow", "missing": "cyan", "fault": "bold red"}


def doctor(
    model: Annotated[
        str | None, typer.Option("--model", help="check this checkpoint, a folder or a hub id")
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option(
            "--params", "--config", help="check model and server of these settings: YAML, or ROS 2"
        ),
    ] = None,
    camera: Annotated[
        str | None, typer.Option("--camera", help="open this source, and take one frame")
    ] = None,
    load: Annotated[bool, typer.Option("--load", help="load the model too")] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0.1, help="longest wait for each group of checks [s]"),
    ] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="write all findings here")] = None,
) -> None:
    """Check Python, torch, ROS, sound, camera, model and server, and tell how to mend each.

    The exit code is 1 when something is at fault. What is optional and not there is no fault.
    """
    from aura_core.doctor.examine import examine
    from aura_core.doctor.findings import FAULT, Asked

    output.check("--json", json_out)
    asked = Asked(model or "", str(params or ""), camera or "", load)
    findings = examine(asked, limit_s=timeout)
    faults = [f for f in findings if f.state == FAULT]
    _show(findings)
    if json_out is not None:
        document = {"ok": not faults, "findings": [f.as_json() for f in findings]}
        output.write(json_out, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if faults:
        raise typer.Exit(1)


def _show(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "what", "state", "found", "fix")
    group = ""
    for f in findings:
        name, group = ("" if f.group == group else f.group), f.group
        if name and table.row_count:
            table.add_section()
        state = Text(f.state, COLOURS[f.state])
        table.add_row(name, Text(f.what), state, Text(f.found), Text(f.fix))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    counts = {state: sum(f.state == state for f in findings) for state in COLOURS}
    print(", ".join(f"{n} {state}" for state, n in counts.items() if n))
