"""What a memory heeds for some minutes: that notes were deleted, and that the clock was set."""

from __future__ import annotations

import time
from dataclasses import dataclass

from aura_core.stream.notes import Block

LATE_S = 1800.0  # no note is written later about a time that was deleted
_LONG_AGO = 2**63


@dataclass(frozen=True)
class ClockSet:
    """That the machine's clock was set: by so many nanoseconds, to `now_ns`."""

    by_ns: int
    now_ns: int
    steady_ns: int  # when, by a clock that nobody sets


@dataclass(frozen=True)
class Deleted:
    """A span of time of which all notes were deleted, in nanoseconds of the wall clock."""

    begin_wall_ns: int
    end_wall_ns: int
    at_s: float  # by the machine's steady clock

    @staticmethod
    def of(begin: int | None, end: int | None, now_ns: int) -> Deleted:
        """The span of a deletion, up to now."""
        first = -_LONG_AGO if begin is None else begin
        return Deleted(first, now_ns if end is None else min(end, now_ns), time.monotonic())

    def holds(self, block: Block) -> bool:
        """Whether a part of the block is within."""
        begin_ns = block.wall_ns - (block.end_ns - block.begin_ns)
        written_late = time.monotonic() - self.at_s < LATE_S
        return written_late and begin_ns < self.end_wall_ns and block.wall_ns > self.begin_wall_ns
