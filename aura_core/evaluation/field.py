"""Tables of own results beside the published ones, with how each row was made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.errors import InputError
from aura_core.evaluation.published import HEADLINE, NOT_FOUND, PUBLISHED, Row
from aura_core.evaluation.tasks import TASKS
from aura_core.evaluation.tasks.base import load_json


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
        how = f"{data['mode']}, {data['scored']} of {data['items']} items"
        judge = str(data.get("judge", ""))
        how += "" if judge.startswith("no judge") else f", judge: {judge}"
        model = str(data["model"])
    except (KeyError, TypeError, ValueError) as e:
        raise InputError(f"{path}: not a result of `aura eval`: field {e} is wrong") from e
    return Row(data["task"], Path(model).name or model, figures, how, path.name, True, intervals)


def columns(task: str, rows: Sequence[Row]) -> list[str]:
    """Return the figures of a benchmark's table: those that were published, the headline last.

    A result that has none of these adds its last figure. Without published rows, the last three
    figures of each result.
    """
    published = [name for r in rows if not r.own for name in r.figures]
    if not published:
        return [*dict.fromkeys(name for r in rows for name in [*r.figures][-3:])]
    headline = HEADLINE.get(task)
    last = [headline] if headline else [n for r in rows if r.own for n in [*r.figures][-1:]]
    shown = {*published, *last}
    other = [[*r.figures][-1] for r in rows if r.figures and not shown & set(r.figures)]
    first = (name for name in (*published, *other) if name not in last)
    return [*dict.fromkeys((*first, *last))]


@dataclass(frozen=True)
class Table:
    """The rows of one benchmark, the best first by the last of its columns."""

    task: str
    columns: Sequence[str]
    rows: Sequence[Row]


def tables(own: Sequence[Row]) -> list[Table]:
    """Return a table for each benchmark that own results are of."""
    return [_table(task, mine) for task in TASKS if (mine := [r for r in own if r.task == task])]


def _table(task: str, own: Sequence[Row] = ()) -> Table:
    rows = [*own, *(r for r in PUBLISHED if r.task == task)]
    names = columns(task, rows)
    return Table(task, names, sorted(rows, key=lambda r: -r.figures.get(names[-1], -math.inf)))


def markdown(own: Sequence[Row]) -> str:
    """Return all tables as Markdown."""
    return "\n".join(_markdown(table) for table in tables(own))


def published() -> str:
    """Return the published rows alone as Markdown, and which benchmarks have none."""
    parts = []
    for task in TASKS:
        if task in NOT_FOUND:
            why = f"No published row found: {NOT_FOUND[task]}."
            parts.append(f"## {TASKS[task].title}\n\n{why}\n")
        else:
            parts.append(_markdown(_table(task)))
    return "\n".join(parts)


def _markdown(table: Table) -> str:
    lines = [
        f"## {TASKS[table.task].title}",
        "",
        f"| model | {' | '.join(table.columns)} | how | source |",
        f"| --- | {' | '.join('---:' for _ in table.columns)} | --- | --- |",
    ]
    for r in table.rows:
        cells = " | ".join(_cell(r, name) for name in table.columns)
        model = f"**{r.model}**" if r.own else r.model
        about = " | ".join(text.replace("|", "/") for text in (r.how, r.source))
        lines.append(f"| {model} | {cells} | {about} |")
    return "\n".join(lines) + "\n"


def _cell(row: Row, name: str) -> str:
    if name not in row.figures:
        return "-"
    value = f"{row.figures[name]:.3f}"
    interval = (row.intervals or {}).get(name)
    return value if interval is None else f"{value} ({interval[0]:.3f} .. {interval[1]:.3f})"


def bars(table: Table) -> list[tuple[Row, str]]:
    """Return the rows of a table with figures, each with the name of the one that its bar shows.

    It is the table's last column, or else the last column that the row has.
    """
    found = ((r, [name for name in table.columns if name in r.figures]) for r in table.rows)
    return [(r, names[-1]) for r, names in found if names]


def _colour(row: Row, headline: bool) -> str:
    full, light = ("#d17b0f", "#ecc48c") if row.own else ("#8d99ae", "#d5dae3")
    return full if headline else light


def draw(own: Sequence[Row], path: Path) -> None:
    """Write a PNG: a bar for each row of each table, of the table's last figure.

    A row without that figure has its own last one, in a light colour and with its name. It stands
    below the others, because the two do not compare.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    every = tables(own)
    heights = [1 + len(table.rows) for table in every]
    figure, axes = plt.subplots(
        len(every),
        1,
        figsize=(9, 0.4 * sum(heights) + 0.6),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    for axis, table in zip(axes[:, 0], every, strict=True):
        headline = table.columns[-1]
        shown = bars(table)[::-1]
        values = [r.figures[name] for r, name in shown]
        places = range(len(shown))
        axis.barh(places, values, color=[_colour(r, name == headline) for r, name in shown])
        for k, (r, name) in enumerate(shown):
            interval = (r.intervals or {}).get(name)
            if interval is not None:
                axis.plot(interval, (k, k), color="#333333", linewidth=1.2)
            at = max(values[k], *(interval or (0.0,)))
            axis.text(at + 0.01, k, f"{values[k]:.3f}", va="center", fontsize=8)
        labels = [r.model if name == headline else f"{r.model}: {name}" for r, name in shown]
        axis.set_yticks(places, labels, fontsize=8)
        axis.set_xlim(0, max(1.0, *values) * 1.08)
        axis.set_title(f"{TASKS[table.task].title}: {headline}", fontsize=10, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
