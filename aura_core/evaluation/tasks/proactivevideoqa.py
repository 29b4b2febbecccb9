"""ProactiveVideoQA (arXiv 2507.09313): PAUC, the area under the quality of what was told so far.

An answer is due within its reply span. Each new reply in the span is judged together with those
before it (0, 1 or 2). The quality begins at 0.5 and steps to each verdict at its time; PAUC is the
area under it, as a share of the best. `omega` moves the replies towards the span's begin: 0 counts
their time in full, 1 not at all. A later verdict that is worse than the last one in the related
span is left out. A span without a reply has the area of the quality at its begin.

The authors' repository (github.com/yellow-binary-tree/ProactiveVideoQA) has TV, EGO, VAD and WEB,
each with `anno.json` and `videos/`. TV has subtitles as turns of the user; they are not given here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

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
from aura_core.evaluation.statistics import Measured, mean_by_item
from aura_core.evaluation.tasks.base import (
    Broken,
    Record,
    Task,
    absent,
    load_lines,
    load_rows,
    unique,
)
from aura_core.types import Kind

PARTS = ("WEB", "EGO", "TV", "VAD")
OMEGAS = (0.0, 0.5, 1.0)
BEST, BEGIN = 2, 0.5  # verdicts are 0 to 2; the quality before the first reply
NOW = (
    "{question}\nDoes the newest part of the video tell something new about that? Answer yes or no."
)
SILENT = ("NO REPLY",)  # a reply that is none


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each question of the parts that exist."""
    items = []
    for part in PARTS:
        path = data / part / "anno.json"
        if path.is_file():
            for n, row in enumerate(load_rows(path)):
                with broken.item():
                    items.append(_item(Record(row, path, n), part))
    if not items and not broken.named:
        raise InputError(f"{data}: none of {', '.join(f'{p}/anno.json' for p in PARTS)} is here")
    return unique(items)


def _item(record: Record, part: str) -> Item:
    turns = record.records("conversation", "turn")
    if not turns:
        raise record.wrong("conversation", "must be a list with something in it")
    asked, video = turns[0], record.text("video")
    due, spans = [], []
    for answer in record.records("answer", "answer"):
        start_s, end_s = _span(answer, "reply_timespan")
        related = _span(answer, "related_timespan") if "related_timespan" in answer else None
        due.append(Due(start_s, answer.text("content"), start_s, end_s))
        spans.append(related[1] if related else end_s)
    if not due:
        raise record.wrong("answer", "must be a list with something in it")
    text, at_s = asked.text("content"), asked.seconds("time") if "time" in asked else 0.0
    last_s = max(d.end_s for d in due)
    question = Question(
        "0",
        at_s,
        text,
        part,
        "",
        tuple(due),
        Kind.MULTI_RESPONSE,
        text,
        poll=Poll(NOW.format(question=text), last_s, again=True),
    )
    length = record.seconds("duration") if "duration" in record else None
    end_s = last_s + 1 if length is None else min(length, last_s + 1)
    id = f"{part}/{record.text('question_id')}"
    places = (f"{part}/videos/{video}", f"videos/{video}", video)
    return Item(id, places, (question,), end_s, {"related_s": tuple(spans)}, length)


def _span(record: Record, key: str) -> tuple[float, float]:
    span = record.rows(key)
    if len(span) != 2:
        raise record.wrong(key, f"must be [start, end] in seconds, not {span!r}")
    start_s, end_s = (record.moment(t, key) for t in span)
    if end_s < start_s:
        raise record.wrong(key, f"must not end before it begins, {end_s:g} < {start_s:g}")
    return start_s, end_s


def pauc(verdicts: Mapping[float, int], span: tuple[float, float], omega: float) -> float:
    """Return the area of one answer; `verdicts` by time, in seconds of the video."""
    length_s = span[1] - span[0]
    if not verdicts:
        return BEGIN / BEST
    if length_s <= 0:
        return 0.0
    area, quality, before_s = 0.0, BEGIN, 0.0
    for at_s in sorted(verdicts):
        x = (at_s - span[0]) * (1 - omega)
        area += (x - before_s) * quality
        before_s, quality = x, float(verdicts[at_s])
    area += (length_s - before_s) * quality
    return area / (length_s * BEST)


def verdicts(item: Item, p: Prediction, k: int, judge: Judge) -> tuple[dict[float, int], str]:
    """Return the verdicts of answer `k` by time, and all that was told in its span."""
    (q,) = item.questions
    due = q.due[k]
    told: list[str] = []
    by_time: dict[float, int] = {}
    for s in sorted(p.said, key=lambda s: s.at_s):
        inside = due.start_s <= s.at_s <= due.end_s and s.text.strip() and s.text not in SILENT
        if inside and s.text not in told:
            told.append(s.text)
            score = judge.grade("answer", q.text, due.text, " ".join(told)).score
            by_time[s.at_s] = round(BEST * score)
    last, kept = 0, {}
    for at_s, verdict in by_time.items():
        if at_s <= item.truth["related_s"][k]:
            last = verdict
        if at_s <= item.truth["related_s"][k] or verdict >= last or len(by_time) == 1:
            kept[at_s] = verdict
    return kept, " ".join(told)


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return PAUC by part and in total, for each omega: means over the answers, not over parts."""
    outcomes: list[Outcome] = []
    areas: dict[str, dict[float, list[list[float]]]] = {}
    for item in items:
        if (p := predictions.get(item.id)) is None:
            continue
        (q,) = item.questions
        of: dict[float, list[float]] = {omega: [] for omega in OMEGAS}
        for k, due in enumerate(q.due):
            kept, told = verdicts(item, p, k, judge)
            for omega in OMEGAS:
                of[omega].append(pauc(kept, (due.start_s, due.end_s), omega))
            outcomes.append(
                Outcome(item.id, str(k), q.group, of[0.5][-1], told, due.text, due.at_s)
            )
        for omega in OMEGAS:
            areas.setdefault(q.group, {}).setdefault(omega, []).append(of[omega])
    figures: dict[str, Measured] = {}
    for part, by_omega in areas.items():
        for omega, rows in by_omega.items():
            figures[f"{part} PAUC, omega {omega:g}"] = mean_by_item(rows)
    for omega in OMEGAS:
        rows = [row for by_omega in areas.values() for row in by_omega[omega]]
        if rows:
            figures[f"PAUC, omega {omega:g}"] = mean_by_item(rows)
    return Scores(figures, tuple(outcomes), judge.description)


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Read lines of {question_id, model_response_list: [{role, content, time}]}."""
    by_question = {i.id.partition("/")[2]: i.id for i in items}
    out = []
    for record in load_lines(path):
        id = record.text("question_id")
        said = [
            Spoken(turn.seconds("time"), str(turn.data.get("content") or ""), "0")
            for turn in record.records("model_response_list", "turn")
            if turn.data.get("role") == "assistant"
        ]
        out.append(Prediction(by_question.get(id, id), tuple(said)))
    return out


def _lacking(items: Sequence[Item]) -> dict[str, list[str]]:
    parts = absent(PARTS, {q.group for i in items for q in i.questions})
    return {f"PAUC, omega {omega:g}": parts for omega in OMEGAS}


TASK = Task(
    *("proactivevideoqa", "ProactiveVideoQA", read, score, published),
    polled=True,
    judged=True,
    lacking=_lacking,
)
