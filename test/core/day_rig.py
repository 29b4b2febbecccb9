"""A perfect search, for tests of what stands around it."""

from __future__ import annotations

from collections.abc import Sequence

from aura_core.evaluation.memory_oracle import Fact, facts
from aura_core.memory import form
from aura_core.memory.notes import Note
from aura_core.sim.memory import COMING, PLACED, MemoryQuestion, MemoryTalk
from aura_core.sim.talk import Wait
from aura_core.types import NS


def perfect(
    question: MemoryQuestion, notes: Sequence[Note], begins_ns: int, now_ns: int, language: str
) -> str:
    """What a perfect search tells before a question: the matching facts of the newest notes, or of
    the oldest where the first is asked for."""
    separator = MemoryTalk(language).words.separator
    matching: list[tuple[Note, list[str]]] = []
    for note in notes:
        if question.span is not None and not _overlaps(note, question.span, begins_ns):
            continue
        told = note.text.split(separator)
        told = [f for f in told if _wanted(question, facts(language)[f])]
        if told:
            matching.append((note, told))
    few = matching[:5] if question.kind == "first" else matching[-5:]
    lines = [form.Line((now_ns - n.wall_ns) / NS, "09:14", separator.join(told)) for n, told in few]
    return form.recalled(lines, sum(len(told) for _, told in matching), language)


def _overlaps(note: Note, span: tuple[float, float], begins_ns: int) -> bool:
    begin, end = ((ns - begins_ns) / NS for ns in (note.begin_wall_ns, note.wall_ns))
    return begin < span[1] and end > span[0]


def _wanted(question: MemoryQuestion, fact: Fact) -> bool:
    if question.kind == "around":
        return True
    if question.kind == "first":
        return fact.what.kind in COMING and any(fact.is_about(w) for w in question.about)
    (about,) = question.about
    if question.kind == "where":
        return fact.what.kind in PLACED and fact.holds(Wait("", about.colour, about.shape))
    return fact.is_about(about)
