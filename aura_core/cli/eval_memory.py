"""`aura eval memory`: long simulated days, asked about at given lags (docs/memory.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from aura_core.cli import options, output
from aura_core.errors import InputError

if TYPE_CHECKING:
    from aura_core.evaluation.memory import MemoryReport

LONGEST_H = 48.0


def memory(
    hours: Annotated[
        float, typer.Option(min=0.25, max=LONGEST_H, help="length of each day in hours")
    ] = 12.0,
    seeds: Annotated[
        str, typer.Option(help="FIRST:END, END excluded; one day each; every fourth is in Chinese")
    ] = "500002:500004",
    lags: Annotated[
        str, typer.Option(help="how long ago what is asked about was, in seconds, comma-separated")
    ] = "60,600,3600,39600",
    each: Annotated[int, typer.Option(min=1, help="questions of a lag, in each day")] = 25,
    never: Annotated[
        int, typer.Option(min=0, help="questions about what did not happen, in each day")
    ] = 25,
    oracle: Annotated[
        bool,
        typer.Option(
            "--oracle", help="no model: perfect notes and a perfect reader, the search alone"
        ),
    ] = False,
    perfect_notes: Annotated[
        bool,
        typer.Option(
            "--perfect-notes", help="what happens is noted without a fault; the model only reads"
        ),
    ] = False,
    others: Annotated[
        bool,
        typer.Option(
            help="ask each question also with the window only, with notes before the video only,"
            " and with recalled notes only"
        ),
    ] = True,
    kill: Annotated[
        bool,
        typer.Option(
            "--kill", help="play the first day again, kill it (-9) in its middle and go on"
        ),
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=1, help="days that are played at the same time, in processes")
    ] = 1,
    keep: Annotated[
        Path | None, typer.Option(help="folder that keeps the files of notes; else none stays")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="write a picture of the first day here (PNG)")
    ] = None,
    json_out: options.Json = None,
    config: options.Config = None,
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    camera: Annotated[
        str, typer.Option(help="drawn: another camera in each day; ideal: a perfect one")
    ] = "drawn",
    quiet: Annotated[bool, typer.Option(help="no progress bar")] = False,
) -> None:
    """Long simulated days with memory on, asked about what was minutes and hours ago."""
    from rich.progress import Progress

    from aura_core.bench.conditions import conditions, told
    from aura_core.evaluation.memory_days import Asking, evaluate, evaluate_oracle
    from aura_core.evaluation.memory_others import WAYS
    from aura_core.models import load

    for option, path in (("--json", json_out), ("--picture", picture)):
        output.check(option, path)
    options.check_camera(camera)
    if oracle and (kill or picture is not None):
        raise InputError("--oracle plays no pictures and no engine: leave out --kill and --picture")
    if perfect_notes and kill:
        raise InputError(
            "--kill is about the notes that the model writes: leave out --perfect-notes"
        )
    asking = Asking(hours, _lags(lags), each, never, camera)
    chosen = options.seeds(seeds)
    settings = options.assistant_config(config, model, device, dtype)
    console, before = Console(stderr=True), conditions()
    seconds = round(hours * 3600)
    parts = len(chosen) + (0 if oracle else min(1.0, 3600 / seconds) + 2 * 0.5 * kill)
    with Progress(console=console, disable=quiet or oracle) as progress:
        bar = progress.add_task("seconds of the days", total=round(parts * seconds))

        def on_second(second: int) -> None:
            progress.advance(bar)

        def complain(line: str) -> None:
            console.print(f"warning: {line}", markup=False, highlight=False, soft_wrap=True)

        if oracle:
            report = evaluate_oracle(chosen, settings, asking)
            name = "perfect notes and a perfect reader"
        else:
            backend = load(settings.model, settings.server)
            name = backend.description
            console.print(name, markup=False, highlight=False, soft_wrap=True)
            report = evaluate(
                backend,
                chosen,
                settings,
                asking,
                WAYS if others else (),
                kill,
                keep,
                picture,
                on_second,
                complain,
                perfect_notes,
                jobs,
            )
    after = conditions()
    _print(report)
    print(f"{name}; {len(chosen)} days of {hours:g} h in {report.wall_s:.0f} s")
    print(told(before, after))
    if json_out is not None:
        about = {"model": name, "seeds": seeds, "oracle": oracle, "camera": camera}
        about |= {"perfect_notes": perfect_notes, "jobs": jobs}
        about |= {"conditions": {"before": before, "after": after}}
        text = json.dumps(about | report.as_json(), indent=2, ensure_ascii=False)
        output.write(json_out, text + "\n")


def _lags(text: str) -> tuple[float, ...]:
    try:
        lags = tuple(float(part) for part in text.split(","))
    except ValueError:
        lags = ()
    if not lags or not all(60.0 <= lag <= LONGEST_H * 3600 for lag in lags):
        raise InputError(f"--lags {text}: expected seconds of at least 60, as in 60,600,3600")
    return lags


def _print(report: MemoryReport) -> None:
    table = Table("figure", "value", "95% interval", "n")
    for name, m in report.figures.items():
        if m.n:
            table.add_row(name, f"{m.value:.3f}", f"{m.ci95[0]:.3f} .. {m.ci95[1]:.3f}", f"{m.n:g}")
    Console().print(table)
    if report.cost is not None:
        for name, value in report.cost.as_json().items():
            print(f"{name.replace('_', ' ')}: {_flat(value)}")
    if report.restart:
        for name in ("killed_at_s", "integrity", "asked_after", "same_answer", "exact_after"):
            print(f"restart, {name.replace('_', ' ')}: {_flat(report.restart[name])}")


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k.replace('_', ' ')} {_flat(v)}" for k, v in value.items())
    if isinstance(value, list):
        return " .. ".join(map(_flat, value))
    return "-" if value is None else str(value)
