"""`python -m aura_ros.soak`, which `aura soak` runs."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from aura_core.bench.conditions import conditions, told
from aura_core.cli import output
from aura_core.cli.with_ros import main_of
from aura_ros.launched import isolate
from aura_ros.soak.record import Record
from aura_ros.soak.run import Plan, run
from aura_ros.soak.verdict import Limits, figures, reasons


def soak(
    minutes: Annotated[float, typer.Option(min=0.1, help="length of the run")] = 30.0,
    model: Annotated[str, typer.Option(help="aura_tiny, scripted, or another model.path")] = (
        Plan.model
    ),
    kill_every: Annotated[
        float, typer.Option(min=0.0, help="seconds between two kills; 0: nothing is killed")
    ] = Plan.kill_every_s,
    respawn_delay: Annotated[
        float, typer.Option(min=0.0, help="seconds until a killed node is started again")
    ] = Plan.respawn_delay_s,
    question_every: Annotated[
        float, typer.Option(min=0.1, help="seconds from the end of a question to the next one")
    ] = Plan.every_s,
    max_recovery: Annotated[
        float, typer.Option(min=0.1, help="limit: seconds from the kill of the assistant")
    ] = Limits.recovery_s,
    max_growth: Annotated[
        float, typer.Option(min=0.0, help="limit: growth of memory in MB a minute")
    ] = Limits.growth_mb_min,
    json_out: Annotated[Path | None, typer.Option("--json", help="write the figures here")] = None,
    logs: Annotated[Path, typer.Option(help="folder of the nodes' logs")] = Path("out/soak-logs"),
) -> None:
    """Run the nodes for long, ask all the time, kill one after another, and judge what happened."""
    output.check("--json", json_out)
    progress = Console(stderr=True)
    plan = Plan(60 * minutes, model, question_every, kill_every, respawn_delay)
    limits = Limits(max_recovery, max_growth)
    isolate()
    before = conditions()
    record = run(plan, logs, lambda line: progress.print(line, highlight=False, soft_wrap=True))
    after = conditions()
    found = figures(record)
    why = reasons(found, limits)
    show(found)
    print(f"conditions: {told(before, after)}")
    print(f"failed: {'; '.join(why)}" if why else "passed")
    if json_out is not None:
        document = {
            "passed": not why,
            "reasons": why,
            "plan": dataclasses.asdict(plan),
            "limits": dataclasses.asdict(limits),
            "conditions": {"before": before, "after": after, "at": time.strftime("%F %T%z")},
            "figures": found,
            "memory": _series(record),
        }
        output.write(json_out, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    raise typer.Exit(1 if why else 0)


def show(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    table = Table("", "figure")
    for name, value in figures.items():
        if name not in ("memory", "messages"):
            table.add_row(name, json.dumps(value, ensure_ascii=False))
    memory = Table("memory", "start MB", "end MB", "most MB", "growth MB/min")
    for node, m in figures["memory"].items():
        slope = m["slope_mb_min"]
        cells = (m["start_mb"], m["end_mb"], m["max_mb"], "-" if slope is None else slope)
        memory.add_row(node, *map(str, cells))
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(memory)


def _series(record: Record) -> dict[str, list[list[float]]]:
    """By node: seconds since the beginning, pid, MB."""
    out: dict[str, list[list[float]]] = {}
    for m in record.memory:
        sample = [round(m.at_s - record.began_s, 1), m.pid, round(m.rss_mb, 1)]
        out.setdefault(m.node, []).append(sample)
    return out


if __name__ == "__main__":
    main_of("aura soak", soak)
