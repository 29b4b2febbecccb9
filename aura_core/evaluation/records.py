"""The types of a benchmark: items to play, what was said, and scores.

An item is one video, played once from its beginning, with questions at seconds of video time. A
question's `at_s` is its annotated time. The question joins the newest chunk that has ended by then,
so the model has seen the video up to that second and nothing after it. `at_s` of words is the end
of the chunk in which they were decided. Compute time does not count, so every figure depends only
on model, settings and data.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from aura_core.evaluation.statistics import Measured
from aura_core.types import Kind

if TYPE_CHECKING:
    from aura_core.evaluation.packed import Packed

AT_END = math.inf  # of `Question.at_s`: asked in the last chunk of the video
# in a question: replaced by what was said to the turn before it (see `evaluation/turns.py`)
PREVIOUS = "##ANSWER##"
TURNS = "##TURNS##"  # in a question: replaced by all turns before it, with their answers


def chunk_of(at_s: float) -> int:
    """Return the index of the newest chunk that has ended by `at_s`, rounded up to a second."""
    return max(0, math.ceil(min(at_s, 1e9)) - 1)


def after_end(at_s: float, last_chunk: int) -> bool:
    """Whether a question at `at_s` comes after the end of a video whose newest chunk is given.

    A question of the very next chunk does not: it is asked in the last one. Annotated times are
    often rounded to seconds, and a video shows its last frame for a while after that frame's time.
    """
    return at_s != AT_END and chunk_of(at_s) > last_chunk + 1


@dataclass(frozen=True)
class Due:
    """Words that are due at `at_s`. They count if they are said from `start_s` to `end_s`."""

    at_s: float
    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Poll:
    """How a standing question is put to a model that cannot wait.

    `text` is a yes/no question that is put once a second, until `until_s`: until the first yes, or
    after it too where it is `again` that the answer may come.
    """

    text: str
    until_s: float
    again: bool = False


@dataclass(frozen=True)
class Question:
    """One question of an item. `id` is unique within the item.

    - `text`: what the model is told; `shown`: what a report shows; `told`: what of the annotation
      is in `text` and not in `shown`.
    - `polled` and `polled_s` replace `text` and `at_s` in polled mode, if they are set.
    - `truth`: the right answer in its own second; `due`: words that are due later.
    - `polled_at`: in polled mode the question is put at each of these seconds instead.
    - `silence`: no answer may be the right one, so polled mode does not force words.
    """

    id: str
    at_s: float
    text: str
    group: str = ""
    truth: str = ""
    due: tuple[Due, ...] = ()
    kind: Kind = Kind.REAL_TIME
    shown: str = ""
    polled: str = ""
    polled_s: float | None = None
    poll: Poll | None = None
    polled_at: tuple[float, ...] = ()
    silence: bool = False
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """One video and all that happens in it.

    `videos` are possible paths of its file below the data folder, best first. Playing stops at
    `end_s` (None: at the end of the video). `truth` is what the benchmark's scorer needs besides
    the questions, and what else of the annotation is used. `annotated_s` is the last second that
    the annotation speaks of, apart from questions and the times of answers, so the video must be as
    long (None: there is none). `packed` is where the video is in a table, if it is in one; it is
    written to the first of `videos` when it is needed.
    """

    id: str
    videos: tuple[str, ...]
    questions: tuple[Question, ...]
    end_s: float | None = None
    truth: Mapping[str, Any] = field(default_factory=dict)
    annotated_s: float | None = None
    packed: Packed | None = None

    @property
    def fingerprint(self) -> str:
        """A digest of the annotation: all that is told, played and scored of it.

        The words around a question and the folders of the video are this program's and no part of
        it.
        """
        rows = [
            replace(
                q,
                text=q.shown or q.text,
                shown="",
                polled="",
                poll=q.poll and replace(q.poll, text=""),
            )
            for q in self.questions
        ]
        annotation = (self.videos[-1], rows, self.end_s, self.truth, self.annotated_s)
        return hashlib.sha256(repr(annotation).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Word:
    """One word of a voice, and from when to when it was heard."""

    at_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Spoken:
    """Words, the id of the question that they answer (or ""), and when they were said.

    `asked` says whether they came in the chunk of that question. `end_s` is the end of the voice,
    if it is known; else the words take no time. `words` are the single words, if their times are
    known (a published transcript); a prediction file does not keep them.
    """

    at_s: float
    text: str
    question: str = ""
    asked: bool = False
    end_s: float | None = None
    words: tuple[Word, ...] = ()

    @property
    def until_s(self) -> float:
        """The end of the words."""
        return self.at_s if self.end_s is None else self.end_s


@dataclass(frozen=True)
class Prediction:
    """All that was said in one item, in order of time.

    `seconds` of video were played; None if that is unknown. Questions that were never put are in
    one of two fields. `beyond_end`: they come after the end of the video, or after the item's
    `end_s`. They are scored as unanswered. `unasked`: all others. They are not scored.
    `annotation` is the fingerprint of the item that was played; "" where that is unknown.
    """

    item: str
    said: tuple[Spoken, ...]
    seconds: float | None = None
    unasked: tuple[str, ...] = ()
    beyond_end: tuple[str, ...] = ()
    annotation: str = ""

    def answers(self, question: str) -> list[Spoken]:
        """Return what was said to one question."""
        return [s for s in self.said if s.question == question]

    def answer(self, question: str) -> str:
        """Return the first words said to a question; "" if there were none."""
        return next((s.text for s in self.said if s.question == question), "")


@dataclass(frozen=True)
class Outcome:
    """One scored question, event or slot.

    `value` is in [0, 1]; `at_s` is its place in a timeline.
    """

    item: str
    part: str
    group: str
    value: float
    said: str = ""
    truth: str = ""
    at_s: float | None = None


@dataclass(frozen=True)
class Scores:
    """Figures by name, their outcomes, the judge's description, and remarks for the report."""

    figures: dict[str, Measured]
    outcomes: tuple[Outcome, ...]
    judge: str
    notes: tuple[str, ...] = ()
