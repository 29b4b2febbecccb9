"""The database of the notes: its file, its connections, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from aura_core.errors import StoreError, one_line
from aura_core.memory import schema

BUSY_MS = 5000  # a writer waits this long for another one


def resolved(path: Path | str) -> Path:
    """The file itself, behind links: its lock lies beside it, whatever name it is opened by."""
    try:
        where = Path(path).expanduser().absolute()
    except RuntimeError as e:
        raise StoreError(f"{path}: there is no such user; name another file") from e
    try:
        return where.resolve()
    except (OSError, RuntimeError):  # links in a circle: told when it is opened
        return where


def prepare(path: Path, create: bool) -> None:
    """Make the file and its folder where they are missing: for their owner alone."""
    try:
        if path.is_dir():
            raise StoreError(f"{path}: is a folder; name a file")
        if path.exists():
            return
    except OSError as e:
        raise StoreError(f"{path}: cannot be looked at: {e.strerror}; name another file") from e
    if not create:
        raise StoreError(f"{path}: there is no such file of notes")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its other files the mode of this one
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as e:
        raise StoreError(f"{path}: cannot be made: {e.strerror}; name a file elsewhere") from e


def connect(database: str, uri: bool = False) -> sqlite3.Connection:
    """A connection that any thread may use, and that erases what it deletes."""
    db = sqlite3.connect(
        database, BUSY_MS / 1000, isolation_level=None, check_same_thread=False, uri=uri
    )
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA secure_delete = ON").fetchall()
    db.execute("PRAGMA foreign_keys = ON")
    return db


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing, also where the folder cannot be written."""
    address = "file:" + quote(str(path)) + "?mode=ro"
    try:
        db = connect(address, uri=True)
        schema.state(db)
        return db
    except sqlite3.OperationalError:
        # in a folder that cannot be written SQLite cannot make its files for a shared use
        if size(path.with_name(path.name + "-wal")):
            raise
        return connect(address + "&immutable=1", uri=True)


@contextmanager
def immediate(db: sqlite3.Connection) -> Iterator[None]:
    """A transaction that has the right to write from its beginning: all of it, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:  # rolled back whatever it was, and raised again
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def truncate(db: sqlite3.Connection) -> None:
    """Move what is in the write-ahead log into the file, and empty the log."""
    busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise sqlite3.OperationalError("another process reads the file for too long; try again")


def used(db: sqlite3.Connection) -> int:
    """Bytes of the file that are in use."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def size(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def inode(path: Path) -> int:
    """The number of a file; -1 where there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def advice(error: sqlite3.Error) -> str:
    """What SQLite says, and what to do."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return "no space left; free some, or lower memory.max_mb"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return (
                f"cannot be opened or written ({one_line(error)}); check its rights, or name"
                " another file"
            )
        case sqlite3.SQLITE_NOTADB:
            return "not a file of notes; name another file"
        case sqlite3.SQLITE_CORRUPT:
            return "damaged; move the file away, and a new one is begun"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another process writes to it for too long; try again"
        case _:
            return one_line(error)
