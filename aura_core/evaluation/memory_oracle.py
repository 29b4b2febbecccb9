"""A perfect writer of notes and a perfect reader: what memory alone could answer, without a model.

The writer notes exactly what the camera saw, block by block. The reader gets the same text that a
model gets before its question, and knows the language of the notes. What is wrong then is the
search's doing, so this is the upper bound of a model, and it takes seconds.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from aura_core.memory.form import MemoryForm
from aura_core.memory.notes import Note, NoteKind
from aura_core.sim.day import Day
from aura_core.sim.memory import COMING, MemoryQuestion, MemoryTalk, place
from aura_core.sim.talk import Wait
from aura_core.sim.world import COLOURS, COLUMNS, SHAPES, Event, Item, State
from aura_core.types import NS

BLOCK_S = 10
FORM = MemoryForm({"en": "note", "zh": "记录"}, float(BLOCK_S), sentences=True)
_LINE = re.compile(r"^- (?P<ago>[^(（]*?) ?\((?P<clock>[^)]*)\)[:：] ?(?P<text>.*)$")
_COUNT = re.compile(r"\d+")


def notes(day: Day, run: str = "oracle") -> Iterator[Note]:
    """The notes of a day as a perfect model writes them, oldest first; a block in which nothing
    happened has none."""
    talk = MemoryTalk(day.language)
    for begin in range(0, day.seconds, BLOCK_S):
        end = min(begin + BLOCK_S, day.seconds)
        events = [e for c in range(begin, end) for e in day.world.events_at(c)]
        if events:
            yield Note(
                f"{run}-n{begin // BLOCK_S + 1}",
                NoteKind.SEEN,
                talk.note(events),
                begin * NS,
                end * NS,
                day.begins_wall_ns + end * NS,
                run,
            )


@dataclass(frozen=True)
class Fact:
    """What one fact of a note says: the event, and where the object is then ("": not told)."""

    what: Wait
    place: str = ""

    def is_about(self, wait: Wait) -> bool:
        """Whether it tells of what is asked for."""
        if self.what.kind != wait.kind:
            return False
        same = wait.colour in (None, self.what.colour), wait.shape in (None, self.what.shape)
        return self.what.colour is None or all(same)

    def holds(self, wait: Wait) -> bool:
        """Whether it is about the object that is asked for, whatever happens to it."""
        return self.what.colour is not None and Fact(Wait(wait.kind, *_pair(self.what))).is_about(
            wait
        )


@functools.cache
def facts(language: str) -> dict[str, Fact]:
    """Every fact that notes of the room can tell, by its words."""
    talk = MemoryTalk(language)
    known: dict[str, Fact] = {}
    for kind in talk.talk.words.announcements:
        if not kind.startswith("item"):
            known[talk.fact(Event(kind, 0, 0.0, State(), State()))] = Fact(Wait(kind))
            continue
        for colour in COLOURS:
            for shape in SHAPES:
                for column in range(len(COLUMNS)):
                    item = Item(colour, shape, column, 0.0, 0.0, 0.0)
                    event = Event(kind, 0, 0.0, State(), State((item,)), item)
                    told = talk.fact(event)
                    placed = place(talk.talk, event) if kind != "item leaves" else ""
                    known[told] = Fact(Wait(kind, colour, shape), placed)
    return known


@dataclass(frozen=True)
class Line:
    """One line of memory, as the reader reads it."""

    ago: str
    facts: tuple[tuple[str, Fact], ...]


def read(text: str, language: str) -> tuple[int, list[Line]]:
    """The lines of `memory.form.recalled`, oldest first, and the number of matches that its heading
    tells. Facts that no note of the room can hold are left out."""
    heading, *rest = text.strip().split("\n")
    count = _COUNT.search(heading)
    known, lines = facts(language), []
    separator = MemoryTalk(language).words.separator.strip()
    for line in rest:
        match = _LINE.match(line)
        if match is None:
            continue
        parts = [part.strip() for part in match["text"].split(separator)]
        told = tuple((part, known[part]) for part in parts if part in known)
        lines.append(Line(match["ago"].strip(), told))
    return int(count[0]) if count else 0, lines


def answer(question: MemoryQuestion, text: str, language: str) -> str:
    """What a perfect reader answers from the text that memory tells before a question."""
    talk = MemoryTalk(language)
    matches, lines = read(text, language)
    if question.kind == "around":
        told = [fact for line in lines for fact, _ in line.facts]
        return talk.words.separator.join(told) or talk.words.forgotten
    if question.kind in ("first", "first of all"):
        came = [f.what for line in lines for _, f in line.facts if f.what.kind in COMING]
        wanted = [w for w in came if _wanted(w, question)]
        return _named(talk, wanted[0], question.kind == "first") if wanted else talk.words.forgotten
    (about,) = question.about
    if question.kind == "where":
        placed = [f.place for line in lines for _, f in line.facts if f.place and f.holds(about)]
        return placed[-1] if placed else talk.words.forgotten
    found = [line for line in lines if any(f.is_about(about) for _, f in line.facts)]
    if not found:
        return talk.words.forgotten
    if question.kind == "when":
        return found[-1].ago
    if question.kind == "ever":
        return talk.talk.words.yes_no[0]
    return talk.times(matches)


def _wanted(came: Wait, question: MemoryQuestion) -> bool:
    return question.kind == "first of all" or any(Fact(came).is_about(w) for w in question.about)


def _named(talk: MemoryTalk, came: Wait, definite: bool) -> str:
    item = None
    if came.colour and came.shape:
        item = Item(came.colour, came.shape, 0, 0.0, 0.0, 0.0)
    return talk.named(Event(came.kind, 0, 0.0, State(), State(), item), definite)


def _pair(wait: Wait) -> tuple[str | None, str | None]:
    return wait.colour, wait.shape
