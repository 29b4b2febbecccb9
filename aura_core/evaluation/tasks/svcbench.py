"""SVCBench, earlier VCBench (arXiv 2603.12703): one count, asked again and again.

Scores are those of the authors' `compute_metrics.py` (github.com/buaa-colalab/SVCBench): GPA, how
near the counts are; MoC, how far they never fall; UDA, whether they change as the truth does. A
reply that is no whole number has no score there, and their script stops; here it is far from any
count, and agrees with no change.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aura_core.evaluation.judge import Judge
from aura_core.evaluation.records import Item, Outcome, Prediction, Question, Scores, Spoken
from aura_core.evaluation.statistics import NOTHING, Measured, mean_by_item
from aura_core.evaluation.tasks.base import (
    Broken,
    Record,
    Task,
    as_float,
    find,
    load_lines,
    unique,
)

FILES = ("svcbench_eval.jsonl", "vcbench_eval.jsonl")
# kinds of counts that cannot fall; and kinds whose changes are compared
MONOTONE = ("O2-Unique", "E1-Action", "E1-Transit", "E2-Periodic", "E2-Episode")
CHANGING = ("O1-Snap", *MONOTONE)
SIGMA = 0.05  # of the true count: the width of GPA
HOW = "{question}\nReply with one whole number and nothing else."


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each question, with all its times."""
    path = find(data, FILES, ("data",))[0]
    rows: dict[str, list[Record]] = {}
    for record in load_lines(path):
        with broken.item():
            rows.setdefault(_id(record), []).append(record)
    items = []
    for id, of in rows.items():
        with broken.item():
            items.append(_item(id, of))
    return unique(items)


def _id(record: Record) -> str:
    return str(record.get("id" if "id" in record else "q_id"))


def _item(id: str, records: Sequence[Record]) -> Item:
    """Return the item of the lines of one question: one a time, or one with lists."""
    first = records[0]
    text, kind = first.text("question"), first.text("counting_subtype")
    points: list[tuple[float, float]] = []
    for r in records:
        if "query_times" in r:
            times, counts = r.rows("query_times"), r.rows(_field(r, ("gts", "counts")))
            if len(times) != len(counts):
                raise r.wrong("query_times", f"has {len(times)} times for {len(counts)} counts")
            points += [
                (r.moment(t, "query_times"), _whole(r, c, "gts"))
                for t, c in zip(times, counts, strict=True)
            ]
        else:
            key = _field(r, ("count", "ground_truth", "gt"))
            points.append((r.seconds("query_time"), _whole(r, r.get(key), key)))
    questions = tuple(
        Question(str(k), t, HOW.format(question=text), kind, f"{count:g}", shown=text)
        for k, (t, count) in enumerate(points)
    )
    video = first.text("video_path")
    folder = str(first.data.get("source_dataset") or "")
    name = f"{folder}/{video}" if folder else video
    places = (f"data/videos/{name}", f"videos/{name}", name)
    return Item(id, places, questions, math.ceil(max(t for t, _ in points)) + 1, {"kind": kind})


def _field(record: Record, names: Sequence[str]) -> str:
    return next((n for n in names if n in record), names[0])


def _whole(record: Record, value: Any, key: str) -> float:
    number = as_float(value)
    if not number.is_integer():
        raise record.wrong(key, f"must be a whole number, not {value!r}")
    return number


def number(reply: str) -> float:
    """Return the reply as a whole number; NaN where it is none."""
    try:
        return float(int(reply.strip()))
    except (ValueError, OverflowError):
        return math.nan


def gpa(said: Sequence[float], truth: Sequence[float]) -> float:
    """Return the mean of exp(-(p - g)^2 / 2 s^2), s = 0.05 max(g, 1)."""
    near = [
        0.0 if math.isnan(p) else math.exp(-((p - g) ** 2) / (2 * (SIGMA * max(g, 1)) ** 2))
        for p, g in zip(said, truth, strict=True)
    ]
    return sum(near) / len(near)


def moc(said: Sequence[float]) -> float:
    """Return the share of steps before the first at which the count falls."""
    steps = [b >= a for a, b in itertools.pairwise(said)]
    return (steps.index(False) if False in steps else len(steps)) / len(steps)


def uda(said: Sequence[float], truth: Sequence[float]) -> float:
    """Return the share of steps at which the count grows, stays or falls as the truth does."""
    same = [
        _sign(b - a) == _sign(h - g)
        for a, b, g, h in zip(said, said[1:], truth, truth[1:], strict=False)
    ]
    return sum(same) / len(same)


def _sign(x: float) -> float:
    return x if math.isnan(x) else float((x > 0) - (x < 0))


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return the means of GPA, MoC and UDA over the questions, by kind of count and in total."""
    outcomes: list[Outcome] = []
    values: dict[str, dict[str, list[float]]] = {name: {} for name in ("GPA", "MoC", "UDA")}
    for item in items:
        if (p := predictions.get(item.id)) is None:
            continue
        kind = item.truth["kind"]
        asked = [q for q in item.questions if q.id not in p.unasked]
        said, truth = [number(p.answer(q.id)) for q in asked], [float(q.truth) for q in asked]
        for q, n, t in zip(asked, said, truth, strict=True):
            value, reply = gpa([n], [t]), p.answer(q.id)
            outcomes.append(Outcome(item.id, q.id, kind, value, reply, q.truth, q.at_s))
        if asked:
            values["GPA"].setdefault(kind, []).append(gpa(said, truth))
        if len(asked) > 1 and kind in MONOTONE:
            values["MoC"].setdefault(kind, []).append(moc(said))
        if len(asked) > 1 and kind in CHANGING:
            values["UDA"].setdefault(kind, []).append(uda(said, truth))
    kinds = dict.fromkeys(k for of in values.values() for k in of)
    figures = {}
    for kind in kinds:
        for name, of in values.items():
            if kind in of:
                figures[f"{kind} {name}"] = _mean(of[kind])
    for name, of in values.items():
        figures[name] = _mean([v for each in of.values() for v in each])
    figures = {name: m for name, m in figures.items() if m.n}
    return Scores(figures, tuple(outcomes), "no judge: numbers are compared")


def _mean(values: Sequence[float]) -> Measured:
    return mean_by_item([[v] for v in values]) if values else NOTHING


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Read the authors' outputs: a line a time with `prediction`, or unified with `predictions`."""
    said: dict[str, dict[str, Spoken]] = {}
    known = {i.id: i for i in items}
    for record in load_lines(path):
        id = _id(record)
        if "predictions" in record:
            replies = list(enumerate(record.rows("predictions")))
        else:
            at_s = record.seconds("query_time")
            item = known.get(id)
            taken = said.get(id, {})
            k = next(
                (
                    int(q.id)
                    for q in (item.questions if item else ())
                    if q.at_s == at_s and q.id not in taken
                ),
                len(taken),
            )
            replies = [(k, record.data.get("prediction", record.data.get("pred")))]
        of = said.setdefault(id, {})
        for k, reply in replies:
            words = "" if reply is None else str(reply)
            of[str(k)] = Spoken(0.0, words, str(k), True)
    return [
        Prediction(id, tuple(of.values()), None, _unasked(known.get(id), of))
        for id, of in said.items()
    ]


def _unasked(item: Item | None, said: Mapping[str, Spoken]) -> tuple[str, ...]:
    return tuple(q.id for q in (item.questions if item else ()) if q.id not in said)


TASK = Task("svcbench", "SVCBench", read, score, published, polled=True)
