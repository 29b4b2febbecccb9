"""OmniPro, online mode: matching in time, and the content of each match.

Compared with `metrics/online/scorer.py` of github.com/RuixiangZhao/OmniPro.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from aura_core.evaluation.agreement.base import HashedVerdict, Table, modules, sentence
from aura_core.evaluation.tasks import omnipro
from aura_core.evaluation.tasks.base import Broken


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on `n` items."""
    rng, table, judge = random.Random(seed), Table(), HashedVerdict(seed)
    tasks = [*omnipro.CONTENT]
    rows = [_draw(rng, f"{k}", tasks[k % len(tasks)]) for k in range(n)]
    work.mkdir(parents=True, exist_ok=True)
    (work / "benchmark.json").write_text(json.dumps(rows), encoding="utf-8")
    items = {i.id: i for i in omnipro.read(work, Broken())}
    path = work / "out.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    predictions = {p.item: p for p in omnipro.published(path, [*items.values()], "")}
    with modules(checkout, "", ("metrics.online.scorer",)) as (scorer,):
        plain = scorer._score_content

        def content(task: str, emit: Any, truth: Any, every: Any) -> Any:
            verdict = plain(task, emit, truth, every)
            return judge.right(truth["response"], emit["raw"]) if verdict is None else verdict

        scorer._score_content = content
        theirs = [scorer.evaluate_sample(row) for row in rows]
        whole = scorer.aggregate(theirs)
    for row in theirs:
        id, task = row["id"], row["task"]
        figures = omnipro.score([items[id]], predictions, judge).figures
        table.add("time-F1 of an item", id, row["time_f1"], figures[f"{task} time-F1"].value)
        table.add("joint-F1 of an item", id, row["joint_f1"], figures[f"{task} joint-F1"].value)
    figures = omnipro.score([*items.values()], predictions, judge).figures
    for task in tasks:
        for name, key in (("time-F1", "time_f1"), ("joint-F1", "joint_f1")):
            of = f"{task} {name}"
            table.add("figures of all items", of, whole[task][key], figures[of].value)
        if omnipro.CONTENT[task] != "time":
            of = f"{task} content"
            theirs_value = whole[task]["content_accuracy"]
            table.add("figures of all items", of, theirs_value, figures[of].value)
    return table


def _draw(rng: random.Random, id: str, task: str) -> dict[str, Any]:
    times = sorted(rng.sample(range(3, 58), rng.randint(1, 5)))
    states = ("red", "green", "blue")
    truth = [
        {
            "trigger_time_sec": t,
            "trigger_type": "visual",
            "response": sentence(rng),
            "count": k,
            "position": rng.choice(omnipro.REGIONS),
            "state_from": rng.choice(states),
            "state_to": rng.choice(states),
        }
        for k, t in enumerate(times, 1)
    ]
    said = [
        {"t_sec": t, "raw": _words(rng, task, truth, states)}
        for t in sorted(rng.sample(range(0, 60), rng.randint(0, 7)))
    ]
    return {
        "id": id,
        "task": task,
        "video_path": f"raw_videos/{id}.mp4",
        "duration": 60,
        "question": "Tell me.",
        "question_time": "00:00",
        "ground_truth": truth,
        "predictions": said,
    }


def _words(rng: random.Random, task: str, truth: list[Any], states: tuple[str, ...]) -> str:
    content, near = omnipro.CONTENT[task], rng.choice(truth)
    if content == "position":
        # two names of one length would be a draw in the authors' parser, which takes any of them
        other = rng.choice([r for r in omnipro.REGIONS if len(r) != len(near["position"])])
        forms = ("It. Position: {0}", "{0}", "not {1} but {0}", "Position: {1}, well {0}", "there")
        return rng.choice(forms).format(near["position"], other)
    if content.startswith("count"):
        return rng.choice(("{0}", "at 00:12 it is {0}", "none", "-{0}")).format(near["count"])
    if content == "state":
        return rng.choice(("{0}", " '{0}' ", "{0} now", "{1}")).format(
            near["state_to"].upper(), rng.choice(states)
        )
    return sentence(rng)
