"""The times of a draft: each is checked, and one that is a little off is put right.

A time is right when its answer is visible then and, for a standing question, not in the second
before (two-step verification, AURA, arXiv 2604.04184). Where the claimed second is wrong, seconds
around it are tried. The corrected time is the first second at which the evidence is visible. A
question is rejected only when one of its times has no such second near it.

Each second is asked about at most once for an answer, and only seconds within `repair_s` of the
claimed one, with the second before them: at most 2 * `repair_s` + 2 checks for each time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import replace

from aura_core.data.author import Author, Draft
from aura_core.data.outcome import Outcome
from aura_core.data.schema import Answer, Clip, Question, Scene
from aura_core.types import Kind

Seen = Callable[[int], bool]  # whether the answer is visible in a second


def in_order(draft: Draft, seconds: int, repair_s: int) -> Draft:
    """Return the draft with times that grow after its question and lie inside the clip.

    Claims that are a little off may coincide, or fall on their question or behind the end of a clip
    of `seconds` seconds. Where a claim would have to move by more than `repair_s`, the draft is
    returned as it is.
    """
    if draft.kind is Kind.REAL_TIME:
        return draft
    moved, newest = [], draft.chunk
    for a in draft.answers:
        chunk = min(max(a.chunk, newest + 1), seconds - 1)
        if chunk <= newest or abs(chunk - a.chunk) > repair_s:
            return draft
        moved.append(_at(a, chunk))
        newest = chunk
    return replace(draft, answers=tuple(moved))


def settled(
    question: Question, clip: Clip, scene: Scene, author: Author, repair_s: int, out: Outcome
) -> Question | None:
    """Return the question with right times, or None where one of its times cannot be put right.

    A real-time question is moved with its answer, within its scene. Raises `ItemError`.
    """
    claimed = [a.chunk for a in question.answers]
    answers: list[Answer] = []
    newest = question.chunk
    for index, answer in enumerate(question.answers):
        seen = _remembered(question, clip, answer, author, out)
        out.counts["times checked"] += 1
        first, last = answer.chunk - repair_s, answer.chunk + repair_s
        if question.kind is Kind.REAL_TIME:
            first, last = max(first, scene.first), min(last, scene.stop - 1)
            start = answer.chunk
            found = nearest(seen, start, first, last)
        else:
            first, last = max(first, newest + 1), min(last, clip.seconds - 1)
            start = max(answer.chunk, first)
            others = {*claimed[:index], *claimed[index + 1 :]}
            found = first_visible(seen, start, first, last, others)
        if found is None:
            out.counts["times refused"] += 1
            shown = first <= last and seen(start)
            reason = "visible before its time" if shown else "not visible at its time"
            told = f"'{question.text}' -> '{answer.text}' at {answer.chunk} s"
            out.reject(question.id, reason, told)
            return None
        out.counts["times put right"] += found != answer.chunk
        answers.append(_at(answer, found))
        newest = found
    chunk = newest if question.kind is Kind.REAL_TIME else question.chunk
    return replace(question, chunk=chunk, answers=tuple(answers))


def first_visible(
    seen: Seen, claimed: int, first: int, last: int, others: Collection[int] = ()
) -> int | None:
    """Return the second nearest to `claimed` that shows something which the one before does not.

    Args:
        seen: asked of seconds from `first` - 1 to `last`; it should remember what it has said.
        claimed: where the search begins.
        first, last: the result is one of these, or a second between them.
        others: seconds at which other answers are claimed; they are tried last.

    None where there is no such second.
    """
    if first > last:
        return None
    for second in (claimed, *_around(claimed, first, last, others)):
        if seen(second) and (begun := _beginning(seen, second, first)) is not None:
            return begun
    return None


def _remembered(
    question: Question, clip: Clip, answer: Answer, author: Author, out: Outcome
) -> Seen:
    """Return the author's check of an answer, which asks about each second once."""

    @functools.cache
    def seen(second: int) -> bool:
        out.counts["checks of times"] += 1
        return author.visible(clip, question, answer, second)

    return seen


def nearest(seen: Seen, claimed: int, first: int, last: int) -> int | None:
    """Return `claimed`, or the nearest second to it that shows the answer."""
    seconds = (claimed, *_around(claimed, first, last, ()))
    return next((s for s in seconds if seen(s)), None)


def _around(claimed: int, first: int, last: int, others: Collection[int]) -> list[int]:
    """Return the seconds around `claimed`, the nearest first and later ones before earlier ones."""
    seconds = (s for s in range(first, last + 1) if s != claimed)
    return sorted(seconds, key=lambda s: (s in others, abs(s - claimed), s < claimed))


def _beginning(seen: Seen, second: int, first: int) -> int | None:
    """Return the first second of the stretch that shows the answer and holds `second`.

    It goes back in steps that double, then halves the last step. None where the answer is already
    visible in `first` - 1.
    """
    shown, hidden, step = second, second - 1, 1
    while seen(hidden):
        if hidden < first:
            return None
        shown, step = hidden, 2 * step
        hidden = max(hidden - step, first - 1)
    while shown - hidden > 1:
        middle = (shown + hidden) // 2
        if seen(middle):
            shown = middle
        else:
            hidden = middle
    return shown


def _at(answer: Answer, chunk: int) -> Answer:
    """Return the answer in another second, with its evidence where that was the same second."""
    evidence = chunk if answer.evidence == answer.chunk else min(answer.evidence, chunk)
    return Answer(chunk, answer.text, evidence)
