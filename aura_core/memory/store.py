"""Notes on disk: one SQLite file, its search indexes, and how notes really go away.

Every method may be called from any thread. One connection writes and another reads, so that a
search does not wait for a write.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError, StoreError, one_line
from aura_core.memory import database, deletion, schema, search, timeline
from aura_core.memory.deletion import FORGOTTEN, Forgotten
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.owner import Owner
from aura_core.memory.rows import free, to_note, to_row
from aura_core.memory.schema import MS
from aura_core.memory.schema import add_number as _add
from aura_core.memory.schema import number as _number
from aura_core.memory.vectors import Vectors, blob
from aura_core.memory.wanted import Wanted, clean, query, stream_term

__all__ = ["PAUSED", "Forgotten", "Indexed", "Stats", "Store", "Wanted"]

MEMORY = ":memory:"
MB = 1_000_000
UNMERGED = 2000  # deleted notes after which the search indexes are merged
PAUSED = "paused"  # a name of `keep`
STAYS = (FORGOTTEN, PAUSED)  # no text of a user: also when everything is forgotten

Terms = Callable[[str], list[str]]
Index = Callable[[str, str], str]  # of a text and a question


@dataclass(frozen=True)
class Stats:
    """What is in a file.

    Attributes:
        kinds: number of notes by kind.
        first_wall_ns, last_wall_ns: times of the oldest and the newest note; None without notes.
        text_bytes: texts and questions, as UTF-8.
        picture_bytes: keyframes and thumbnails.
        file_bytes: the file, with what was not yet moved into it; 0 in memory.
        paused_ns: wall-clock time since which nothing is written; None: it is not paused.
    """

    kinds: dict[NoteKind, int]
    first_wall_ns: int | None
    last_wall_ns: int | None
    text_bytes: int
    picture_bytes: int
    file_bytes: int
    paused_ns: int | None = None

    @property
    def notes(self) -> int:
        """Number of notes."""
        return sum(self.kinds.values())


class Indexed(NamedTuple):
    """What the search index holds of a note: `words` as `words.index` made them.

    `row` is the number of the note in the file, see `Store.at`.
    """

    row: int
    words: str
    kind: str


class Store:
    """The notes of one file. Made by `Store.open`.

    Everything raises `StoreError` (an `InputError`) of one line when the file cannot be used.
    """

    def __init__(
        self,
        path: Path | None,
        read_only: bool,
        owner: Owner | None,
        index: Index,
        terms_version: int | None,
    ) -> None:
        self.path = path  # None: in memory
        self.read_only = read_only
        self._index, self._terms_version = index, terms_version
        self._writing, self._reading = threading.RLock(), threading.RLock()
        self._owner = owner
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._inode = 0
        self._vectors = Vectors()

    @classmethod
    def open(
        cls,
        path: Path | str,
        read_only: bool = False,
        create: bool = True,
        alone: bool = True,
        terms: Terms | None = None,
    ) -> Store:
        """Open a file of notes; an older one is converted.

        Args:
            path: the file, or ":memory:".
            read_only: beside an assistant that writes, for example.
            create: make the file, and its folder, where it is missing.
            alone: be the one assistant that writes here. Without it the writer is a command, which
                may change a file beside an assistant.
            terms: index terms of a text; None: those of `memory.words`.

        Raises:
            StoreError: missing, damaged, no file of notes, newer than this program, or not
                writable; or another assistant writes there.
        """
        where = None if str(path) == MEMORY else database.resolved(path)
        if where is not None:
            database.prepare(where, create and not read_only)
        version, index = None, _joined(terms) if terms is not None else None
        if index is None:
            from aura_core.memory.words import VERSION as version
            from aura_core.memory.words import index
        owner = Owner(where) if where is not None and alone and not read_only else None
        store = cls(where, read_only, owner, index, version)
        try:
            store._connect()
        except StoreError:
            store._release()
            raise
        return store

    def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        with self._writing, self._reading:
            self._disconnect()
            self._release()

    def reopen(self) -> None:
        """Open the file again; make it anew where somebody has removed it."""
        with self._writing, self._reading:
            self._disconnect()
            if self.path is not None:
                database.prepare(self.path, not self.read_only)
            self._connect()
            self._vectors = Vectors()

    @property
    def moved(self) -> bool:
        """Somebody has removed or replaced the file since it was opened."""
        return self.path is not None and database.inode(self.path) != self._inode

    # ---- notes -------------------------------------------------------------------------------

    def add(
        self, notes: Sequence[Note], vectors: Sequence[NDArray[np.float32]] | None = None
    ) -> None:
        """Add notes in one transaction; committed on return. One whose id is there stays as it is.

        `vectors`: one of each note, (d,) float32. Raises `InputError` for a note that cannot be
        stored; then none is.
        """
        if vectors is not None and len(vectors) != len(notes):
            raise InputError(f"{len(notes)} notes with {len(vectors)} vectors")
        with self._transaction() as db:
            ahead = _number(db, "ahead")
            rows = [to_row(note, ahead) for note in notes]
            for i, (note, row) in enumerate(zip(notes, rows, strict=True)):
                if db.execute("SELECT 1 FROM note WHERE id = ?", row[:1]).fetchone():
                    continue
                n = free(db, (note.wall_ns + ahead) // MS)
                db.execute(
                    "INSERT INTO note VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (n, *row)
                )
                text, question = row[2], row[3]
                db.execute(
                    "INSERT INTO terms (rowid, words, kind, stream) VALUES (?, ?, ?, ?)",
                    (n, self._indexed(text, question), note.kind, stream_term(note.stream)),
                )
                db.execute(
                    "INSERT INTO letters (rowid, text, question) VALUES (?, ?, ?)",
                    (n, text, question),
                )
                if note.picture is not None or note.thumbnail is not None:
                    db.execute(
                        "INSERT INTO picture VALUES (?, ?, ?)", (n, note.thumbnail, note.picture)
                    )
                if vectors is not None:
                    db.execute("INSERT INTO vector VALUES (?, ?)", (n, blob(vectors[i])))

    def get(self, note_id: str) -> Note | None:
        """The note of an id, without pictures."""
        found = self.find(Wanted(ids=(note_id,), limit=1))
        return found[0] if found else None

    def find(self, wanted: Wanted) -> list[Note]:
        """The notes that are wanted, in order of time.

        With `every=False` notes of any of the terms, the best match first: a note that holds rarer
        terms, or more of them, is better (the sum of inverse document frequencies), and among
        equals the newer one. Of many terms the rarest `RAREST` count, so that a search through a
        month is not long.
        """
        with self._read() as db:
            span = search.span_of(db, wanted)
            ranked = bool(wanted.terms) and not wanted.every
            rows = (
                search.best_first(db, wanted, span)
                if ranked
                else search.in_order(db, wanted, span, wanted.terms)
            )
            ahead = _number(db, "ahead")
            notes = {row[0]: to_note(row[1:], ahead) for row in search.read_notes(db, wanted, rows)}
        found = [notes[n] for n in rows if n in notes]
        if not ranked:  # rows are in order of time but for those of one millisecond
            found.sort(key=lambda note: -note.wall_ns if wanted.newest_first else note.wall_ns)
        return found

    def indexed(self, wanted: Wanted) -> list[Indexed]:
        """What the search index holds of the notes that are wanted, in order of time, also with
        `every=False`. For looking through thousands of notes: no note is read."""
        with self._read() as db:
            rows = search.in_order(db, wanted, search.span_of(db, wanted), wanted.terms)
            found = db.execute(  # the index's own table: twice as fast as through FTS5
                "SELECT held.id, held.c0, held.c1 FROM json_each(?)"
                " CROSS JOIN terms_content AS held ON held.id = json_each.value",
                (json.dumps(rows),),
            ).fetchall()
        return list(map(Indexed._make, found))

    def at(self, rows: Sequence[int]) -> list[Note]:
        """The notes of these numbers (`Indexed.row`) that are still there, in this order."""
        return list(self.numbered(rows).values())

    def numbered(self, rows: Sequence[int]) -> dict[int, Note]:
        """The same, by their numbers."""
        with self._read() as db:
            ahead = _number(db, "ahead")
            return {
                row[0]: to_note(row[1:], ahead) for row in search.read_notes(db, Wanted(), rows)
            }

    def count(self, wanted: Wanted) -> int:
        """How many notes are wanted, whatever the limit."""
        with self._read() as db:
            return search.count(db, wanted, wanted.terms, search.span_of(db, wanted))

    def picture(self, note_id: str) -> bytes | None:
        """The keyframe of a note, as JPEG."""
        with self._read() as db:
            row = db.execute(
                "SELECT picture FROM picture JOIN note USING (n) WHERE id = ?", (clean(note_id),)
            ).fetchone()
        return row[0] if row else None

    # ---- vectors -----------------------------------------------------------------------------

    def vectors(self) -> tuple[list[str], NDArray[np.float32]]:
        """Ids of the notes that have a vector, and the vectors, (n, d), oldest first.

        Both are kept in memory and follow the file. They are not to be changed. Where the length of
        the vectors has changed, only those of the newest length are given.
        """
        with self._read() as db:
            return self._vectors.read(db)

    def add_vectors(self, ids: Sequence[str], vectors: Sequence[NDArray[np.float32]]) -> None:
        """Give notes a vector each, or another one."""
        with self._transaction() as db:
            for note_id, vector in zip(ids, vectors, strict=True):
                db.execute(
                    "INSERT OR REPLACE INTO vector SELECT n, ? FROM note WHERE id = ?",
                    (blob(vector), clean(note_id)),
                )
            _add(db, "erased", 1)

    def drop_vectors(self) -> None:
        """Delete all vectors: they are of another embedder."""
        with self._transaction() as db:
            db.execute("DELETE FROM vector")
            _add(db, "erased", 1)

    # ---- deletion ----------------------------------------------------------------------------

    def forget(self, wanted: Wanted | None) -> int:
        """Delete notes, so that nothing of them is left in the file, and say how many they were.

        What was made of them goes too: search indexes, pictures, vectors, and summaries that
        overlap them. The file is rewritten, which takes time where it is large. `wanted.limit` is
        not heeded. None: everything, with what `keep` has kept (but `STAYS`).

        It is told to the assistant that writes here (`forgotten`), whoever asks for it.
        """
        with self._transaction() as db:
            notes: tuple[deletion.Deleted, ...] = ()
            if wanted is None:
                deleted = db.execute("SELECT count(*) FROM note").fetchone()[0]
                for table in ("picture", "vector", "note", "summary"):
                    db.execute(f"DELETE FROM {table}")
                db.execute("DELETE FROM kept WHERE name NOT IN (?, ?)", STAYS)
                db.execute("DROP TABLE terms")
                db.execute("DROP TABLE letters")
                db.execute(schema.TERMS)
                db.execute(schema.LETTERS)
                _add(db, "erased", 1)
                _add(db, "deletions", 1)
            else:
                q = query(wanted, wanted.terms, search.span_of(db, wanted))
                rows = f"SELECT {q.row} FROM {q.tables} WHERE {q.where}"
                notes = deletion.named(db, wanted, rows, q.values)
                deleted = deletion.delete(db, rows, q.values)
                if wanted.only_time:  # also what was shown as of this time
                    deleted += deletion.delete(db, *timeline.shown_within(wanted))
            deletion.tell_forgotten(db, wanted, deleted, notes)
        try:
            self._merge()
            with self._write() as db:
                db.execute("VACUUM")
                database.truncate(db)
        except StoreError as e:
            raise StoreError(
                f"{deleted} notes are forgotten, but their traces are still in the file: {e}"
            ) from e
        return deleted

    def trim(self, keep_days: float, max_mb: float, now_wall_ns: int) -> int:
        """Delete the oldest notes: those of more than `keep_days` ago, and as many as needed while
        the file holds more than `max_mb`. Returns their number."""
        with self._transaction() as db:
            oldest_ns = now_wall_ns + _number(db, "ahead") - int(keep_days * 86_400 * 1e9)
            deleted = deletion.delete(db, "SELECT n FROM note WHERE n < ?", (oldest_ns // MS,))
            db.execute("DELETE FROM summary WHERE end_wall_ns < ?", (oldest_ns,))
            while database.used(db) > max_mb * MB:
                # a twentieth at a time, so that this is not done for every single note
                some = db.execute("SELECT (count(*) + 19) / 20 FROM note").fetchone()[0]
                if not some:
                    break
                deleted += deletion.delete(db, "SELECT n FROM note ORDER BY n LIMIT ?", (some,))
            unmerged = _number(db, "unmerged")
        if unmerged >= UNMERGED:
            self._merge()
        if deleted:
            with self._write() as db:
                db.execute("PRAGMA incremental_vacuum").fetchall()
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return deleted

    def _merge(self) -> None:
        """Rewrite the search indexes without what was deleted."""
        with self._transaction() as db:
            db.execute("INSERT INTO terms (terms) VALUES ('optimize')")
            db.execute("INSERT INTO letters (letters) VALUES ('optimize')")
            db.execute("UPDATE number SET value = 0 WHERE name = 'unmerged'")

    # ---- small texts -------------------------------------------------------------------------

    def keep(self, name: str, text: str) -> None:
        """Keep a text under a name, in place of the one before."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (clean(name), clean(text)))

    def kept(self, name: str) -> str | None:
        """The text that is kept under a name."""
        with self._read() as db:
            row = db.execute("SELECT text FROM kept WHERE name = ?", (clean(name),)).fetchone()
        return row[0] if row else None

    def drop(self, name: str) -> None:
        """Delete the text of a name."""
        with self._transaction() as db:
            db.execute("DELETE FROM kept WHERE name = ?", (clean(name),))

    def summary(self, begin_wall_ns: int, end_wall_ns: int, language: str) -> str | None:
        """The summary of a span of time, where one was made."""
        with self._read() as db:
            ahead = _number(db, "ahead")
            row = db.execute(
                "SELECT text FROM summary"
                " WHERE begin_wall_ns = ? AND end_wall_ns = ? AND language = ?",
                (begin_wall_ns + ahead, end_wall_ns + ahead, language),
            ).fetchone()
        return row[0] if row else None

    @property
    def deletions(self) -> int:
        """How often notes were deleted, by this process or by another one."""
        with self._read() as db:
            return _number(db, "deletions")

    @property
    def heeded(self) -> int:
        """Up to which number an assistant has heeded what was deleted, see `heed`."""
        with self._read() as db:
            return _number(db, "heeded")

    def forgotten(self, after: int) -> tuple[int, list[Forgotten]]:
        """How often somebody had notes deleted, in this process or in another one, and what was
        deleted after that number. Retention does not count. It only reads: while a file is
        rewritten nothing waits."""
        with self._read() as db:
            number = _number(db, "forgotten")
            told = deletion.told_forgotten(db)[-(number - after) :] if number > after else []
        if len(told) < number - after:  # so many that some are not told: all of them
            told.append(Forgotten(None, None, time.time_ns(), True, number - after))
        return number, told

    def heed(self, number: int) -> None:
        """An assistant has heeded what was deleted: the next one need not."""
        with self._transaction() as db:
            _add(db, "heeded", number - _number(db, "heeded"))

    def add_summary(
        self,
        begin_wall_ns: int,
        end_wall_ns: int,
        language: str,
        text: str,
        deletions: int | None = None,
    ) -> None:
        """Keep the summary of a span of time, in place of the one before.

        `deletions`: as it was before the notes were read; where notes were deleted since, the
        summary is not kept, because it may tell of them.
        """
        with self._transaction() as db:
            if deletions is not None and _number(db, "deletions") != deletions:
                return
            ahead = _number(db, "ahead")
            db.execute(
                "INSERT OR REPLACE INTO summary VALUES (?, ?, ?, ?)",
                (begin_wall_ns + ahead, end_wall_ns + ahead, language, clean(text)),
            )

    # ---- the clock ---------------------------------------------------------------------------

    def begin_run(self, now_wall_ns: int) -> None:
        """A run begins: what it notes comes after all that is there, whatever the clock shows."""
        with self._transaction() as db:
            timeline.begin_run(db, now_wall_ns)

    def clock_was_set(self, by_ns: int, now_wall_ns: int, run: str) -> None:
        """The machine's clock was set by so much during a run, and now shows `now_wall_ns`.

        The times of its notes are then told as this clock would have shown them, and their order
        stays.
        """
        with self._transaction() as db:
            timeline.was_set(db, by_ns, now_wall_ns, run)

    # ---- the file ----------------------------------------------------------------------------

    def version(self) -> tuple[int, int]:
        """Another value after any change of the notes, by this process or by another one."""
        with self._read() as db:
            changes = db.execute("PRAGMA data_version").fetchone()[0]
            return changes, db.total_changes

    def check(self) -> list[str]:
        """Everything that is wrong with the file, one line each; nothing when it is sound.

        It reads the whole file, and needs a store that may write.
        """
        try:
            with self._write() as db:
                found = [row[0] for row in db.execute("PRAGMA integrity_check")]
                wrong = [one_line(Exception(line)) for line in found if line != "ok"]
                broken = db.execute("PRAGMA foreign_key_check").fetchall()
                wrong += [f"{row[0]}: row {row[1]} belongs to no note" for row in broken]
                notes = db.execute("SELECT count(*) FROM note").fetchone()[0]
                for index in ("terms", "letters"):
                    rows = db.execute(f"SELECT count(*) FROM {index}_docsize").fetchone()[0]
                    if rows != notes:
                        wrong.append(f"search index {index}: {rows} rows for {notes} notes")
                    if not self.read_only:
                        try:
                            db.execute(f"INSERT INTO {index} ({index}) VALUES ('integrity-check')")
                        except sqlite3.DatabaseError as e:
                            wrong.append(f"search index {index}: {one_line(e)}")
        except StoreError as e:
            return [str(e)]
        return wrong

    def stats(self) -> Stats:
        """What is in the file."""
        with self._read() as db:
            kinds = Counter(dict(db.execute("SELECT kind, count(*) FROM note GROUP BY kind")))
            first, last = db.execute(
                "SELECT min(wall_ns) - ahead, max(wall_ns) - ahead FROM note, (SELECT ? AS ahead)",
                (_number(db, "ahead"),),
            ).fetchone()
            text = db.execute(
                "SELECT total(length(CAST(text AS BLOB)) + length(CAST(question AS BLOB)))"
                " FROM note"
            ).fetchone()[0]
            pictures = db.execute(
                "SELECT total(ifnull(length(thumbnail), 0) + ifnull(length(picture), 0))"
                " FROM picture"
            ).fetchone()[0]
        return Stats(
            {kind: kinds[kind.value] for kind in NoteKind if kinds[kind.value]},
            first,
            last,
            int(text),
            int(pictures),
            sum(database.size(p) for p in self._files()),
            int(paused) if (paused := self.kept(PAUSED) or "").isdecimal() else None,
        )

    def _files(self) -> list[Path]:
        if self.path is None:
            return []
        return [self.path, self.path.with_name(self.path.name + "-wal")]

    # ---- connections -------------------------------------------------------------------------

    def _connect(self) -> None:
        with self._errors():
            if self.path is None:
                self._writer = self._reader = database.connect(MEMORY)
                self._reading = self._writing  # one connection: one lock
            elif self.read_only:
                self._writer = self._reader = database.connect_read_only(self.path)
                self._reading = self._writing
            else:
                self._writer = database.connect(str(self.path))
                self._reader = None
            try:
                self._begin(self._writer)
                if self._reader is None:
                    self._reader = database.connect(str(self.path))
                    self._reader.execute("PRAGMA query_only = ON")
                if self.path is not None:
                    self._inode = self.path.stat().st_ino
            except (sqlite3.Error, StoreError, OSError):
                self._disconnect()
                raise

    def _begin(self, db: sqlite3.Connection) -> None:
        """Make or check the tables of a file that was just opened."""
        application, version = schema.state(db)  # here SQLite sees whether it is a database
        fresh = not application and not version and schema.is_empty(db)
        if not fresh and application != schema.APPLICATION_ID:
            raise StoreError(f"{self.path}: a database, but not one of notes; name another file")
        if version > schema.VERSION:
            raise StoreError(
                f"{self.path}: written by a newer aura_ros (version {version}, this one knows"
                f" {schema.VERSION}); update it, or name another file"
            )
        if self.read_only:
            if fresh:
                raise StoreError(f"{self.path}: nothing was written here yet")
            if version < schema.VERSION:
                raise StoreError(
                    f"{self.path}: written by an older aura_ros (version {version}); start the"
                    " assistant once, which converts it"
                )
            return
        if fresh:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if self.path is not None:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise StoreError(
                    f"{self.path}: this file system is not fit for it; name a file on a local disk"
                )
        if fresh or version < schema.VERSION:
            with database.immediate(db):
                _, version = schema.state(db)  # another process may have been faster
                if schema.is_empty(db):
                    schema.create(db)
                elif version < schema.VERSION:
                    schema.migrate(db, version)
        if self._terms_version is not None and _number(db, "terms") != self._terms_version:
            with database.immediate(db):
                self._index_again(db)

    def _index_again(self, db: sqlite3.Connection) -> None:
        """Make all index terms again: those of the file are of another version of `words`."""
        db.execute("DROP TABLE terms")
        db.execute(schema.TERMS)
        rows = db.execute("SELECT n, text, question, kind, stream FROM note ORDER BY n")
        db.executemany(
            "INSERT INTO terms (rowid, words, kind, stream) VALUES (?, ?, ?, ?)",
            (
                (n, self._indexed(text, question), kind, stream_term(stream))
                for n, text, question, kind, stream in rows
            ),
        )
        db.execute("UPDATE number SET value = ? WHERE name = 'terms'", (self._terms_version,))

    def _indexed(self, text: str, question: str) -> str:
        return clean(self._index(text, question))

    def _disconnect(self) -> None:
        for db in (self._reader, self._writer):
            if db is not None:
                db.close()
        self._reader = self._writer = None

    def _release(self) -> None:
        if self._owner is not None:
            self._owner.close()

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._reading, self._errors():
            if self._reader is None:
                raise StoreError(f"{self._name}: is closed")
            if self._reader.in_transaction:
                yield self._reader
                return
            self._reader.execute("BEGIN")  # all reads see the same state of the file
            try:
                yield self._reader
            finally:
                if self._reader.in_transaction:
                    self._reader.execute("COMMIT")

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """The writing connection, without a transaction."""
        with self._writing, self._errors():
            if self._writer is None:
                raise StoreError(f"{self._name}: is closed")
            if self.moved:
                raise StoreError(f"{self.path}: was removed or replaced while it was open")
            yield self._writer

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction of the writing connection: all of it, or nothing."""
        with self._write() as db, database.immediate(db):
            yield db

    @property
    def _name(self) -> str:
        return str(self.path or "the notes in memory")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of SQLite become one line that names the file and what to do."""
        try:
            yield
        except sqlite3.Error as e:
            raise StoreError(f"{self._name}: {database.advice(e)}") from e
        except OSError as e:
            raise StoreError(f"{self._name}: {e.strerror}") from e


def _joined(terms: Terms) -> Index:
    return lambda text, question: " ".join(terms(f"{text}\n{question}"))
