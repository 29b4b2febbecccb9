"""`python -m aura_ros.ros_bench`, which `aura bench ros` runs."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from aura_core.bench.conditions import conditions, told
from aura_core.cli import output
from aura_core.cli.with_ros import main_of
from aura_core.errors import ConfigError
from aura_ros.launched import isolate
from aura_ros.ros_bench import crash, nodes, replayed, response
from aura_ros.ros_bench.figures import Figure

SIZES = ((640, 480, 30), (1920, 1080, 30))
PARTS = ("response", "response-1080p", "cpu", "ctrl-c", "kill", "replay")


def ros(
    json_out: Annotated[Path | None, typer.Option("--json", help="write the figures here")] = None,
    parts: Annotated[str, typer.Option(help="comma-separated")] = ",".join(PARTS),
    responses: Annotated[
        int, typer.Option(min=1, help="responses, and questions, at each picture size")
    ] = 60,
    cpu_seconds: Annotated[
        float, typer.Option(min=1.0, help="seconds over which CPU time is counted")
    ] = 20.0,
    repeats: Annotated[int, typer.Option(min=1, help="Ctrl-C, and kills, of each kind")] = 5,
    replay_seconds: Annotated[int, typer.Option(min=5, help="length of the bag")] = 300,
    logs: Annotated[Path, typer.Option(help="folder of the nodes' logs")] = Path("out/ros-logs"),
) -> None:
    """What ROS adds to the model's time; CPU; Ctrl-C; recovery after a crash; speed of a replay."""
    chosen = [p.strip() for p in parts.split(",") if p.strip()]
    if unknown := [p for p in chosen if p not in PARTS]:
        raise ConfigError(f"--parts: '{unknown[0]}' is none of {', '.join(PARTS)}")
    output.check("--json", json_out)
    progress = Console(stderr=True)

    def tell(line: str) -> None:
        progress.print(line, highlight=False, soft_wrap=True)

    isolate()
    logs.mkdir(parents=True, exist_ok=True)
    before, figures = conditions(), list[Figure]()
    for part, size in zip(PARTS[:2], SIZES, strict=True):
        if part in chosen:
            tell(f"{responses} responses and {responses} questions, {size[0]}x{size[1]}")
            figures += response.measure(*size, responses, logs)
    if "cpu" in chosen:
        figures += nodes.cpu(cpu_seconds, logs, tell)
    if "ctrl-c" in chosen:
        figures += nodes.ctrl_c(repeats, logs, tell)
    if "kill" in chosen:
        for model in ("scripted", "aura_tiny"):
            figures += crash.recoveries(model, repeats, logs, tell)
    if "replay" in chosen:
        figures += replayed.replays(replay_seconds, logs, tell)
    after = conditions()
    show(figures)
    print(f"conditions: {told(before, after)}")
    if json_out is not None:
        document = {
            "conditions": {"before": before, "after": after, "at": time.strftime("%F %T%z")},
            "figures": [f.summary() for f in figures],
        }
        output.write(json_out, json.dumps(document, indent=1) + "\n")


def show(figures: list[Figure]) -> None:
    """Print a row for each figure."""
    table = Table("part", "what", "unit", "n", "p50", "p95", "least", "most", "goal")
    for f in figures:
        s = f.summary()
        cells = ("-" if s[k] is None else f"{s[k]:.4g}" for k in ("p50", "p95", "min", "max"))
        count = f"{s['n']}, {s['never']} never" if s["never"] else str(s["n"])
        table.add_row(f.part, f.name, f.unit, count, *cells, f.goal)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    main_of("aura bench ros", ros)
