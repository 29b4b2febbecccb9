"""`aura bench PART`: measure speed and cost on this machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from aura_core.cli import bench_data, options, output
from aura_core.cli.with_ros import PASSES_ON, run_module
from aura_core.config import POLICIES, WindowConfig
from aura_core.cores import cores
from aura_core.errors import ConfigError

Busy = Annotated[
    int, typer.Option("--busy", min=0, max=64, help="busy loops that run beside the measurement")
]
app = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)
app.add_typer(bench_data.app, name="data")


@app.callback()
def _parts() -> None:
    """Measure speed on this machine."""


@app.command()
def engine(
    keep: Annotated[int, options.option(WindowConfig, "keep")] = WindowConfig.keep,
    max_chunks: Annotated[int, options.option(WindowConfig, "max", "--max")] = WindowConfig.max,
    steps: Annotated[
        int, typer.Option(min=1, help="measured steps, after the window has filled")
    ] = 150,
    policies: Annotated[
        str, typer.Option(help="comma-separated")
    ] = "shadow,floating,evict,fifo,recompute",
    size: Annotated[
        str, typer.Option(help="small (12 M) or 8b: random weights of that shape")
    ] = "small",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:0...")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16")] = "float32",
    attention: Annotated[str, typer.Option(help="sdpa or flash_attention_2")] = "sdpa",
    soak: Annotated[
        int, typer.Option(min=0, help="instead: this many steps of the shadow alone, for flatness")
    ] = 0,
    busy: Busy = 0,
    json_out: options.Json = None,
    plot: Annotated[Path | None, typer.Option(help="PNG of the latency of each step")] = None,
) -> None:
    """All window policies side by side on random weights: latency, tokens, exactness."""
    import torch

    from aura_core.bench import engine as bench
    from aura_core.bench.load import busy_loops
    from aura_core.bench.random_model import RandomBackend

    window = WindowConfig(keep, max_chunks)
    names = [p.strip() for p in policies.split(",") if p.strip()]
    if unknown := [p for p in names if p not in POLICIES]:
        raise ConfigError(f"--policies: '{unknown[0]}' is none of {', '.join(POLICIES)}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"--device {device}: torch sees no CUDA device")
    output.check("--json", json_out)
    output.check("--plot", plot)
    torch.set_num_threads(1)  # so that the CPU time of the thread is all of the work
    console = Console(stderr=True)
    backend = RandomBackend(size, device, dtype, attention)
    console.print(backend.description)
    settings = {"keep": keep, "max": max_chunks, "size": size, "device": device, "dtype": dtype}
    settings |= {"load": _load(busy)}
    with busy_loops(busy), Progress(console=console) as progress:
        task = progress.add_task(
            "steps", total=(soak + 2 * max_chunks) if soak else steps + max_chunks
        )
        if soak:
            out: dict[str, Any] = {
                "soak": bench.soak(backend, window, soak, lambda: progress.advance(task)),
                **settings,
            }
        else:
            runners = bench.compare(backend, window, names, steps, lambda: progress.advance(task))
            figures = {name: r.figures() for name, r in runners.items()}
            out = {
                "policies": figures,
                "ratios": bench.ratios(figures, window),
                "steps": steps,
                **settings,
            }
    _show(out)
    _write(json_out, out)
    if plot is not None and not soak:
        _plot(plot, {name: r.ms for name, r in runners.items()}, keep, max_chunks)


@app.command()
def replay(
    seconds: Annotated[int, typer.Option(min=10, max=600, help="seconds of video")] = 60,
    model: options.Model = None,
    config: options.Config = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    threads: Annotated[
        int | None, typer.Option(min=0, help="CPU threads of the model; 0: automatic")
    ] = None,
    busy: Busy = 0,
    json_out: options.Json = None,
) -> None:
    """Replay the simulated room by the wall clock: time of a silent step, and times real time."""
    from aura_core.bench import replay as bench
    from aura_core.bench.load import busy_loops
    from aura_core.models import load

    output.check("--json", json_out)
    settings = options.assistant_config(config, model, device, dtype)
    if threads is not None:
        settings = replace(settings, model=replace(settings.model, threads=threads))
    console = Console(stderr=True)
    backend = load(settings.model, settings.server)
    console.print(backend.description, highlight=False, soft_wrap=True)
    with busy_loops(busy), Progress(console=console) as progress:
        task = progress.add_task("seconds", total=seconds)
        figures = bench.measure(backend, settings, seconds, lambda: progress.advance(task))
    table = Table("", backend.description.partition(":")[0])
    for name, value in figures.items():
        table.add_row(name, "-" if value is None else f"{value:.4g}")
    Console().print(table)
    out = figures | {"model": backend.description, "load": _load(busy)}
    print(_told(out["load"]))
    _write(json_out, out)


@app.command()
def latency(
    questions: Annotated[int, typer.Option(min=1, max=1000, help="questions to ask")] = 40,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="questions wait for the end of their second (at_once off)"),
    ] = False,
    model: options.Model = None,
    config: options.Config = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    busy: Busy = 0,
    json_out: options.Json = None,
) -> None:
    """From a question to the first word of its answer: the live host on a simulated camera."""
    from aura_core.bench import latency as bench
    from aura_core.bench.load import busy_loops
    from aura_core.models import load

    output.check("--json", json_out)
    settings = options.assistant_config(config, model, device, dtype)
    if wait:
        settings = replace(settings, generation=replace(settings.generation, at_once=False))
    console = Console(stderr=True)
    described: list[str] = []

    def ready(description: str) -> None:
        described.append(description)
        console.print(description, highlight=False, soft_wrap=True)

    with busy_loops(busy), Progress(console=console) as progress:
        task = progress.add_task("questions", total=questions)
        figures = bench.measure(
            lambda: load(settings.model, settings.server),
            settings,
            questions,
            ready,
            lambda: progress.advance(task),
        )
    table = Table("", described[0].partition(":")[0])
    for name, value in figures.items():
        table.add_row(name, "-" if value is None else f"{value:.4g}")
    Console().print(table)
    out = figures | {
        "at_once": settings.generation.at_once,
        "model": described[0],
        "load": _load(busy),
    }
    print(f"questions {'at once' if out['at_once'] else 'wait'}; {_told(out['load'])}")
    _write(json_out, out)


@app.command()
def memory(
    notes: Annotated[
        int, typer.Option(min=100, max=10_000_000, help="in the file; a month has 86400")
    ] = 86_400,
    questions: Annotated[int, typer.Option(min=1, max=100_000, help="questions to ask")] = 400,
    kills: Annotated[
        int, typer.Option(min=0, max=1000, help="how often a process that writes is killed")
    ] = 50,
    vectors: Annotated[
        int, typer.Option(min=0, max=4096, help="length of a random vector of each note; 0: none")
    ] = 0,
    busy: Busy = 0,
    json_out: options.Json = None,
) -> None:
    """A month of notes: time of a search and of opening, size, and what a kill costs."""
    from tempfile import TemporaryDirectory

    from aura_core.bench import memory as bench
    from aura_core.bench.conditions import conditions
    from aura_core.bench.load import busy_loops

    output.check("--json", json_out)
    console = Console(stderr=True)
    before = conditions()
    with busy_loops(busy), TemporaryDirectory(prefix="aura_bench_memory_") as folder:
        asked = bench.Asked(notes, questions, kills, vectors)
        figures = bench.measure(asked, Path(folder), console.print)
    table = Table("", "notes in memory")
    for name, value in figures.items():
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    Console().print(table)
    out = figures | {"load": _load(busy), "before": before, "after": conditions()}
    print(_told(out["load"]))
    _write(json_out, out)


@app.command()
def console(
    seconds: Annotated[
        float, typer.Option(min=5, max=3600, help="of each part, and of each turn")
    ] = 30,
    pages: Annotated[int, typer.Option(min=1, max=500, help="pages beside the model")] = 20,
    rounds: Annotated[
        int, typer.Option(min=0, max=100, help="turns with pages and without; 0: no model")
    ] = 4,
    browser: Annotated[
        bool, typer.Option("--browser", help="also in the system's Chromium, with Playwright")
    ] = False,
    model: options.Model = None,
    config: options.Config = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    busy: Busy = 0,
    json_out: options.Json = None,
) -> None:
    """The console: from an event to the page, what a page costs, and steps beside many pages."""
    from aura_core.bench import console as bench
    from aura_core.bench.conditions import conditions, told
    from aura_core.bench.load import busy_loops

    output.check("--json", json_out)
    settings = options.assistant_config(config, model, device, dtype)
    terminal = Console(stderr=True, highlight=False)
    before = conditions()
    with busy_loops(busy):
        figures = bench.measure(settings, seconds, pages, rounds, browser, terminal.print)
    table = Table("", "console")
    for name, value in figures.items():
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    Console().print(table)
    out = figures | {"load": _load(busy), "before": before, "after": conditions()}
    print(told(before, out["after"]))
    _write(json_out, out)


@app.command(context_settings=PASSES_ON)
def voice(context: typer.Context) -> None:
    """Speech input and output, measured.

    As ROS nodes over virtual devices: round trip, barge-in, self-triggers, idle CPU. Without
    devices: noises, talk, wake phrase, delay, word errors.
    """
    raise run_module("aura bench voice", "aura_ros.voice_bench", context.args)


@app.command(context_settings=PASSES_ON)
def ros(context: typer.Context) -> None:
    """What ROS adds to the model's time; CPU; Ctrl-C; recovery after a crash; speed of a replay."""
    raise run_module("aura bench ros", "aura_ros.ros_bench", context.args)


def _load(busy: int) -> dict[str, int]:
    """The load beside the measurement, and the number of cores."""
    return {"busy_loops": busy, "cores": cores()}


def _told(load: dict[str, int]) -> str:
    return f"load: {load['busy_loops']} busy loops beside it, {load['cores']} cores"


def _write(path: Path | None, out: dict[str, Any]) -> None:
    if path is not None:
        output.write(path, json.dumps(out, indent=2) + "\n")


def _show(out: dict[str, Any]) -> None:
    print(_told(out["load"]))
    if "soak" in out:
        for name, value in out["soak"].items():
            print(f"{name} {value:.4g}")
        return
    rows = (
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "max_ms",
        "mean_ms",
        "busy_mean_ms",
        "critical_tokens_max",
        "tokens_per_step",
        "vision_encodes_per_chunk",
        "forwards_per_silent_step",
        "decodes_per_silent_step",
        "switches",
        "max_logit_diff",
    )
    policies = out["policies"]
    table = Table("", *policies)
    for row in rows:
        table.add_row(row, *("-" if p[row] is None else f"{p[row]:.4g}" for p in policies.values()))
    Console().print(table)
    for name, value in out["ratios"].items():
        print(f"{name} {value:.3f}")


def _plot(path: Path, ms: dict[str, list[float]], keep: int, max_chunks: int) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    for name, values in ms.items():
        axes.plot(
            values,
            label=name,
            linewidth=2 if name == "shadow" else 1,
            zorder=3 if name == "shadow" else 2,
        )
    axes.set_yscale("log")
    axes.set_xlabel("step (one a second)")
    axes.set_ylabel("time to decide, ms")
    axes.set_title(f"What a decision costs, window {keep}/{max_chunks}")
    axes.grid(alpha=0.3, which="both")
    axes.legend(ncols=len(ms), loc="upper center", bbox_to_anchor=(0.5, -0.16))
    figure.savefig(path, dpi=120)
    plt.close(figure)
