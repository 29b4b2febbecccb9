"""Omni-DuplexEval (arXiv 2605.17360): reminders of events, and corrections of what a user says.

Scores are those of the authors' `proactive_reminder.py` (github.com/OpenBMB/Omni-DuplexEval). A
reminder is right if what is said from its time on, for 10 s, tells of the event; an item counts if
all its reminders are right. A correction is judged on all that is said. Polled, the user's words
are put at the end of the video, because any of its seconds may show that they are wrong.

The data set (Hothan/Omni-DuplexEval) is published as Parquet tables with the videos in them, one
split a table; they are read as they are (`packed.py`), and so is a split as JSON or JSON lines with
the same fields and its videos as files. Descriptions in real time (RTD) are not here: their score
is an LLM's that looks at the video.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aura_core.errors import InputError
from aura_core.evaluation.judge import Judge
from aura_core.evaluation.packed import Packed, rows, tables
from aura_core.evaluation.records import (
    AT_END,
    Due,
    Item,
    Outcome,
    Poll,
    Prediction,
    Question,
    Scores,
    Spoken,
)
from aura_core.evaluation.statistics import proportion
from aura_core.evaluation.tasks.base import (
    Broken,
    Record,
    Task,
    absent,
    as_float,
    by_group,
    find,
    load_json,
    load_lines,
    load_rows,
    share,
    unique,
)
from aura_core.types import Kind

SPLITS = ("PR_correction", "PR_event_reminder", "PR_post_event_reminder")
CORRECTION = SPLITS[0]
REMINDERS = ("reminder1", "reminder2")
WINDOW_S = 10.0
RIGHT = 0.5  # a judge's score from which on an answer is right
NOW = "{question}\nDid that happen just now? Answer yes or no."


FIELDS = ("id", "question_text", "answer1", *REMINDERS, "video_duration")


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each row of the splits that exist. A split's tables come first."""
    items: list[Item] = []
    packed = {split: found for split in SPLITS if (found := tables(data, split))}
    for split, found in packed.items():
        for table in found:
            for n, row in enumerate(rows(table, FIELDS)):
                with broken.item():
                    id = row["id"] if row.get("id") is not None else n
                    item = _item(Record(row, table, id), split)
                    items.append(replace(item, packed=Packed(table, n)))
    names = [
        f"{split}{end}" for split in SPLITS if split not in packed for end in (".json", ".jsonl")
    ]
    for path in find(data, names, ("data",), needed=not packed):
        if path.suffix == ".jsonl":
            listed: Sequence[Any] = [r.data for r in load_lines(path)]
        else:
            listed = load_rows(path)
        for n, row in enumerate(listed):
            with broken.item():
                id = row.get("id", n) if isinstance(row, dict) else n
                items.append(_item(Record(row, path, id), path.stem))
    return unique(items)


def _item(record: Record, split: str) -> Item:
    id, text = str(record.get("id")), record.text("question_text")
    truth = str(record.data.get("answer1") or "").strip()
    times = [t for key in REMINDERS if (t := _time(record, key)) is not None]
    length = _time(record, "video_duration")
    due = tuple(Due(t, text, t, t + WINDOW_S) for t in times)
    if split == CORRECTION or not due:
        due, poll = (), None
    else:
        poll = Poll(NOW.format(question=text), max(d.end_s for d in due), again=True)
    kind = Kind.REAL_TIME if poll is None else Kind.MULTI_RESPONSE
    polled_s = AT_END if poll is None else None
    question = Question("0", 0.0, text, split, truth, due, kind, text, polled_s=polled_s, poll=poll)
    video = record.data.get("video")
    video = video.get("path") if isinstance(video, dict) else video  # as `datasets` exports it
    name = video if isinstance(video, str) and video else f"{id}.mp4"
    places = (f"videos/{split}/{name}", f"videos/{name}", f"{split}/{name}", name)
    end_s = length if poll is None or length is None else min(length, poll.until_s + 1)
    return Item(f"{split}/{id}", places, (question,), end_s, annotated_s=length)


def _time(record: Record, key: str) -> float | None:
    """Return the seconds of a field that may be empty."""
    number = as_float(record.data.get(key))
    return number if number >= 0 else None


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return the share of items that are right, by split and in total, and that of reminders."""
    outcomes: list[Outcome] = []
    whole: dict[str, tuple[str, bool]] = {}
    for item in items:
        if (p := predictions.get(item.id)) is not None:
            of = _outcomes(item, p, judge)
            outcomes += of
            whole[item.id] = item.questions[0].group, all(o.value == 1 for o in of)
    figures = {}
    for split in dict.fromkeys(group for group, _ in whole.values()):
        right = [ok for group, ok in whole.values() if group == split]
        figures[split] = proportion(sum(right), len(right))
        if split != CORRECTION:
            figures[f"{split} (single reminders)"] = share(by_group(outcomes)[split])
    if whole:
        figures["total"] = proportion(sum(ok for _, ok in whole.values()), len(whole))
    return Scores(figures, tuple(outcomes), judge.description)


def _outcomes(item: Item, p: Prediction, judge: Judge) -> list[Outcome]:
    (q,) = item.questions
    windows = [(d.start_s, d.end_s, d.at_s) for d in q.due] or [(0.0, float("inf"), None)]
    out = []
    for k, (start_s, end_s, at_s) in enumerate(windows):
        words = [s.text.strip() for s in p.said if start_s <= s.at_s <= end_s and s.text.strip()]
        said = " ".join(words)
        truth = q.truth if at_s is None else q.text
        right = bool(said) or at_s is None
        right = right and judge.grade("answer", q.text, truth, said).score >= RIGHT
        out.append(Outcome(item.id, str(k), q.group, float(right), said, truth, at_s))
    return out


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Read replies as the authors' scripts do: <split>/<id>.json, segments with text and time."""
    if not path.is_dir():
        raise InputError(f"{path}: expected the folder of the replies, one folder a split")
    out = []
    for item in items:
        file = path / f"{item.id}.json"
        if file.is_file():
            out.append(Prediction(item.id, tuple(_said(load_json(file), file, item.id))))
    if not out:
        raise InputError(f"{path}: no reply (<split>/<id>.json) of any item is here")
    return out


def _said(data: Any, file: Path, id: str) -> list[Spoken]:
    rows = data
    if isinstance(data, dict):
        rows = next(
            (data[k] for k in ("chunks", "sentences") if isinstance(data.get(k), list)), None
        )
    if not isinstance(rows, list):
        raise InputError(f"{file}: expected a list, or an object with 'chunks' or 'sentences'")
    said = []
    for n, row in enumerate(rows):
        record = Record(row, file, f"{id}, segment {n}")
        text = next((record.get(k) for k in ("text", "sentence", "content") if k in record), "")
        key = next((k for k in ("current_time", "start", "time") if k in record), "")
        if isinstance(text, str) and text.strip():
            said.append(Spoken(record.seconds(key) if key else 0.0, text.strip(), "0"))
    return said


def _lacking(items: Sequence[Item]) -> dict[str, list[str]]:
    return {"total": absent(SPLITS, {q.group for i in items for q in i.questions})}


TASK = Task(
    *("omniduplex", "Omni-DuplexEval (reminders)", read, score, published),
    polled=True,
    judged=True,
    lacking=_lacking,
)
