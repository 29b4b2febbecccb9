"""Questions that repeat what was said to earlier ones: when they may be asked, and what they then
say.

The turn before is the one before it in the annotation, whatever was said in between. As in the
authors' scripts of OmniMMI, a placeholder in a first turn stays as it is: there is no answer to put
there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aura_core.evaluation.records import PREVIOUS, TURNS, Question, Spoken


@dataclass(frozen=True)
class Turns:
    """The questions of one item, as a free run or a polled one (`polled`) asks them."""

    questions: tuple[Question, ...]
    polled: bool = False

    def at_s(self, question: Question) -> float:
        """The second at which it is asked."""
        return question.polled_s if self.polled and question.polled_s is not None else question.at_s

    def in_order(self) -> list[Question]:
        """By time; one that repeats earlier turns comes after them, also where the file's times say
        otherwise."""
        order: dict[str, float] = {}
        for q in self.questions:
            order[q.id] = max([self.at_s(q), *(order[b.id] for b in self._repeated(q))])
        return sorted(self.questions, key=lambda q: order[q.id])

    def ready(self, question: Question, asked: Collection[str]) -> bool:
        """Whether the turns that it repeats have been decided: before that, nobody knows what it
        will say."""
        return all(q.id in asked for q in self._repeated(question))

    def text(self, question: Question, said: Sequence[Spoken]) -> str:
        """What the model is told. A turn that was met with silence is repeated as an empty
        answer."""

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
