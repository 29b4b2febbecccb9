"""`aura fit`: which GPU a checkpoint fits on, computed from its small files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aura_core.cli import options, output
from aura_core.errors import InputError

if TYPE_CHECKING:
    from aura_core.bench.fit import Plan
    from aura_core.config import WindowConfig


def fit(
    model: options.Model = None,
    gpu: Annotated[
        float | None,
        typer.Option(min=0.1, max=100_000, help="memory of the GPU [GB]; without it: a table"),
    ] = None,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16")] = "bfloat16",
    quantize: Annotated[
        str, typer.Option(help="the weights: none (as they are stored), fp8, int8 or 4bit")
    ] = "none",
    frame: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the camera's frames")] = "640x480",
    config: options.Config = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="write all figures here")] = None,
) -> None:
    """Compute what a checkpoint takes on a GPU: weights, window, shadow, activations.

    No weights are needed. The formulas are in aura_core/bench/fit.py. With --gpu, the exit code is
    1 where it does not fit.
    """
    from aura_core.bench import fit as sizes

    settings = options.assistant_config(config, model, None, None)
    if settings.model.path == "scripted":
        raise InputError("--model: scripted has no weights")
    for name, value, known in (
        ("--dtype", dtype, tuple(sizes.BYTES)),
        ("--quantize", quantize, sizes.QUANTIZE),
    ):
        if value not in known:
            raise InputError(f"{name} must be one of {', '.join(known)}, not '{value}'")
    output.check("--json", json_out)
    plan = sizes.plan(settings.model.path, _frame(frame), settings.model.max_pixels)
    window = settings.window
    need = sizes.need(plan, window, dtype, quantize)
    _show(plan, window, dtype, quantize)
    fits = True
    if gpu is None:
        _table(plan, window, dtype)
    else:
        room = round(gpu * sizes.GB)
        fits = need.total <= room
        print(_verdict(plan, window, room, dtype, quantize))
    if json_out is not None:
        figures = {
            "model": plan.name,
            "parameters": plan.parameters,
            "tokens_per_turn": plan.turn,
            "kv_bytes_per_token": plan.kv_token(dtype),
            "window": {"keep": window.keep, "max": window.max, "policy": window.policy},
            "dtype": dtype,
            "quantize": quantize,
            "bytes": asdict(need) | {"total": need.total},
        }
        output.write(json_out, json.dumps(figures, indent=2) + "\n")
    if not fits:
        raise typer.Exit(1)


def _frame(text: str) -> tuple[int, int]:
    """(height, width) of WIDTHxHEIGHT. Raises `InputError`."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and 0 < int(width) * int(height) < 10**9):
        raise InputError(f"--frame {text}: expected WIDTHxHEIGHT, as in 640x480")
    return int(height), int(width)


def _show(plan: Plan, window: WindowConfig, dtype: str, quantize: str) -> None:
    from aura_core.bench import fit as sizes

    need = sizes.need(plan, window, dtype, quantize)
    stored = f"quantized: {plan.method}" if plan.method else dtype
    how = stored if quantize == "none" else f"{quantize}, the rest {dtype}"
    kept = f"{window.max} + {window.keep}" if window.policy == "shadow" else str(window.max)
    count = plan.parameters
    number = f"{count / 1e9:.2f} billion" if count >= 1e9 else f"{count / 1e6:.2f} million"
    print(f"{plan.name}: {number} parameters ({how})")
    print(f"  a turn: {plan.visual} visual tokens and {plan.template} around them")
    print(f"  a token in the cache: {plan.kv_token(dtype):,} bytes; chunks: {kept}")
    for part, size in (
        ("weights", need.weights),
        ("window", need.window),
        ("shadow", need.shadow),
        ("activations (estimate)", need.activations),
        ("CUDA (assumed)", need.context),
        ("total", need.total),
    ):
        print(f"  {part:24}{size / sizes.GB:8.2f} GB")


def _verdict(plan: Plan, window: WindowConfig, room: int, dtype: str, quantize: str) -> str:
    """Whether it fits, and where not what does."""
    from aura_core.bench import fit as sizes

    gb = f"{room / sizes.GB:g} GB"
    left = room - sizes.need(plan, window, dtype, quantize).total
    if left >= 0:
        return f"fits {gb}: {left / sizes.GB:.2f} GB are left"
    small = sizes.largest(plan, window, room, dtype, quantize)
    words = f"does not fit {gb}: {-left / sizes.GB:.2f} GB are missing"
    if small is not None:
        return f"{words}; it fits with window.max {small.max} and window.keep {small.keep}"
    others = () if plan.method else sizes.QUANTIZE[1:]
    fitting = [q for q in others if sizes.largest(plan, window, room, dtype, q) is not None]
    if fitting:
        return f"{words}, even with the smallest window; try --quantize {fitting[0]}"
    return f"{words}, even with the smallest window; take a smaller model"


def _table(plan: Plan, window: WindowConfig, dtype: str) -> None:
    """For each GPU and kind of weights: the window that fits."""
    from rich.console import Console
    from rich.table import Table

    from aura_core.bench import fit as sizes

    kinds = ("none",) if plan.method else sizes.QUANTIZE
    names = [(plan.method or dtype) if kind == "none" else kind for kind in kinds]
    table = Table("GPU", *names, title="window.max / keep that fits, and GB left")
    for gb in sizes.GPUS:
        cells = []
        for kind in kinds:
            room = gb * sizes.GB
            made = sizes.largest(plan, window, room, dtype, kind)
            if made is None:
                cells.append("no")
                continue
            left = (room - sizes.need(plan, made, dtype, kind).total) / sizes.GB
            cells.append(f"{made.max} / {made.keep}, {left:.1f}")
        table.add_row(f"{gb} GB", *cells)
    Console(width=100, highlight=False).print(table)
    print("Computed, not measured on a GPU.")
