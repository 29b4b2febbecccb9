"""Streaming-Eval (Streaming Harness, arXiv 2606.08615): SW-F1 over windows.

A right answer is due in each window. The benchmark's annotation files are not public. This file
reads a format of this project, `streaming_eval.json` (docs/evaluation.md), which can express its
nine cells (mode x position). TP is a right answer inside its window, FN a window without one, and
FP are words outside all windows. SW-F1 = 2 TP / (2 TP + 0.2 FP + 2 FN).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aura_core.errors import InputError
from aura_core.evaluation.judge import Judge
from aura_core.evaluation.metrics import Count, window_count
from aura_core.evaluation.records import Due, Item, Outcome, Prediction, Question, Scores, Spoken
from aura_core.evaluation.statistics import bootstrap_sums
from aura_core.evaluation.tasks.base import Broken, Record, Task, find, read_each
from aura_core.types import Kind

FILE = "streaming_eval.json"
MODES = {"proactive": Kind.MULTI_RESPONSE, "punctual": Kind.REAL_TIME, "contextual": Kind.REAL_TIME}
POSITIONS = ("backward", "present", "forward")
RIGHT = 0.5  # a judge's score from which on an answer is right


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each annotation: a video, a question, and the windows of its answers."""
    (path,) = find(data, [FILE], ())
    return read_each(path, broken, _item)


def _item(row: Any, path: Path, n: int) -> Item:
    record = Record(row, path, row.get("id", n) if isinstance(row, dict) else n)
    mode, position = record.text("mode"), record.text("position")
    for key, value, options in (("mode", mode, MODES), ("position", position, POSITIONS)):
        if value not in options:
            raise record.wrong(key, f"must be one of {', '.join(options)}, not {value!r}")
    due = tuple(
        _due(Record(a, record.where, f"answer {k}")) for k, a in enumerate(record.rows("answers"))
    )
    text, at_s = record.text("question"), record.seconds("question_time")
    question = Question("0", at_s, text, f"{mode}/{position}", due[0].text, due, MODES[mode], text)
    video = record.text("video")
    end_s = record.seconds("end") if "end" in record else None
    annotated_s = max(d.end_s for d in due) if end_s is None else end_s
    return Item(
        str(record.get("id")),
        (video, f"videos/{video}"),
        (question,),
        end_s,
        annotated_s=annotated_s,
    )


def _due(answer: Record) -> Due:
    start_s, end_s = answer.seconds("start"), answer.seconds("end")
    if end_s < start_s:
        raise answer.wrong("end", f"must not be before start, {end_s:g} < {start_s:g}")
    return Due(start_s, answer.text("answer"), start_s, end_s)


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return SW-F1 by mode and position, and in total."""
    outcomes: list[Outcome] = []
    counts: dict[str, list[Count]] = {}
    for item in items:
        if (p := predictions.get(item.id)) is None:
            continue
        (question,) = item.questions
        said = [s for s in p.said if not _acknowledges(s, question)]
        right = [_right(s, question, judge) for s in said]
        for k, due in enumerate(question.due):
            inside = [
                (s, ok)
                for s, ok in zip(said, right, strict=True)
                if due.start_s <= s.at_s <= due.end_s
            ]
            best = max(inside, key=lambda x: x[1], default=None)
            words = best[0].text if best else ""
            hit = best is not None and best[1]
            outcomes.append(
                Outcome(item.id, str(k), question.group, float(hit), words, due.text, due.at_s)
            )
        timed = [(s.at_s, ok) for s, ok in zip(said, right, strict=True)]
        counts.setdefault(question.group, []).append(
            window_count(timed, [(d.start_s, d.end_s) for d in question.due])
        )
    rows = {group: [[c.tp, c.fp, c.fn] for c in of] for group, of in counts.items()}
    n = {group: int(sum(c.tp + c.fn for c in of)) for group, of in counts.items()}
    figures = {f"SW-F1 {g}": bootstrap_sums(rows[g], lambda s: Count(*s).sw_f1, n[g]) for g in rows}
    if rows:
        every = [row for of in rows.values() for row in of]
        figures["SW-F1"] = bootstrap_sums(every, lambda s: Count(*s).sw_f1, sum(n.values()))
    return Scores(figures, tuple(outcomes), judge.description)


def _acknowledges(words: Spoken, question: Question) -> bool:
    """Whether the words are in the second of a standing question.

    They acknowledge it, so they are neither an answer nor a false positive.
    """
    return words.asked and question.kind is not Kind.REAL_TIME


def _right(words: Spoken, question: Question, judge: Judge) -> bool:
    due = next((d for d in question.due if d.start_s <= words.at_s <= d.end_s), None)
    return (
        due is not None
        and judge.grade("answer", question.text, due.text, words.text).score >= RIGHT
    )


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Raise `InputError`: only prediction files of this program exist for this format."""
    raise InputError(
        f"{path}: not a prediction file of this program; no other format is known for"
        " streaming-eval"
    )


TASK = Task("streaming-eval", "Streaming-Eval", read, score, published, judged=True)
