"""`python -m aura_ros.voice_bench`, which `aura bench voice` runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from aura_core.cli import output
from aura_core.cli.with_ros import main_of
from aura_ros.voice_bench.report import measure


def voice(
    json_out: Annotated[Path | None, typer.Option("--json", help="write the figures here")] = None,
    n: Annotated[int, typer.Option(min=1, help="conversations, and interruptions")] = 20,
    sentences: Annotated[
        int, typer.Option(min=1, help="sentences that each voice says to the recogniser")
    ] = 40,
    idle_s: Annotated[float, typer.Option(min=1.0, help="length of the idle run")] = 20.0,
    logs: Annotated[Path, typer.Option(help="folder of the nodes' logs")] = Path("out/voice-logs"),
) -> None:
    """Speech as ROS nodes over virtual devices.

    Round trip, barge-in, self-triggers, word errors and idle CPU.
    """
    output.check("--json", json_out)
    progress = Console(stderr=True)
    out = measure(n, sentences, idle_s, logs, lambda line: progress.print(line, highlight=False))
    table = Table("", "figure")
    for name, value in out.items():
        table.add_row(name, json.dumps(value))
    Console().print(table)
    if json_out is not None:
        output.write(json_out, json.dumps(out, indent=2) + "\n")


if __name__ == "__main__":
    main_of("aura bench voice", voice)
