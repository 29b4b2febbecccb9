"""FastBench: which words answer which question, and what they score.

Compared with `run_stream_eval.py` of github.com/Ashone3/FastBench; its judge is an LLM, so both
sides get verdicts that are drawn.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from aura_core.evaluation.agreement.base import Hashed, Table, clock, modules, sentence, stand_ins
from aura_core.evaluation.judge import Grade
from aura_core.evaluation.tasks import fastbench
from aura_core.evaluation.tasks.base import Broken

NEEDS = {"pandas": ("DataFrame",), "requests": (), "tqdm": ("tqdm",), "yaml": ()}


class _Judge(Hashed):
    def grade(self, prompt: str, question: str, truth: str, said: str, later: str = "") -> Grade:
        return Grade(round(5 * self.draw(truth, said)) / 5)

    def judge(self, question: str, model_output: str, reference: str) -> dict[str, Any]:
        """Judge as the authors' `LLMJudger`."""
        return {"score": 5 * self.grade("", "", reference, model_output).score}


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on `n` videos."""
    rng, table, judge = random.Random(seed), Table(), _Judge(seed)
    rows = [_draw(rng, k) for k in range(n)]
    work.mkdir(parents=True, exist_ok=True)
    annotations = [{k: row[k] for k in ("video_path", "verified_responses")} for row in rows]
    (work / fastbench.FILE).write_text(json.dumps(annotations), encoding="utf-8")
    path = work / "out.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    items = {i.id: i for i in fastbench.read(work, Broken())}
    predictions = {p.item: p for p in fastbench.published(path, [*items.values()], "")}
    scores = fastbench.score([*items.values()], predictions, judge)
    ours: dict[str, list[Any]] = {}
    for o in scores.outcomes:
        ours.setdefault(o.item, []).append(o)
    every: list[float] = []
    with stand_ins(NEEDS), modules(checkout, "", ("run_stream_eval",)) as (script,):
        script.PLACEHOLDERS_LOWER = set(fastbench.ACKNOWLEDGED)
        for row in rows:
            sqa = script.convert_verified_responses_to_sqa(row["verified_responses"])
            sample = row | {"sqa": sqa, "id": row["video_path"]}
            theirs = script.evaluate_sample(sample, judge, 2.0)
            for k, (a, b) in enumerate(zip(theirs, ours[row["video_path"]], strict=True)):
                table.add("question", f"{row['video_path']}, {k}", a["score"] / 100, b.value)
                same = float(a["response"] == b.said)
                table.add("words that were taken", f"{row['video_path']}, {k}", 1.0, same)
                every.append(a["score"] / 100)
    table.add("figures", "score", sum(every) / len(every), scores.figures["score"].value)
    return table


def _draw(rng: random.Random, k: int) -> dict[str, Any]:
    questions = []
    for _ in range(rng.randint(1, 3)):
        asked_s = rng.randint(1, 40)
        choice = rng.random() < 0.5
        question = {
            "time_type": rng.choice(("forward", "proactive", "instant", "backward")),
            "timestamp_question": clock(asked_s),
            "user_query": sentence(rng),
            "response": rng.choice("ABCD") if choice else sentence(rng),
        }
        if rng.random() < 0.8:
            question["timestamp_proactive"] = clock(asked_s + rng.choice((0, 1, 2, 3, 9)))
        if choice:
            question["options"] = [f"{c}. {sentence(rng)}" for c in "ABCD"]
        questions.append(question)
    replies = []
    for at_s in sorted(rng.sample(range(0, 55), rng.randint(0, 14))):
        truth = rng.choice(questions)["response"]
        words = rng.choice(("", "Silent", "OK", truth, truth, f"{truth}. x", sentence(rng), "yes"))
        replies.append({"timestamp": clock(at_s), "response": words})
    video = f"dataset/qa_video/sample-{k}/original_cut.mp4"
    return {"video_path": video, "verified_responses": questions, "responses": replies}
