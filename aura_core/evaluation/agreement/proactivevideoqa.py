"""ProactiveVideoQA: the area of an answer and the mean of a part, at each omega.

Compared with a port of the authors' script in forks of VLMEvalKit
(`vlmeval/dataset/proactive_videoqa.py`), which says that it is their
`pauc/judge_llm_scores_openai.py` word for word: a checkout of the fork is needed. Which verdicts
count is decided inside of a method there, which needs the whole of VLMEvalKit, so both sides get
the same ones.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from aura_core.evaluation.agreement.base import Hashed, Table, functions, sentence
from aura_core.evaluation.judge import Grade
from aura_core.evaluation.tasks import proactivevideoqa as task
from aura_core.evaluation.tasks.base import Broken

FILE = "vlmeval/dataset/proactive_videoqa.py"
NAMES = ("_area_under_line_ratio", "_stat_metric")


class _Judge(Hashed):
    """Verdicts of 0, 1 or 2, each as often."""

    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        return Grade(min(2, int(3 * self.draw(truth, said))) / task.BEST)


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on `n` questions."""
    rng, table, judge = random.Random(seed), Table(), _Judge(seed)
    rows = [_question(rng, k) for k in range(n)]
    (work / "WEB").mkdir(parents=True, exist_ok=True)
    (work / "WEB" / "anno.json").write_text(json.dumps(rows), encoding="utf-8")
    replies = [{"question_id": r["question_id"]} | _replies(rng, r) for r in rows]
    out = work / "out.jsonl"
    out.write_text("".join(json.dumps(r) + "\n" for r in replies), encoding="utf-8")
    items = task.read(work, Broken())
    predictions = {p.item: p for p in task.published(out, items, "")}
    scores = task.score(items, predictions, judge)
    examples = []
    for item, row in zip(items, rows, strict=True):
        kept = [
            task.verdicts(item, predictions[item.id], k, judge)[0]
            for k in range(len(row["answer"]))
        ]
        examples.append(
            {"answer": [a | {"judge_scores": v} for a, v in zip(row["answer"], kept, strict=True)]}
        )
    with functions(checkout, FILE, NAMES, work) as script:
        for omega in task.OMEGAS:
            for row, example in zip(rows, examples, strict=True):
                for k, answer in enumerate(example["answer"]):
                    where = f"{row['question_id']}, {k}, omega {omega:g}"
                    theirs = script._stat_metric([{"answer": [answer]}], omega=omega)["mean_auc"]
                    due = tuple(answer["reply_timespan"])
                    ours = task.pauc(answer["judge_scores"], due, omega)
                    table.add("area of an answer", where, theirs, ours)
            theirs = script._stat_metric(examples, omega=omega)["mean_auc"]
            figure = scores.figures[f"WEB PAUC, omega {omega:g}"]
            table.add("figures", f"omega {omega:g}", theirs, figure.value)
    return table


def _question(rng: random.Random, k: int) -> dict[str, Any]:
    answers, at_s = [], float(rng.randint(0, 5))
    for _ in range(rng.randint(1, 4)):
        length = rng.randint(1, 12)
        answer = {"content": sentence(rng), "reply_timespan": [at_s, at_s + length]}
        if rng.random() < 0.7:
            answer["related_timespan"] = [at_s, at_s + rng.randint(1, length)]
        answers.append(answer)
        at_s += length + rng.randint(0, 4)
    asked = {"role": "user", "content": sentence(rng), "time": 0}
    about = {"video": f"{k}.mp4", "question_id": f"q{k}", "duration": at_s + 5}
    return about | {"conversation": [asked], "answer": answers}


def _replies(rng: random.Random, row: dict[str, Any]) -> dict[str, Any]:
    last = int(row["duration"])
    times = sorted(rng.sample(range(last), rng.randint(0, min(last, 12))))
    words = [rng.choice(("NO REPLY", sentence(rng), sentence(rng))) for _ in times]
    said = [
        {"role": "assistant", "content": w, "time": t} for t, w in zip(times, words, strict=True)
    ]
    return {"model_response_list": said}
