"""OmniPro (arXiv 2605.18577), online mode: nine tasks in which the model speaks unasked.

It is free-running by its own protocol. Scores are those of the authors' `online/scorer.py`. Words
within 2 s of each other are one utterance. Utterances are matched one-to-one with triggers, within
+-3 s. Then the content is compared: not at all for alerts, exactly for position, count or state,
and by a judge for free text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.evaluation.judge import Judge
from aura_core.evaluation.metrics import MATCH_S, Count, joint_f1, match, merge, total
from aura_core.evaluation.records import Due, Item, Outcome, Prediction, Question, Scores, Spoken
from aura_core.evaluation.statistics import bootstrap_sums, proportion
from aura_core.evaluation.tasks.base import (
    Broken,
    Record,
    Task,
    absent,
    as_float,
    find,
    load_lines,
    read_each,
)
from aura_core.types import Kind

FILE = "benchmark.json"
CONTENT = {
    "instant_event_alert": "time",
    "semantic_condition_alert": "time",
    "explicit_target_grounding": "position",
    "snapshot_counting": "count",
    "cumulative_counting": "count so far",
    "dedup_counting": "count so far",
    "realtime_state_monitor": "state",
    "event_narration": "judged",
    "sequential_step_instruction": "judged",
}
REGIONS = [f"{v}-{h}" for v in ("top", "bottom") for h in ("left", "center", "right")]
REGIONS += ["center-left", "center-right", "center"]
HOW = {
    "time": (
        "Tell it in one sentence in the second in which it happens, once each time; else keep"
        " silent."
    ),
    "judged": (
        "Tell it in one sentence in the second in which it happens, once each time; else keep"
        " silent."
    ),
    "position": (
        "When it happens, say what, and then 'Position: ' with one of {regions}; else keep silent."
    ),
    "count": "When it happens, reply with the number alone; else keep silent.",
    "count so far": (
        "Each time the number grows, reply with the new number alone; else keep silent."
    ),
    "state": (
        "Each time the state changes, reply with the new state alone, one of: {states}; else keep"
        " silent."
    ),
}
RIGHT = 0.5  # a judge's score from which on an answer is right
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?\b")


def read(data: Path, broken: Broken) -> list[Item]:
    """Return one item for each annotation."""
    (path,) = find(data, [FILE], ("data",))
    return read_each(path, broken, _item)


def _item(row: Any, path: Path, n: int) -> Item:
    record = Record(row, path, row.get("id", n) if isinstance(row, dict) else n)
    task, video = record.text("task"), record.text("video_path")
    if task not in CONTENT:
        raise record.wrong("task", f"must be one of {', '.join(CONTENT)}, not {task!r}")
    triggers = [
        Record(t, record.where, f"trigger {k}") for k, t in enumerate(record.rows("ground_truth"))
    ]
    due = tuple(_due(t, CONTENT[task]) for t in triggers)
    states = sorted(
        {str(s) for t in triggers for s in (t.data.get("state_from"), t.data.get("state_to")) if s}
    )
    how = HOW[CONTENT[task]].format(regions=", ".join(REGIONS), states=", ".join(states))
    at_s = record.seconds("question_time") if "question_time" in record else 0.0
    question = record.text("question")
    text, told = f"{question}\n{how}", tuple(states)
    kind = Kind.MULTI_RESPONSE
    asked = Question("0", at_s, text, task, "", due, kind, question, told=told)
    places = (video, f"raw_videos/{Path(video).name}", f"data/{video}")
    end_s = record.number("duration") if "duration" in record else None
    return Item(
        str(record.get("id")),
        places,
        (asked,),
        end_s,
        {"dependency": record.data.get("audio_dependency", "")},
        annotated_s=end_s,
    )


def _due(trigger: Record, content: str) -> Due:
    """Return a trigger. Its text is what makes an utterance right."""
    at_s = trigger.seconds("trigger_time_sec")
    field = {
        "position": "position",
        "count": "count",
        "count so far": "count",
        "state": "state_to",
    }.get(content)
    if field == "count":
        text = f"{_whole(trigger, field)}"
    else:
        text = str(trigger.get(field)) if field else trigger.text("response")
    return Due(at_s, text, at_s - MATCH_S, at_s + MATCH_S)


def _whole(trigger: Record, key: str) -> int:
    """Return a whole number, which may be in quotes.

    A count of another form could never be matched, and that would be noticed only hours later.
    """
    value = trigger.get(key)
    number = as_float(value)
    if not number.is_integer():
        raise trigger.wrong(key, f"must be a whole number, not {value!r}")
    return int(number)


@dataclass(frozen=True)
class _Tally:
    """The counts of one item: events in time, and how many of those have the right content."""

    group: str
    time: Count
    right: int

    @property
    def row(self) -> list[float]:
        return [self.time.tp, self.time.fp, self.time.fn, self.right]


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return time F1, content accuracy and joint F1 by task, and their means over the tasks."""
    tallies: list[_Tally] = []
    outcomes: list[Outcome] = []
    for item in items:
        if (p := predictions.get(item.id)) is not None:
            tally, of = _score(item, p, judge)
            tallies.append(tally)
            outcomes += of
    figures = {}
    tasks = [t for t in CONTENT if any(x.group == t for x in tallies)]
    rows = [[v * (x.group == t) for t in tasks for v in x.row] for x in tallies]
    for task in tasks:
        of = [x for x in tallies if x.group == task]
        time = total([x.time for x in of])
        n = time.tp + time.fn
        own = [x.row for x in of]
        figures[f"{task} time-F1"] = bootstrap_sums(own, lambda s: Count(*s[:3]).f1, n)
        if CONTENT[task] != "time":
            figures[f"{task} content"] = proportion(sum(x.right for x in of), int(time.tp))
        figures[f"{task} joint-F1"] = bootstrap_sums(own, _joint, n)
    if tasks:
        n = sum(x.time.tp + x.time.fn for x in tallies)
        figures["mean time-F1"] = bootstrap_sums(
            rows, lambda s: _mean(s, lambda r: Count(*r[:3]).f1), n
        )
        figures["mean joint-F1"] = bootstrap_sums(rows, lambda s: _mean(s, _joint), n)
    return Scores(figures, tuple(outcomes), judge.description)


def _joint(row: Any) -> float:
    tp, fp, fn, right = row
    return joint_f1(right, tp + fp, tp + fn)


def _mean(sums: Any, figure: Any) -> float:
    values = [v for row in sums.reshape(-1, 4) if (v := figure(row)) == v]
    return sum(values) / len(values) if values else float("nan")


def _score(item: Item, p: Prediction, judge: Judge) -> tuple[_Tally, list[Outcome]]:
    (question,) = item.questions
    # words in the question's own second are an acknowledgment
    said = [s for s in p.said if not s.asked and s.text.strip()]
    # The authors join what was said at once when they write it, and not when they score it.
    # Predictions in their format do not tell how many seconds were played.
    said = merge(said) if p.seconds is not None else said
    pairs = dict((j, i) for i, j in match([s.at_s for s in said], [d.at_s for d in question.due]))
    outcomes, right = [], 0
    for j, due in enumerate(question.due):
        words = said[pairs[j]] if j in pairs else None
        ok = words is not None and _right(question, due, words, judge)
        right += ok
        outcomes.append(
            Outcome(
                item.id,
                str(j),
                question.group,
                float(ok),
                words.text if words else "",
                due.text,
                due.at_s,
            )
        )
    time = Count(len(pairs), len(said) - len(pairs), len(question.due) - len(pairs))
    return _Tally(question.group, time, right), outcomes


def _right(question: Question, due: Due, words: Spoken, judge: Judge) -> bool:
    content, said = CONTENT[question.group], words.text
    if content == "time":
        return True
    if content == "position":
        return region(said) == due.text.lower().strip()
    if content == "state":
        return said.strip().strip("'\"").lower() == due.text.lower().strip()
    if content == "judged":
        return judge.grade("answer", question.shown, due.text, said).score >= RIGHT
    if content == "count so far":  # the newest true count at the moment of the words
        past = [
            d for d in sorted(question.due, key=lambda d: d.at_s) if d.at_s <= words.at_s + 1e-6
        ]
        return bool(past) and number(said) == int(past[-1].text)
    return number(said) == int(due.text)


def number(text: str) -> int | None:
    """Return the first whole number in `text` that is not a clock time."""
    found = re.search(r"-?\d+", _CLOCK.sub(" ", text))
    return int(found[0]) if found else None


def region(text: str) -> str | None:
    """Return the region that `text` names, after 'Position:' or anywhere.

    Of several names the longest counts, wherever it stands, as in the authors' parser.
    """
    text = text.lower()
    named = re.search(r"position\s*:\s*([\w-]+)", text)
    if named and named[1] in REGIONS:
        return named[1]
    return max((r for r in REGIONS if r in text), key=len, default=None)


def published(path: Path, items: Sequence[Item], model: str) -> list[Prediction]:
    """Read the authors' `<task>.jsonl` files with predictions [{t_sec, raw}].

    `path` is one file, or a folder of files.
    """
    out = []
    files = (
        sorted(f for f in path.glob("*.jsonl") if ".scored." not in f.name)
        if path.is_dir()
        else [path]
    )
    for file in files:
        for record in load_lines(file):
            emitted = record.records("predictions", "prediction")
            said = tuple(Spoken(e.seconds("t_sec"), str(e.get("raw")), "0") for e in emitted)
            out.append(Prediction(str(record.get("id")), said))
    return out


def _lacking(items: Sequence[Item]) -> dict[str, list[str]]:
    tasks = absent([*CONTENT], {q.group for i in items for q in i.questions})
    return {"mean time-F1": tasks, "mean joint-F1": tasks}


TASK = Task("omnipro", "OmniPro (online)", read, score, published, judged=True, lacking=_lacking)
