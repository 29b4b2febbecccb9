"""The vectors of a file's notes, in memory."""

from __future__ import annotations

import sqlite3

import numpy as np
from numpy.typing import NDArray

from aura_core.memory.schema import number

READ = 1024  # vectors that are read at once


class Vectors:
    """The vectors of a file in memory: new ones are added, all are read again after a deletion."""

    def __init__(self) -> None:
        self._erased = -1
        self._last = 0  # largest row that was read
        self._ids: list[str] = []
        self._room = np.zeros((0, 0), np.float32)  # grows in doubles; the first rows are in use

    def read(self, db: sqlite3.Connection) -> tuple[list[str], NDArray[np.float32]]:
        erased = number(db, "erased")
        newest = db.execute(
            "SELECT length(vector) / 4 FROM vector ORDER BY n DESC LIMIT 1"
        ).fetchone()
        size = newest[0] if newest else 0
        if erased != self._erased or size != self._room.shape[1]:
            self._last, self._ids = 0, []
            self._room = np.zeros((0, size), np.float32)
        where = "n > ? AND length(vector) = ?", (self._last, 4 * size)
        more = db.execute(f"SELECT count(*) FROM vector WHERE {where[0]}", where[1]).fetchone()[0]
        self._erased = erased
        if not more:
            return self._ids, self._room[: len(self._ids)]
        used, needed = len(self._ids), len(self._ids) + more
        if needed > len(self._room):
            room = np.empty((max(needed, 2 * len(self._room)), size), np.float32)
            room[:used] = self._room[:used]
            self._room = room
        found = db.execute(
            f"SELECT n, id, vector FROM vector JOIN note USING (n) WHERE {where[0]} ORDER BY n",
            where[1],
        )
        ids = list(self._ids)  # who has the old list keeps it as it is
        while rows := found.fetchmany(READ):
            data = np.frombuffer(b"".join(row[2] for row in rows), np.float32)
            self._room[len(ids) : len(ids) + len(rows)] = data.reshape(len(rows), size)
            ids += [row[1] for row in rows]
            last = rows[-1][0]
        self._ids, self._last = ids, last
        return self._ids, self._room[: len(self._ids)]


def blob(vector: NDArray[np.float32]) -> bytes:
    """A vector as the file holds it."""
    return np.ascontiguousarray(vector, np.float32).tobytes()
