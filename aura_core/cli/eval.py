"""`aura eval TASK`: measure a model; every figure with n and a 95 % interval."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from aura_core.cli import (
    benchmark,
    eval_agree,
    eval_memory,
    eval_paired,
    eval_table,
    options,
    output,
)
from aura_core.config import DeciderConfig, GateConfig
from aura_core.errors import InputError

if TYPE_CHECKING:
    from aura_core.evaluation.statistics import Measured

app = typer.Typer(help="Measure a model on a benchmark.", no_args_is_help=True)


@app.callback()
def _tasks() -> None:
    """Measure a model on a benchmark."""


@app.command()
def sim(
    seeds: options.EpisodeSeeds = options.EPISODE_SEEDS,
    json_out: options.Json = None,
    config: options.Config = None,
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    threshold: Annotated[
        float | None, options.option(DeciderConfig, "threshold", over=options.FILE)
    ] = None,
    gate: Annotated[
        float | None, options.option(GateConfig, "level", "--gate", over=options.FILE)
    ] = None,
    seconds: options.EpisodeSeconds = options.EPISODE_SECONDS,
    camera: options.EpisodeCamera = options.EPISODE_CAMERA,
    watches: Annotated[
        int,
        typer.Option(
            min=0, help="also the recall with this many watches open, on the same seeds; 0: not"
        ),
    ] = 0,
    memory: Annotated[
        bool,
        typer.Option(
            "--memory", help="take notes too, and have those of earlier episodes before the video"
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option(help="no progress bar")] = False,
) -> None:
    """The household benchmark: free-running episodes on held-out seeds."""
    from dataclasses import replace

    from aura_core.evaluation.sim import evaluate
    from aura_core.evaluation.watches import evaluate as open_together
    from aura_core.models import load

    output.check("--json", json_out)
    options.check_camera(camera)
    console = Console(stderr=True)
    settings = options.assistant_config(config, model, device, dtype)
    if threshold is not None:
        settings = replace(settings, decider=replace(settings.decider, threshold=threshold))
    if gate is not None:
        settings = replace(settings, gate=GateConfig(gate))
    chosen = options.seeds(seeds)
    backend = load(settings.model, settings.server)
    console.print(backend.description)
    episodes = chosen if quiet else track(chosen, "episodes", console=console)
    report = evaluate(backend, episodes, settings, seconds, camera=camera, memory=memory)
    if watches:
        many = open_together(
            backend, chosen, watches, "conversation", settings, seconds, camera=camera
        )
        report = replace(report, figures=report.figures | {f"watches{watches}.recall": many.recall})
    table = Table("figure", "value", "95% interval", "n")
    for name, m in report.figures.items():
        table.add_row(name, f"{m.value:.3f}", f"{m.ci95[0]:.3f} .. {m.ci95[1]:.3f}", f"{m.n:g}")
    for phase, m in report.by_phase.items():
        table.add_row(
            f"recall, event at {phase} s of its chunk",
            f"{m.value:.3f}",
            f"{m.ci95[0]:.3f} .. {m.ci95[1]:.3f}",
            f"{m.n:g}",
        )
    Console().print(table)
    print(
        f"{len(report.scores)} episodes, {report.steps} steps, {report.vision_encodes} vision"
        f" encodes in {report.wall_s:.1f} s; step p50 {report.step_ms[0]:.1f} ms, p95"
        f" {report.step_ms[1]:.1f} ms"
    )
    if json_out is not None:
        output.write(json_out, json.dumps(report.as_json(), indent=2) + "\n")


@app.command()
def watches(
    open_watches: Annotated[
        str, typer.Option("--open", help="numbers of open watches, comma-separated")
    ] = "1,8",
    seeds: options.EpisodeSeeds = options.EPISODE_SEEDS,
    ways: Annotated[
        str, typer.Option(help="how they are asked: conversation, words, fork")
    ] = "conversation,words,fork",
    json_out: options.Json = None,
    config: options.Config = None,
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    seconds: options.EpisodeSeconds = options.EPISODE_SECONDS,
    camera: options.EpisodeCamera = options.EPISODE_CAMERA,
) -> None:
    """Many watches at once: in one conversation, or each in a copy of its own; and which of them an
    alert is told to belong to: as the model sees it, or by its words."""
    from aura_core.evaluation.watches import WAYS, evaluate
    from aura_core.models import load

    options.check_camera(camera)
    try:
        numbers = [int(n) for n in open_watches.split(",")]
    except ValueError:
        raise InputError(f"--open must be numbers like 1,8, not '{open_watches}'") from None
    if min(numbers) < 1:
        raise InputError(f"--open must be at least 1, not {min(numbers)}")
    if strange := set(ways.split(",")) - set(WAYS):
        raise InputError(f"--ways are {', '.join(WAYS)}, not '{min(strange)}'")
    output.check("--json", json_out)
    chosen = options.seeds(seeds)
    settings = options.assistant_config(config, model, device, dtype)
    backend = load(settings.model, settings.server)
    table = Table(
        "open", "asked", "recall (95%)", "n", "false alarms/min", "ms/step", "tokens/step"
    )
    owners = Table(
        "open", "asked", "alerts that name a due watch (95%)", "n", "precision", "recall"
    )
    out: dict[str, object] = {}
    for number in numbers:
        for way in ways.split(",") if number > 1 else ("conversation",):
            r = evaluate(backend, chosen, number, way, settings, seconds, camera=camera)
            table.add_row(
                str(number),
                way,
                _with_interval(r.recall),
                f"{r.recall.n:g}",
                f"{r.false_alarms_per_min.value:.2f}",
                f"{r.step_ms:.1f}",
                f"{r.tokens:.1f}",
            )
            if (a := r.attribution) and number > 1:
                owners.add_row(
                    str(number),
                    way,
                    _with_interval(a.named),
                    f"{a.named.n:g}",
                    f"{a.precision.value:.3f}",
                    f"{a.recall.value:.3f}",
                )
            out[f"{way}{number}"] = r.as_json()
    Console().print(table)
    if owners.row_count:
        print("\nWhich watches alerts in time name:")
        Console().print(owners)
    if json_out is not None:
        output.write(json_out, json.dumps(out, indent=2) + "\n")


@app.command()
def recalled(
    seeds: options.EpisodeSeeds = "500000:500040",
    json_out: options.Json = None,
    config: options.Config = None,
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    seconds: options.EpisodeSeconds = options.EPISODE_SECONDS,
    wrong: Annotated[int, typer.Option(min=0, help="print so many wrong answers")] = 0,
) -> None:
    """What the embedded model itself makes of memory: its notes of a room, and its answers from
    lines that a perfect search would put before the question."""
    from aura_core.evaluation.recalled import evaluate
    from aura_core.models import load

    output.check("--json", json_out)
    chosen = options.seeds(seeds)
    settings = options.assistant_config(config, model, device, dtype)
    backend = load(settings.model, settings.server)
    tally = evaluate(backend, track(chosen, "rooms", console=Console(stderr=True)), seconds)
    table = Table("figure", "value", "95% interval", "n")
    figures = tally.figures()
    for name, m in figures.items():
        table.add_row(name, f"{m.value:.3f}", f"{m.ci95[0]:.3f} .. {m.ci95[1]:.3f}", f"{m.n:g}")
    Console().print(table)
    for asked, wanted, said in tally.wrong[:wrong]:
        print(f"{asked!r}: {wanted!r}, said {said!r}")
    if json_out is not None:
        told = {name: m.as_json() for name, m in figures.items()}
        output.write(json_out, json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def _with_interval(m: Measured) -> str:
    return f"{m.value:.3f} ({m.ci95[0]:.3f} .. {m.ci95[1]:.3f})"


app.command()(eval_memory.memory)
app.command()(eval_agree.agree)
app.command()(eval_paired.paired)
app.command()(eval_table.table)
benchmark.register(app)
