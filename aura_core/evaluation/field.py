"""Published figures of other models, and tables of own results beside them.

Every published row has its source. Figures from 0 to 1, named as `aura eval` names them. Most of
them were made by polling; a table says how its own results were made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.errors import InputError
from aura_core.evaluation.tasks import TASKS
from aura_core.evaluation.tasks.base import load_json

AURA, OMNIINTERACT = "arXiv 2604.04184", "arXiv 2605.26485"
FASTBENCH = "FastBench, table 1 (github.com/Ashone3/FastBench)"


@dataclass(frozen=True)
class Row:
    """The figures of one model on one benchmark. `own` are from a result file."""

    task: str
    model: str
    figures: Mapping[str, float]
    source: str
    own: bool = False
    intervals: Mapping[str, tuple[float, float]] | None = None


def _fastbench(model: str, forward: float, instant: float, backward: float, score: float) -> Row:
    figures = {"forward": forward, "instant": instant, "backward": backward, "score": score}
    return Row("fastbench", model, figures, FASTBENCH)


PUBLISHED = (
    Row("streamingbench", "AURA 8B", {"overall": 0.731}, AURA),
    Row(
        "ovobench",
        "AURA 8B",
        {"backward": 0.604, "realtime": 0.798, "forward": 0.558, "total": 0.653},
        AURA,
    ),
    Row("ovobench", "Gemini 1.5 Pro", {"total": 0.630}, "arXiv 2501.05510, its released replies"),
    Row("omnimmi", "AURA 8B", {"proactive_alerting": 0.375, "total": 0.254}, AURA),
    Row("omnimmi", "MOSS-VL-Realtime 11B", {"proactive_alerting": 0.660}, "arXiv 2608.15045"),
    Row("omniinteract", "MiniCPM-o 4.5 9B", {"IA-QTF1": 0.368}, OMNIINTERACT),
    Row(
        "omniinteract",
        "AURA 8B",
        {"IA-QTF1 1Q1A global": 0.467, "IA-QTF1 1qna": 0.052},
        OMNIINTERACT,
    ),
    _fastbench("Gemini 3.5 Flash", 0.527, 0.485, 0.477, 0.507),
    _fastbench("GPT-5.6-Sol", 0.451, 0.518, 0.449, 0.467),
    _fastbench("JoyAI-VL-Interaction 8B", 0.442, 0.436, 0.443, 0.441),
    _fastbench("Qwen3-VL 8B", 0.339, 0.345, 0.283, 0.329),
    _fastbench("AURA 8B", 0.249, 0.414, 0.403, 0.321),
    _fastbench("MOSS-VL-Realtime 11B", 0.361, 0.222, 0.132, 0.279),
    _fastbench("VideoChat3 4B", 0.376, 0.0, 0.0, 0.207),
)


def results(folder: Path) -> list[Row]:
    """Return the rows of all result files of a folder (`aura eval ... --json`).

    Other JSON files are left out. Raises `InputError` when there is no result.
    """
    rows = []
    for path in sorted(folder.rglob("*.json")):
        data = load_json(path)
        known = isinstance(data, dict) and data.get("task") in TASKS
        if known and isinstance(data.get("figures"), dict):
            rows.append(_own(path, data))
    if not rows:
        raise InputError(f"{folder}: no result of a benchmark is in it; `aura eval` writes --json")
    return rows


def _own(path: Path, data: Mapping[str, Any]) -> Row:
    figures, intervals = {}, {}
    try:
        for name, m in data["figures"].items():
            if m["value"] is not None:
                figures[name] = float(m["value"])
                low, high = m["ci95"]
                if low is not None and high is not None:
                    intervals[name] = float(low), float(high)
        how = f"{path.name}: {data['mode']}, {data['scored']} of {data['items']} items"
        judge = str(data.get("judge", ""))
        how += "" if judge.startswith("no judge") else f", judge: {judge}"
        model = str(data["model"])
    except (KeyError, TypeError, ValueError) as e:
        raise InputError(f"{path}: not a result of `aura eval`: field {e} is wrong") from e
    return Row(data["task"], Path(model).name or model, figures, how, True, intervals)


def columns(rows: Sequence[Row]) -> list[str]:
    """Return the figures of a benchmark's table: those that were published, and the last one.

    Without published rows, the last three figures of each result.
    """
    published = [name for r in rows if not r.own for name in r.figures]
    last = [name for r in rows if r.own for name in [*r.figures][-1:]]
    if not published:
        last = [name for r in rows if r.own for name in [*r.figures][-3:]]
    return [*dict.fromkeys((*published, *last))]


def tables(own: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows by benchmark, own and published, the best first by the last column."""
    out = {}
    for task in TASKS:
        mine = [r for r in own if r.task == task]
        if mine:
            rows = [*mine, *(r for r in PUBLISHED if r.task == task)]
            headline = columns(rows)[-1]
            out[task] = sorted(rows, key=lambda r: -r.figures.get(headline, -math.inf))
    return out


def markdown(own: Sequence[Row]) -> str:
    """Return all tables as Markdown."""
    parts = []
    for task, rows in tables(own).items():
        names = columns(rows)
        lines = [
            f"## {TASKS[task].title}",
            "",
            f"| model | {' | '.join(names)} | source |",
            f"| --- | {' | '.join('---:' for _ in names)} | --- |",
        ]
        for r in rows:
            cells = " | ".join(_cell(r, name) for name in names)
            model = f"**{r.model}**" if r.own else r.model
            lines.append(f"| {model} | {cells} | {r.source.replace('|', '/')} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _cell(row: Row, name: str) -> str:
    if name not in row.figures:
        return "-"
    value = f"{row.figures[name]:.3f}"
    interval = (row.intervals or {}).get(name)
    return value if interval is None else f"{value} ({interval[0]:.3f} .. {interval[1]:.3f})"


def draw(own: Sequence[Row], path: Path) -> None:
    """Write a PNG: a bar for each model and benchmark, of the last figure of each table."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    every = tables(own)
    heights = [1 + len(rows) for rows in every.values()]
    figure, axes = plt.subplots(
        len(every),
        1,
        figsize=(9, 0.4 * sum(heights) + 0.6),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    for axis, (task, rows) in zip(axes[:, 0], every.items(), strict=True):
        headline = columns(rows)[-1]
        shown = [r for r in rows if headline in r.figures][::-1]
        values = [r.figures[headline] for r in shown]
        places = range(len(shown))
        axis.barh(places, values, color=["#d17b0f" if r.own else "#8d99ae" for r in shown])
        for k, r in enumerate(shown):
            interval = (r.intervals or {}).get(headline)
            if interval is not None:
                axis.plot(interval, (k, k), color="#333333", linewidth=1.2)
            at = max(values[k], *(interval or (0.0,)))
            axis.text(at + 0.01, k, f"{values[k]:.3f}", va="center", fontsize=8)
        axis.set_yticks(places, [r.model for r in shown], fontsize=8)
        axis.set_xlim(0, max(1.0, *values) * 1.08)
        axis.set_title(f"{TASKS[task].title}: {headline}", fontsize=10, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
