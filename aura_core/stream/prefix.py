"""What stands before the video: the system prompt, the text of memory, and the questions and
answers whose video has left the window. Pure logic.

A prefix changes only at a window switch, so between two switches its key-value cache stays valid.

Rules for the questions (AURA, arXiv 2604.04184, section on the dual window): silent rounds go
whole; a question and its answers form one group and stay as text; a group keeps at most 4 answers
and never loses its first; an answer whose question is in no group joins the newest group; at most M
groups stay, oldest out first. One departure: a standing question that is still open is never
dropped while a closed one can be.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

MAX_ANSWERS = 4


@dataclass(frozen=True)
class QAGroup:
    """One question and what was answered to it, oldest first."""

    query_id: str
    question: str
    answers: tuple[str, ...]

    def with_answer(self, text: str) -> QAGroup:
        """The group with one more answer: at most `MAX_ANSWERS`, the first always kept."""
        answers = (*self.answers, text)
        if len(answers) > MAX_ANSWERS:
            answers = (answers[0], *answers[-(MAX_ANSWERS - 1) :])
        return replace(self, answers=answers)


@dataclass(frozen=True)
class Round:
    """The words of one chunk that leaves the window: a question, an answer, or both."""

    question_id: str | None
    question: str | None
    answer_id: str | None  # id of the question that the answer belongs to
    answer: str | None


@dataclass(frozen=True)
class Prefix:
    """The value that `PromptCodec.head` turns into tokens."""

    system: str = ""  # the system prompt; empty: no system turn
    memory: str = ""  # notes of what was seen earlier; stands in the system turn, after the prompt
    groups: tuple[QAGroup, ...] = ()

    def after(
        self,
        rounds: Iterable[Round],
        limit: int,
        still_open: Container[str] = (),
        unanswered: Container[str] = (),
    ) -> Prefix:
        """The prefix once `rounds` have left the window.

        Args:
            rounds: what leaves, oldest first.
            limit: most groups that stay.
            still_open: ids of standing questions that still wait for an answer.
            unanswered: ids of questions that may still get an answer in this window.

        A question that nothing answered leaves no group, except one of `still_open` and
        `unanswered`: it stays with an empty answer, because it may still be answered.
        """
        groups = list(self.groups)
        for r in rounds:
            if r.question is not None and r.question_id is not None:
                groups.append(QAGroup(r.question_id, r.question, ()))
            if r.answer is not None and groups:
                owners = [i for i, g in enumerate(groups) if g.query_id == r.answer_id]
                # an id that was used again means its newest question
                owner = owners[-1] if owners else -1
                groups[owner] = groups[owner].with_answer(r.answer)
        groups = [
            g for g in groups if g.answers or g.query_id in still_open or g.query_id in unanswered
        ]
        while len(groups) > limit:
            closed = next((i for i, g in enumerate(groups) if g.query_id not in still_open), 0)
            del groups[closed]
        return replace(self, groups=tuple(groups))
