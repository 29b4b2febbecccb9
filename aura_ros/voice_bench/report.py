"""The figures of all parts, with the conditions under which they were measured, and as a table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from aura_core import __version__
from aura_core.bench.conditions import conditions
from aura_core.bench.speech.virtual import real_time_allowed
from aura_core.bench.speech.wer import load_jiwer
from aura_core.errors import AuraError, one_line
from aura_ros.voice_bench.parts import Plan, run


def measure(plan: Plan, names: Sequence[str], tell: Callable[[str], None]) -> dict[str, Any]:
    """The figures of these parts; `tell` gets a line before each.

    A part that fails has an `error` in place of its figures, and the others still run. Raises
    ConfigError or ModelError, before the first part, where the recogniser cannot be loaded.
    """
    if "wer" in names:
        load_jiwer()
    asr = plan.asked.subject.asr
    plan.asked.subject.ears()
    figures: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    before = conditions()
    for name in names:
        tell(f"{name} ...")
        load, began = conditions()["load_average"], time.monotonic()
        parts[name] = {}
        try:
            found = run(name, plan)
            figures |= found
            parts[name]["figures"] = list(found)
        except AuraError as e:
            parts[name]["error"] = one_line(e)
            tell(f"{name}: {one_line(e)}")
        parts[name]["took_s"] = round(time.monotonic() - began, 1)
        parts[name]["load_average"] = [load, conditions()["load_average"]]
    return {
        "version": __version__,
        "asr": asr.backend,
        "model": Path(asr.model).name,
        "load": {
            "busy_loops": plan.busy,
            "cores": before["cores"],
            "room_in_real_time": real_time_allowed(),
        },
        "before": before,
        "after": conditions(),
        "run": {
            "n": plan.n,
            "sentences": plan.sentences,
            "idle_s": plan.idle_s,
            "minutes": plan.minutes,
            "parts": parts,
        },
        "figures": figures,
    }


def failures(out: dict[str, Any]) -> list[str]:
    """The parts that failed, with the reason."""
    parts = out["run"]["parts"].items()
    return [f"{name}: {part['error']}" for name, part in parts if "error" in part]


def table(figures: dict[str, dict[str, Any]]) -> Table:
    """One row for each figure: its value, its n and its spread."""
    out = Table()
    for column in ("", "value", "n", "spread", "more"):
        out.add_column(column, no_wrap=not column)
    for name, figure in figures.items():
        out.add_row(name, *row(figure))
    return out


def row(figure: dict[str, Any]) -> tuple[str, str, str, str]:
    """A figure as text: value, n, spread and the rest of it."""
    rest = dict(figure)
    if "p50" in rest:
        value, spread = f"p50 {_number(rest.pop('p50'))}", f"p95 {_number(rest.pop('p95'))}"
    else:
        value, spread = _number(rest.pop("value", None)), ""
        if ends := rest.pop("ci95", None):
            spread = f"95% {_number(ends[0])} to {_number(ends[1])}"
    n = f"{_number(rest.pop('minutes'))} min" if "minutes" in rest else str(rest.pop("n", ""))
    for listed in ("missed", "sent"):  # they stand in the JSON
        rest.pop(listed, None)
    return value, n, spread, ", ".join(f"{k} {_plain(v)}" for k, v in rest.items())


def _number(value: float | int | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _plain(value: Any) -> str:
    return json.dumps(value).replace('"', "")
