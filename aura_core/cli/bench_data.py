"""`aura bench data`: the data engine's times, and the reading of long clips."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from aura_core.cli import options, output
from aura_core.data.settings import SynthesizeConfig
from aura_core.errors import ConfigError

WIDE = 150  # characters of a table that does not go to a terminal

app = typer.Typer(help="The data engine, measured.", no_args_is_help=True)


@app.callback()
def _parts() -> None:
    """The data engine, measured."""


@app.command()
def times(
    rooms: Annotated[int, typer.Option(min=1, help="simulated rooms, with 4 requests each")] = 4000,
    seconds: Annotated[int, typer.Option(min=30, max=3600, help="length of each")] = 300,
    off: Annotated[
        float, typer.Option(min=0, max=1, help="share of times claimed a second early or late")
    ] = 0.3,
    wrong: Annotated[
        float, typer.Option(min=0, max=1, help="share of wrong verdicts of the checks")
    ] = 0.0,
    repair: Annotated[
        int, options.option(SynthesizeConfig, "repair_s", "--repair")
    ] = SynthesizeConfig.repair_s,
    seed: Annotated[int, typer.Option(min=0, help="draws requests and errors")] = 0,
    json_out: options.Json = None,
) -> None:
    """Standing questions that pass stage 2 when their author errs, by number of answers.

    The author is simulated. Before: a wrong time rejects the question. After: it is put right.
    """
    from aura_core.bench import data_times as bench
    from aura_core.data.erring import Errors

    output.check("--json", json_out)
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("rooms", total=rooms)
        errors = Errors(off, wrong)
        out = bench.measure(rooms, seconds, errors, lambda: progress.advance(task), seed, repair)
    table = Table(
        *("answers", "n", "kept %,\nbefore", "\nafter", "times right %,\nbefore", "\nafter"),
        "within 1 s %,\nafter",
        *("checks a time,\nbefore", "\nafter"),
    )
    for row in [*out["rows"], {"answers": "all"} | out["all"]]:
        many = row["answers"] == bench.MANY
        table.add_row(
            f"{row['answers']} and more" if many else str(row["answers"]),
            str(row["written"]),
            *(_share(f) for f in (*row["kept"], *row["right"], row["near"][1])),
            *(f"{c:g}" for c in row["checks_per_time"]),
        )
    Console(width=None if console.is_terminal else WIDE).print(table)
    out |= {"rooms": rooms, "seconds": seconds, "off": off, "wrong": wrong, "seed": seed}
    print(
        f"{rooms} rooms of {seconds} s; {off:.0%} of times a second off, {wrong:.0%} of verdicts"
        f" wrong; repair_s {out['repair_s'][0]} and {out['repair_s'][1]}; in brackets: 95 %"
    )
    expected, counted = out["expected_checks_per_time"], out["all"]["checks_per_time"]
    print(
        f"checks a time: {counted[0]:g} and {counted[1]:g} were counted, `aura data price` expects"
        f" {expected[0]:g} and {expected[1]:g} (of right verdicts)"
    )
    _write(json_out, out)


@app.command()
def video(
    seconds: Annotated[int, typer.Option(min=60, max=7200, help="length of the clip")] = 600,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of its frames")] = "640x480",
    samples: Annotated[int, typer.Option(min=1, help="windows that are drawn")] = 20,
    window: Annotated[int, typer.Option(min=8, help="length of each in seconds")] = 40,
    json_out: options.Json = None,
) -> None:
    """Samples and checks of a long clip: from its beginning, and from the nearest key frame."""
    from tempfile import TemporaryDirectory

    from aura_core.bench import data_video as bench
    from aura_core.bench.conditions import conditions, told

    height, width = _size(size)
    if window > seconds:
        raise ConfigError(f"--window {window} is longer than the clip, {seconds} s")
    output.check("--json", json_out)
    console = Console(stderr=True)
    before = conditions()
    with TemporaryDirectory(prefix="aura_bench_data_") as folder:
        asked = bench.Asked(seconds, (height, width), samples, window)
        ways = bench.measure(asked, Path(folder), console.print)
    names = {"beginning": "from the beginning", "key_frame": "from the nearest key frame"}
    table = Table("", *(names[w] for w in ways), "ratio")
    for name in next(iter(ways.values())):
        first, second = (way[name] for way in ways.values())
        table.add_row(name, f"{first:g}", f"{second:g}", f"{second / first:.3g}")
    Console().print(table)
    after = conditions()
    print(
        f"{samples} windows of {window} s, clip of {seconds} s at {size}, tokens of aura_tiny;"
        f" {told(before, after)}"
    )
    asked_for = {"seconds": seconds, "size": size, "samples": samples, "window": window}
    _write(json_out, ways | asked_for | {"before": before, "after": after})


@app.command()
def clips(
    clips: Annotated[int, typer.Option(min=1, help="number of clips")] = 4,
    seconds: Annotated[int, typer.Option(min=30, max=7200, help="length of each")] = 600,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of their frames")] = "640x480",
    samples: Annotated[int, typer.Option(min=1, help="windows of each clip")] = 60,
    window: Annotated[int, typer.Option(min=8, help="length of each in seconds")] = 40,
    run: Annotated[int, typer.Option(min=1, help="data.run of the second reading")] = 32,
    at_once: Annotated[int, typer.Option(min=1, help="data.runs_at_once of it")] = 4,
    workers: Annotated[int, typer.Option(min=0, help="data.workers of both")] = 2,
    json_out: options.Json = None,
) -> None:
    """Training samples of long clips: in any order, and in runs that decode a second once."""
    from tempfile import TemporaryDirectory

    from aura_core.bench import data_clips as bench
    from aura_core.bench.conditions import conditions, told

    asked = bench.Asked(clips, seconds, _size(size), samples, window, run, at_once, workers)
    output.check("--json", json_out)
    console = Console(stderr=True)
    before = conditions()
    with TemporaryDirectory(prefix="aura_bench_data_") as folder:
        ways = bench.measure(asked, Path(folder), console.print)
    table = Table("", "in any order", "in runs", "ratio")
    for name in ways["any"]:
        first, second = ways["any"][name], ways["runs"][name]
        table.add_row(name, f"{first:g}", f"{second:g}", f"{second / first:.3g}")
    Console().print(table)
    after = conditions()
    print(
        f"{clips} clips of {seconds} s at {size}, {samples} windows of {window} s each, run {run},"
        f" {at_once} at once, {workers} workers, tokens of aura_tiny; {told(before, after)}"
    )
    _write(json_out, ways | asdict(asked) | {"before": before, "after": after})


def _size(text: str) -> tuple[int, int]:
    """Height and width of WIDTHxHEIGHT. Raises `ConfigError`."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or min(int(width), int(height)) < 64:
        raise ConfigError(f"--size must be WIDTHxHEIGHT of at least 64 pixels each, not '{text}'")
    return int(height), int(width)


def _share(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    low, high = figure["ci95"]
    return f"{100 * figure['value']:.1f} ({100 * low:.1f}..{100 * high:.1f})"


def _write(path: Path | None, out: dict[str, Any]) -> None:
    if path is not None:
        output.write(path, json.dumps(out, indent=2) + "\n")
