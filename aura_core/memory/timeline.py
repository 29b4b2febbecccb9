"""How time in a file of notes goes on where the machine's clock is set, in SQL.

The order of notes is that in which they were taken: that of the stream within a run, and that of
the runs. The clock can contradict it. A machine may boot without the time, and get it by NTP some
minutes later; somebody may set the clock.

- Set back by a day at most: time in the file goes on, ahead of the clock by so much.
- Set forward: what it is ahead is given back. For the rest the notes of the run were told too
  early, and they are moved.
- Set back by more, so that the run had a clock that was wrong: its notes are moved.
- A run begins at an earlier time than that of the newest note: time in the file goes on ahead of
  the clock. Where it would be more than a day ahead, and the clock lies among the notes, those of
  the future had the wrong clock, and are moved before it.

Notes that are moved keep their order, and know what the clock has shown.
"""

from __future__ import annotations

import sqlite3

from aura_core.memory.schema import MS, add_number, number
from aura_core.memory.wanted import Wanted

DAY = 86_400_000_000_000  # nanoseconds
# Before this a clock was not set, whatever the notes say: in nanoseconds, the beginning of 2025.
UNSET = 1_735_689_600_000_000_000
MOVED = 5_000_000_000  # nanoseconds: for less no note is moved
_LEAST, _MOST = -(2**63), 2**63 - 1


def begin_run(db: sqlite3.Connection, now_ns: int) -> None:
    """A run begins, in the caller's transaction."""
    oldest, newest = db.execute("SELECT min(n), max(n) FROM note").fetchone()
    now, ahead = now_ns // MS, number(db, "ahead")
    if newest is None or now > newest:
        _set_ahead(db, 0)
    elif (now_ns + ahead) // MS <= newest:
        needed = newest + 1 - now
        if needed * MS <= DAY or now < oldest or now_ns < UNSET:
            _set_ahead(db, needed * MS)
        else:
            _set_ahead(db, 0)
            _move(db, now, -needed)
            _go_on(db, now_ns)


def was_set(db: sqlite3.Connection, by_ns: int, now_ns: int, run: str) -> None:
    """The clock was set by so much and shows `now_ns`, in the caller's transaction."""
    ahead = number(db, "ahead")
    if -DAY <= by_ns < 0:
        _set_ahead(db, ahead - by_ns)
        return
    given_back = min(by_ns, max(0, ahead)) if by_ns > 0 else 0
    _set_ahead(db, ahead - given_back)
    by_ns -= given_back
    if abs(by_ns) >= MOVED:
        first, last = db.execute("SELECT min(n), max(n) FROM note WHERE run = ?", (run,)).fetchone()
        if first is not None:
            # a run may last for months: what is older than a day is told too early
            recent = max(first, last - DAY // MS) if by_ns > 0 else first
            _move(db, recent, by_ns // MS)
    _go_on(db, now_ns)


def shown_within(wanted: Wanted) -> tuple[str, tuple[int, ...]]:
    """The rows of notes whose clock has shown a time of a span, in SQL, with its values."""
    begin = _LEAST if wanted.begin_wall_ns is None else wanted.begin_wall_ns
    end = _MOST if wanted.end_wall_ns is None else wanted.end_wall_ns
    begin, end = (max(_LEAST, min(ns, _MOST)) for ns in (begin, end))
    shown = "ifnull(shown_ns, wall_ns)"
    began = f"{shown} - (wall_ns - begin_wall_ns)"
    overlaps = f"{shown} >= ? AND ({shown} > ? OR begin_wall_ns = wall_ns) AND {began} < ?"
    return f"SELECT n FROM note WHERE {overlaps}", (begin, begin, end)


def _go_on(db: sqlite3.Connection, now_ns: int) -> None:
    """No note is of the future: where one is, time in the file is ahead."""
    newest = db.execute("SELECT max(n) FROM note").fetchone()[0]
    if newest is not None and (now_ns + number(db, "ahead")) // MS <= newest:
        _set_ahead(db, (newest + 1) * MS - now_ns)


def _set_ahead(db: sqlite3.Connection, ahead_ns: int) -> None:
    before = number(db, "ahead")
    if ahead_ns != before:
        add_number(db, "ahead", ahead_ns - before)
        add_number(db, "deletions", 1)  # what was made of notes tells other times


def _move(db: sqlite3.Connection, first: int, by: int) -> None:
    """Move the notes from row `first` on by so many rows, behind those before it."""
    rows = db.execute(
        "SELECT n, text, question, begin_wall_ns, wall_ns FROM note WHERE n >= ? ORDER BY n",
        (first,),
    ).fetchall()
    if not rows:
        return
    least = db.execute("SELECT max(n) FROM note WHERE n < ?", (first,)).fetchone()[0]
    moves = []
    for n, *values in rows:
        new = n + by if least is None else max(n + by, least + 1)
        least = new
        moves.append((n, new, *values))
    db.execute("PRAGMA defer_foreign_keys = ON")
    for n, new, text, question, begin_ns, wall_ns in reversed(moves) if by > 0 else moves:
        by_ns = (new - n) * MS
        words = (text, question)
        db.execute(
            "INSERT INTO letters (letters, rowid, text, question) VALUES ('delete', ?, ?, ?)",
            (n, *words),
        )
        db.execute(
            "UPDATE note SET n = ?, begin_wall_ns = ?, wall_ns = ?, shown_ns = ifnull(shown_ns, ?)"
            " WHERE n = ?",
            (new, begin_ns + by_ns, wall_ns + by_ns, wall_ns, n),
        )
        db.execute("INSERT INTO letters (rowid, text, question) VALUES (?, ?, ?)", (new, *words))
        for table, row in (("terms", "rowid"), ("picture", "n"), ("vector", "n")):
            db.execute(f"UPDATE {table} SET {row} = ? WHERE {row} = ?", (new, n))
    changed = min(moves[0][0], moves[0][1]) * MS
    db.execute("DELETE FROM summary WHERE end_wall_ns >= ?", (changed,))
    add_number(db, "erased", 1)
    add_number(db, "deletions", 1)
