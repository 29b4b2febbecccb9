"""The result of a stage function, and errors that make one item fail but not the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aura_core.data.schema import Rejection


@dataclass
class Outcome:
    """Collects the results of one item."""

    records: list[Any] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    # files that were written beside the records: path relative to the run, and size in bytes
    files: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # why requests for it brought nothing

    def reject(self, item: str, reason: str, detail: str = "") -> None:
        """Leave something out. `reason` is counted; `detail` is kept for one item."""
        # a server's message may hold lone surrogates, which UTF-8 cannot encode
        told = detail.encode(errors="backslashreplace").decode()
        self.rejections.append(Rejection(item, reason, " ".join(told.split())[:300]))

    def leave_out(self, item: str, what: str, error: ItemError) -> None:
        """Reject the part of an item that `what` names, and keep the rest.

        Raises `error` if it is transient: then the whole item may be tried again.
        """
        self.faults.append(str(error))
        if error.transient:
            raise error
        self.reject(item, f"{what}: {error.reason}", error.detail)


class ItemError(Exception):
    """This item cannot be used; others can.

    `transient`: another try may succeed, for example after a time-out of the server.
    """

    def __init__(self, reason: str, detail: str = "", transient: bool = False) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail, self.transient = reason, detail, transient


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Stage:
    """An opened stage: the type of its input records, its function, and its cost so far."""

    reads: type
    work: Callable[[Any], Outcome]
    cost: Callable[[], dict[str, float]] = dict
    # ends the requests that are under way, in all threads; the stage cannot be used afterwards
    close: Callable[[], None] = _nothing
    # items at once: more than one only where most of the time is waiting for a server
    threads: int = 1


def name_of(item: Any) -> str:
    """Return the name of an item in rejections."""
    return str(item.id if hasattr(item, "id") else item.clip.id)


def total(counters: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the sum of counters by name, in order of the names."""
    out: Counter[str] = Counter()
    for c in counters:
        out.update(c)
    return dict(sorted(out.items()))
