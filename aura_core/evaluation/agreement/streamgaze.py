"""StreamGaze: letters of choices, Yes or No at the test points of alerts, and all figures.

Compared with `evaluate_results.py` of github.com/daeunni/StreamGaze, which scores a whole file: an
item is a file of its own. Where nothing was asked, the script counts no question, so every item
has a reply.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from aura_core.evaluation.agreement.base import (
    Hashed,
    Table,
    clock,
    functions,
    sentence,
    words,
)
from aura_core.evaluation.tasks import streamgaze
from aura_core.evaluation.tasks.base import Broken, by_group

FILE = "evaluate_results.py"
NAMES = ("normalize_answer", "calculate_proactive_accuracy", "calculate_accuracy")
TASKS = ("past_drawn", "present_drawn", "proactive_drawn")


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on `n` entries of each kind of task."""
    rng, table = random.Random(seed), Table()
    entries = {t: [_entry(rng, t, k) for k in range(n)] for t in TASKS}
    asked = {t: [_without_replies(e) for e in of] for t, of in entries.items()}
    for task in TASKS:
        _write(work / "qa" / f"{task}.json", asked[task])
        _write(work / "out" / f"{task}_output.json", entries[task])
    items = streamgaze.read(work, Broken())
    predictions = {p.item: p for p in streamgaze.published(work / "out", items, "")}
    scores = streamgaze.score(items, predictions, Hashed(seed))
    by_task = by_group(scores.outcomes)
    means: list[float] = []
    with functions(checkout, FILE, NAMES, work) as script:
        for task in TASKS:
            ours: dict[str, list[float]] = {}
            for o in by_task[task]:
                ours.setdefault(o.item, []).append(o.value)
            for entry, values in zip(entries[task], ours.values(), strict=True):
                path = work / "one.json"
                _write(path, [entry])
                _, right, count = script.calculate_accuracy(str(path))
                table.add("questions of an entry", (task, entry["video_path"]), count, len(values))
                table.add("right of an entry", (task, entry["video_path"]), right, sum(values))
            theirs, _, _ = script.calculate_accuracy(str(work / "out" / f"{task}_output.json"))
            table.add("figures", task, theirs / 100, scores.figures[task].value)
            means.append(theirs / 100)
    table.add("figures", "mean of tasks", sum(means) / 3, scores.figures["mean of tasks"].value)
    return table


def _write(path: Path, rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows), encoding="utf-8")


def _entry(rng: random.Random, task: str, k: int) -> dict[str, Any]:
    """Return an entry with the replies of a model."""
    at_s = rng.randint(1, 500)
    video = {"video_path": f"{task}-{k}.mp4"}
    if task.startswith("proactive"):
        points = [
            {
                "realtime": clock(at_s + i),
                "type": rng.randint(0, 1),
                "response": rng.choice(
                    ("Yes", "no", "NO.", "yes, a cup", "", "I know", sentence(rng))
                ),
            }
            for i in range(rng.randint(1, 4))
        ]
        question = {"question": " ".join(words(rng)), "time_stamp": clock(at_s)}
        return video | {"questions": [question | {"test_info": points}]}
    questions, replies = [], []
    for i in range(rng.randint(1, 3)):
        options = [" ".join(words(rng)) for _ in range(4)]
        truth = rng.choice("ABCD")
        questions.append(
            {
                "question": " ".join(words(rng)),
                "time_stamp": clock(at_s + i),
                "answer": truth,
                "options": options,
            }
        )
        letter = rng.choice((truth, rng.choice("ABCD")))
        text = rng.choice(options)
        forms = (letter, f" {letter}. {text}", letter.lower(), f"It is {letter}", f"({letter})", "")
        reply = rng.choice((*forms, text, f"a cup, so {letter}", f"{letter}{letter}", "E"))
        replies.append({"model_prediction": reply})
    return video | {"questions": questions, "model_predictions": replies}


def _without_replies(entry: dict[str, Any]) -> dict[str, Any]:
    questions = [dict(q) for q in entry["questions"]]
    for q in questions:
        if "test_info" in q:
            q["test_info"] = [{k: p[k] for k in ("realtime", "type")} for p in q["test_info"]]
    return {"video_path": entry["video_path"], "questions": questions}
