"""StreamingBench (arXiv 2411.03628): multiple choice over a stream, and proactive output.

Scores are those of the authors' `count.py`. The first character of the reply is the letter; white
space before it is left out, which their script counts as a wrong letter. Proactive output is in
time within +-2 s of the truth, and right if it also contains the true words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aura_core.errors import InputError
from aura_core.evaluation.judge import Judge
from aura_core.evaluation.records import (
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
    asked,
    by_group,
    find,
    load_rows,
    share,
    unasked_note,
    unique,
)
from aura_core.types import Kind

PARTS = ("real", "omni", "sqa", "proactive")
OPTIONS = 4
# Some labels stand there twice: "A. A.text". Another letter is an initial: "A. P. Moore".
# "A.", also several times; not the beginning of "A.M."
_LABEL = re.compile(r"([A-Z])\.(?!(?!\1)[A-Za-z]\.)\s*(?:\1\.\s*)*")
PROACTIVE = "Proactive Output"
TOLERANCE_S = 2.0
GRACE_S = 4.0  # polled: the question is put up to this long after the true time
FIELDS = {
    "task_type",
    "question",
    "time_stamp",
    "answer",
    "options",
    "required_ability",
    "ground_truth_time_stamp",
    "ground_truth_output",
    "audio_path",
    "time",
    "cause",
    "effect",
    "results",
}
CHOICE = (
    "{question}\nOptions:\n{options}\nReply with the letter of the right option and nothing else."
)
SEQUENTIAL = "Sequential Question Answering"
EARLIER = "At {time} somebody asked: {question}\nThe right answer was {answer}.\n"
READY = '{question}\nIs this the moment to say "{output}"? Answer yes or no.'


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each video of the parts that exist, with its questions in file order."""
    items: list[Item] = []
    for path in find(data, [f"questions_{p}.json" for p in PARTS], ("src/data", "data")):
        part = path.stem.removeprefix("questions_")
        videos: dict[str, list[Question]] = {}
        told: dict[str, str] = {}  # by video: its questions so far with their answers
        for n, entry in enumerate(_entries(load_rows(path))):
            with broken.item():
                record = Record(entry, path, n)
                video = record.text("video_path")
                questions = videos.setdefault(video, [])
                for row in record.rows("questions"):
                    each = Record(row, path, n)
                    questions.append(_question(each, str(len(questions)), told.get(video, "")))
                    told[video] = told.get(video, "") + _answered(each, questions[-1])
        items += [_item(part, video, questions) for video, questions in videos.items() if questions]
    return unique(items)


def _entries(rows: list[Any]) -> list[Any]:
    """Return the entries of a file. The SQA file holds a list for each video."""
    return [entry for row in rows for entry in (row if isinstance(row, list) else [row])]


def _question(record: Record, id: str, earlier: str) -> Question:
    """Return a question; `earlier` is told before a sequential one, if it is polled."""
    at_s, group, text = (
        record.seconds("time_stamp"),
        record.text("task_type"),
        record.text("question"),
    )
    if "ground_truth_time_stamp" in record:
        due_s, output = (
            record.seconds("ground_truth_time_stamp"),
            record.text("ground_truth_output"),
        )
        poll = Poll(READY.format(question=text, output=output), due_s + GRACE_S)
        due = Due(due_s, output, due_s - TOLERANCE_S, due_s + TOLERANCE_S)
        return Question(
            id, at_s, text, group, due=(due,), kind=Kind.PROACTIVE, shown=text, poll=poll
        )
    options = lettered(record.rows("options"))
    answer = record.text("answer").strip()
    if answer not in [o[0] for o in options]:
        raise record.wrong("answer", f"must be the letter of an option, not {answer!r}")
    lines = "\n".join(options)
    told = CHOICE.format(question=text, options=lines)
    history = earlier if group == SEQUENTIAL else ""
    shown = f"{text}\n{lines}"
    return Question(
        id, at_s, told, group, answer, shown=shown, polled=history + told if history else ""
    )


def _answered(record: Record, q: Question) -> str:
    """Return what a later question is told of this one."""
    if q.group != SEQUENTIAL:
        return ""
    time = record.get("time_stamp")
    return EARLIER.format(time=time, question=q.shown, answer=q.truth)


def lettered(options: Sequence[Any]) -> list[str]:
    """Return four options with their letters in front, also if the file has them without.

    A label is a letter of one of the options and a dot, at the start. The rest of the text is kept
    as it is ("L and T."). The file has split some options at a comma. A piece without a letter
    belongs to the option before it. Entries after the fourth are no options; the authors' prompt
    leaves them out, too. Options in another order are sorted by their letters, which the answer
    refers to.
    """
    texts = [str(o).strip() for o in options if str(o).strip()]
    first = _LABEL.match(texts[0]) if texts else None
    if first is not None and first[1] == "A":
        letters = [chr(65 + k) for k in range(len(texts))]
        whole: list[tuple[str, str]] = []
        for text in texts:
            label = _LABEL.match(text)
            if label is not None and label[1] in letters:
                whole.append((label[1], text[label.end() :]))
            elif whole and len(texts) > OPTIONS:
                letter, before = whole[-1]
                whole[-1] = letter, f"{before}, {text}"
            else:
                whole.append(("", text))
        whole = whole[:OPTIONS]
        if sorted(letter for letter, _ in whole) == letters[:OPTIONS]:
            whole.sort(key=lambda option: option[0])
        texts = [text for _, text in whole]
    return [f"{chr(65 + k)}. {text}" for k, text in enumerate(texts[:OPTIONS])]


def _item(part: str, video: str, questions: Sequence[Question]) -> Item:
    name = video.removeprefix("./")
    places = (name, f"videos/{Path(name).name}", f"src/data/{name}", f"data/{name}")
    end_s = max(q.poll.until_s if q.poll else q.at_s + 1 for q in questions)
    return Item(f"{part}/{video}", places, tuple(questions), end_s, {"part": part})


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return the accuracy by task type, by part and in total.

    Proactive output is scored by time alone, and by time and words.
    """
    outcomes: list[Outcome] = []
    timely: list[bool] = []
    parts: dict[str, list[Outcome]] = {}
    for item, p, q in asked(items, predictions):
        if q.poll is None:
            said = p.answer(q.id).strip()
            outcome = Outcome(
                item.id, q.id, q.group, float(said[:1] == q.truth), said, q.truth, q.at_s
            )
        else:
            (due,) = q.due
            # words in the question's own second are an acknowledgment
            words = next((s for s in p.answers(q.id) if not s.asked), None)
            timely.append(words is not None and due.start_s <= words.at_s <= due.end_s)
            said = words.text if words else ""
            right = timely[-1] and due.text in said
            outcome = Outcome(item.id, q.id, q.group, float(right), said, due.text, due.at_s)
        outcomes.append(outcome)
        parts.setdefault(item.truth["part"], []).append(outcome)
    figures = {name: share(of) for name, of in by_group(outcomes).items()}
    if timely:
        figures[f"{PROACTIVE} (time alone)"] = proportion(sum(timely), len(timely))
    figures |= {f"part {name}": share(of) for name, of in parts.items()}
    figures["overall"] = share(outcomes)
    return Scores(
        figures,
        tuple(outcomes),
        "no judge: letters and words are compared",
        unasked_note(predictions),
    )


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Read the authors' question files with a model's replies, which are under the model's name.

    `path` is one file, or a folder of them (one a part). Their set-up writes absolute paths of
    videos, so a video is known by its name alone where that is enough.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: there are no output files (*.json) in this folder")
    known: dict[tuple[str, str, float], list[tuple[Item, Question]]] = {}
    for item in items:
        for q in item.questions:
            known.setdefault((Path(item.videos[0]).name, q.shown, q.at_s), []).append((item, q))
    said: dict[str, list[Spoken]] = {}
    for file in files:
        entries = [Record(entry, file, n) for n, entry in enumerate(_entries(load_rows(file)))]
        rows = [
            (str(e.data.get("video_path", "")), q)
            for e in entries
            for q in e.records("questions", "question")
        ]
        name = _model_of(file, rows, model)
        for video, record in rows:
            key = _question(record, "", "")
            fits = known.get((Path(video).name, key.shown, key.at_s), [])
            item, q = next((f for f in fits if f[1].id not in _replied(said, f[0])), (None, None))
            words = said.setdefault(item.id if item else video, [])
            if q is not None and record.data.get(name):
                words += _reply(record, name, q)
    return [
        Prediction(i, tuple(words), None, _silent(items, i, words)) for i, words in said.items()
    ]


def _model_of(file: Path, rows: Sequence[tuple[str, Record]], model: str) -> str:
    names = sorted({key for _, q in rows for key in q.data} - FIELDS)
    name = model or (names[0] if len(names) == 1 else "")
    if name not in names:
        raise InputError(
            f"{file}: has replies of {', '.join(names) or 'no model'}; choose one with --published"
        )
    return name


def _replied(said: Mapping[str, list[Spoken]], item: Item) -> set[str]:
    return {s.question for s in said.get(item.id, ())}


def _reply(record: Record, name: str, q: Question) -> list[Spoken]:
    """Return a plain reply, or the last turn of the dialog for proactive output."""
    reply = record.get(name)
    if isinstance(reply, str):
        return [Spoken(q.at_s, reply, q.id, True)]
    dialog = Record(reply, record.where, f"reply of {name}")
    turns = dialog.records("dialog_history", "turn") if dialog.data.get("dialog_history") else []
    return [
        Spoken(t.seconds("time"), str(t.get("content")), q.id) for t in turns[-1:] if "time" in t
    ]


def _silent(items: Sequence[Item], item: str, words: Sequence[Spoken]) -> tuple[str, ...]:
    """Return the questions without a reply in the file. The authors do not count them."""
    replied = {s.question for s in words}
    return tuple(q.id for i in items if i.id == item for q in i.questions if q.id not in replied)


def _lacking(items: Sequence[Item]) -> dict[str, list[str]]:
    return {"overall": absent(PARTS, {i.truth["part"] for i in items})}


TASK = Task(
    "streamingbench", "StreamingBench", read, score, published, polled=True, lacking=_lacking
)
