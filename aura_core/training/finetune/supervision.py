"""Which seconds of a sample a loss may supervise, known from all samples of a run together.

The data engine writes a sample for each answer: the window as it stood when the answer was given.
The sample of a later answer shows the earlier ones again, also such as stage 5 rejected, and such
as tell what has left the window since. So:

- An answer in view may be supervised when its own sample was kept, shows the same window, and shows
  its evidence.
- With `once`, every second is supervised in one sample. Samples of one window (between two
  switches) begin alike, so the last of them stands for all; and what one window has supervised is
  context in the next.

Records that the data engine did not write (they have no target) are supervised whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from aura_core.training.finetune.records import Record, Said


@dataclass(frozen=True)
class Own:
    """The kept sample of one answer: its place among the records, its window, the second that shows
    its evidence."""

    index: int
    first: int
    stop: int
    evidence: int
    answer: str | None


class Supervision:
    """Filled with all records in order (`add`), then asked about each (`of`)."""

    def __init__(self, once: bool) -> None:
        self._once = once
        self._own: dict[str, dict[int, Own]] = {}  # conversation, second of the answer
        self._others: list[int] = []  # records that the data engine did not write

    def add(self, index: int, record: Record) -> None:
        """Take note of a record."""
        if record.evidence is None:
            self._others.append(index)
            return
        last = record.stop - 1
        answer = next((t.answer for t in record.turns if t.chunk == last), None)
        own = Own(index, record.first, record.stop, record.evidence, answer)
        self._own.setdefault(record.conversation, {})[last] = own

    def chosen(self, count: int) -> list[int]:
        """The records to train on, of `count`, in order: all, or with `once` the last of each
        window."""
        if not self._once:
            return list(range(count))
        windows = {
            (name, own[c].first): own[c].index
            for name, own in self._own.items()
            for c in sorted(own)
        }
        return sorted([*windows.values(), *self._others])

    def of(self, record: Record) -> Record:
        """The record, told what of it may be supervised."""
        if record.evidence is None:
            return record
        own = self._own[record.conversation]
        turns = tuple(replace(t, taught=_taught(own.get(t.chunk), t, record)) for t in record.turns)
        before = [o.stop for o in own.values() if o.first < record.first] if self._once else []
        return replace(record, turns=turns, since=max(before, default=record.first))


def _taught(own: Own | None, said: Said, record: Record) -> bool:
    return (
        own is not None and own.answer == said.answer and own.first == record.first <= own.evidence
    )
