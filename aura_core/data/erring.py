"""A simulated MLLM: the oracle with errors, which are the same in every run.

It claims some times a second early or late, as MLLMs do that count seconds from labelled pictures,
and it gives some wrong verdicts. Evidence stays in view for a while after an event, so an answer is
also visible in the seconds after its first one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from aura_core.data.author import Draft
from aura_core.data.draws import drawn, one_of
from aura_core.data.oracle import Oracle
from aura_core.data.schema import Answer, Clip, Question, Scene
from aura_core.sim.episode import IDEAL_PLAN, Plan
from aura_core.types import Kind


@dataclass(frozen=True)
class Errors:
    """How often the author is wrong.

    Attributes:
        off: share of the times of standing questions that are claimed a second early or late.
        wrong: share of the verdicts "visible" that are wrong.
        lasting_s: longest time for which evidence stays in view, in seconds; the shortest is 1.
    """

    off: float = 0.3
    wrong: float = 0.0
    lasting_s: int = 2


class ErringOracle(Oracle):
    """An `Author` that knows the simulated episode, and errs."""

    knows_all = False

    def __init__(
        self, seed: int = 0, errors: Errors | None = None, plan: Plan = IDEAL_PLAN
    ) -> None:
        super().__init__(seed, plan)
        self._errors = errors or Errors()

    def questions(self, clip: Clip, scene: Scene) -> list[Draft]:
        """Return the episode's questions, some with times that are a second off."""
        return [
            d if d.kind is Kind.REAL_TIME else replace(d, answers=self._claimed(d))
            for d in super().questions(clip, scene)
        ]

    def visible(self, clip: Clip, question: Question, answer: Answer, chunk: int) -> bool:
        """Whether this answer's evidence is in view; a wrong verdict where one is drawn."""
        if question.kind is Kind.REAL_TIME:
            true = super().visible(clip, question, answer, chunk)
        else:
            true = any(
                d.text == answer.text and d.chunk <= chunk < d.chunk + self._stays_s(clip, d.chunk)
                for d in self._dues(clip, question.draft)
            )
        name = ("verdict", question.id, answer.text, chunk)
        return true != drawn(self._errors.wrong, self._seed, *name)

    def true_times(self, clip: Clip, draft: Draft) -> list[int]:
        """Return the chunks in which the answers of a standing question are due."""
        asked = draft.id.rpartition("/")[2]
        return [d.chunk for d in self._episode(clip).dues if asked in d.ask_ids]

    def _claimed(self, draft: Draft) -> tuple[Answer, ...]:
        moved = []
        for a in draft.answers:
            name = (draft.id, a.chunk)
            chunk = a.chunk
            if drawn(self._errors.off, self._seed, "off", *name):
                chunk += one_of((-1, 1), self._seed, "which way", *name)
            moved.append(Answer(chunk, a.text, chunk))
        return tuple(moved)

    def _stays_s(self, clip: Clip, chunk: int) -> int:
        return one_of(range(1, self._errors.lasting_s + 1), self._seed, "stays", clip.source, chunk)
