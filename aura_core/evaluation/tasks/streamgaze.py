"""StreamGaze (arXiv 2512.01707): questions about what a person looks at, and alerts.

The files are those of the authors (github.com/daeunni/StreamGaze): `past_*`, `present_*` and
`proactive_*` below `dataset/qa`. Scores are those of their `evaluate_results.py`: a choice is right
by the first letter A to D that stands alone, and a test point of an alert where the reply contains
Yes or No, in any case.

Free-running, an alert is one standing question. What is said by a test point is what counts there:
Yes if anything was, No if not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError
from aura_core.evaluation.judge import Judge
from aura_core.evaluation.records import (
    Item,
    Outcome,
    Prediction,
    Question,
    Scores,
    Spoken,
    chunk_of,
)
from aura_core.evaluation.statistics import Measured, bootstrap_sums
from aura_core.evaluation.tasks import choices
from aura_core.evaluation.tasks.base import (
    Broken,
    Record,
    Task,
    asked,
    by_group,
    load_rows,
    share,
    unasked_note,
    unique,
)
from aura_core.types import Kind

PARTS = {"past": 4, "present": 4, "proactive": 2}  # and how many tasks each has
LETTER = re.compile(r"\b[ABCD]\b")
SEEN = "{question}\nWas that to be seen so far? Reply with Yes or No and nothing else."


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each entry of the files that exist."""
    folder = next(
        (data / f for f in ("dataset/qa", "qa", "") if any((data / f).glob("*_*.json"))), data
    )
    files = [f for part in PARTS for f in sorted(folder.glob(f"{part}_*.json"))]
    if not files:
        raise InputError(f"{data}: none of {', '.join(f'{p}_*.json' for p in PARTS)} is here")
    items = []
    for path in files:
        taken: dict[str, int] = {}
        for n, row in enumerate(load_rows(path)):
            with broken.item():
                item = _item(Record(row, path, n), path.stem)
                taken[item.id] = taken.get(item.id, 0) + 1
                again = taken[item.id]
                items.append(item if again == 1 else replace(item, id=f"{item.id} ({again})"))
    return unique(items)


def _item(record: Record, task: str) -> Item:
    video = record.text("video_path")
    rows = record.records("questions", "question")
    questions = tuple(_question(row, task, str(k)) for k, row in enumerate(rows))
    if not questions:
        raise record.wrong("questions", "must be a list with something in it")
    points = {q.id: _points(row) for q, row in zip(questions, rows, strict=True)}
    name = Path(video).name
    folders = ("dataset/videos/gaze_viz_video", "dataset/videos/original_video", "videos")
    last_s = max(t for q in questions for t in (q.at_s, *q.polled_at))
    first = questions[0]
    return Item(
        f"{task}/{video}/{first.at_s:g}/{' '.join(first.shown.split())[:100]}",
        (*(f"{folder}/{name}" for folder in folders), name),
        questions,
        math.ceil(last_s) + 1,
        {"task": task, "points": points},
    )


def _points(row: Record) -> tuple[tuple[float, str], ...]:
    """Return the test points of an alert, with their answers; none for a choice."""
    if "test_info" not in row:
        return ()
    of = row.records("test_info", "test_info")
    return tuple((p.seconds("realtime"), "Yes" if p.number("type") == 1 else "No") for p in of)


def _question(row: Record, task: str, id: str) -> Question:
    at_s, text = row.seconds("time_stamp"), row.text("question")
    if "test_info" in row:
        times = tuple(t for t, _ in _points(row))
        if not times:
            raise row.wrong("test_info", "must be a list with something in it")
        told = SEEN.format(question=text)
        kind = Kind.PROACTIVE
        return Question(id, at_s, text, task, kind=kind, shown=text, polled=told, polled_at=times)
    options = choices.lettered(row.rows("options"))
    answer = row.text("answer").strip()
    if answer[:1] not in [o[0] for o in options]:
        raise row.wrong("answer", f"must be the letter of an option, not {answer!r}")
    told, shown = choices.told(text, options), choices.shown(text, options)
    return Question(id, at_s, told, task, answer[:1], shown=shown)


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return the accuracy by task, by part (the mean of its tasks), and the mean of the tasks."""
    outcomes: list[Outcome] = []
    for item, p, q in asked(items, predictions):
        if points := item.truth["points"][q.id]:
            for k, (at_s, truth) in enumerate(points):
                reply = _by(p, q, at_s)
                right = truth.upper() in reply.upper()
                part = f"{q.id}.{k}"
                outcomes.append(Outcome(item.id, part, q.group, float(right), reply, truth, at_s))
        else:
            reply = p.answer(q.id)
            right = chosen(reply) == chosen(q.truth)
            outcomes.append(Outcome(item.id, q.id, q.group, float(right), reply, q.truth, q.at_s))
    tasks = by_group(outcomes)
    figures = {task: share(of) for task, of in tasks.items()}
    for part in PARTS:
        if any(task.startswith(f"{part}_") for task in tasks):
            figures[part] = _mean_of_tasks([o for o in outcomes if o.group.startswith(f"{part}_")])
    if outcomes:
        figures["mean of tasks"] = _mean_of_tasks(outcomes)
    note = unasked_note(predictions)
    return Scores(figures, tuple(outcomes), "no judge: letters and Yes/No are compared", note)


def chosen(reply: str) -> str:
    """Return the first letter A to D that stands alone, or the whole reply in capitals."""
    plain = reply.strip().upper()
    found = LETTER.search(plain)
    return found[0] if found else plain


def _by(p: Prediction, q: Question, at_s: float) -> str:
    """Return the reply at a test point; for one that was not asked there, whether words came."""
    at_s = chunk_of(at_s) + 1
    reply = next((s.text for s in p.answers(q.id) if s.asked and s.at_s == at_s), None)
    if reply is not None:
        return reply
    return "Yes" if any(not s.asked and q.at_s < s.at_s <= at_s for s in p.said) else "No"


def _mean_of_tasks(outcomes: Sequence[Outcome]) -> Measured:
    tasks = [*by_group(outcomes)]
    by_item: dict[str, list[float]] = {}
    for o in outcomes:
        row = by_item.setdefault(o.item, [0.0] * 2 * len(tasks))
        k = tasks.index(o.group)
        row[2 * k] += o.value
        row[2 * k + 1] += 1

    def mean(sums: NDArray[np.float64]) -> float:
        pairs = [(r, n) for r, n in sums.reshape(-1, 2) if n]
        return sum(r / n for r, n in pairs) / len(pairs)

    return bootstrap_sums([*by_item.values()], mean, len(outcomes))


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Read the authors' outputs: <task>_output.json, entries with `model_predictions` or replies.

    `path` is one file, or a folder of them.
    """
    out = []
    files = sorted(path.glob("*_output.json")) if path.is_dir() else [path]
    known: dict[tuple[str, str, float, str], list[Item]] = {}
    for item in items:
        q = item.questions[0]
        key = (item.truth["task"], Path(item.videos[-1]).name, q.at_s, q.shown.split("\n")[0])
        known.setdefault(key, []).append(item)
    for file in files:
        task = file.stem.removesuffix("_output")
        for n, row in enumerate(load_rows(file)):
            record = Record(row, file, n)
            rows = record.records("questions", "question")
            if not rows:
                continue
            video = Path(record.text("video_path")).name
            key = (task, video, rows[0].seconds("time_stamp"), rows[0].text("question"))
            of = known.get(key, [])
            if not of:
                out.append(Prediction(f"{task}/{video}/{key[2]:g}/{key[3]}", ()))
                continue
            item = of.pop(0) if len(of) > 1 else of[0]
            out.append(_prediction(item, record, rows))
    return out


def _prediction(item: Item, record: Record, rows: Sequence[Record]) -> Prediction:
    said: list[Spoken] = []
    unasked: list[str] = []
    plain = record.records("model_predictions", "reply") if "model_predictions" in record else []
    for k, (q, row) in enumerate(zip(item.questions, rows, strict=False)):
        if q.polled_at:
            points = [p.data.get("response") for p in row.records("test_info", "test_info")]
            replies = [*zip((chunk_of(t) + 1 for t in q.polled_at), points, strict=False)]
        else:
            reply = plain[k].data.get("model_prediction") if k < len(plain) else None
            replies = [(q.at_s, reply)]
        given = [Spoken(t, str(r), q.id, True) for t, r in replies if r is not None]
        said += given
        unasked += [] if given else [q.id]
    return Prediction(item.id, tuple(said), None, tuple(unasked))


def _lacking(items: Sequence[Item]) -> dict[str, list[str]]:
    """The names of the files are not known; their README counts them."""
    tasks = {i.truth["task"] for i in items}
    found = {part: sum(task.startswith(f"{part}_") for task in tasks) for part in PARTS}
    lacking = {
        part: [f"{PARTS[part] - n} of {PARTS[part]} {part} tasks"] if n < PARTS[part] else []
        for part, n in found.items()
    }
    return lacking | {"mean of tasks": [text for of in lacking.values() for text in of]}


TASK = Task("streamgaze", "StreamGaze", read, score, published, polled=True, lacking=_lacking)
