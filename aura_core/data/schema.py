"""The records that pass between the stages.

Times are chunks (seconds) from the clip's first frame.

    prepare: Clip    synthesize, refine: Conversation    structure, verify: Sample

`VERSION` increases when a field changes its meaning. A record of another version is refused.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

from aura_core.stream.prefix import QAGroup
from aura_core.types import Kind

LEVELS = (1, 2, 3, 4, 5)  # difficulty: 1 needs a glance, 5 needs reasoning over several things


@dataclass(frozen=True)
class Clip:
    """A video of two frames a second: slot k shows the frame at k / 2 seconds."""

    VERSION: ClassVar[int] = 1
    id: str
    source: str  # what it was made from: a file below the input folder, or `sim:SEED`
    video: str  # H.264 file, relative to the run folder
    start_s: float  # where in the source it begins
    seconds: int  # whole chunks
    width: int  # pixels
    height: int
    repeated: int  # slots that had no frame of their own and repeat the one before
    skipped: int  # frames of the source that could not be decoded


@dataclass(frozen=True)
class Scene:
    """Chunks `first` .. `stop` - 1, which belong together."""

    first: int
    stop: int
    summary: str


@dataclass(frozen=True)
class Answer:
    """Words that are due in `chunk`.

    `evidence` is the chunk that shows what they say: `chunk`, or an earlier one.
    """

    chunk: int
    text: str
    evidence: int


@dataclass(frozen=True)
class Question:
    """One question and all its answers, oldest first.

    - real-time: one answer, in the chunk of the question.
    - proactive: at most one answer, later.
    - multi-response: any number of answers, later.

    Proactive and multi-response questions (standing questions) are acknowledged when they are
    asked. They have no answer if nothing happens. Raises ValueError for a contradiction.
    """

    id: str
    kind: Kind
    chunk: int
    text: str
    answers: tuple[Answer, ...]
    acknowledgment: str  # "" for real-time
    level: int  # of `LEVELS`
    draft: str  # the text before it was refined

    def __post_init__(self) -> None:
        if fault := fault_of(self):
            raise ValueError(f"question {self.id}: {fault}")


def fault_of(q: Question) -> str:
    """Return what contradicts the question's kind or its times, or ""."""
    if not q.text.strip() or any(not a.text.strip() for a in q.answers):
        return "empty text"
    if q.level not in LEVELS:
        return f"level {q.level} is not one of 1 .. 5"
    if q.kind is Kind.REAL_TIME:
        if len(q.answers) != 1 or q.answers[0].chunk != q.chunk:
            return "a real-time question has one answer, in its own chunk"
    elif not q.acknowledgment.strip():
        return "a standing question needs an acknowledgment"
    if q.kind is Kind.PROACTIVE and len(q.answers) > 1:
        return "a proactive question has one answer at most"
    chunks = [a.chunk for a in q.answers]
    if q.chunk < 0 or any(b <= a for a, b in itertools.pairwise(chunks)):
        return "times must not be negative and must grow"
    if q.kind is not Kind.REAL_TIME and chunks and chunks[0] <= q.chunk:
        return "an answer before or with its question"
    return (
        "evidence after its answer"
        if any(not 0 <= a.evidence <= a.chunk for a in q.answers)
        else ""
    )


@dataclass(frozen=True)
class Conversation:
    """All questions about one clip, in order of time."""

    VERSION: ClassVar[int] = 1
    clip: Clip
    scenes: tuple[Scene, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Words:
    """A chunk with a question, an answer or both. Chunks without `Words` are silent."""

    chunk: int
    question_id: str | None
    question: str | None
    answer: str | None
    answer_id: str | None  # the question that is answered


@dataclass(frozen=True)
class Target:
    """The supervised answer, which is in the last chunk of the window, and its question.

    In a sample that ends in silence there is neither: `answer` and `question_id` are "".
    """

    chunk: int
    question_id: str
    kind: Kind
    acknowledgment: bool  # whether the answer acknowledges a standing question
    question: str
    draft: str
    answer: str
    evidence: int

    @property
    def silent(self) -> bool:
        """Whether the window ends in silence."""
        return not self.answer


@dataclass(frozen=True)
class Sample:
    """What the engine's window holds when `target` is due: one training sequence.

    The target (which may be silence) and the silent chunks in the window are supervised; other
    answers are context (AURA, arXiv 2604.04184, section on the loss).
    `aura_core.data.structure.pieces_of` turns it into the engine's tokens.
    """

    VERSION: ClassVar[int] = 1
    id: str
    clip: Clip
    first: int  # chunks first .. stop - 1 are in view; stop - 1 is the target's
    stop: int
    history: tuple[QAGroup, ...]  # questions and answers whose video has left the window
    turns: tuple[Words, ...]
    target: Target
    text_tokens: int  # number of tokens, without the visual ones
    ids_sha256: str  # see `structure.digest`


@dataclass(frozen=True)
class Rejection:
    """Something that a stage left out.

    `reason` is one of a few phrases that are counted; `detail` says more.
    """

    VERSION: ClassVar[int] = 1
    item: str
    reason: str
    detail: str
