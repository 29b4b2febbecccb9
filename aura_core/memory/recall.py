"""What memory tells about a question: the notes that answer it, as lines before the question.

A note matches where one of its facts holds everything that the question names. Facts are counted,
and not notes: "the cat came; the door opened; the cat came" is two arrivals. Where nothing matches,
models that were not trained on exact matches are shown what nearly does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import lru_cache
from typing import TypeVar

import numpy as np

from aura_core.config import MemoryConfig
from aura_core.errors import InputError
from aura_core.memory import form as forms
from aura_core.memory.cameras import in_words, mentioned
from aura_core.memory.embedder import Embedder
from aura_core.memory.form import Line, MemoryForm
from aura_core.memory.gate import Intent, Need, need
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.schema import MS
from aura_core.memory.store import Indexed, Store
from aura_core.memory.times import S, clock, local, span_in
from aura_core.memory.vocabulary import STOP
from aura_core.memory.wanted import Wanted
from aura_core.memory.words import (
    QUESTION,
    content,
    index,
    language_of,
    sentences,
    stem,
    terms,
)
from aura_core.words import is_blank

EVENTS = (NoteKind.SEEN, NoteKind.ALERT, NoteKind.NAME, NoteKind.CAMERA, NoteKind.RUN)
TRAINED = (NoteKind.SEEN, NoteKind.ALERT)  # what a model is shown that was trained with facts
ASKED = (NoteKind.ALERT, NoteKind.NAME, NoteKind.QUESTION)
SCANNED = 200  # notes whose facts are looked at; of further ones each counts as one match
COUNTED = 4000  # the same where the question asks how often
AROUND = 400  # the same where it asks what happened
SAME_NS = 30 * S  # an alert so near to a note that tells it repeats the note
NARROW_NS, NARROW_SHARE = 60 * S, 0.05  # "so long ago" for a model that was trained with it
LONG_TEXT = 400  # characters of a note; of a longer one only facts that match are shown
NOTHING = frozenset(index(text).split("\n")[0] for text in forms.NOTHING_NEW)
BLOCK_S = 30.0  # of a note, where neither the settings nor the checkpoint say
NEAR = 20  # notes of each kind of search that are merged where nothing matches
# Least dot product of a note with the question: beside notes that match, and where none does. In
# all-MiniLM-L6-v2 what answers a question has 0.2 to 0.5, and what does not up to 0.4: without
# words in common the model that answers has to judge.
LIKE, PERHAPS = 0.45, 0.15
RANK = 60  # of reciprocal rank fusion (Cormack et al., 2009)
PERSONS = frozenset(terms("person man woman child boy girl mother father guest visitor postman"))
_PLACES = (
    "on in at under near behind beside between onto into inside front top leftside rightside middle"
    " 在 上 里 旁 边 下 中"
)
PLACES = frozenset(map(stem, _PLACES.split()))


@dataclass(frozen=True)
class Recalled:
    """What memory tells about a question.

    Attributes:
        text: `form.recalled(...)`; never empty.
        notes: those that are shown, oldest first.
        matches: how many facts match in all.
    """

    text: str
    notes: tuple[Note, ...]
    matches: int


@dataclass(frozen=True)
class _Hit:
    note: Note
    facts: tuple[str, ...]  # those that match


class Recall:
    """Searches the notes of a store.

    `find` and `search` only read, and keep nothing of a note: what is forgotten in the store is
    never found again.
    """

    def __init__(
        self,
        store: Store,
        config: MemoryConfig,
        form: MemoryForm,
        embedder: Embedder | None = None,
        tz: tzinfo | None = None,
        count: Callable[[str], int] = len,
        cameras: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """`tz`: of times in questions and answers; None: the zone of this machine. `count`: the
        tokens of a text. `cameras`: the names of those that watch now."""
        self._store, self._config, self._form = store, config, form
        self._cameras = cameras
        self._embedder, self._tz, self._count = embedder, tz, count

    def find(self, question: str, now_wall_ns: int, stream: str | None = None) -> Recalled | None:
        """What is told before a question; None where memory is not needed for it.

        Args:
            question: in the user's words.
            now_wall_ns: wall-clock time of the question, in nanoseconds since the epoch.
            stream: only notes of this camera; None: of all. What the camera has seen that
                the question names is preferred then, else notes count that name the place.
        """
        if not self._config.recall_notes:
            return None
        wanted = need(question, local(now_wall_ns, self._tz))
        if wanted is None:
            return None
        hits: list[_Hit] = []
        cameras = self._cameras()
        if stream is None and len(cameras) > 1 and (named := mentioned(question, cameras)):
            there = need(named[1], local(now_wall_ns, self._tz))
            if there is not None:
                hits, matches = self._matching(there, now_wall_ns, named[0])
            if hits:
                wanted, stream = there, named[0]
        if not hits:
            hits, matches = self._matching(wanted, now_wall_ns, stream)
        room = self._config.recall_notes - len(hits)
        if not self._form.sentences and room > 0:
            hits, matches = self._filled(question, wanted, hits, matches, stream)
        language = language_of(question)
        return self._told(hits, matches, now_wall_ns, language, wanted.first)

    def search(
        self,
        text: str,
        now_wall_ns: int,
        begin_wall_ns: int | None = None,
        end_wall_ns: int | None = None,
        limit: int = 20,
        stream: str | None = None,
    ) -> list[Note]:
        """Notes that match a text, the best first; without words the newest first.

        A time expression in the text counts where neither `begin_wall_ns` nor `end_wall_ns` is
        given. Notes with all words come first, the newest of them first, and among them those of
        which one fact has all; then those with some, with a part of a word, or of a like meaning.
        """
        said = text
        if begin_wall_ns is None and end_wall_ns is None:
            span = span_in(text, local(now_wall_ns, self._tz))
            if span is not None and not span.now:
                begin_wall_ns, end_wall_ns, said = span.begin_wall_ns, span.end_wall_ns, span.rest
        within = Wanted(
            begin_wall_ns=begin_wall_ns,
            end_wall_ns=end_wall_ns,
            stream=stream,
            limit=limit,
            newest_first=True,
        )
        if limit < 1:
            return []
        words = tuple(content(said)[:MOST_TERMS])
        if not words:  # a question of stop words asks for anything; a part of a word may be meant
            part = said.strip(" ?!.,。？！")
            within_part = replace(within, substring=part)
            return (self._store.find(within_part) if part else []) or self._store.find(within)
        every = self._store.find(replace(within, terms=words, limit=3 * limit))
        every.sort(key=lambda note: not _facts(note, frozenset(words)))
        found = {note.id: note for note in every}
        if len(found) < limit:
            some = self._store.find(replace(within, terms=words, every=False))
            ranked = [self._like(said, within, PERHAPS), some]
            if len(said.strip()) < LONG_TEXT:
                ranked.append(self._store.find(replace(within, substring=said.strip())))
            for note in _fused(ranked):
                found.setdefault(note.id, note)
        return list(found.values())[:limit]

    # ---- what matches ------------------------------------------------------------------------

    def _matching(
        self, wanted: Need, now_wall_ns: int, stream: str | None
    ) -> tuple[list[_Hit], int]:
        """The notes to show of those with a fact that matches, oldest first, and the number of such
        facts."""
        if wanted.intent is Intent.AROUND or not (wanted.content or wanted.options):
            return self._around(wanted, now_wall_ns, stream)
        if wanted.options:
            return self._compared(wanted, stream)
        required = frozenset(wanted.content)
        rows, further = self._holding(required, wanted, stream)
        told: Sequence[_Row] = rows
        holds = None
        if wanted.intent is Intent.WHERE:
            holds = PLACES
        elif wanted.who:
            holds = PERSONS
        if holds is not None:
            told = [row.only(holds) for row in rows if row.only(holds).facts]
            if not told and (wanted.who or not self._form.sentences):
                told, holds = rows, None
        if wanted.intent is Intent.WHERE and holds is not None:
            further = 0
        matches = sum(len(row.facts) for row in told) + further
        shown = self._some(told, wanted.first)
        if told is not rows and not self._form.sentences and wanted.intent is Intent.WHERE:
            shown = self._with_newest(shown, rows[-1])
        return self._hits(shown, required, holds), matches

    def _with_newest(self, placed: Sequence[_Row], newest: _Row) -> Sequence[_Row]:
        """Notes that tell a place, and what is newer than all of them: it may have left since."""
        if not placed or newest.number <= placed[-1].number:
            return placed
        return [*placed[max(0, len(placed) + 1 - self._config.recall_notes) :], newest]

    def _some(self, rows: Sequence[_Row], first: bool) -> Sequence[_Row]:
        """The rows of as many lines as are shown: the newest, or the oldest."""
        most = self._config.recall_notes
        lines = self._together(
            rows, lambda row: (row.number, "") if row.kind == NoteKind.SEEN else None
        )
        return [row for line in (lines[:most] if first else lines[-most:]) for row in line]

    def _together(
        self, found: Sequence[_T], seen: Callable[[_T], tuple[int, str] | None]
    ) -> list[list[_T]]:
        """What stands in one line each: as much time as in the lines that a model was trained with.

        `seen`: when, in milliseconds, and by which camera; None for what stands alone.
        """
        trained_ms = round((self._form.line_s or 0.0) * 1000) if self._form.sentences else 0
        lines: list[list[_T]] = []
        began, by = 0, None
        for one in found:
            at = seen(one)
            if at is not None and at[1] == by and at[0] - began < trained_ms:
                lines[-1].append(one)
                continue
            lines.append([one])
            began, by = at or (0, None)
        return lines

    def _hits(
        self,
        rows: Sequence[_Row],
        required: frozenset[str],
        holds: frozenset[str] | None = None,
    ) -> list[_Hit]:
        """The notes of these rows, with the facts that match; oldest first. `holds`: facts with one
        of these terms, where the note has some."""
        hits = []
        for note in self._store.at([row.number for row in rows]):
            facts = _facts(note, required)
            better = tuple(f for f in facts if holds and not holds.isdisjoint(_terms(f)))
            hits.append(_Hit(note, better or facts))
        return sorted(hits, key=_time)

    def _holding(
        self, required: frozenset[str], wanted: Need, stream: str | None
    ) -> tuple[list[_Row], int]:
        """The rows of notes with a fact that holds all of `required`, oldest first, and how many
        further notes hold them that were not looked at."""
        scanned = COUNTED if wanted.intent is Intent.COUNT else SCANNED
        asked = replace(
            self._within(wanted, stream),
            terms=tuple(sorted(required))[:MOST_TERMS],
            limit=scanned,
            newest_first=not wanted.first,
        )
        found = self._store.indexed(asked)
        further = self._store.count(asked) - scanned if len(found) == scanned else 0
        rows = [row for held in found if (row := _row(held, required)).facts]
        if not wanted.first:
            rows.reverse()
        return self._without_repeats(rows), further

    def _compared(self, wanted: Need, stream: str | None) -> tuple[list[_Hit], int]:
        """For "which came first, X or Y": the first of each, and the oldest others."""
        firsts: dict[int, _Row] = {}
        others: dict[int, _Row] = {}
        matches, each = 0, []
        for option in wanted.options:
            each.append(frozenset((*wanted.content, *option)))
            rows, further = self._holding(each[-1], wanted, stream)
            matches += sum(len(row.facts) for row in rows) + further
            firsts |= {row.number: row for row in rows[:1]}
            others |= {row.number: row for row in rows[1:]}
        room = max(0, self._config.recall_notes - len(firsts))
        more = sorted(number for number in others if number not in firsts)[:room]
        hits = []
        for note in self._store.at(sorted((*firsts, *more))):
            said = {fact for required in each for fact in _facts(note, required)}
            facts = tuple(fact for fact in sentences(note.text) if fact in said)
            hits.append(_Hit(note, facts or tuple(said)))
        return sorted(hits, key=_time), matches

    def _around(self, wanted: Need, now_wall_ns: int, stream: str | None) -> tuple[list[_Hit], int]:
        """What happened in a span: all of it, or what is rare where it is much."""
        span = wanted.span
        asked = replace(self._within(wanted, stream), limit=AROUND, newest_first=not wanted.first)
        narrow = None
        if span is not None and span.about_wall_ns is not None:
            age = now_wall_ns - span.about_wall_ns
            slack = max(NARROW_NS, int(age * NARROW_SHARE))
            narrow = (span.about_wall_ns - slack, span.about_wall_ns + slack)
            if self._form.sentences:
                asked = replace(asked, begin_wall_ns=narrow[0], end_wall_ns=narrow[1])
        found = self._store.indexed(asked)
        further = self._store.count(asked) - AROUND if len(found) == AROUND else 0
        rows = [row for held in found if (row := _row(held, frozenset())).facts]
        rows = self._without_repeats(rows if wanted.first else rows[::-1], in_words=True)
        if narrow is not None:
            notes = self._store.numbered([row.number for row in rows])
            near = {i for i, note in notes.items() if narrow[0] <= _middle(note) < narrow[1]}
            inside = [row for row in rows if row.number in near]
            rows = inside if inside or self._form.sentences else rows
        matches = sum(len(row.facts) for row in rows) + further
        shown = self._some(rows, wanted.first)
        if span is not None and not wanted.first and len(rows) > len(shown):
            rare = Counter(fact for row in rows for fact in row.facts)
            order = sorted(rows, key=lambda row: (min(map(rare.get, row.facts)), -row.number))
            shown = sorted(order[: self._config.recall_notes], key=lambda row: row.number)
        return self._hits(shown, frozenset()), matches

    def _without_repeats(self, rows: list[_Row], in_words: bool = False) -> list[_Row]:
        """The rows without alerts that repeat what a note of the time tells: with `in_words` where
        the note holds all that the alert says, else by the time alone, as all of them match."""
        seen = [row for row in rows if row.kind == NoteKind.SEEN]
        if len(seen) == len(rows):
            return rows
        block_s = self._config.block_s or self._form.block_s or BLOCK_S
        before, after = SAME_NS // MS, SAME_NS // MS + int(block_s * 1000)
        numbers = [row.number for row in seen]

        def repeats(alert: _Row) -> bool:
            about = seen[
                bisect_left(numbers, alert.number - before) : bisect_right(
                    numbers, alert.number + after
                )
            ]
            if in_words:
                said = {term for fact in alert.facts for term in fact.split()} - STOP
                return any(said.issubset(fact.split()) for row in about for fact in row.facts)
            return bool(about)

        return [row for row in rows if row.kind != NoteKind.ALERT or not repeats(row)]

    def _within(self, wanted: Need, stream: str | None) -> Wanted:
        """Notes of the time and the kinds that a question is about."""
        kinds = TRAINED if self._form.sentences else EVENTS
        if wanted.said and not self._form.sentences:
            kinds = (NoteKind.QUESTION,)
        if wanted.span is None:
            return Wanted(kinds=kinds, stream=stream)
        begin, end = wanted.span.begin_wall_ns, wanted.span.end_wall_ns
        return Wanted(begin_wall_ns=begin, end_wall_ns=end, kinds=kinds, stream=stream)

    # ---- what nearly matches -----------------------------------------------------------------

    def _filled(
        self, question: str, wanted: Need, hits: list[_Hit], matches: int, stream: str | None
    ) -> tuple[list[_Hit], int]:
        """The hits and, in the room that is left, what has a like meaning; where nothing matches,
        also notes with some of the words, and earlier answers."""
        most = self._config.recall_notes
        asked = replace(self._within(wanted, stream), limit=NEAR, newest_first=True)
        words = tuple(dict.fromkeys((*wanted.content, *sum(wanted.options, ()))))[:MOST_TERMS]
        ranked = []
        if words and self._embedder is not None:
            ranked.append(self._like(question, asked, LIKE if hits else PERHAPS))
        if not hits and words:
            some = self._store.find(replace(asked, terms=words, every=False))
            ranked.append([note for note in some if _share(note, words) >= 0.5])
            answers = replace(asked, kinds=(NoteKind.QUESTION,), terms=words, limit=2)
            ranked.append(self._store.find(answers))
        known = {hit.note.id for hit in hits}
        more = [note for note in _fused(ranked) if note.id not in known][: most - len(hits)]
        added = [_Hit(note, _best_facts(note, words)) for note in more]
        matches = matches or len([hit for hit in added if hit.note.kind is not NoteKind.QUESTION])
        return sorted([*hits, *added], key=_time), matches

    def _like(self, text: str, asked: Wanted, least: float) -> list[Note]:
        """Notes of a like meaning, the best first."""
        if self._embedder is None:
            return []
        ids, vectors = self._store.vectors()
        if not ids or vectors.shape[1] != self._embedder.dimension:
            return []
        near = vectors @ self._embedder.embed([text])[0]
        among = np.argsort(-near, kind="stable")[: 10 * NEAR]
        rank = {ids[i]: n for n, i in enumerate(among) if near[i] >= least}
        notes = self._store.find(replace(asked, ids=tuple(rank), limit=-1)) if rank else []
        return sorted(notes, key=lambda note: rank[note.id])[: asked.limit]

    # ---- lines -------------------------------------------------------------------------------

    def _told(
        self, hits: list[_Hit], matches: int, now_wall_ns: int, language: str, first: bool
    ) -> Recalled | None:
        """The lines of the hits, without the oldest (with `first` the newest) where they have too
        many tokens; None where there is no room for a word."""
        budget = self._config.recall_tokens
        cameras = {*self._cameras(), *(hit.note.stream for hit in hits)} - {""}
        several = len(cameras) > 1
        together = self._together(hits, _seen)
        lines = [self._line(line, now_wall_ns, language, several) for line in together]
        while True:
            text = forms.recalled(lines, matches if lines else 0, language)
            if self._count(text) <= budget:
                shown = tuple(hit.note for line in together for hit in line)
                return Recalled(text, shown, matches if lines else 0)
            if not lines:
                return None
            if len(lines) == 1:
                break
            drop = -1 if first else 0
            del lines[drop], together[drop]
        shorter = self._shortened(lines[0], matches, language)
        if shorter is None:
            return None
        return Recalled(shorter, tuple(hit.note for hit in together[0]), matches)

    def _shortened(self, told: Line, matches: int, language: str) -> str | None:
        """One line with as much of its text as fits."""
        low, high, best = 0, len(told.text), None
        while low <= high:
            middle = (low + high) // 2
            text = told.text[:middle].rstrip() + "..."
            text = forms.recalled([replace(told, text=text)], matches, language)
            if self._count(text) <= self._config.recall_tokens:
                low, best = middle + 1, text
            else:
                high = middle - 1
        return best

    def _line(
        self, together: Sequence[_Hit], now_wall_ns: int, language: str, several: bool
    ) -> Line:
        """The line of hits that stand together; of `several` cameras it says which."""
        note = together[-1].note
        whole = not self._form.sentences and len(note.text) <= LONG_TEXT
        texts = [
            hit.note.text if whole or not hit.facts else _joined(hit.facts, hit.note.text)
            for hit in together
        ]
        text = " ".join(_joined(texts, note.text).split())
        if note.kind is NoteKind.QUESTION:
            asked = " ".join(note.question.split())
            text = f"问：{asked} 答：{text}" if language == "zh" else f"asked: {asked} - {text}"
        age_s = max(0, now_wall_ns - note.wall_ns) / S
        camera = in_words(note.stream, language) if several else ""
        when = clock(note.shown_wall_ns, now_wall_ns, self._tz, language)
        return Line(age_s, when, text, camera)


_T = TypeVar("_T")
MOST_TERMS = 24  # of a question that are searched for


def _seen(hit: _Hit) -> tuple[int, str] | None:
    """When and by which camera a note was seen; None for one that is not of what was seen."""
    note = hit.note
    return (note.wall_ns // MS, note.stream) if note.kind is NoteKind.SEEN else None


def _time(hit: _Hit) -> int:
    return hit.note.wall_ns


def _middle(note: Note) -> int:
    return (note.begin_wall_ns + note.wall_ns) // 2


@lru_cache(16_384)
def _terms(fact: str) -> frozenset[str]:
    return frozenset(terms(fact))


def _facts(note: Note, required: frozenset[str]) -> tuple[str, ...]:
    """The facts of a note that hold all the words; an alert, a name and an answer may hold them in
    the question that they belong to."""
    found = tuple(fact for fact in sentences(note.text) if required <= _terms(fact))
    if found or note.kind not in ASKED:
        return found
    return (note.text,) if required <= _terms(note.text) | _terms(note.question) else ()


@dataclass(frozen=True)
class _Row:
    """What the index holds of a note: its number, and the terms of the facts that match."""

    number: int
    kind: str
    facts: tuple[str, ...]

    def only(self, holds: frozenset[str]) -> _Row:
        """With the facts alone that have one of these terms."""
        kept = tuple(fact for fact in self.facts if not holds.isdisjoint(fact.split()))
        return _Row(self.number, self.kind, kept)


def _row(held: Indexed, required: frozenset[str]) -> _Row:
    """The same as `_facts`, from the index."""
    lines = held.words.split("\n")
    question = lines.index(QUESTION) if QUESTION in lines else len(lines)
    facts = tuple(line for line in lines[:question] if line and required.issubset(line.split(" ")))
    if not required:
        facts = tuple(fact for fact in facts if fact not in NOTHING)
    elif not facts and held.kind in ASKED and required.issubset(held.words.split()):
        facts = (" ".join(lines[:question]),)
    return _Row(held.row, held.kind, facts)


def _share(note: Note, words: Sequence[str]) -> float:
    """The share of the words that one fact of a note holds."""
    facts = [*sentences(note.text), f"{note.text} {note.question}"]
    return max(len(_terms(f) & set(words)) for f in facts) / len(words)


def _best_facts(note: Note, words: Sequence[str]) -> tuple[str, ...]:
    facts = sentences(note.text)
    if not facts:
        return ()
    shares = [len(_terms(fact) & set(words)) for fact in facts]
    return tuple(f for f, share in zip(facts, shares, strict=True) if share == max(shares))


def _joined(facts: Sequence[str], text: str) -> str:
    return ("；" if language_of(text) == "zh" else "; ").join(facts)


def _fused(ranked: Sequence[Sequence[Note]]) -> list[Note]:
    """Several rankings as one, by reciprocal rank fusion."""
    scores: dict[str, float] = {}
    notes: dict[str, Note] = {}
    for ranking in ranked:
        for place, note in enumerate(ranking):
            notes[note.id] = note
            scores[note.id] = scores.get(note.id, 0.0) + 1 / (RANK + place)
    return [notes[i] for i in sorted(scores, key=lambda i: -scores[i])]


def check_search(text: str) -> None:
    """Raise `InputError` for words to search for that have invisible characters only.

    A text without words is none of them: it finds the newest notes.
    """
    if text.strip() and is_blank(text):
        raise InputError("nothing of the words to search for can be seen")
