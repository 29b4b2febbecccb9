"""Which notes are wanted, and the SQL that finds them. No text of a user ever becomes SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
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


def query(wanted: Wanted, terms: Sequence[str], longest_ms: int) -> Query:
    """The SQL of the conditions.

    Args:
        wanted: the conditions.
        terms: in place of those of `wanted`; with `wanted.every` all of them are in the note.
        longest_ms: no note of the file lies further behind its beginning (`note_length`).
    """
    indexes: list[str] = []
    where: list[str] = []
    values: list[Any] = []
    part = clean(wanted.substring)
    if terms:
        indexes.append("terms")
        where.append("terms MATCH ?")
        values.append((" AND " if wanted.every else " OR ").join(map(_quoted, terms)))
    if len(part) >= SHORTEST:
        indexes.append("letters")
        where.append("letters MATCH ?")
        values.append(_quoted(part))
    of_index = len(where)
    if part and len(part) < SHORTEST:
        pattern = f"%{_escaped(part)}%"
        where.append(r"(note.text LIKE ? ESCAPE '\' OR note.question LIKE ? ESCAPE '\')")
        values += [pattern, pattern]
    if (begin := wanted.begin_wall_ns) is not None:
        where.append(
            "note.wall_ns >= ? AND (note.wall_ns > ? OR note.begin_wall_ns = note.wall_ns)"
        )
        values += [_bounded(begin)] * 2
    if (end := wanted.end_wall_ns) is not None:
        where.append("note.begin_wall_ns < ?")
        values.append(_bounded(end))
    if wanted.kinds:
        where.append(f"note.kind IN ({', '.join('?' * len(wanted.kinds))})")
        values += [NoteKind(kind).value for kind in wanted.kinds]
    if wanted.stream is not None:
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
    if begin is not None:
        where.append(f"{row} >= ?")
        values.append(_bounded(begin) // MS)
    if end is not None:
        where.append(f"{row} <= ?")
        values.append(_bounded(end) // MS + 1 + longest_ms)
    return Query(" CROSS JOIN ".join(tables), row, tuple(where), tuple(values))


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
