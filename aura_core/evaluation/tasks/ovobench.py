"""OVO-Bench (arXiv 2501.05510): questions about the past, the present and the future.

Scores are those of the authors' `OVOBenchScore.py`. A reply to a choice is right if it contains the
letter. A count is the digits of the reply. A yes/no reply is right if it contains Yes or No, or is
Y or N. A group's score is the mean of its tasks, and the total is the mean of the three groups.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError
from aura_core.evaluation.judge import Judge
from aura_core.evaluation.records import Item, Outcome, Prediction, Question, Scores, Spoken
from aura_core.evaluation.statistics import bootstrap_sums
from aura_core.evaluation.tasks.base import (
    Broken,
    Record,
    Task,
    absent,
    asked,
    by_group,
    find,
    load_json,
    read_each,
    share,
    unasked_note,
)

FILE = "ovo_bench_new.json"
GROUPS = {
    "backward": ("EPM", "ASI", "HLD"),
    "realtime": ("STU", "OJR", "ATR", "FPD", "ACR", "OCR"),
    "forward": ("REC", "SSR", "CRR"),
}
TASKS = [task for tasks in GROUPS.values() for task in tasks]
GROUP_OF = {task: group for group, tasks in GROUPS.items() for task in tasks}
CHOICE = (
    "{question}\nOptions:\n{options}\nReply with the letter of the right option and nothing else."
)
REC = (
    "People in this video may do one thing again and again. How many times did they {activity} so"
    " far, in all? Reply with a number and nothing else."
)
SSR = (
    "The video shows how something is done. Is this step being done right now: {step}? "
    "Reply with Yes or No and nothing else."
)
CRR = (
    "{question}\nDoes the video so far, above all its newest part, show enough to answer this? "
    "Reply with Yes or No and nothing else."
)


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each annotation: a question, or all test points of a forward task."""
    (path,) = find(data, [FILE], ("data",))
    return read_each(path, broken, _item)


def _item(row: Any, path: Path, n: int) -> Item:
    record = Record(row, path, row.get("id", n) if isinstance(row, dict) else n)
    id, task, video = str(record.get("id")), record.text("task"), record.text("video")
    if task not in GROUP_OF:
        raise record.wrong("task", f"must be one of {', '.join(GROUP_OF)}, not {task!r}")
    if GROUP_OF[task] == "forward":
        questions = [
            _point(record, task, k, t, path) for k, t in enumerate(record.rows("test_info"))
        ]
        newest = max(range(len(questions)), key=lambda k: questions[k].at_s)
        # the authors' clips all begin at 0, so the longest one contains every test point
        clip = f"{id}_{newest}.mp4"
    else:
        questions, clip = [_choice(record, task)], f"{id}.mp4"
    places = (f"src_videos/{video}", video, f"data/src_videos/{video}", f"chunked_videos/{clip}")
    end_s = math.ceil(max(q.at_s for q in questions)) + 1
    return Item(id, places, tuple(questions), end_s, {"task": task, "video": video})


def _choice(record: Record, task: str) -> Question:
    options, gt = record.rows("options"), record.number("gt")
    if gt != int(gt) or gt >= len(options):
        raise record.wrong("gt", f"must be the index of one of {len(options)} options, not {gt:g}")
    lines = "\n".join(f"{chr(65 + k)}. {o}" for k, o in enumerate(options))
    text = CHOICE.format(question=record.text("question"), options=lines)
    at_s, shown, told = record.number("realtime"), record.text("question"), tuple(map(str, options))
    return Question("0", at_s, text, task, chr(65 + int(gt)), shown=shown, told=told)


def _point(record: Record, task: str, k: int, raw: Any, path: Path) -> Question:
    point = Record(raw, path, f"{record.get('id')}, test_info {k}")
    at_s = point.number("realtime")
    if task == "REC":
        text, truth = REC.format(activity=record.text("activity")), f"{point.number('count'):g}"
        return Question(
            str(k), at_s, text, task, truth, shown=f"how many times: {record.text('activity')}"
        )
    shown = point.text("step") if task == "SSR" else record.text("question")
    text = SSR.format(step=shown) if task == "SSR" else CRR.format(question=shown)
    return Question(
        str(k), at_s, text, task, "Yes" if point.number("type") == 1 else "No", shown=shown
    )


def right(task: str, reply: str, truth: str) -> bool:
    """Whether a reply is the true letter, count or Yes/No, by the authors' rules."""
    if task == "REC":
        return "".join(re.findall(r"\d+", reply)) == truth
    return truth in reply or (task in ("SSR", "CRR") and reply == truth[0])


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return the accuracy by task, means of tasks by group, and the mean of the groups."""
    outcomes = []
    for item, p, q in asked(items, predictions):
        reply = p.answer(q.id)
        outcomes.append(
            Outcome(
                item.id,
                q.id,
                q.group,
                float(right(q.group, reply, q.truth)),
                reply,
                q.truth,
                q.at_s,
            )
        )
    figures = {task: share(of) for task, of in by_group(outcomes).items()}
    tallies = _tallies(outcomes)
    for group, tasks in GROUPS.items():
        if n := sum(o.group in tasks for o in outcomes):
            figures[group] = bootstrap_sums(tallies, lambda sums, g=group: _group_means(sums)[g], n)
    if outcomes:
        figures["total"] = bootstrap_sums(tallies, _total, len(outcomes))
    return Scores(
        figures,
        tuple(outcomes),
        "no judge: letters, digits and Yes/No are compared",
        unasked_note(predictions),
    )


def _tallies(outcomes: Sequence[Outcome]) -> list[list[float]]:
    """Return right and asked questions by task, for each item.

    The test points of one item are not independent, so the bootstrap resamples whole items.
    """
    by_item: dict[str, list[float]] = {}
    for o in outcomes:
        tally = by_item.setdefault(o.item, [0.0] * 2 * len(TASKS))
        k = TASKS.index(o.group)
        tally[k] += o.value
        tally[len(TASKS) + k] += 1
    return list(by_item.values())


def _group_means(sums: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean of the tasks' accuracies by group; NaN for a group without questions."""
    right, n = sums.reshape(2, len(TASKS))
    accuracy = {t: right[k] / n[k] for k, t in enumerate(TASKS) if n[k]}
    means = {g: [accuracy[t] for t in tasks if t in accuracy] for g, tasks in GROUPS.items()}
    return {g: float(np.mean(of)) if of else math.nan for g, of in means.items()}


def _total(sums: NDArray[np.float64]) -> float:
    return float(np.nanmean([*_group_means(sums).values()]))


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Read the authors' results: {backward, realtime, forward} with responses.

    `path` is one file, or a folder of files. Raises `InputError`.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: there are no result files (*.json) in this folder")
    out: list[Prediction] = []
    answered: set[str] = set()
    known = {i.id: i for i in items}
    for file in files:
        data = load_json(file)
        if not isinstance(data, dict) or not set(data) & set(GROUPS):
            raise InputError(
                f"{file}: expected the authors' results: an object with backward, realtime and"
                " forward"
            )
        results = Record(data, file, "results")
        for record in [
            r
            for group in GROUPS
            if group in results
            for r in results.records(group, f"{group}, row")
        ]:
            id = _item_of(record, known, answered)
            answered.add(id)
            out.append(Prediction(id, _replies(record)))
    return out


def _item_of(record: Record, known: Mapping[str, Item], answered: set[str]) -> str:
    """Return the item id of a result.

    Some result files give the same id to two questions about one video. If question and true letter
    belong to another item, that item's id is returned.
    """
    id, key = str(record.get("id")), (record.data.get("question"), record.data.get("ground_truth"))

    def fits(item: Item) -> bool:
        return (item.questions[0].shown, item.questions[0].truth) == key and item.id not in answered

    if key[1] is None or (id in known and fits(known[id])):
        return id
    return next((i.id for i in known.values() if fits(i)), id)


def _replies(record: Record) -> tuple[Spoken, ...]:
    if "test_info" in record:
        tests = record.records("test_info", "test_info")
        times = [t.seconds("realtime") if "realtime" in t else 0.0 for t in tests]
        points = [
            (str(k), at_s, t.data.get("response"))
            for k, (at_s, t) in enumerate(zip(times, tests, strict=True))
        ]
    else:
        points = [("0", 0.0, record.data.get("response"))]
    words = [
        (id, at_s, " ".join(map(str, r)) if isinstance(r, list) else str(r))
        for id, at_s, r in points
        if r is not None
    ]
    return tuple(Spoken(at_s, reply, id, True) for id, at_s, reply in words)


def _lacking(items: Sequence[Item]) -> dict[str, list[str]]:
    seen = {i.truth["task"] for i in items}
    return {"total": absent(TASKS, seen)} | {g: absent(of, seen) for g, of in GROUPS.items()}


TASK = Task("ovobench", "OVO-Bench", read, score, published, polled=True, lacking=_lacking)
