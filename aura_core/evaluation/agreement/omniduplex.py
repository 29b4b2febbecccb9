"""Omni-DuplexEval: reminders and corrections.

Compared with `proactive_reminder.py` of github.com/OpenBMB/Omni-DuplexEval; its judge is an LLM, so
both sides get verdicts that are drawn.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from aura_core.evaluation.agreement.base import Hashed, Table, modules, sentence
from aura_core.evaluation.judge import Grade
from aura_core.evaluation.tasks import omniduplex
from aura_core.evaluation.tasks.base import Broken


class _Judge(Hashed):
    def right(self, question: str, said: str) -> bool:
        return self.draw(question, said) >= 0.4

    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        return Grade(float(self.right(question, said)))


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on `n` rows."""
    rng, table, judge = random.Random(seed), Table(), _Judge(seed)
    rows: dict[str, list[dict[str, Any]]] = {split: [] for split in omniduplex.SPLITS}
    for k in range(n):
        split = omniduplex.SPLITS[k % 3]
        times = sorted(round(rng.uniform(0, 60), 1) for _ in range(rng.randint(0, 2)))
        times = [] if split == omniduplex.CORRECTION else times
        row = {"id": f"{k}", "question_text": sentence(rng), "answer1": sentence(rng)}
        row |= {"reminder1": "", "reminder2": None, "video_duration": 60.0}
        row |= {f"reminder{i}": t for i, t in enumerate(times, 1)}
        rows[split].append(row)
        segments = [
            rng.choice(
                (
                    {"sentence": sentence(rng), "start": round(rng.uniform(0, 70), 1), "end": 80.0},
                    {"text": f" {sentence(rng)} ", "current_time": rng.randint(0, 70)},
                    {"text": " ", "current_time": 3},
                )
            )
            for _ in range(rng.randint(0, 6))
        ]
        data = segments if rng.random() < 0.5 else {"chunks": segments}
        _write(work / "out" / split / f"{k}.json", data)
    for split, of in rows.items():
        _write(work / f"{split}.json", of)
    items = {i.id: i for i in omniduplex.read(work, Broken())}
    found = omniduplex.published(work / "out", [*items.values()], "")
    predictions = {p.item: p for p in found}
    scores = omniduplex.score([*items.values()], predictions, judge)
    ours: dict[str, list[float]] = {}
    for o in scores.outcomes:
        ours.setdefault(o.item, []).append(o.value)
    with modules(checkout, "", ("proactive_reminder",)) as (script,):
        script.llm_judge = lambda instruction, response, **_: {
            "success_score": int(judge.right(instruction, response))
        }
        for split, of in rows.items():
            total = 0
            for row in of:
                times = [script.parse_float_or_none(row[key]) for key in omniduplex.REMINDERS]
                truth: dict[str, Any] = {
                    f"reminder_{i}": {"start": t, "end": t}
                    for i, t in enumerate([t for t in times if t is not None], 1)
                }
                chunks = script.normalize_chunks(
                    json.loads((work / "out" / split / f"{row['id']}.json").read_text())
                )
                theirs = script.evaluate_sample(
                    client=None,
                    model_id="",
                    instruction=row["question_text"],
                    gt_data=truth | {"answer": row["answer1"]},
                    chunks=chunks,
                    task_type=script.canonical_task_type(split),
                    window_size=omniduplex.WINDOW_S,
                )
                id = f"{split}/{row['id']}"
                for k, (a, b) in enumerate(zip(theirs["event_scores"], ours[id], strict=True)):
                    table.add("reminder", f"{id}, {k}", a, b)
                table.add("item", id, theirs["total_score"], min(ours[id]))
                total += theirs["total_score"]
            table.add("figures", split, total / len(of), scores.figures[split].value)
    return table


def _write(path: Path, data: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
