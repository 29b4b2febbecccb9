"""FastBench (proactive perception, the runtime of github.com/Ashone3/FastBench).

An answer to a standing question is right in time from 2 s before the second in which it becomes
known until 2 s after it; to any other question, in the second of the question alone. The first
words that are no mere acknowledgment are the answer. A choice is right by its letter, and free text
scores what the judge says.

Free-running is the runtime without its sparse mode. Polled is its sparse mode: the model decides in
the second of a question, in that of its answer, and for a standing question in the second after
each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from aura_core.errors import InputError
from aura_core.evaluation.judge import Judge
from aura_core.evaluation.records import Due, Item, Outcome, Prediction, Question, Scores, Spoken
from aura_core.evaluation.statistics import Measured, mean_by_item, proportion
from aura_core.evaluation.tasks import choices
from aura_core.evaluation.tasks.base import (
    Broken,
    Record,
    Task,
    absent,
    by_group,
    find,
    load_json,
    load_lines,
    unique,
)
from aura_core.types import Kind

FILE = "proactive_perception_annotations.json"
SCOPES = ("forward", "instant", "backward")
FORWARD = ("forward", "future", "proactive")  # kinds of standing questions in the files
EARLY_S = LATE_S = 2.0
# Replies that count as none. The authors' config.yaml has whole sentences too: they are read from
# there if it lies beside the annotations.
SILENT = ("", "silent", "<|silent|>", "<|silence|>", "</silence>", "</standby>")
ACKNOWLEDGED = (*SILENT, "ok", "okay", "sure", "yes")
EARLY, NONE, LATE, RIGHT, WRONG, JUDGED = (
    *("early", "no answer", "late", "right", "wrong", "judged"),
)


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each video."""
    (path,) = find(data, [FILE], ("dataset",))
    return read_file(path, broken)


def read_file(path: Path, broken: Broken) -> list[Item]:
    """Return the items of one annotation file."""
    plain = acknowledgments(path.parent)
    items = []
    for n, row in enumerate(_rows(path)):
        with broken.item():
            items.append(_item(Record(row, path, n), plain))
    return unique(items)


def _rows(path: Path) -> list[Any]:
    data = load_json(path)
    rows = data.get("samples") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise InputError(f"{path}: expected a list of videos, or an object with 'samples'")
    return rows


def acknowledgments(folder: Path) -> tuple[str, ...]:
    """Return the replies that count as none, in small letters.

    They are those of `config.yaml` in the folder or above it, if there is one.
    """
    for path in (folder / "config.yaml", folder.parent / "config.yaml"):
        if path.is_file():
            try:
                config = yaml.safe_load(path.read_text(encoding="utf-8"))
                given = config["scoring"]["placeholder_responses"]
            except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as e:
                raise InputError(
                    f"{path}: has no list scoring.placeholder_responses; take the authors' file, or"
                    " none"
                ) from e
            return (*SILENT, *(str(x).strip().lower() for x in given))
    return ACKNOWLEDGED


def _item(record: Record, plain: tuple[str, ...]) -> Item:
    video = record.text("video_path")
    rows = record.records("verified_responses", "question")
    questions = tuple(_question(q, str(k)) for k, q in enumerate(rows))
    if not questions:
        raise record.wrong("verified_responses", "must be a list with something in it")
    end_s = max(q.due[0].end_s for q in questions) + 1
    places = (video, video.removeprefix("dataset/"), f"dataset/{video}")
    capabilities = {
        f"{k}": str(q.data["capability"]) for k, q in enumerate(rows) if q.data.get("capability")
    }
    truth = {"acknowledged": plain, "capabilities": capabilities}
    return Item(video, places, questions, end_s, truth)


def _question(record: Record, id: str) -> Question:
    asked_s = record.seconds("timestamp_question")
    kind = str(record.data.get("time_type") or "backward").strip().lower()
    standing = kind in FORWARD
    group = "forward" if standing else "instant" if kind == "instant" else "backward"
    given = standing and record.data.get("timestamp_proactive") is not None
    due_s = record.seconds("timestamp_proactive") if given else asked_s
    text, truth = record.text("user_query"), str(record.get("response"))
    late_s = LATE_S if due_s != asked_s else 0.0
    due = Due(due_s, truth, due_s - EARLY_S, due_s + late_s)
    told, shown = text, text
    choice = record.data.get("options") is not None
    if choice:
        options = record.get("options")
        rows = [*options.values()] if isinstance(options, dict) else record.rows("options")
        options = choices.lettered(rows)
        told, shown = choices.told(text, options), choices.shown(text, options)
    times = [asked_s, due_s, *((asked_s + 1, due_s + 1) if standing else ())]
    return Question(
        id,
        asked_s,
        told,
        f"{group}, choice" if choice else f"{group}, text",
        truth,
        (due,),
        Kind.PROACTIVE if standing else Kind.REAL_TIME,
        shown,
        polled_at=tuple(sorted(set(times))),
        silence=True,
    )


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return the mean score by kind of question and in total, and the shares of the outcomes."""
    outcomes: list[Outcome] = []
    ends: list[tuple[str, str]] = []  # kind and outcome of each question
    for item in items:
        if (p := predictions.get(item.id)) is not None:
            for outcome, end in _score(item, p, judge):
                outcomes.append(outcome)
                ends.append((outcome.group, end))
    figures = {}
    for group, of in by_group(outcomes).items():
        figures[group] = _mean(of)
    for scope in SCOPES:
        if of := [o for o in outcomes if o.group.startswith(scope)]:
            figures[scope] = _mean(of)
    for name in dict.fromkeys(c for i in items for c in i.truth["capabilities"].values()):
        able = {i.id: i.truth["capabilities"] for i in items}
        if of := [o for o in outcomes if able[o.item].get(o.part) == name]:
            figures[f"capability {name}"] = _mean(of)
    for name in ("choice", "text"):
        if of := [o for o in outcomes if o.group.endswith(name)]:
            figures[f"all, {name}"] = _mean(of)
    forward = [end for group, end in ends if group.startswith("forward")]
    for end in (EARLY, NONE, LATE, WRONG):
        if forward:
            figures[f"forward: {end}"] = proportion(forward.count(end), len(forward))
    if outcomes:
        figures["score"] = _mean(outcomes)
    return Scores(figures, tuple(outcomes), judge.description)


def _mean(outcomes: Sequence[Outcome]) -> Measured:
    by_item: dict[str, list[float]] = {}
    for o in outcomes:
        by_item.setdefault(o.item, []).append(o.value)
    return mean_by_item([*by_item.values()])


def _score(item: Item, p: Prediction, judge: Judge) -> list[tuple[Outcome, str]]:
    """Return an outcome for each question, and how it ended.

    Words answer one question: the first in the file whose time they are in.
    """
    plain, used, out = item.truth["acknowledged"], set[int](), []
    said = sorted(p.said, key=lambda s: s.at_s)
    for q in item.questions:
        (due,) = q.due
        words = None
        for k, s in enumerate(said):
            # the authors' runtime knows whole seconds
            in_time = k not in used and int(q.at_s) <= s.at_s <= int(due.at_s) + LATE_S
            if in_time and _counts(s, q, plain):
                words = s
                used.add(k)
                break
        value, end = _verdict(q, words, judge)
        text = words.text if words else ""
        out.append((Outcome(item.id, q.id, q.group, value, text, q.truth, due.at_s), end))
    return out


def _counts(words: Spoken, q: Question, plain: Collection[str]) -> bool:
    """Whether words are an answer: no acknowledgment, neither by its words nor by its second."""
    if words.text != q.truth and words.text.strip().lower() in plain:
        return False
    due_s = int(q.due[0].at_s)
    at_once = words.at_s == int(q.at_s) and words.at_s < due_s - EARLY_S
    return not (q.group.startswith("forward") and at_once)


def _verdict(q: Question, words: Spoken | None, judge: Judge) -> tuple[float, str]:
    due_s = int(q.due[0].at_s)
    if words is None:
        return 0.0, NONE
    if words.at_s < due_s - EARLY_S:
        return 0.0, EARLY
    if words.at_s > due_s + (LATE_S if due_s != int(q.at_s) else 0.0):
        return 0.0, LATE
    if q.group.endswith("choice"):
        said, truth = words.text.lower(), q.truth.lower()
        right = said == truth or said.strip().replace(".", "")[:1] == truth
        return float(right), RIGHT if right else WRONG
    return judge.grade("answer", q.shown, q.truth, words.text).score, JUDGED


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Read what the authors' runtime writes: a line a video, with `responses`.

    `path` is one file, or a folder of files.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    out = []
    for file in files:
        for record in load_lines(file):
            rows = record.records("responses", "response")
            said = tuple(
                Spoken(r.seconds("timestamp"), str(r.data.get("response") or "")) for r in rows
            )
            out.append(Prediction(record.text("video_path"), said))
    return out


def _lacking(items: Sequence[Item]) -> dict[str, list[str]]:
    return {"score": absent(SCOPES, {q.group.split()[0] for i in items for q in i.questions})}


TASK = Task(
    *("fastbench", "FastBench", read, score, published),
    polled=True,
    judged=True,
    lacking=_lacking,
)
