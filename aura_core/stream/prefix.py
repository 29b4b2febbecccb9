"""What stands before the video: system prompt, memory text, and earlier questions with answers.

The prefix changes only at a window switch, so between two switches its key-value cache stays valid.

When turns leave the window, these rules decide which of their words stay (AURA, arXiv 2604.04184,
section on the dual window):

- A silent turn leaves no words.
- A question and its answers form one group.
- A group keeps at most 4 answers, and always its first.
- An answer whose question is in no group joins the newest group.
- At most M groups stay; the oldest goes first.

One rule differs from AURA: an open watch is never dropped while a closed group can be.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

MAX_ANSWERS = 4


@dataclass(frozen=True)
class QAGroup:
    """One question and its answers, oldest first."""

    query_id: str
    question: str
    answers: tuple[str, ...]

    def with_answer(self, text: str) -> QAGroup:
        """The group with one more answer. It keeps at most `MAX_ANSWERS`, and always the first."""
        answers = (*self.answers, text)
        if len(answers) > MAX_ANSWERS:
            answers = (answers[0], *answers[-(MAX_ANSWERS - 1) :])
        return replace(self, answers=answers)


@dataclass(frozen=True)
class Round:
    """The words of one turn that leaves the window: a question, an answer, or both."""

    question_id: str | None
    question: str | None
    answer_id: str | None  # id of the question that the answer belongs to
    answer: str | None


@dataclass(frozen=True)
class Prefix:
    """What stands before the video; `PromptCodec.head` turns it into tokens."""

    system: str = ""  # the system prompt; empty: no system turn
    memory: str = ""  # notes about earlier video; they follow the prompt in the system turn
    groups: tuple[QAGroup, ...] = ()

    def after(
        self,
        rounds: Iterable[Round],
        limit: int,
        still_open: Container[str] = (),
        unanswered: Container[str] = (),
    ) -> Prefix:
        """The prefix after `rounds` have left the window.

        Args:
            rounds: the turns that leave, oldest first.
            limit: most groups that stay.
            still_open: ids of the open watches.
            unanswered: ids of questions that may still get an answer in this window.

        A question without an answer leaves no group, unless it may still get one: those of
        `still_open` and `unanswered` stay, with no answers.
        """
        groups = list(self.groups)
        for r in rounds:
            if r.question is not None and r.question_id is not None:
                groups.append(QAGroup(r.question_id, r.question, ()))
            if r.answer is not None and groups:
                owners = [i for i, g in enumerate(groups) if g.query_id == r.answer_id]
                # where an id was used twice, it means the newer question
                owner = owners[-1] if owners else -1
                groups[owner] = groups[owner].with_answer(r.answer)
        groups = [
            g for g in groups if g.answers or g.query_id in still_open or g.query_id in unanswered
        ]
        while len(groups) > limit:
            closed = next((i for i, g in enumerate(groups) if g.query_id not in still_open), 0)
            del groups[closed]
        return replace(self, groups=tuple(groups))
