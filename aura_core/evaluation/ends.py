"""Videos that end before their annotations: what comes after the end is named and counted.

The frames decide where a video ends, not the length that its file declares. What comes after the
end counts as unanswered and stays in n, as in the published figures (docs/evaluation.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aura_core.evaluation.records import Item, Prediction
from aura_core.evaluation.turns import Turns

MOST_NAMED = 3  # in the line of one item


@dataclass(frozen=True)
class BeyondEnd:
    """What comes after the ends of the videos. `lines` has one line for each such item.

    `questions` were not asked. `answers` are the expected answers that can only be wrong or missed:
    one of a question without due answers, else the due ones.
    """

    lines: tuple[str, ...] = ()
    questions: int = 0
    answers: int = 0

    @property
    def note(self) -> str:
        """The remark that belongs beside the figures."""
        return (
            f"{len(self.lines)} videos end before their annotations: {self.questions} questions"
            f" were not asked; {self.answers} answers are in n and count as wrong or missed"
        )

    def as_json(self) -> dict[str, int]:
        """Return the three numbers."""
        return {"items": len(self.lines), "questions": self.questions, "answers": self.answers}


def beyond_end(
    items: Sequence[Item], predictions: Mapping[str, Prediction], polled: bool = False
) -> BeyondEnd:
    """Return what comes after the end in the items that have a prediction.

    An answer comes after the end if the time for it begins after the last second that was played.
    Nothing is found in predictions that do not tell how many seconds were played.
    """
    lines: list[str] = []
    questions = answers = 0
    for item in items:
        p = predictions.get(item.id)
        if p is None:
            continue
        times_s = Turns(item.questions, polled).earliest_s()
        seconds = math.inf if p.seconds is None else p.seconds
        late: list[str] = []
        for q in item.questions:
            if q.id in p.beyond_end:
                late.append(f"question {q.id} ({times_s[q.id]:g} s)")
                answers += len(q.due) or 1
                continue
            due = [d for d in q.due if d.start_s > seconds]
            late += [f"an answer to question {q.id} ({d.at_s:g} s)" for d in due]
            answers += len(due)
        questions += len(p.beyond_end)
        if not late and item.annotated_s is not None and item.annotated_s > seconds + 1:
            late.append(f"the end of the annotation ({item.annotated_s:g} s)")
        if late:
            lines.append(f"item {item.id}: {_line(item, p.seconds, late)}")
    return BeyondEnd(tuple(lines), questions, answers)


def _line(item: Item, seconds: float | None, late: Sequence[str]) -> str:
    told = ", ".join(late[:MOST_NAMED])
    if len(late) > MOST_NAMED:
        told += f" and {len(late) - MOST_NAMED} more"
    if item.end_s is not None and seconds is not None and seconds >= math.ceil(item.end_s):
        return f"by its annotation, playing stops at {seconds:g} s, before {told}; correct it"
    where = "" if seconds is None else f" at {seconds:g} s"
    return (
        f"the video ends{where}, before {told}: is the video complete, or is the annotation for"
        " another cut?"
    )
