"""`aura calibrate`: find a model's threshold on p(silent) by a validation run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aura_core.cli import options, output
from aura_core.errors import InputError
from aura_core.plain import dump_yaml

if TYPE_CHECKING:
    from aura_core.config import AssistantConfig
    from aura_core.evaluation.calibration import Calibration, Point


def calibrate(
    seeds: Annotated[
        str, typer.Option(help="FIRST:END, END excluded; below 500000 (those are for tests)")
    ] = "420000:420020",
    max_false_alarms: Annotated[
        float, typer.Option(min=0.0, help="budget of false alarms a minute")
    ] = 0.1,
    objective: Annotated[
        str, typer.Option(help="what to maximise within the budget: recall or f1")
    ] = "recall",
    seconds: options.EpisodeSeconds = options.EPISODE_SECONDS,
    json_out: Annotated[Path | None, typer.Option("--json", help="write all figures here")] = None,
    out: Annotated[
        Path | None, typer.Option(help="write the `aura:` section with the threshold to this YAML")
    ] = None,
    config: options.Config = None,
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
) -> None:
    """Choose the threshold on p(silent): best recall within a budget of false alarms."""
    from rich.console import Console

    from aura_core.evaluation import calibration
    from aura_core.models import load

    settings = options.assistant_config(config, model, device, dtype)
    chosen = options.seeds(seeds)
    if chosen[-1] >= calibration.FIRST_TEST_SEED:
        raise InputError(
            f"--seeds {seeds}: seeds from {calibration.FIRST_TEST_SEED} on are for tests; use lower"
            " ones"
        )
    if objective not in calibration.OBJECTIVES:
        raise InputError(
            f"--objective {objective}: expected one of {', '.join(calibration.OBJECTIVES)}"
        )
    output.check("--json", json_out)
    output.check("--out", out)
    backend = load(settings.model, settings.server)
    Console(stderr=True).print(backend.description)
    result = calibration.calibrate(backend, chosen, settings, objective, max_false_alarms, seconds)
    _show(result)
    missed = result.free.false_alarms_per_min.value > max_false_alarms
    if missed:
        print(
            f"warning: free-running, the budget of {max_false_alarms:g} false alarms a minute is"
            " NOT met: what is said changes what follows; try a smaller --max-false-alarms"
        )
    if json_out is not None:
        figures = {
            "model": settings.model.path,
            "seeds": seeds,
            "seconds": seconds,
            "objective": objective,
            "max_false_alarms": max_false_alarms,
            "budget_met": not missed,
            "base": result.base.as_json(),
            "estimate": result.estimate.as_json(),
            "free_running": result.free.as_json(),
            "sweep": [p.as_json() for p in result.sweep],
        }
        output.write(json_out, json.dumps(figures, indent=2) + "\n")
    if out is not None:
        output.write(out, yaml_text(result, settings, f"seeds {seeds}, {seconds} s each"))


def yaml_text(result: Calibration, settings: AssistantConfig, episodes: str) -> str:
    """YAML for `AssistantConfig.from_yaml`: the calibrated model and its decider."""
    import dataclasses

    decider = dataclasses.asdict(settings.decider) | {"threshold": result.estimate.threshold}
    section = {"aura": {"model": {"path": settings.model.path}, "decider": decider}}
    head = (
        f"# Written by `aura calibrate` on {episodes}. The threshold belongs to this model.\n"
        f"# free-running: {_line(result.free)}\n# estimated:    {_line(result.estimate)}\n"
        f"# without it:   {_line(result.base)}\n"
    )
    return head + dump_yaml(section, sort_keys=False)


def _show(result: Calibration) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("threshold", "recall", "false alarms/min", "silence precision", "F1", "n due")
    for p in result.sweep:
        mark = " *" if p is result.estimate else ""
        table.add_row(
            f"{p.threshold:g}{mark}",
            f"{p.recall.value:.3f}",
            f"{p.false_alarms_per_min.value:.2f}",
            f"{p.silence_precision.value:.3f}",
            f"{p.f1.value:.3f}",
            f"{p.recall.n:g}",
        )
    Console().print(table)
    print(
        "The table is an estimate: what a model says changes what it decides next. Value, 95%"
        " interval and n:"
    )
    for name, p in (
        ("own choice", result.base),
        ("estimated", result.estimate),
        ("free-running", result.free),
    ):
        print(f"{name:>12}: {_line(p)}")


def _line(p: Point) -> str:
    at = "argmax" if p.threshold is None else f"threshold {p.threshold:g}"
    figures = (
        ("recall", p.recall),
        ("false alarms/min", p.false_alarms_per_min),
        ("silence precision", p.silence_precision),
        ("F1", p.f1),
    )
    return f"{at}: " + ", ".join(
        f"{name} {m.value:.3f} [{m.ci95[0]:.3f} .. {m.ci95[1]:.3f}] n={m.n:g}"
        for name, m in figures
    )
