"""What a stage function gives back, and how an item fails without ending the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aura_core.data.schema import Rejection


@dataclass
class Outcome:
    """Collects what becomes of one item."""

    records: list[Any] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    # written beside the records, relative to the run; bytes
    files: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # why requests for it brought nothing

    def reject(self, item: str, reason: str, detail: str = "") -> None:
        """Leave something out, with a reason that is counted."""
        # a server's message may hold what no file can
        told = detail.encode(errors="backslashreplace").decode()
        self.rejections.append(Rejection(item, reason, " ".join(told.split())[:300]))

    def leave_out(self, item: str, what: str, error: ItemError) -> None:
        """Reject the part of an item that `what` names, and keep the rest; raises an error that may
        pass again."""
        self.faults.append(str(error))
        if error.transient:
            raise error
        self.reject(item, f"{what}: {error.reason}", error.detail)


class ItemError(Exception):
    """This item cannot be used; the others can. `transient`: another try may succeed (a server that
    timed out)."""

    def __init__(self, reason: str, detail: str = "", transient: bool = False) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail, self.transient = reason, detail, transient


@dataclass(frozen=True)
class Stage:
    """An opened stage: its record types, the function, and what it has cost so far."""

    reads: type
    work: Callable[[Any], Outcome]
    cost: Callable[[], dict[str, float]] = dict
    # items at once: more than one only where the time goes into waiting for a server
    threads: int = 1


def name_of(item: Any) -> str:
    """How rejections call an item."""
    return str(item.id if hasattr(item, "id") else item.clip.id)


def total(counters: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sum of counters by name, names in order."""
    out: Counter[str] = Counter()
    for c in counters:
        out.update(c)
    return dict(sorted(out.items()))
