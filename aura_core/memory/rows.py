"""A note as a row of the table `note`, and back. `ahead`: see `timeline`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from aura_core.errors import InputError
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.schema import add_number
from aura_core.memory.wanted import clean

COLUMNS = (
    "note.id, note.kind, note.text, note.begin_ns, note.end_ns, note.wall_ns, note.run,"
    " note.stream, note.question, note.query_id, note.response_id, note.shown_ns"
)
INT64 = 2**63


def to_row(note: Note, ahead: int) -> tuple[object, ...]:
    """The columns of a note, without its row number. Raises `InputError` for a time stamp that
    SQLite cannot hold."""
    begin = min(note.begin_wall_ns, note.wall_ns)
    shown = note.shown_wall_ns
    numbers = (note.begin_ns, note.end_ns, begin + ahead, note.wall_ns + ahead)
    if not all(-INT64 <= n < INT64 for n in (*numbers, shown)):
        raise InputError(f"note {note.id}: a time stamp of more than 64 bits")
    return (
        clean(note.id),
        NoteKind(note.kind).value,
        clean(note.text),
        clean(note.question),
        *numbers,
        *map(clean, (note.run, note.stream, note.query_id, note.response_id)),
        None if shown == note.wall_ns + ahead else shown,
    )


def to_note(row: Sequence[Any], ahead: int) -> Note:
    """The note of `COLUMNS`, a picture and a thumbnail."""
    (note_id, kind, text, begin_ns, end_ns, placed_ns, run, stream, question, *more) = row
    query_id, response_id, shown_ns, picture, thumbnail = more
    wall_ns = placed_ns - ahead
    shown_ns = placed_ns if shown_ns is None else shown_ns
    return Note(
        note_id,
        NoteKind(kind),
        text,
        begin_ns,
        end_ns,
        wall_ns,
        run,
        stream,
        question,
        query_id,
        response_id,
        picture,
        thumbnail,
        None if shown_ns == wall_ns else shown_ns,
    )


def free(db: sqlite3.Connection, n: int) -> int:
    """The first row from `n` on that is free."""
    newest = db.execute("SELECT max(n) FROM note").fetchone()[0]
    if newest is None or n > newest:
        return n
    add_number(db, "erased", 1)  # it is not behind those that were read already
    for (taken,) in db.execute("SELECT n FROM note WHERE n >= ? ORDER BY n", (n,)):
        if taken != n:
            break
        n += 1
    return n
