"""StreamEQA (arXiv 2512.04451): multiple choice in long videos of a kitchen.

Scores are those of the authors' `metrics.py` (github.com/MrYF-Wang/StreamEQA): the first character
of a reply from which the letter was taken, as their `prompts.py` does. A question in the first two
seconds has no clip there, and is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from aura_core.evaluation.judge import Judge
from aura_core.evaluation.records import Item, Outcome, Prediction, Question, Scores, Spoken
from aura_core.evaluation.tasks import choices
from aura_core.evaluation.tasks.base import (
    Broken,
    Record,
    Task,
    absent,
    asked,
    by_group,
    find,
    load_rows,
    share,
    unasked_note,
    unique,
)

PARTS = ("Perception", "Interaction", "Planning_all")
LETTERS = "ABCD"
FIRST_S = 2  # earlier questions have no clip
FIELDS = {
    *("id", "video", "realtime", "question", "options", "gt", "answer", "task", "level"),
    *("video_id", "start", "end", "type"),
}


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each video of the parts that exist, with all its questions."""
    items = []
    for path in find(data, [f"{part}.json" for part in PARTS], ("data/annotations", "annotations")):
        videos: dict[str, list[Question]] = {}
        for n, row in enumerate(load_rows(path)):
            with broken.item():
                record = Record(row, path, row.get("id", n) if isinstance(row, dict) else n)
                question = _question(record)
                if int(question.at_s) >= FIRST_S:
                    videos.setdefault(record.text("video"), []).append(question)
        items += [_item(path.stem, video, of) for video, of in videos.items()]
    return unique(items)


def _question(record: Record) -> Question:
    at_s, gt = record.seconds("realtime"), record.number("gt")
    options = choices.lettered(record.rows("options"))
    if len(options) != len(LETTERS) or gt not in range(len(LETTERS)):
        raise record.wrong("gt", f"must be the index of one of four options, not {gt:g}")
    text = record.text("question")
    return Question(
        str(record.get("id")),
        at_s,
        choices.told(text, options),
        str(record.get("task")),
        LETTERS[int(gt)],
        shown=choices.shown(text, options),
    )


def _item(part: str, video: str, questions: Sequence[Question]) -> Item:
    name = f"{video.split('-')[0]}/{video}.mp4"
    end_s = max(q.at_s for q in questions) + 1
    places = (f"videos/{name}", name)
    return Item(f"{part}/{video}", places, tuple(questions), end_s, {"part": part})


def letter(reply: str, options: Sequence[str]) -> str:
    """Return the letter that a reply means, or the reply itself where it means none.

    It is a letter with "." or ")" behind it, else the option that contains the reply, else the
    first word that is a letter.
    """
    text = reply.strip()
    for c in LETTERS:
        if text == c or text.startswith((f"{c}.", f"{c})")):
            return c
    for option in options:
        if text and text in option:
            return option[0]
    words = (w.strip(" .,:;()[]{}") for w in text.split())
    return next((w for w in words if w in tuple(LETTERS)), reply)


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return the accuracy by task, by part and in total."""
    outcomes: list[Outcome] = []
    parts: dict[str, list[Outcome]] = {}
    for item, p, q in asked(items, predictions):
        reply = p.answer(q.id)
        means = letter(reply, q.shown.split("\n")[-len(LETTERS) :])
        right = means[:1] == q.truth
        outcomes.append(Outcome(item.id, q.id, q.group, float(right), reply, q.truth, q.at_s))
        parts.setdefault(item.truth["part"], []).append(outcomes[-1])
    figures = {task: share(of) for task, of in by_group(outcomes).items()}
    figures |= {f"part {name}": share(of) for name, of in parts.items()}
    if outcomes:
        figures["total"] = share(outcomes)
    note = unasked_note(predictions)
    return Scores(figures, tuple(outcomes), "no judge: letters are compared", note)


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Read the authors' outputs: the annotations with each model's reply under its name.

    `path` is one file, or a folder of them. A question without a reply is not counted.
    """
    known = {(i.truth["part"], q.id): (i, q) for i in items for q in i.questions}
    part_of = {(i.id.partition("/")[2], q.id): i.truth["part"] for i in items for q in i.questions}
    said: dict[str, list[Spoken]] = {}
    for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        rows = [Record(row, file, n) for n, row in enumerate(load_rows(file))]
        name = model or _only_model(rows)
        for record in rows:
            video, id = str(record.data.get("video", "")), str(record.data.get("id"))
            found = known.get((part_of.get((video, id), ""), id))
            reply = record.data.get(name)
            if found is not None and reply not in (None, ""):
                item, q = found
                said.setdefault(item.id, []).append(Spoken(q.at_s, str(reply), q.id, True))
    return [
        Prediction(i.id, tuple(said[i.id]), None, _unasked(i, said[i.id]))
        for i in items
        if i.id in said
    ]


def _only_model(rows: Sequence[Record]) -> str:
    names = sorted({key for r in rows for key in r.data} - FIELDS)
    if len(names) != 1:
        where = rows[0].where if rows else "the file"
        raise Record({}, where, "").wrong(
            "(a model's name)", f"is not clear: {', '.join(names) or 'none'}; choose --published"
        )
    return names[0]


def _unasked(item: Item, said: Sequence[Spoken]) -> tuple[str, ...]:
    replied = {s.question for s in said}
    return tuple(q.id for q in item.questions if q.id not in replied)


def _lacking(items: Sequence[Item]) -> dict[str, list[str]]:
    return {"total": absent(PARTS, {i.truth["part"] for i in items})}


TASK = Task("streameqa", "StreamEQA", read, score, published, polled=True, lacking=_lacking)
