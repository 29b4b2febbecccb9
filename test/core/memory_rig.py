"""Notes for tests, and index terms as simple as they can be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.store import Store

S = 1_000_000_000
START = 1_700_000_000 * S  # wall-clock time of the first note


def terms(text: str) -> list[str]:
    """Words in lower case; of Chinese the characters, and each two that stand together."""
    found: list[str] = []
    for run in re.findall(r"[\u4e00-\u9fff]+|[^\W\u4e00-\u9fff]+", text.lower()):
        chinese = "\u4e00" <= run[0] <= "\u9fff"
        found += [*run, *(run[i : i + 2] for i in range(len(run) - 1))] if chinese else [run]
    return found


def note(
    i: int, text: str = "", at_s: float | None = None, long_s: float = 0.0, **more: Any
) -> Note:
    """Note number `i`; it ends `at_s` seconds after `START` (`i` seconds by default)."""
    end_ns = round((i if at_s is None else at_s) * S)
    begin_ns = end_ns - round(long_s * S)
    kind = more.pop("kind", NoteKind.SEEN)
    return Note(
        f"run-n{i}", kind, text or f"note {i}", begin_ns, end_ns, START + end_ns, "run", **more
    )


def opened(path: Path | str, **more: Any) -> Store:
    """The store of a file, with the simple terms."""
    return Store.open(path, terms=terms, **more)


def numbers(notes: list[Note]) -> list[int]:
    """The numbers of notes."""
    return [int(n.id.removeprefix("run-n")) for n in notes]
