"""ProactiveVideoQA: which verdicts count, the area of an answer, and the mean of a part.

Compared with a port of the authors' script `pauc/judge_llm_scores_openai.py`; a checkout of one of
two is needed. `vlmeval/dataset/proactive_videoqa.py` in a fork of VLMEvalKit decides which verdicts
count inside of a method that needs the whole of VLMEvalKit, so both sides get the same ones there.
`pvqa_scoring.py` of github.com/MCG-NJU/OneStreamer needs nothing, so they are compared too.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from aura_core.evaluation.agreement.base import Hashed, Table, functions, modules, sentence
from aura_core.evaluation.judge import Grade
from aura_core.evaluation.tasks import proactivevideoqa as task
from aura_core.evaluation.tasks.base import Broken

FILE = "vlmeval/dataset/proactive_videoqa.py"
SCORER = "Eval/VLMEvalKit/vlmeval/dataset/pvqa_scoring.py"
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
    ours = [
        [task.verdicts(item, predictions[item.id], k, judge)[0] for k in range(len(row["answer"]))]
        for item, row in zip(items, rows, strict=True)
    ]
    if (checkout / SCORER).is_file():
        folder, _, name = SCORER.removesuffix(".py").rpartition("/")
        with modules(checkout, folder, (name,)) as (script,):
            examples = _scored(script, rows, replies, judge)
            for row, example, kept in zip(rows, examples, ours, strict=True):
                for k, (turn, mine) in enumerate(zip(example["answer"], kept, strict=True)):
                    where = f"{row['question_id']}, {k}"
                    same = float(turn["judge_scores"] == mine)
                    table.add("verdicts that count", where, 1.0, same)
            _areas(table, script, examples, ours, scores.figures)
    else:
        examples = [
            {
                "answer": [
                    answer | {"judge_scores": v}
                    for answer, v in zip(row["answer"], kept, strict=True)
                ]
            }
            for row, kept in zip(rows, ours, strict=True)
        ]
        with functions(checkout, FILE, NAMES, work) as script:
            _areas(table, script, examples, ours, scores.figures)
    return table


def _areas(table: Table, script: Any, examples: list[Any], ours: list[Any], figures: Any) -> None:
    """Compare the area of each answer and the mean of all, at each omega."""
    for omega in task.OMEGAS:
        for n, (example, kept) in enumerate(zip(examples, ours, strict=True)):
            for k, (answer, verdicts) in enumerate(zip(example["answer"], kept, strict=True)):
                theirs = script._stat_metric([{"answer": [answer]}], omega=omega)["mean_auc"]
                area = task.pauc(verdicts, tuple(answer["reply_timespan"]), omega)
                table.add("area of an answer", f"q{n}, {k}, omega {omega:g}", theirs, area)
        theirs = script._stat_metric(examples, omega=omega)["mean_auc"]
        figure = figures[f"WEB PAUC, omega {omega:g}"]
        table.add("figures", f"omega {omega:g}", theirs, figure.value)


def _scored(script: Any, rows: list[Any], replies: list[Any], judge: _Judge) -> list[Any]:
    """Return the questions with the verdicts that count, as the second port decides it."""
    told = []
    for row, reply in zip(rows, replies, strict=True):
        records = [
            {
                "answerable": "No" if turn["content"] in task.SILENT else "Yes",
                "model_response": turn["content"],
                "video_span": [0, turn["time"]],
            }
            for turn in reply["model_response_list"]
        ]
        told.append(
            {
                "question_id": row["question_id"],
                "prediction": json.dumps({"records": records}),
                "conversation_json": json.dumps(row["conversation"]),
                "answer_json": json.dumps(row["answer"]),
            }
        )
    prompts, said, gold = script.build_inputs(told)
    results = {}
    for id, messages in prompts:
        asked = messages[-1]["content"]
        truth, _, words = asked.partition("Ground Truth Answer: ")[2].partition(
            "\nPredicted Answer: "
        )
        verdict = round(task.BEST * judge.grade("", "", truth, words).score)
        results[id] = {"content": f"{verdict + 1}"}  # 1 to 3 there
    return list(script.compute_scores(gold_dict=gold, pred_dict=said, results=results)[0])


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
