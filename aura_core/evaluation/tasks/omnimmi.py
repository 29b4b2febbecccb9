"""OmniMMI (arXiv 2503.22952): questions in several turns, alerts, and when to be silent.

An item's id is its part, video, number of turns and first question, and no row number: the rows of
a subset of the files have other numbers, so predictions would go to other questions.

Scores are those of the authors' `evaluate.py`. A video with several turns counts only if all are
right. An alert is right if the first one is in the window. Turn-taking is right if nothing is said.
Free answers are judged.

Free-running, questions come when the authors' `online_inference_utils.py` asks them. Polled, they
have the video and the words of their `inference_utils.py`: clips end with the interval, and earlier
turns of grounding are written before a question.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aura_core.evaluation.judge import Judge
from aura_core.evaluation.records import (
    AT_END,
    TURNS,
    Due,
    Item,
    Outcome,
    Poll,
    Prediction,
    Question,
    Scores,
    Spoken,
)
from aura_core.evaluation.statistics import bootstrap_sums, proportion
from aura_core.evaluation.tasks.base import (
    Broken,
    Record,
    Task,
    absent,
    asked,
    by_group,
    find,
    load_lines,
    load_rows,
    share,
    unasked_note,
    unique,
)
from aura_core.types import Kind

PARTS = (
    "dynamic_state_grounding",
    "multiturn_dependency_reasoning",
    "action_prediction",
    "speaker_identification",
    "proactive_alerting",
    "proactive_turntaking",
)
SEVERAL, GROUNDING, ALERT, SILENCE = PARTS[:2], PARTS[0], PARTS[4], PARTS[5]
# totals: the mean without turn-taking, as it is published, and the mean of all parts
FIVE, SIX = "mean of five parts", "mean of six parts"
RIGHT = 0.5  # a judge's score from which on an answer is right
NEXT = "{question}\nChoose the next step from this list: {vocab}. Reply with one of its entries."
NOW = "{question}\nIs that in view now? Answer yes or no."


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each annotation of the parts that exist."""
    items = []
    for path in find(data, [f"{part}.json" for part in PARTS], ("omnimmi",)):
        for n, row in enumerate(load_rows(path)):
            with broken.item():
                items.append(_item(Record(row, path, n), path.stem))
    return unique(items)


def _item(record: Record, part: str) -> Item:
    video = record.text("video")
    questions = _READERS[part](record, part)
    times = [q.due[0].end_s if q.due else q.at_s for q in questions]
    end_s = None if max(times) == AT_END else max(times) + 1
    # an alert's window is annotated; the model is polled, or plays, up to its end
    annotated_s = questions[0].due[0].end_s if part == ALERT else None
    places = (f"videos/{video}", video)
    first = questions[0].shown or questions[0].text
    id = f"{part}/{video}/{len(questions)}/{' '.join(first.split())}"
    return Item(id, places, questions, end_s, {"part": part}, annotated_s)


def _turns(record: Record, part: str) -> tuple[Question, ...]:
    """Return the turns of a record.

    Each is asked in the middle of its interval, rounded up to a second. Polled, it is asked at the
    end of the interval, rounded down. So an interval that ends before it begins is one too: the
    authors' scripts take it like any other, and their file of grounding has one.
    """
    questions = []
    for k, raw in enumerate(record.rows("qa")):
        turn = Record(raw, record.where, f"turn {k}")
        begin, dashes, end = turn.text("timestamp").partition("--")
        if not dashes:
            raise turn.wrong(
                "timestamp",
                f"must be two times, as in '9.0 -- 13.0', not {turn.get('timestamp')!r}",
            )
        begin_s, end_s = (turn.moment(t.strip(), "timestamp") for t in (begin, end))
        text = turn.text("question")
        polled = f"{TURNS}user\n{text}\nassistant\n" if part == GROUNDING else ""
        middle_s = math.ceil((begin_s + end_s) / 2)
        questions.append(
            Question(
                str(k),
                middle_s,
                text,
                part,
                turn.text("answer"),
                polled=polled,
                polled_s=math.floor(end_s),
            )
        )
    return tuple(questions)


def _step(record: Record, part: str) -> tuple[Question, ...]:
    shown, truth = record.text("question"), record.text("answer")
    vocab = tuple(map(str, record.rows("vocab")))
    text = NEXT.format(question=shown, vocab=", ".join(vocab))
    return (Question("0", AT_END, text, part, truth, shown=shown, told=vocab),)


def _speaker(record: Record, part: str) -> tuple[Question, ...]:
    """Return a question that is asked when the person speaks; polled, at the video's end."""
    at_s, text, truth = record.seconds("timestamp"), record.text("question"), record.text("answer")
    return (Question("0", at_s, text, part, truth, polled_s=AT_END),)


def _alert(record: Record, part: str) -> tuple[Question, ...]:
    window, text = record.rows("answer"), record.text("question")
    if len(window) != 2:
        raise record.wrong("answer", f"must be [start, end] in seconds, not {window!r}")
    start_s, end_s = (record.moment(w, "answer") for w in window)
    if end_s < start_s:
        raise record.wrong("answer", f"must not end before it begins, {end_s:g} < {start_s:g}")
    poll = Poll(NOW.format(question=text), end_s)
    return (
        Question(
            "0",
            0.0,
            text,
            part,
            "",
            (Due(start_s, text, start_s, end_s),),
            Kind.PROACTIVE,
            poll=poll,
        ),
    )


def _turntaking(record: Record, part: str) -> tuple[Question, ...]:
    """Return the conversation so far, which ends with a user's turn that needs no answer.

    Polled, only its last two turns are given.
    """
    turns = [
        Record(turn, record.where, f"turn {k}")
        for k, turn in enumerate(record.rows("conversation"))
    ]
    last = turns[-1]
    if set(last.data) != {"human"}:
        raise record.wrong("conversation", "must end with a turn of the human alone")
    text = "\n".join(f"{who}: {words}" for turn in turns for who, words in turn.data.items())
    polled = "".join(f"{who}\n{words}\n" for turn in turns[-2:] for who, words in turn.data.items())
    return (
        Question(
            "0",
            AT_END,
            text,
            part,
            "",
            shown=last.text("human"),
            polled=polled,
            silence=True,
            told=(text,),
        ),
    )


_READERS = dict(zip(PARTS, (_turns, _turns, _step, _speaker, _alert, _turntaking), strict=True))


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return the accuracy by part (items, and single turns), and the means of the parts."""
    outcomes = [_outcome(item, p, q, judge) for item, p, q in asked(items, predictions)]
    figures = {}
    whole: dict[str, dict[str, bool]] = {}
    for o in outcomes:
        of = whole.setdefault(o.group, {})
        of[o.item] = of.get(o.item, True) and o.value == 1
    for part, of in by_group(outcomes).items():
        figures[part] = proportion(sum(whole[part].values()), len(whole[part]))
        if part in SEVERAL:
            figures[f"{part} (single turns)"] = share(of)
    rows = [
        [float(part == p) * x for p in PARTS for x in (ok, 1)]
        for part in whole
        for ok in whole[part].values()
    ]
    if rows:
        five = [sums for sums in rows if not sums[2 * PARTS.index(SILENCE) + 1]]
        if five:
            figures[FIVE] = bootstrap_sums(five, _mean_of_parts, len(five))
        figures[SIX] = bootstrap_sums(rows, _mean_of_parts, len(rows))
    return Scores(figures, tuple(outcomes), judge.description, unasked_note(predictions))


def _mean_of_parts(sums: Any) -> float:
    shares = [right / n for right, n in sums.reshape(-1, 2) if n]
    return sum(shares) / len(shares)


def _outcome(item: Item, p: Prediction, q: Question, judge: Judge) -> Outcome:
    if q.group == ALERT:
        (due,) = q.due
        # words in the question's second are an acknowledgment
        first = next((s for s in p.answers(q.id) if not s.asked), None)
        hit = first is not None and due.start_s <= first.at_s <= due.end_s
        return Outcome(
            item.id, q.id, q.group, float(hit), first.text if first else "", due.text, due.at_s
        )
    said = p.answer(q.id)
    if q.group == SILENCE:
        return Outcome(item.id, q.id, q.group, float(not said), said, "(silence)", p.seconds)
    right = bool(said) and judge.grade("answer", q.shown or q.text, q.truth, said).score >= RIGHT
    return Outcome(
        item.id,
        q.id,
        q.group,
        float(right),
        said,
        q.truth,
        p.seconds if q.at_s == AT_END else q.at_s,
    )


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Read the authors' predictions: samples with `pred`, as JSON lines.

    `path` is one file, or a folder of files.
    """
    known = {_key(i): i for i in items}
    out = []
    for file in sorted(path.glob("*.json*")) if path.is_dir() else [path]:
        for record in load_lines(file):
            turns = record.records("qa", "turn") if record.data.get("qa") else [record]
            asked = "human" if "conversation" in record else "question"
            first = record.records("conversation", "turn")[-1:] if asked == "human" else turns[:1]
            video, question = (
                record.text("video"),
                "".join(str(r.data.get(asked, "")) for r in first),
            )
            item = known.get((video, question, len(turns)))
            if item is None:
                out.append(Prediction(f"{video} ('{question}')", ()))
                continue
            said = [s for q, t in zip(item.questions, turns, strict=True) for s in _said(q, t)]
            out.append(Prediction(item.id, tuple(said)))
    return out


def _key(item: Item) -> tuple[str, str, int]:
    return item.videos[-1], item.questions[0].shown or item.questions[0].text, len(item.questions)


def _said(q: Question, turn: Record) -> list[Spoken]:
    """Return words; for alerts their times; for turn-taking, silence (1) or words (0)."""
    pred = turn.data.get("pred", "")
    if q.group == ALERT:
        times = [t for t in (pred if isinstance(pred, list) else [pred]) if t != ""]
        return [Spoken(turn.moment(t, "pred"), "(alert)", q.id) for t in times]
    if q.group == SILENCE and pred in (0, 1):
        pred = "" if pred == 1 else "(words)"
    if not isinstance(pred, str):
        raise turn.wrong("pred", f"must be a text, not {pred!r}")
    # some published models write this token for silence
    silent = q.group == SILENCE and pred.startswith("<2>")
    return [Spoken(min(q.at_s, 1e9), pred, q.id, True)] if pred and not silent else []


def _lacking(items: Sequence[Item]) -> dict[str, list[str]]:
    parts = absent(PARTS, {i.truth["part"] for i in items})
    return {FIVE: [part for part in parts if part != SILENCE], SIX: parts}


TASK = Task(
    "omnimmi", "OmniMMI", read, score, published, polled=True, judged=True, lacking=_lacking
)
