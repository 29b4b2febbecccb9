"""Which seconds of a sample a loss may supervise. This depends on all samples of a run.

The data engine writes a sample for each answer, with the window at that time. The sample of a later
answer therefore contains the earlier answers again. Some of those may have been rejected by stage
5, or their evidence may have left the window. So:

- An answer in the window may be supervised if its own sample was kept, shows the same window, and
  shows its evidence.
- With `once`, every second is supervised in one sample only. Samples of one window (between two
  switches) have the same beginning, so only the last of them is used. Seconds that were supervised
  in one window are context in the next.
- Without `once`, a sample that ends in silence supervises silence alone, because each answer in its
  window has a sample of its own.

Records that the data engine did not write have no target; all of their turns are supervised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from aura_core.training.finetune.records import Record, Said


@dataclass(frozen=True)
class Own:
    """The kept sample of one answer.

    `index` is its place among the records, `first` and `stop` are its window, and `evidence` is the
    second that shows what the answer says.
    """

    index: int
    first: int
    stop: int
    evidence: int
    answer: str | None


class Supervision:
    """Decides what may be supervised: `add` all records in order, then ask `of` about each."""

    def __init__(self, once: bool) -> None:
        self._once = once
        self._own: dict[str, dict[int, Own]] = {}  # by conversation, then by second of the answer
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
        """Return the indices of the records to train on, out of `count`, in order.

        These are all records, or with `once` the last one of each window.
        """
        if not self._once:
            return list(range(count))
        windows = {
            (name, own[c].first): own[c].index
            for name, own in self._own.items()
            for c in sorted(own)
        }
        return sorted([*windows.values(), *self._others])

    def of(self, record: Record) -> Record:
        """Return the record, with marks for what may be supervised."""
        if record.evidence is None:
            return record
        own = self._own[record.conversation]
        # With one sample for each answer, a sample that ends in silence teaches silence alone.
        spoken = self._once or own[record.stop - 1].answer is not None
        turns = tuple(
            replace(t, taught=spoken and _taught(own.get(t.chunk), t, record)) for t in record.turns
        )
        before = [o.stop for o in own.values() if o.first < record.first] if self._once else []
        return replace(record, turns=turns, since=max(before, default=record.first))


def _taught(own: Own | None, said: Said, record: Record) -> bool:
    return (
        own is not None and own.answer == said.answer and own.first == record.first <= own.evidence
    )
