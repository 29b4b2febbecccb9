"""SVCBench: GPA, MoC and UDA.

Compared with `eval/compute_metrics.py` of github.com/buaa-colalab/SVCBench. All replies are whole
numbers, because the authors' script stops at any other.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from aura_core.evaluation.agreement.base import Hashed, Table, modules
from aura_core.evaluation.tasks import svcbench
from aura_core.evaluation.tasks.base import Broken

KINDS = ("O1-Snap", "O1-Delta", "O2-Unique", "O2-Gain", *svcbench.MONOTONE[1:])


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on `n` questions."""
    rng, table = random.Random(seed), Table()
    work.mkdir(parents=True, exist_ok=True)
    lines: list[Any] = []
    unified: list[Any] = []
    for k in range(n):
        kind, times = rng.choice(KINDS), sorted(rng.sample(range(1, 200), rng.randint(1, 8)))
        truth = [rng.randint(0, 12) for _ in times]
        truth = sorted(truth) if kind in svcbench.MONOTONE else truth
        said = [max(0, t + rng.choice((0, 0, 0, 1, -1, 5))) for t in truth]
        common = {
            "id": f"q{k}",
            "question": "How many?",
            "counting_subtype": kind,
            "source_dataset": "d",
            "video_path": f"{k}.mp4",
        }
        lines += [common | {"query_time": t, "count": c} for t, c in zip(times, truth, strict=True)]
        of = {"id": f"q{k}", "query_times": times, "predictions": said, "gts": truth}
        unified.append(of)
    for name, rows in (("svcbench_eval.jsonl", lines), ("unified.jsonl", unified)):
        text = "".join(json.dumps(r) + "\n" for r in rows)
        (work / name).write_text(text, encoding="utf-8")
    items = svcbench.read(work, Broken())
    found = svcbench.published(work / "unified.jsonl", items, "")
    predictions = {p.item: p for p in found}
    with modules(checkout, "eval", ("compute_metrics",)) as (script,):
        paths = str(work / "unified.jsonl"), str(work / "svcbench_eval.jsonl")
        theirs = script.compute_metrics(*paths)
    for item in items:
        figures = svcbench.score([item], predictions, Hashed(seed)).figures
        for name, key in (("GPA", "gpa"), ("MoC", "moc"), ("UDA", "uda")):
            ours = figures[name].value if name in figures else None
            table.add(f"{name} of a question", item.id, theirs["per_question"][item.id][key], ours)
    figures = svcbench.score(items, predictions, Hashed(seed)).figures
    for name, key in (("GPA", "gpa"), ("MoC", "moc"), ("UDA", "uda")):
        table.add("figures", name, theirs["overall"][key], figures[name].value)
        for kind, of in theirs["by_subtype"].items():
            ours = figures[f"{kind} {name}"].value if f"{kind} {name}" in figures else None
            table.add("figures", f"{kind} {name}", of[key], ours)
    return table
