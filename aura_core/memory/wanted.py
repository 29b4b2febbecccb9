"""Which notes are wanted, and the SQL that finds them. No text of a user ever becomes SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from aura_core.memory.notes import NoteKind
from aura_core.memory.schema import MS

SHORTEST = 3  # characters that the trigram index can find
_MOST = 2**63 - 1  # SQLite's largest integer


@dataclass(frozen=True)
class Wanted:
    """Conditions for notes. All hold together.

    Attributes:
        terms: index terms, as `words.terms` makes them.
        every: all terms are in the note; else any, and the best match comes first (`Store.find`).
        substring: part of the text or of the question, in any case.
        begin_wall_ns, end_wall_ns: the note overlaps [begin, end), in nanoseconds since the epoch.
        kinds: one of these; empty: any.
        stream: of this camera; None: of any.
        ids: one of these; empty: any.
        limit: most notes; negative: all. Only `Store.find` heeds it.
        newest_first: else the oldest come first. With terms and `every=False` the order is that of
            the match.
        pictures, thumbnails: the notes come with them.
    """

    terms: tuple[str, ...] = ()
    every: bool = True
    substring: str = ""
    begin_wall_ns: int | None = None
    end_wall_ns: int | None = None
    kinds: tuple[NoteKind, ...] = ()
    stream: str | None = None
    ids: tuple[str, ...] = ()
    limit: int = 100
    newest_first: bool = False
    pictures: bool = False
    thumbnails: bool = False

    @property
    def only_time(self) -> bool:
        """All notes of a span of time, and of nothing else."""
        timed = (self.begin_wall_ns, self.end_wall_ns) != (None, None)
        others = self.terms or self.substring or self.kinds or self.ids
        return timed and not others and self.stream is None

    def later(self, by_ns: int) -> Wanted:
        """The same of a span that is so much later."""
        begin, end = self.begin_wall_ns, self.end_wall_ns
        return replace(
            self,
            begin_wall_ns=None if begin is None else begin + by_ns,
            end_wall_ns=None if end is None else end + by_ns,
        )


@dataclass(frozen=True)
class Query:
    """The SQL of `Wanted`.

    Attributes:
        tables: what follows FROM: as few as the conditions need. The first one is gone through in
            order of `row`.
        row: the column with the number of the note's row.
        conditions: all hold.
        values: those of the conditions.
    """

    tables: str
    row: str
    conditions: tuple[str, ...]
    values: tuple[Any, ...]

    @property
    def where(self) -> str:
        """What follows WHERE."""
        return " AND ".join(self.conditions) or "1"


@dataclass(frozen=True)
class Rows:
    """A span of time as rows: from `first` to `last`, without those of `outside`."""

    first: int | None
    last: int | None
    outside: tuple[int, ...] = ()


def rows_of(wanted: Wanted, longest_ms: int) -> tuple[Rows, str, tuple[int, ...]]:
    """The rows that the notes of a span of time can have.

    `longest_ms`: no note of the file lies more rows behind its beginning (`note_length`).

    Returns the rows with none left out, and the SQL (with its values) of those near both ends that
    are not within the span.
    """
    begin, end = wanted.begin_wall_ns, wanted.end_wall_ns
    first = last = None
    near: list[str] = []
    within: list[str] = []
    near_values: list[int] = []
    within_values: list[int] = []
    if begin is not None:
        begin = _bounded(begin)
        first = begin // MS
        near.append("n BETWEEN ? AND ?")
        near_values += [first, first + 1 + longest_ms]
        within.append("wall_ns >= ? AND (wall_ns > ? OR begin_wall_ns = wall_ns)")
        within_values += [begin, begin]
    if end is not None:
        end = _bounded(end)
        last = end // MS + 1 + longest_ms
        near.append("n BETWEEN ? AND ?")
        near_values += [end // MS, last]
        within.append("begin_wall_ns < ?")
        within_values.append(end)
    sql = f"SELECT n FROM note WHERE ({' OR '.join(near)}) AND NOT ({' AND '.join(within)})"
    return Rows(first, last), sql if near else "", (*near_values, *within_values)


def query(wanted: Wanted, terms: Sequence[str], rows: Rows) -> Query:
    """The SQL of the conditions.

    Args:
        wanted: the conditions.
        terms: in place of those of `wanted`; with `wanted.every` all of them are in the note.
        rows: those of its span of time.
    """
    indexes: list[str] = []
    where: list[str] = []
    values: list[Any] = []
    part = clean(wanted.substring)
    if terms:
        indexes.append("terms")
        where.append("terms MATCH ?")
        values.append(_match(wanted, terms))
    if len(part) >= SHORTEST:
        indexes.append("letters")
        where.append("letters MATCH ?")
        values.append(_quoted(part))
    of_index = len(where)
    if part and len(part) < SHORTEST:
        pattern = f"%{_escaped(part)}%"
        where.append(r"(note.text LIKE ? ESCAPE '\' OR note.question LIKE ? ESCAPE '\')")
        values += [pattern, pattern]
    if wanted.kinds and not terms:
        where.append(f"note.kind IN ({', '.join('?' * len(wanted.kinds))})")
        values += [NoteKind(kind).value for kind in wanted.kinds]
    if wanted.stream is not None and not terms:
        where.append("note.stream = ?")
        values.append(clean(wanted.stream))
    if wanted.ids:
        where.append("note.id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(wanted.ids))
    tables = indexes
    if not indexes or len(where) > of_index:
        tables = [*indexes, "note"]
    if wanted.ids:
        tables.reverse()  # few notes: they are looked up first
    first = tables[0]
    row = _row(first)
    where += [f"{_row(table)} = {row}" for table in tables[1:]]
    if rows.first is not None:
        where.append(f"{row} >= ?")
        values.append(rows.first)
    if rows.last is not None:
        where.append(f"{row} <= ?")
        values.append(rows.last)
    if rows.outside:
        where.append(f"{row} NOT IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(rows.outside))
    return Query(" CROSS JOIN ".join(tables), row, tuple(where), tuple(values))


def stream_term(stream: str) -> str:
    """A stream as one term of the index, whatever its name is."""
    return "s" + clean(stream).encode().hex()


def _match(wanted: Wanted, terms: Sequence[str]) -> str:
    """Terms, kinds and stream in FTS5's language."""
    words = (" AND " if wanted.every else " OR ").join(map(_quoted, terms))
    found = f"words : ({words})"
    if wanted.stream is not None:
        found = f"({found}) AND stream : {_quoted(stream_term(wanted.stream))}"
    if wanted.kinds:
        others = [kind for kind in NoteKind if kind not in wanted.kinds]
        fewer = min(wanted.kinds, others, key=len)  # of them less is read
        names = " OR ".join(_quoted(kind) for kind in fewer)
        if fewer is others and names:
            found = f"({found}) NOT kind : ({names})"
        elif names:
            found = f"({found}) AND kind : ({names})"
    return found


def _row(table: str) -> str:
    return "note.n" if table == "note" else f"{table}.rowid"


def clean(text: str) -> str:
    """The text without what SQLite's text cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\0", " ").encode(errors="replace").decode()


def _bounded(ns: int) -> int:
    return max(-_MOST, min(ns, _MOST))


def _quoted(text: str) -> str:
    """A phrase of FTS5. Within the quotes nothing has a meaning, but a quote, which is doubled."""
    return '"' + clean(text).replace('"', '""') + '"'


def _escaped(text: str) -> str:
    for mark in ("\\", "%", "_"):
        text = text.replace(mark, "\\" + mark)
    return text
