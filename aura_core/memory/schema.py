"""The tables of the file of notes, and how an older file becomes a newer one.

`terms` is fed with index terms that `words.terms` makes; its tokenizer only splits them at spaces,
so that matching is decided there alone. Kind and stream are in it too, so that counting the notes
with a word reads no note. `letters` finds parts of words. SQLite keeps neither in
step with `note`: the store does, in the transaction that changes a note.

The row number `n` of a note is `wall_ns` in milliseconds, or the next free number. So all tables
are in order of time, and a span of time is a span of rows.

Time in the file goes on where the machine's clock is set back: it is `ahead` of that clock by a
number of nanoseconds, which is added to all times that go in, and taken from all that come out (see
`timeline.py`). `shown_ns` is what the clock has shown, NULL where that is `wall_ns` of the file.
"""

from __future__ import annotations

import sqlite3
import string
from collections.abc import Mapping

APPLICATION_ID = 0x41555261  # "AURa", in the file's header
VERSION = 2
MS = 1_000_000  # nanoseconds

# all but spaces and control characters belongs to a term, in quotes of FTS5 and then of SQL
_PUNCTUATION = string.punctuation.replace("'", "''").replace('"', '""')
TERMS = (
    "CREATE VIRTUAL TABLE terms USING"
    f""" fts5(words, kind, stream, tokenize="ascii tokenchars '{_PUNCTUATION}'")"""
)
LETTERS = (
    "CREATE VIRTUAL TABLE letters USING"
    " fts5(text, question, content='note', content_rowid='n', tokenize='trigram')"
)
TABLES = (
    """CREATE TABLE note (
        n INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        text TEXT NOT NULL,
        question TEXT NOT NULL,
        begin_ns INTEGER NOT NULL,
        end_ns INTEGER NOT NULL,
        begin_wall_ns INTEGER NOT NULL,
        wall_ns INTEGER NOT NULL,
        run TEXT NOT NULL,
        stream TEXT NOT NULL,
        query_id TEXT NOT NULL,
        response_id TEXT NOT NULL,
        shown_ns INTEGER
    )""",
    # how many rows a note can lie behind its beginning
    f"CREATE INDEX note_length ON note (n - begin_wall_ns / {MS})",
    "CREATE INDEX note_kind ON note (kind)",
    """CREATE TABLE picture (
        n INTEGER PRIMARY KEY REFERENCES note ON DELETE CASCADE,
        thumbnail BLOB,
        picture BLOB
    )""",
    """CREATE TABLE vector (
        n INTEGER PRIMARY KEY REFERENCES note ON DELETE CASCADE,
        vector BLOB NOT NULL
    )""",
    """CREATE TABLE summary (
        begin_wall_ns INTEGER NOT NULL,
        end_wall_ns INTEGER NOT NULL,
        language TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (begin_wall_ns, end_wall_ns, language)
    ) WITHOUT ROWID""",
    "CREATE TABLE kept (name TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID",
    # erased: grows whenever notes or vectors are taken out, or added among others; unmerged: notes
    # that were deleted since the search indexes were merged; terms: `words.VERSION` of the index
    # terms; deletions: how often notes were deleted; forgotten: how often somebody asked for that;
    # heeded: up to which of these the assistant has acted; ahead: of the machine's clock, in ns
    "CREATE TABLE number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO number VALUES ('erased', 0), ('unmerged', 0), ('terms', 0)",
    TERMS,
    LETTERS,
)
# what makes a file of version N one of version N + 1
MIGRATIONS: Mapping[int, tuple[str, ...]] = {
    1: ("ALTER TABLE note ADD COLUMN shown_ns INTEGER",),
}


def state(db: sqlite3.Connection) -> tuple[int, int]:
    """The application id and the version in the file's header; 0 and 0 of an empty file."""
    application = db.execute("PRAGMA application_id").fetchone()[0]
    return application, db.execute("PRAGMA user_version").fetchone()[0]


def is_empty(db: sqlite3.Connection) -> bool:
    """Nothing was ever written to this file."""
    return db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0


def create(db: sqlite3.Connection) -> None:
    """Make the tables in an empty file, within the caller's transaction."""
    for statement in TABLES:
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Make a file of an older version one of this version, within the caller's transaction."""
    for older in range(version, VERSION):
        for statement in MIGRATIONS[older]:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


def number(db: sqlite3.Connection, name: str) -> int:
    """A number of the table `number`; 0 where it was never set."""
    row = db.execute("SELECT value FROM number WHERE name = ?", (name,)).fetchone()
    return row[0] if row else 0


def add_number(db: sqlite3.Connection, name: str, value: int) -> None:
    """Add to a number of the table `number`."""
    db.execute(
        "INSERT INTO number VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        (name, value),
    )
