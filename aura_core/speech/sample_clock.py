"""Host times of audio blocks, estimated from callbacks that come at irregular times."""

from __future__ import annotations

from collections import deque

from aura_core.speech.types import NS

_MEMORY_NS = NS  # how long a measured delay is remembered
_JUMP_NS = NS // 10  # a larger difference means lost samples, or that the host's clock was set


class SampleClock:
    """Stamps blocks by the count of samples before them, and the host's clock.

    A callback may come late on a busy machine, but never early. So the smallest delay within the
    newest second is taken as the true one. If the delay stays larger, samples were lost, and the
    stamps jump.
    """

    def __init__(self) -> None:
        self._count_ns = 0  # length of all samples so far
        # for each block of the newest second: (count_ns, host time - count_ns)
        self._offsets: deque[tuple[int, int]] = deque()
        self._offset_ns: int | None = None

    def stamp(self, measured_ns: int, frames: int, rate: int, lost: bool = False) -> int:
        """Return the time [ns] of a block's first sample.

        Args:
            measured_ns: the time at which the first sample seems to be, from the callback.
            frames: number of samples in the block, at `rate` Hz.
            lost: samples before this block are missing.
        """
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
