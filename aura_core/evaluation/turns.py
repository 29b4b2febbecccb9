"""Questions that repeat the answers to earlier ones: when they are asked, and their text.

The turn before a question is the one before it in the annotation, whatever was said in between. A
placeholder in a first turn stays as it is, because there is no answer for it. The authors' scripts
of OmniMMI do the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aura_core.evaluation.records import PREVIOUS, TURNS, Question, Spoken


@dataclass(frozen=True)
class Turns:
    """The questions of one item, as a free-running or a polled run (`polled`) asks them."""

    questions: tuple[Question, ...]
    polled: bool = False

    def at_s(self, question: Question) -> float:
        """Return the second at which the question is asked."""
        return question.polled_s if self.polled and question.polled_s is not None else question.at_s

    def in_order(self) -> list[Question]:
        """Return the questions by time.

        A question that repeats earlier turns comes after them, even if the annotated times say
        otherwise.
        """
        order: dict[str, float] = {}
        for q in self.questions:
            order[q.id] = max([self.at_s(q), *(order[b.id] for b in self._repeated(q))])
        return sorted(self.questions, key=lambda q: order[q.id])

    def ready(self, question: Question, asked: Collection[str]) -> bool:
        """Whether the turns that the question repeats were decided, so that its text is known."""
        return all(q.id in asked for q in self._repeated(question))

    def text(self, question: Question, said: Sequence[Spoken]) -> str:
        """Return what the model is told. A turn without an answer is repeated with an empty one."""

        def answer(q: Question) -> str:
            return next((s.text for s in said if s.question == q.id), "")

        text, repeated = self._template(question), self._repeated(question)
        if repeated:
            text = text.replace(PREVIOUS, answer(repeated[-1]))
        return text.replace(
            TURNS, "".join(f"user\n{q.text}\nassistant\n{answer(q)}\n" for q in repeated)
        )

    def _template(self, question: Question) -> str:
        return (question.polled if self.polled else "") or question.text

    def _repeated(self, question: Question) -> tuple[Question, ...]:
        earlier = self.questions[: self.questions.index(question)]
        text = self._template(question)
        return earlier if TURNS in text else earlier[-1:] if PREVIOUS in text else ()
