"""StreamingBench: letters and proactive output.

Compared with `src/data/count.py` of github.com/THUNLP-MT/StreamingBench, on its annotation files.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
from argparse import Namespace
from pathlib import Path
from types import ModuleType
from typing import Any

from aura_core.evaluation.agreement.base import Hashed, Table, modules
from aura_core.evaluation.tasks import streamingbench
from aura_core.evaluation.tasks.base import Broken, load_rows

MODEL = "drawn"


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on up to `n` entries of each part that the checkout has."""
    rng, table = random.Random(seed), Table()
    data, out = work / "data", work / "out"
    for folder in (data, out):
        folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for part in streamingbench.PARTS:
        source = checkout / "src" / "data" / f"questions_{part}.json"
        if not source.is_file():  # too large for some copies of the repository
            continue
        rows = load_rows(source)
        rows = rng.sample(rows, min(n, len(rows)))
        _write(data / source.name, rows)
        for entry in streamingbench._entries(rows):
            # as the authors' set-up script leaves the paths
            entry["video_path"] = str(Path("/there/src/data") / entry["video_path"])
            for q in entry["questions"]:
                q[MODEL] = _reply(rng, q)
        _write(out / f"{part}_output.json", rows)
        parts.append(part)
    items = streamingbench.read(data, Broken())
    predictions = {p.item: p for p in streamingbench.published(out, items, MODEL)}
    scores = streamingbench.score(items, predictions, Hashed(seed))
    right = asked = 0
    with modules(checkout, "src/data", ("count",)) as (count,):
        for part in parts:
            rows = load_rows(out / f"{part}_output.json")
            theirs = _count(count, work, part, rows)
            of_tasks = [stats for name, stats in theirs.items() if name != "total"]
            key = "answer_correct" if part == "proactive" else "correct"
            right += sum(stats.get(key, 0) for stats in of_tasks)
            asked += sum(stats["total"] for stats in of_tasks)
            for name, stats in theirs.items():
                if name == "total":
                    ours = scores.figures[f"part {part}"].value
                    table.add("figures", f"part {part}", stats["accuracy"], ours)
                elif part == "proactive":
                    ours = scores.figures[name].value
                    table.add("figures", name, stats["answer_accuracy"], ours)
                    ours = scores.figures[f"{name} (time alone)"].value
                    table.add("figures", f"{name} (time)", stats["time_accuracy"], ours)
                else:
                    table.add("figures", name, stats["accuracy"], scores.figures[name].value)
            _single(table, count, work, part, rows, items, scores.outcomes)
    # their script counts a part; the paper's "Overall" is all right answers of all questions
    table.add("figures", "overall", right / asked, scores.figures["overall"].value)
    return table


def _single(
    table: Table,
    count: ModuleType,
    work: Path,
    part: str,
    rows: list[Any],
    items: list[Any],
    outcomes: Any,
) -> None:
    """Compare every question alone."""
    ours = {(o.item, o.part): o.value for o in outcomes}
    where: dict[tuple[str, str, float], list[tuple[str, str]]] = {}
    for item in items:
        if item.truth["part"] == part:
            for q in item.questions:
                key = (Path(item.videos[0]).name, q.shown.split("\n")[0], q.at_s)
                where.setdefault(key, []).append((item.id, q.id))
    for entry in streamingbench._entries(rows):
        for q in entry["questions"]:
            alone = [entry | {"questions": [q]}]
            stats = _count(count, work, part, [alone] if part == "sqa" else alone)
            of = next(v for k, v in stats.items() if k != "total")
            right = of["answer_correct" if part == "proactive" else "correct"]
            at_s = sum(int(x) * 60**k for k, x in enumerate(reversed(q["time_stamp"].split(":"))))
            key = (Path(entry["video_path"]).name, q["question"].strip().split("\n")[0], at_s)
            ids = where.get(key) or where[key[0], q["question"].split("\n")[0], at_s]
            id = ids.pop(0)
            table.add(f"question, {part}", id, right, ours[id])


def _count(count: ModuleType, work: Path, task: str, rows: Any) -> dict[str, Any]:
    """Return what the authors' script writes: it writes into the current folder."""
    _write(work / "counted.json", rows)
    before = Path.cwd()
    os.chdir(work)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            count.count(Namespace(task=task, src="counted.json", model=MODEL))
        return dict(json.loads(Path(f"{MODEL}_stats.json").read_text(encoding="utf-8")))
    finally:
        os.chdir(before)


def _write(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data), encoding="utf-8")


def _reply(rng: random.Random, q: dict[str, Any]) -> Any:
    if "ground_truth_output" not in q:
        letter = rng.choice("ABCD")
        return rng.choice((letter, f"{letter}. because", f"The answer is {letter}", letter.lower()))
    clock = reversed(q["ground_truth_time_stamp"].split(":"))
    due_s = sum(int(x) * 60**k for k, x in enumerate(clock))
    words = rng.choice((q["ground_truth_output"], f"now: {q['ground_truth_output']}!", "no"))
    turn = {"role": "assistant", "content": words, "time": max(0, due_s + rng.randint(-5, 5))}
    return {"answered": True, "dialog_history": [{"role": "user", "content": "?", "time": 0}, turn]}
