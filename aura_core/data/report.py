"""A summary of a run of the data engine: as one object, and as tables.

For each stage it says what was read, made and left out, and what it cost.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aura_core.data import STAGES
from aura_core.data.costs import PAID, paid
from aura_core.data.outcome import total
from aura_core.data.store import StageFolder, write
from aura_core.data.survival import survival
from aura_core.errors import InputError


def summarise(run: Path) -> dict[str, Any]:
    """Return the summary of all stages that were begun. Raises `InputError` when none was."""
    stages = {}
    for stage in STAGES:
        folder = StageFolder(run, stage)
        if (folder.path / "manifest.json").exists():
            stages[stage] = _stage(folder)
    if not stages:
        raise InputError(f"{run}: no run of the data engine there")
    return {"version": 1, "stages": stages}


def save(run: Path) -> dict[str, Any]:
    """Write `summarise` to `run`/report.json, and return it."""
    report = summarise(run)
    write(run / "report.json", (json.dumps(report, indent=2) + "\n").encode())
    return report


def _stage(folder: StageFolder) -> dict[str, Any]:
    shards, done, faults = int(folder.manifest()["shards"]), [], []
    for index in range(shards):
        try:
            if (d := folder.done(index)) is not None:
                done.append(d)
        except InputError as e:
            faults.append(str(e))
    runs = _runs(folder.path / "runs.json")
    cost, unreadable = paid(folder.path / "replies")
    # costs of the shards as they are now: those of earlier attempts at a shard are not included
    used = total([d.cost for d in done])
    counts = total([d.counts for d in done])
    wall, made = sum(r["wall_s"] for r in runs), sum(r["records"] for r in runs)
    return {
        "shards": {"done": len(done), "all": shards, "faults": faults + unreadable},
        "items": sum(d.items for d in done),
        "records": sum(d.records for d in done),
        "failed": sum(d.failures for d in done),
        "rejected": total([d.reasons for d in done]),
        "counts": counts,
        "survival": survival(counts),
        "cost": {k: v for k, v in used.items() if k not in PAID} | cost,
        "cost_of_last_run": runs[-1].get("cost", {}) if runs else {},
        "worker_s": round(sum(d.seconds for d in done), 3),
        "records_per_s": round(made / wall, 3) if wall else None,
        "runs": runs,
    }


def _runs(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []
    except (OSError, ValueError):
        return []  # a damaged file costs only the throughput figure


def tables(report: dict[str, Any]) -> list[Any]:
    """Return tables for `rich`: the stages, what was made, and what was left out and why.

    Also how many standing questions passed stage 2, by their number of answers.
    """
    from rich.table import Table

    asked = any(s["cost"] for s in report["stages"].values())
    stages = Table("stage", "shards", "items", "out", "left out", "failed", "out/s")
    if asked:
        for name in ("requests in all", "tokens in all", "requests of the last run"):
            stages.add_column(name)
    reasons = Table("stage", "left out because", "n")
    for name, s in report["stages"].items():
        cost, rate = s["cost"], s["records_per_s"]
        row = [
            name,
            f"{s['shards']['done']} of {s['shards']['all']}",
            str(s["items"]),
            str(s["records"]),
        ]
        row += [str(sum(s["rejected"].values())), str(s["failed"]), f"{rate:.2f}" if rate else ""]
        if asked and cost:
            row.append(f"{cost.get('requests', 0):.0f}")
            row.append(
                f"{cost.get('prompt_tokens', 0):.0f} + {cost.get('completion_tokens', 0):.0f}"
            )
            row.append(f"{s['cost_of_last_run'].get('requests', 0):.0f}")
        stages.add_row(*row)
        for reason, n in sorted(s["rejected"].items(), key=lambda r: -r[1]):
            reasons.add_row(name, reason, str(n))
    shown = (stages, _made(report), _survived(report), reasons)
    return [t for t in shown if t.row_count]


def _made(report: dict[str, Any]) -> Any:
    """The samples by what they teach, of the last stage that made any."""
    from rich.table import Table

    table = Table("stage", "made", "n")
    for name in reversed(report["stages"]):
        counts = report["stages"][name]["counts"]
        kinds = {k: n for k, n in counts.items() if "samples" in k}
        for kind, n in sorted(kinds.items(), key=lambda k: -k[1]):
            table.add_row(name, kind, str(n))
        if kinds:
            break
    return table


def _survived(report: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table("answers of a standing question", "written", "kept", "share", "95 % interval")
    for row in report["stages"].get("synthesize", {}).get("survival", []):
        low, high = row["ci95"]
        counts = (str(row[k]) for k in ("answers", "written", "kept"))
        table.add_row(*counts, f"{row['share']:.0%}", f"{low:.0%} .. {high:.0%}")
    return table
