"""Notes for the tests of memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.store import Store

S = 1_000_000_000
MINUTE, HOUR = 60 * S, 3600 * S
NOW = int(datetime(2026, 11, 28, 17, 10, tzinfo=UTC).timestamp()) * S  # a Saturday


def note(
    ago_s: float,
    text: str,
    kind: NoteKind = NoteKind.SEEN,
    question: str = "",
    stream: str = "",
    length_s: float = 10.0,
    name: str = "",
) -> Note:
    """A note that ends `ago_s` before `NOW`."""
    end = NOW - int(ago_s * S)
    begin = end - int(length_s * S)
    name = name or f"{kind}{ago_s:g}{stream}"
    return Note(name, kind, text, begin, end, end, "run", stream, question)


def stored(notes: Sequence[Note]) -> Store:
    """A store in memory with these notes."""
    store = Store.open(":memory:")
    store.add(sorted(notes, key=lambda n: n.wall_ns))
    return store
