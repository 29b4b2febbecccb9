"""OVO-Bench: letters, counts and Yes/No, on the authors' annotation file.

Compared with `utils/OVOBenchScore.py` of github.com/JoeLeelyf/OVO-Bench.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
from argparse import Namespace
from pathlib import Path
from typing import Any

from aura_core.evaluation.agreement.base import Hashed, Table, modules
from aura_core.evaluation.tasks import ovobench
from aura_core.evaluation.tasks.base import Broken, load_rows

AVERAGE = re.compile(r"^(\w+) Avg\.: ([\d.]+)$", re.MULTILINE)
"""How their script prints the averages of the groups and the total: percent, with two digits."""


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on up to `n` items of each task, drawn from the file."""
    rng, table = random.Random(seed), Table()
    of_task: dict[str, list[Any]] = {}
    for row in load_rows(checkout / "data" / ovobench.FILE):
        of_task.setdefault(row["task"], []).append(row)
    rows = [r for of in of_task.values() for r in rng.sample(of, min(n, len(of)))]
    work.mkdir(parents=True, exist_ok=True)
    (work / ovobench.FILE).write_text(json.dumps(rows), encoding="utf-8")
    results: dict[str, list[Any]] = {group: [] for group in ovobench.GROUPS}
    for row in rows:
        results[ovobench.GROUP_OF[row["task"]]].append(_replied(rng, row))
    path = work / "results.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    items = ovobench.read(work, Broken())
    predictions = {p.item: p for p in ovobench.published(path, items, "")}
    scores = ovobench.score(items, predictions, Hashed(seed))
    ours: dict[str, list[float]] = {}
    for o in scores.outcomes:
        ours.setdefault(o.item, []).append(o.value)
    with modules(checkout, "utils", ("OVOBenchScore",)) as (script,):
        scorer = script.OVOBenchOfflineScore(Namespace(model="drawn"), results)
        for group, of in results.items():
            forward = group == "forward"
            score = (
                scorer.calculate_score_forward
                if forward
                else scorer.calculate_score_backward_realtime
            )
            for row in of:
                _, single = score([row])
                theirs = sum(single[row["task"]])
                table.add("item", row["id"], theirs, sum(ours[str(row["id"])]))
            with contextlib.redirect_stdout(io.StringIO()):
                _, by_task = score(of)
            for task, values in by_task.items():
                mean = sum(values) / len(values)
                table.add("figure of a task", task, mean, scores.figures[task].value)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            scorer.score()
    for name, percent in AVERAGE.findall(printed.getvalue()):
        ours_percent = f"{100 * scores.figures[name.lower()].value:.2f}"
        table.add("printed average", name, float(percent), float(ours_percent))
    return table


def _replied(rng: random.Random, row: dict[str, Any]) -> dict[str, Any]:
    if "test_info" in row:
        points = [
            point | {"response": _forward(rng, row["task"], point)} for point in row["test_info"]
        ]
        return row | {"test_info": points}
    letter = rng.choice("ABCD")
    reply = rng.choice((letter, f"{letter}. x", f"It is {letter}", letter.lower(), None))
    return row | {"response": reply, "ground_truth": chr(65 + row["gt"])}


def _forward(rng: random.Random, task: str, point: dict[str, Any]) -> str | None:
    if task == "REC":
        count = rng.choice((point["count"], rng.randint(0, 20)))
        return rng.choice((f"{count}", f"{count} times", f"1 and {count}", "none", None))
    return rng.choice(("Yes", "No", "Y", "N", "Yes, No", "yes", "I see. No.", None))
