"""How notes are deleted from every table, and how it is told that somebody had them deleted."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from aura_core.memory.notes import NoteKind
from aura_core.memory.schema import add_number
from aura_core.memory.wanted import Wanted

MOST_FORGOTTEN = 64  # deletions that are told to an assistant that did not ask for them
MOST_NAMED = 200  # notes of one deletion that are named
FORGOTTEN = "forgotten"  # the name of `Store.keep` under which they are told


@dataclass(frozen=True)
class Deleted:
    """A note that was deleted by its id: what it was of, and nothing of what it told.

    Attributes:
        begin_wall_ns, end_wall_ns: the time that it was about.
        ids: its own, and those of the response and, of a question's note, of the question.
    """

    begin_wall_ns: int
    end_wall_ns: int
    ids: tuple[str, ...]

    @classmethod
    def of(
        cls, note_id: str, kind: str, begin: int, end: int, query_id: str, response_id: str
    ) -> Deleted:
        """That of a note. The watch of an alert is not named: its other alerts are other notes."""
        named = (note_id, response_id, query_id if kind == NoteKind.QUESTION else "")
        return cls(begin, end, tuple(one for one in named if one))


@dataclass(frozen=True)
class Forgotten:
    """That somebody had notes deleted, which may have been another process.

    Attributes:
        begin_wall_ns, end_wall_ns: of which time; None: without this end.
        at_wall_ns: when it was asked.
        by_time: all notes of that time; else single ones.
        deleted: how many notes there were.
        notes: of single ones; empty where there were more than `MOST_NAMED`.
    """

    begin_wall_ns: int | None
    end_wall_ns: int | None
    at_wall_ns: int
    by_time: bool
    deleted: int
    notes: tuple[Deleted, ...] = ()

    @property
    def everything(self) -> bool:
        """All notes were deleted."""
        return self.by_time and self.begin_wall_ns is None and self.end_wall_ns is None


def delete(db: sqlite3.Connection, select: str, values: Sequence[object]) -> int:
    """Delete the notes whose rows are selected, from every table, in the caller's transaction."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS doomed (n INTEGER PRIMARY KEY)")
    db.execute("DELETE FROM doomed")
    count = db.execute(f"INSERT INTO doomed {select}", values).rowcount
    if not count:
        return 0
    doomed = "n IN (SELECT n FROM doomed)"
    db.execute(
        "DELETE FROM summary WHERE begin_wall_ns <= (SELECT max(wall_ns) FROM note WHERE"
        f" {doomed}) AND end_wall_ns >= (SELECT min(begin_wall_ns) FROM note WHERE {doomed})"
    )
    db.execute(
        "INSERT INTO letters (letters, rowid, text, question)"
        f" SELECT 'delete', n, text, question FROM note WHERE {doomed}"
    )
    db.execute("DELETE FROM terms WHERE rowid IN (SELECT n FROM doomed)")
    db.execute(f"DELETE FROM note WHERE {doomed}")
    db.execute("DELETE FROM doomed")
    add_number(db, "erased", 1)
    add_number(db, "deletions", 1)
    add_number(db, "unmerged", count)
    return count


def named(
    db: sqlite3.Connection, wanted: Wanted, select: str, values: Sequence[object]
) -> tuple[Deleted, ...]:
    """What single notes that are to be deleted are of; none for those of a time."""
    if not wanted.ids:
        return ()
    rows = db.execute(
        "SELECT id, kind, begin_wall_ns, wall_ns, query_id, response_id FROM note"
        f" WHERE n IN ({select}) LIMIT ?",
        (*values, MOST_NAMED + 1),
    ).fetchall()
    return tuple(Deleted.of(*row) for row in rows) if len(rows) <= MOST_NAMED else ()


def tell_forgotten(
    db: sqlite3.Connection,
    wanted: Wanted | None,
    deleted: int,
    notes: tuple[Deleted, ...] = (),
) -> None:
    """Write down that notes were deleted, and of which time; nothing of what they told."""
    asked = wanted or Wanted()
    begin, end = asked.begin_wall_ns, asked.end_wall_ns
    by_time = wanted is None or (begin, end) != (None, None)
    if not deleted and not by_time:
        return
    told = [*told_forgotten(db), Forgotten(begin, end, time.time_ns(), by_time, deleted, notes)]
    text = json.dumps([astuple(one) for one in told[-MOST_FORGOTTEN:]])
    db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (FORGOTTEN, text))
    add_number(db, "forgotten", 1)


def told_forgotten(db: sqlite3.Connection) -> list[Forgotten]:
    """What was told of deletions, the oldest first; `MOST_FORGOTTEN` of them at most."""
    row = db.execute("SELECT text FROM kept WHERE name = ?", (FORGOTTEN,)).fetchone()
    return [_read(values) for values in json.loads(row[0])] if row else []


def _read(values: list[Any]) -> Forgotten:
    notes = values[5] if len(values) > 5 else ()  # an older file names none
    return Forgotten(*values[:5], tuple(Deleted(b, e, tuple(ids)) for b, e, ids in notes))
