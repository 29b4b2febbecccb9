"""Which rows are wanted, and in which order: by time, or the best match first."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from aura_core.memory.rows import COLUMNS, INT64
from aura_core.memory.schema import MS, number
from aura_core.memory.wanted import Rows, Wanted, query, rows_of

RAREST = 6  # terms by which a match is rated


def span_of(db: sqlite3.Connection, wanted: Wanted) -> Rows:
    """The rows of a span of time."""
    if wanted.begin_wall_ns is None and wanted.end_wall_ns is None:
        return Rows(None, None)
    wanted = wanted.later(number(db, "ahead"))
    longest = db.execute(f"SELECT max(n - begin_wall_ns / {MS}) FROM note").fetchone()[0] or 0
    rows, sql, values = rows_of(wanted, longest + 1)
    return replace(rows, outside=tuple(row[0] for row in db.execute(sql, values)))


def in_order(db: sqlite3.Connection, wanted: Wanted, span: Rows, terms: Sequence[str]) -> list[int]:
    """The rows of the notes that are wanted, in order of time; `terms` in place of its own."""
    q = query(wanted, terms, span)
    down = " DESC" if wanted.newest_first else ""
    sql = f"SELECT {q.row} FROM {q.tables} WHERE {q.where} ORDER BY {q.row}{down} LIMIT ?"
    return [row[0] for row in db.execute(sql, (*q.values, min(wanted.limit, INT64 - 1)))]


def count(db: sqlite3.Connection, wanted: Wanted, terms: Sequence[str], span: Rows) -> int:
    """How many notes are wanted; `terms` in place of its own."""
    q = query(wanted, terms, span)
    return db.execute(f"SELECT count(*) FROM {q.tables} WHERE {q.where}", q.values).fetchone()[0]


def best_first(db: sqlite3.Connection, wanted: Wanted, span: Rows) -> list[int]:
    """The rows of the notes that match best.

    Goes through the sets of terms, the one with the greatest weight first, and takes the notes that
    hold all terms of the set. BM25 would score every note with one of the terms: 90 ms for a word
    that is in a third of a month's notes.
    """
    counted = replace(wanted, substring="", ids=())
    counts = {term: count(db, counted, [term], span) for term in dict.fromkeys(wanted.terms)}
    known = sorted((term for term in counts if counts[term]), key=lambda term: counts[term])
    all_notes = db.execute("SELECT count(*) FROM note").fetchone()[0]
    weight = {term: math.log(1 + all_notes / counts[term]) for term in known[:RAREST]}
    sets = [c for size in range(1, len(weight) + 1) for c in combinations(weight, size)]
    sets.sort(key=lambda terms: -sum(weight[term] for term in terms))
    found: dict[int, None] = {}
    holds = replace(wanted, every=True, newest_first=True)
    for terms in sets:
        if 0 <= wanted.limit <= len(found):
            break
        found |= dict.fromkeys(in_order(db, holds, span, terms))
    rows = list(found)
    return rows if wanted.limit < 0 else rows[: wanted.limit]


def read_notes(
    db: sqlite3.Connection, wanted: Wanted, rows: Sequence[int]
) -> list[tuple[Any, ...]]:
    """Row number and columns of notes."""
    columns = ", picture.picture" if wanted.pictures else ", NULL"
    columns += ", picture.thumbnail" if wanted.thumbnails else ", NULL"
    join = "LEFT JOIN picture USING (n)" if wanted.pictures or wanted.thumbnails else ""
    return db.execute(
        f"SELECT note.n, {COLUMNS}{columns} FROM json_each(?) CROSS JOIN note"
        f" ON note.n = json_each.value {join}",
        (json.dumps(rows),),
    ).fetchall()
