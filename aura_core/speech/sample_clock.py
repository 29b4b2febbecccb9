"""When a block of samples was captured or sounds, by the host's clock: from callbacks that come
unevenly."""

from __future__ import annotations

from collections import deque

from aura_core.speech.types import NS

_MEMORY_NS = NS
_JUMP_NS = NS // 10  # further off: samples are missing, or the clock was set


class SampleClock:
    """Blocks follow one another by their count of samples.

    A callback may come late (a busy machine) and never early, so of the newest second the least
    lateness is the truth; what stays late has lost samples, and the stamps jump.
    """

    def __init__(self) -> None:
        self._count_ns = 0  # length of all samples so far
        # of the newest second: count, and host's time less count
        self._offsets: deque[tuple[int, int]] = deque()
        self._offset_ns: int | None = None

    def stamp(self, measured_ns: int, frames: int, rate: int, lost: bool = False) -> int:
        """The stamp of the block's first sample, which seems to be at `measured_ns`; `lost`:
        samples are missing."""
        if lost:
            self._offsets.clear()
            self._offset_ns = None
        self._offsets.append((self._count_ns, measured_ns - self._count_ns))
        while self._count_ns - self._offsets[0][0] > _MEMORY_NS:
            self._offsets.popleft()
        least = min(offset for _, offset in self._offsets)
        if self._offset_ns is None or abs(least - self._offset_ns) > _JUMP_NS:
            self._offset_ns = least
        else:
            self._offset_ns += (least - self._offset_ns) // 16
        stamp = self._count_ns + self._offset_ns
        self._count_ns += frames * NS // rate
        return stamp
