"""OmniInteract (arXiv 2605.26485): single questions, nested questions, and many answers.

It is free-running by its own protocol. The benchmark's questions are in the sound of its videos;
here they are given as text at their times. Its scores are in `omniinteract_scores.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aura_core.errors import InputError
from aura_core.evaluation.metrics import Slot
from aura_core.evaluation.records import Due, Item, Prediction, Question, Spoken, Word
from aura_core.evaluation.tasks.base import Broken, Record, Task, absent, load_json, unique
from aura_core.evaluation.tasks.omniinteract_scores import score
from aura_core.types import Kind

SUBSETS = ("1q1a", "1q1a_math", "1qna")
TAIL_S = 60.0  # length of the last slot
TRANSCRIPTS = (
    "precise_truncation.json",
    "wav_transcript_aligned.json",
    "wav_transcript.json",
    "output.json",
)


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each video of the subsets that exist."""
    root = data / "data" if (data / "data").is_dir() else data
    items = []
    for subset in SUBSETS:
        for video, annotation, scene in _entries(root / subset, broken):
            with broken.item():
                items.append(_item(root, subset, video, annotation, scene))
    if not items and not broken.named:
        raise InputError(
            f"{data}: none of the folders {', '.join(SUBSETS)} with annotations is here"
        )
    return unique(items)


def _entries(folder: Path, broken: Broken) -> list[tuple[str, str, str]]:
    """Return (video, annotation, scene) of a subset, by its map, or by equal file names."""
    listed = folder / "video_json_map.json"
    entries = []
    if listed.is_file():
        rows = Record(load_json(listed), listed, "map").rows("entries")
        for n, row in enumerate(rows):
            with broken.item():
                r = Record(row, listed, n)
                scene = r.text("scene_type") if "scene_type" in r else "1QnA"
                entries.append((r.text("video"), r.text("annotation"), scene))
        return entries
    for path in sorted((folder / "annotations").rglob("*.json")):
        name = path.relative_to(folder / "annotations")
        scene = "1QnA" if folder.name == "1qna" else "multi_turn"
        videos = "videos_bench" if folder.name == "1qna" else "videos"
        entries.append((f"{videos}/{name.with_suffix('.mp4')}", f"annotations/{name}", scene))
    return entries


def _item(root: Path, subset: str, video: str, annotation: str, scene: str) -> Item:
    path = root / subset / annotation
    data = load_json(path)
    if scene == "1QnA":
        questions, slots = _steps(Record(data, path, annotation))
    else:
        if not isinstance(data, list):
            raise InputError(f"{path}: expected a list of questions, found {type(data).__name__}")
        rows = sorted(
            (_row(row, path, n) for n, row in enumerate(data)),
            key=lambda r: (r[0].at_s, r[1].due_s),
        )
        questions, bare = tuple(q for q, _ in rows), [s for _, s in rows]
        slots = _nested(bare, path) if scene == "nested" else _turns(bare)
    if not questions or not slots:
        raise InputError(f"{path}: item {annotation}: there are no questions in it")
    roles = [("outer", "inner")[k % 2] if scene == "nested" else "" for k in range(len(slots))]
    truth = {"slots": tuple(slots), "scene": scene, "roles": tuple(roles), "subset": subset}
    place = f"{subset}/{video}"
    return Item(place, (place, f"data/{place}"), questions, None, truth)


def _row(row: Any, path: Path, n: int) -> tuple[Question, Slot]:
    """Return a question and the slot of its answer; the slot has no end yet."""
    record = Record(row, path, n)
    start_s, due_s = record.seconds("question_time"), record.seconds("answer_time")
    text, truth = record.text("question_text"), str(record.data.get("answer_text") or "")
    kind = Kind.PROACTIVE if record.data.get("question_type") == "proactive" else Kind.REAL_TIME
    slot = Slot(start_s, due_s, math.inf, truth, interrupted=record.flag("is_interrupted"))
    group = str(record.data.get("question_type") or "unknown").strip().lower()
    due = Due(due_s, truth, due_s, due_s + TAIL_S)
    return Question(str(n), start_s, text, group, truth, (due,), kind, text), slot


def _turns(slots: Sequence[Slot]) -> list[Slot]:
    """End each slot where the next question begins."""
    ends = [s.start_s for s in slots[1:]] + [s.due_s + TAIL_S for s in slots[-1:]]
    return [_ending(s, max(end, s.start_s)) for s, end in zip(slots, ends, strict=True)]


def _nested(slots: Sequence[Slot], path: Path) -> list[Slot]:
    """Return outer and inner slots, one after the other.

    The inner question is asked and answered before the outer one is due.
    """
    groups = []
    k = 0
    while k < len(slots):
        outer = slots[k]
        inside = [
            j
            for j in range(k + 1, len(slots))
            if outer.start_s < slots[j].start_s < outer.due_s and slots[j].due_s <= outer.due_s
        ]
        if not inside:
            raise InputError(
                f"{path}: item {k}: is nested, but no question comes before its answer_time"
            )
        groups.append((outer, slots[inside[0]]))
        k = inside[0] + 1
    ends = [outer.start_s for outer, _ in groups[1:]] + [groups[-1][0].due_s + TAIL_S]
    return [
        slot
        for (outer, inner), end in zip(groups, ends, strict=True)
        for slot in (_ending(outer, max(end, outer.due_s)), _ending(inner, outer.due_s))
    ]


def _steps(record: Record) -> tuple[tuple[Question, ...], list[Slot]]:
    """Return one question and its many slots. Only the first one has time for an acknowledgment."""
    if "conversations" in record:
        turns = [
            Record(t, record.where, f"turn {k}") for k, t in enumerate(record.rows("conversations"))
        ]
        asked = next((t for t in turns if t.data.get("from") == "user"), None)
        if asked is None:
            raise record.wrong("conversations", "has no turn from the user")
        at_s, text = asked.seconds("timestamp"), asked.text("value")
        answers = [t for t in turns if t.data.get("from") == "assistant"]
        rows = [(t.seconds("timestamp"), t.text("value"), t.flag("interrupted")) for t in answers]
    else:
        at_s, text = record.seconds("question_time"), record.text("question_text")
        answers = [
            Record(a, record.where, f"answer {k}") for k, a in enumerate(record.rows("answers"))
        ]
        rows = [
            (
                a.seconds("answer_time"),
                a.text("answer_text"),
                a.flag("interrupted" if "interrupted" in a else "is_interrupted"),
            )
            for a in answers
        ]
    if not rows:
        raise record.wrong("conversations", "has no turn from the assistant")
    rows.sort()
    # this is shown to the judge, but not to the model
    known = str(record.data.get("inferred_knowledge") or "").strip()
    due = tuple(Due(t, words, t, t + TAIL_S) for t, words, _ in rows)
    question = Question(
        "0", at_s, text, "1qna", "", due, Kind.MULTI_RESPONSE, f"{known}\n{text}".strip()
    )
    ends = [t for t, _, _ in rows[1:]] + [rows[-1][0] + TAIL_S]
    slots = [
        Slot(
            at_s if k == 0 else t,
            t,
            max(end, t),
            words,
            0.2 if k == 0 else 0.0,
            interrupted,
            interrupted,
        )
        for k, ((t, words, interrupted), end) in enumerate(zip(rows, ends, strict=True))
    ]
    return (question,), slots


def _ending(slot: Slot, end_s: float) -> Slot:
    return Slot(
        slot.start_s, slot.due_s, end_s, slot.truth, slot.ack_weight, slot.hard, slot.interrupted
    )


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Read the authors' output folder.

    Files are <subset>/<video path with __ for />/<transcript>, {text, chunks[{text, timestamp}]}.
    A chunk may have the times of its words (`aligned_words`).
    """
    if not path.is_dir():
        raise InputError(f"{path}: expected the folder of the model's outputs, one folder a subset")
    out = []
    for item in items:
        subset, _, video = item.id.partition("/")
        folder = path / subset / Path(video).with_suffix("").as_posix().replace("/", "__")
        file = next((folder / name for name in TRANSCRIPTS if (folder / name).is_file()), None)
        if file is not None:
            record = Record(load_json(file), file, item.id)
            said = tuple(_said(chunk) for chunk in record.records("chunks", "chunk"))
            out.append(Prediction(item.id, said))
    if not out:
        raise InputError(f"{path}: no transcript ({', '.join(TRANSCRIPTS)}) of any item is here")
    return out


def _said(chunk: Record) -> Spoken:
    stamps = chunk.rows("timestamp")
    if len(stamps) != 2:
        raise chunk.wrong("timestamp", f"must be [start, end], not {stamps!r}")
    start_s, end_s = sorted(chunk.moment(t, "timestamp") for t in stamps)
    rows = chunk.records("aligned_words", "word") if chunk.data.get("aligned_words") else []
    words = [
        Word(*sorted((w.seconds("start"), w.seconds("end"))), str(w.data.get("text", "")))
        for w in rows
        if w.data.get("start") is not None and w.data.get("end") is not None
    ]
    words.sort(key=lambda w: (w.at_s, w.end_s))
    text = str(chunk.data.get("text") or "")
    return Spoken(start_s, text, end_s=end_s, words=tuple(words))


def _lacking(items: Sequence[Item]) -> dict[str, list[str]]:
    parts = absent(SUBSETS, {i.truth["subset"] for i in items})
    one_answer = [part for part in parts if part != "1qna"]
    return {"IA-QTF1 1Q1A global": one_answer, "IA-QTF1": parts}


TASK = Task("omniinteract", "OmniInteract", read, score, published, judged=True, lacking=_lacking)
