"""Streaming-Eval (Streaming Harness, arXiv 2606.08615): SW-F1 over windows.

A right answer is due in each window. TP is a window whose reply is right, FN a window whose reply
is wrong or missing, and FP are words outside all windows of their question. SW-F1 = 2 TP / (2 TP +
0.2 FP + 2 FN). What is known of the paper does not say which words are the reply; here it is the
first words in the window, so that trying one letter after the other gains nothing (`replies`).

The benchmark's annotation files are not public. This file reads a format of this project,
`streaming_eval.json` (docs/evaluation.md). An entry with a `split` is multiple choice as in the
paper: exact match in the window, and six splits. An entry with `mode` and `position` is open text,
which a judge compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aura_core.errors import InputError
from aura_core.evaluation.judge import Judge
from aura_core.evaluation.metrics import Count
from aura_core.evaluation.records import Due, Item, Outcome, Prediction, Question, Scores, Spoken
from aura_core.evaluation.statistics import bootstrap_sums
from aura_core.evaluation.tasks import choices
from aura_core.evaluation.tasks.base import Broken, Record, Task, find, read_each
from aura_core.types import Kind

FILE = "streaming_eval.json"
MODES = {"proactive": Kind.MULTI_RESPONSE, "punctual": Kind.REAL_TIME, "contextual": Kind.REAL_TIME}
POSITIONS = ("backward", "present", "forward")
SPLITS = (
    "backward",
    "present",
    "forward",
    "fact-changing",
    "question-changing",
    "question-changing with dependency",
)
RIGHT = 0.5  # a judge's score from which on an answer is right
SOON_S = 1.0  # a window that begins this long after its question can be answered at once


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each annotation: a video, a question, and the windows of its answers."""
    (path,) = find(data, [FILE], ())
    return read_each(path, broken, _item)


def _item(row: Any, path: Path, n: int) -> Item:
    record = Record(row, path, row.get("id", n) if isinstance(row, dict) else n)
    if "split" in record:
        return _choices(record)
    mode, position = record.text("mode"), record.text("position")
    for key, value, options in (("mode", mode, MODES), ("position", position, POSITIONS)):
        if value not in options:
            raise record.wrong(key, f"must be one of {', '.join(options)}, not {value!r}")
    text, at_s = record.text("question"), record.seconds("question_time")
    due = _windows(record, at_s)
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


def _choices(record: Record) -> Item:
    """Return an entry of one or more multiple-choice questions about one video."""
    split, video = record.text("split"), record.text("video")
    if split not in SPLITS:
        raise record.wrong("split", f"must be one of {', '.join(SPLITS)}, not {split!r}")
    several = "questions" in record
    rows = record.records("questions", "question") if several else [record]
    if not rows:
        raise record.wrong("questions", "must be a list with something in it")
    questions = tuple(_choice(row, split, str(k)) for k, row in enumerate(rows))
    end_s = record.seconds("end") if "end" in record else None
    due_s = max(d.end_s for q in questions for d in q.due)
    return Item(
        str(record.get("id")),
        (video, f"videos/{video}"),
        questions,
        end_s,
        annotated_s=due_s if end_s is None else end_s,
    )


def _choice(record: Record, split: str, id: str) -> Question:
    at_s, options = record.seconds("question_time"), choices.lettered(record.rows("options"))
    due = _windows(record, at_s)
    for d in due:
        if d.text not in [o[0] for o in options]:
            raise record.wrong("answers", f"'answer' must be an option's letter, not {d.text!r}")
    kind = Kind.MULTI_RESPONSE if len(due) > 1 else Kind.PROACTIVE
    if len(due) == 1 and due[0].start_s <= at_s + SOON_S:
        kind = Kind.REAL_TIME
    text = record.text("question")
    shown = choices.shown(text, options)
    return Question(id, at_s, choices.told(text, options), split, due[0].text, due, kind, shown)


def _windows(record: Record, asked_s: float) -> tuple[Due, ...]:
    """Return the windows of a question that is asked at `asked_s`."""
    answers = enumerate(record.rows("answers"))
    return tuple(_due(Record(a, record.where, f"answer {k}"), asked_s) for k, a in answers)


def _due(answer: Record, asked_s: float) -> Due:
    start_s, end_s = answer.seconds("start"), answer.seconds("end")
    if end_s < start_s:
        raise answer.wrong("end", f"must not be before start, {end_s:g} < {start_s:g}")
    if start_s < asked_s:
        raise answer.wrong("start", f"must not be before question_time, {start_s:g} < {asked_s:g}")
    return Due(start_s, answer.text("answer"), start_s, end_s)


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return SW-F1 by split, or by mode and position, and in total."""
    outcomes: list[Outcome] = []
    counts: dict[str, list[Count]] = {}
    for item in items:
        if (p := predictions.get(item.id)) is not None:
            group = item.questions[0].group
            count, of = _score(item, p, judge)
            counts.setdefault(group, []).append(count)
            outcomes += of
    rows = {group: [[c.tp, c.fp, c.fn] for c in of] for group, of in counts.items()}
    n = {group: int(sum(c.tp + c.fn for c in of)) for group, of in counts.items()}
    figures = {f"SW-F1 {g}": bootstrap_sums(rows[g], lambda s: Count(*s).sw_f1, n[g]) for g in rows}
    if rows:
        every = [row for of in rows.values() for row in of]
        figures["SW-F1"] = bootstrap_sums(every, lambda s: Count(*s).sw_f1, sum(n.values()))
    return Scores(figures, tuple(outcomes), judge.description)


def _score(item: Item, p: Prediction, judge: Judge) -> tuple[Count, list[Outcome]]:
    """Return the counts of one item, and an outcome for each window."""
    windows, replied, outside = replies(item, p)
    outcomes = []
    for k, (q, due) in enumerate(windows):
        words = replied.get(k)
        hit = words is not None and _right(words, q, due, judge)
        said = words.text if words else ""
        outcomes.append(Outcome(item.id, str(k), q.group, float(hit), said, due.text, due.at_s))
    hits = sum(o.value for o in outcomes)
    return Count(hits, len(outside), len(windows) - hits), outcomes


def replies(
    item: Item, p: Prediction
) -> tuple[list[tuple[Question, Due]], dict[int, Spoken], list[Spoken]]:
    """Return the windows of an item, the reply of each by its index, and words outside of them.

    Words belong to the question that they answer. Where that is not known (""), they belong to the
    newest question asked that has a window for them. The first words in a window are its reply, and
    words are the reply of one window alone: of those that wait for one, the window that ends first.
    Further words in a window change nothing. Words in the second of a standing question acknowledge
    it, so they are neither a reply nor outside.
    """
    windows = [(q, d) for q in item.questions for d in q.due]
    replied: dict[int, Spoken] = {}
    outside = []
    for words in sorted(p.said, key=lambda s: s.at_s):
        asked = [q for q in item.questions if _may_answer(words, q)]
        newest_s = max((q.at_s for q in asked), default=0.0)
        if words.asked and any(q.at_s == newest_s and q.kind is not Kind.REAL_TIME for q in asked):
            continue
        inside = [
            k
            for k, (q, d) in enumerate(windows)
            if q in asked and d.start_s <= words.at_s <= d.end_s
        ]
        if not inside:
            outside.append(words)
            continue
        latest_s = max(windows[k][0].at_s for k in inside)
        free = [k for k in inside if windows[k][0].at_s == latest_s and k not in replied]
        if free:
            replied[min(free, key=lambda k: windows[k][1].end_s)] = words
    return windows, replied, outside


def _may_answer(words: Spoken, question: Question) -> bool:
    """Whether the words belong to the question, or may where that is not known."""
    if words.question:
        return words.question == question.id
    return question.at_s <= words.at_s


def _right(words: Spoken, question: Question, due: Due, judge: Judge) -> bool:
    """Whether the reply of a window is right: the letter exactly, or text as the judge says."""
    if question.group in SPLITS:
        return choices.exact(words.text, due.text, question.shown)
    return judge.grade("answer", question.text, due.text, words.text).score >= RIGHT


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Raise `InputError`: only prediction files of this program exist for this format."""
    raise InputError(
        f"{path}: not a prediction file of this program; no other format is known for"
        " streaming-eval"
    )


TASK = Task("streaming-eval", "Streaming-Eval", read, score, published, judged=True)
