"""Questions that repeat the answers to earlier ones: when they are asked, and their text.

The turn before a question is the one before it in the annotation, whatever was said in between. A
placeholder in a first turn stays as it is, because there is no answer for it. The authors' scripts
of OmniMMI do the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aura_core.evaluation.records import PREVIOUS, TURNS, Question, Spoken, after_end


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
        earliest_s = self.earliest_s()
        return sorted(self.questions, key=lambda q: earliest_s[q.id])

    def earliest_s(self) -> dict[str, float]:
        """Return the second from which on each question can be asked, by id.

        It is its own, or that of a later question whose answer it repeats.
        """
        out: dict[str, float] = {}
        for q in self.questions:
            out[q.id] = max([self.at_s(q), *(out[b.id] for b in self._repeated(q))])
        return out

    def beyond_end(self, last_chunk: int) -> set[str]:
        """Return the questions that a video which ends with `last_chunk` is too short for."""
        return {id for id, at_s in self.earliest_s().items() if after_end(at_s, last_chunk)}

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
