"""What a benchmark is made of: items to play, what was said in them, and how that was scored.

An item is one video, played once from its beginning, with questions at seconds of video time.
`at_s` of a question is its annotated time: it joins the newest chunk that has ended by then, so the
model has seen the video up to that second and nothing beyond. `at_s` of words is the end of the
chunk in which they were decided: no compute time is counted, which makes every figure a function of
model, settings and data alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aura_core.evaluation.statistics import Measured
from aura_core.types import Kind

AT_END = math.inf  # of `Question.at_s`: asked in the last chunk of the video
# in a question: what was said to the turn before it (see `evaluation/turns.py`)
PREVIOUS = "##ANSWER##"
TURNS = "##TURNS##"  # in a question: all turns before it, with what was said to them


def chunk_of(at_s: float) -> int:
    """Index of the newest chunk that has ended by `at_s`, rounded up to a full second: nothing
    later is seen."""
    return max(0, math.ceil(min(at_s, 1e9)) - 1)


@dataclass(frozen=True)
class Due:
    """Words that are due at `at_s`; they count from `start_s` to `end_s`."""

    at_s: float
    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Poll:
    """How a standing question is asked of a model that cannot wait: yes or no, once a second, up to
    `until_s`."""

    text: str
    until_s: float


@dataclass(frozen=True)
class Question:
    """One question of an item. `id` is unique within it.

    `text` is what the model is told, `shown` what a report shows. In polled mode `polled` replaces
    `text`, and `polled_s` replaces `at_s`, where they differ. `truth` is the right answer in its
    own second, `due` are words that are due later. With `silence` no answer may be the right one:
    polled mode does not force words then.
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
    silence: bool = False


@dataclass(frozen=True)
class Item:
    """One video and all that happens in it.

    `videos` are places of the file below the data folder, best first. `end_s` is where playing
    stops (None: at the end of the video); `truth` is what the benchmark's scorer needs beyond the
    questions.
    """

    id: str
    videos: tuple[str, ...]
    questions: tuple[Question, ...]
    end_s: float | None = None
    truth: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Spoken:
    """Words, the question that they were booked to (""; none), and whether they came in that
    question's chunk.

    `end_s` is where the voice ended, where that is known; else the words take no time.
    """

    at_s: float
    text: str
    question: str = ""
    asked: bool = False
    end_s: float | None = None

    @property
    def until_s(self) -> float:
        """End of the words."""
        return self.at_s if self.end_s is None else self.end_s


@dataclass(frozen=True)
class Prediction:
    """All that was said in one item, in order of time; `seconds` of video were played, None where
    nobody knows.

    `unasked` are questions that were never put (a video that could not be read to their time).
    """

    item: str
    said: tuple[Spoken, ...]
    seconds: float | None = None
    unasked: tuple[str, ...] = ()

    def answers(self, question: str) -> list[Spoken]:
        """What was said to one question."""
        return [s for s in self.said if s.question == question]

    def answer(self, question: str) -> str:
        """The first words said to a question; "" when there were none."""
        return next((s.text for s in self.said if s.question == question), "")


@dataclass(frozen=True)
class Outcome:
    """One scored question, event or slot. `value` is between 0 and 1; `at_s` where it stands in a
    timeline."""

    item: str
    part: str
    group: str
    value: float
    said: str = ""
    truth: str = ""
    at_s: float | None = None


@dataclass(frozen=True)
class Scores:
    """Figures by name, what they are made of, who judged, and remarks that belong beside the
    figures."""

    figures: dict[str, Measured]
    outcomes: tuple[Outcome, ...]
    judge: str
    notes: tuple[str, ...] = ()
