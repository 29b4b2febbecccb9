"""The interface of an author, which writes questions and judges answers.

It is an MLLM (`mllm_author.py`), or the simulator (`oracle.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aura_core.data.schema import Answer, Clip, Question, Sample, Scene
from aura_core.types import Kind


@dataclass(frozen=True)
class Draft:
    """A question as its author wrote it. The types are right; nothing else is checked."""

    id: str
    kind: Kind
    chunk: int
    text: str
    answers: tuple[Answer, ...]
    acknowledgment: str
    level: int


@dataclass(frozen=True)
class Sibling:
    """A question about the same second as another one, at another difficulty."""

    text: str
    level: int


class Author(Protocol):
    """Writes questions and judges answers.

    Every method may raise `ItemError`. The same arguments give the same result in any process.

    `knows_all`: whether a standing question to which it gives no answer is known to have none.
    Otherwise the author may have missed one.
    """

    knows_all: bool

    def scenes(self, clip: Clip, cuts: Sequence[Scene]) -> list[Scene]:
        """Return the clip's scenes.

        `cuts` are the scenes that were found from the pictures alone.
        """
        ...

    def questions(self, clip: Clip, scene: Scene) -> list[Draft]:
        """Return questions that are asked in this scene."""
        ...

    def visible(self, clip: Clip, question: Question, answer: Answer, chunk: int) -> bool:
        """Whether the clip up to the end of `chunk` is enough to give this answer."""
        ...

    def missed(self, clip: Clip, question: Question, first: int, stop: int) -> bool:
        """Whether an event that a standing question asks for was missed.

        The event would be in chunks `first` .. `stop` - 1, in which the question has no answer.
        """
        ...

    def siblings(self, clip: Clip, question: Question, count: int) -> list[Sibling]:
        """Return at most `count` real-time questions about the second of `question`.

        Each has another difficulty.
        """
        ...

    def answer(self, clip: Clip, text: str, chunk: int) -> Answer:
        """Return the answer to a real-time question that is asked in `chunk`."""
        ...

    def rephrase(self, clip: Clip, question: Question) -> str:
        """Return the question in other words."""
        ...

    def ungrounded(self, sample: Sample) -> str:
        """Return why the sample's answer does not follow from its window and history, or ""."""
        ...

    def cost(self) -> dict[str, float]:
        """Return what was spent so far, by name."""
        ...

    def close(self) -> None:
        """End all requests that are under way, and close the connections."""
        ...
