"""Who writes the questions and judges the answers: an MLLM (`mllm_author.py`), or the simulator
(`oracle.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aura_core.data.schema import Answer, Clip, Question, Sample, Scene
from aura_core.types import Kind


@dataclass(frozen=True)
class Draft:
    """A question as its author claims it: of the right types, otherwise unchecked."""

    id: str
    kind: Kind
    chunk: int
    text: str
    answers: tuple[Answer, ...]
    acknowledgment: str
    level: int


@dataclass(frozen=True)
class Sibling:
    """The same moment asked about at another difficulty."""

    text: str
    level: int


class Author(Protocol):
    """Every method may raise `ItemError`. The same arguments give the same result, in any process.

    `knows_all`: whether a request that it gives no answer is known to have none (else something was
    overlooked).
    """

    knows_all: bool

    def scenes(self, clip: Clip, cuts: Sequence[Scene]) -> list[Scene]:
        """The clip's scenes, from those that its pictures suggest."""
        ...

    def questions(self, clip: Clip, scene: Scene) -> list[Draft]:
        """Questions that are asked in this scene."""
        ...

    def visible(self, clip: Clip, question: Question, answer: Answer, chunk: int) -> bool:
        """Whether somebody who saw the clip up to the end of `chunk` could give this answer
        then."""
        ...

    def missed(self, clip: Clip, question: Question, first: int, stop: int) -> bool:
        """Whether what a standing question asks for happens in chunks `first` .. `stop` - 1, where
        it has no answer."""
        ...

    def siblings(self, clip: Clip, question: Question, count: int) -> list[Sibling]:
        """At most `count` real-time questions about the same second, each of another difficulty."""
        ...

    def answer(self, clip: Clip, text: str, chunk: int) -> Answer:
        """The answer to a real-time question."""
        ...

    def rephrase(self, clip: Clip, question: Question) -> str:
        """Other words for the same question."""
        ...

    def ungrounded(self, sample: Sample) -> str:
        """Why the sample's answer does not follow from what is in view and from the history; ""
        when it does."""
        ...

    def cost(self) -> dict[str, float]:
        """What was spent so far, by name."""
        ...
