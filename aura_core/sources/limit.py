"""A source that ends after some seconds."""

from __future__ import annotations

from collections.abc import Iterator

from aura_core.sources.base import FrameSource
from aura_core.types import NS, Frame


class Limited(FrameSource):
    """The frames of `source` less than `duration_s` seconds after its first."""

    def __init__(self, source: FrameSource, duration_s: float) -> None:
        self.source = source
        self.live = source.live
        self.description = source.description
        self._limit_ns = round(duration_s * NS)
        self._first_ns: int | None = None  # stamp of the source's first frame

    def begin_at(self, second: int) -> int:
        """See `FrameSource.begin_at`. The end does not change."""
        begun = self.source.begin_at(second)
        if begun:
            self._first_ns = 0
        return begun

    def frames(self) -> Iterator[Frame]:
        for frame in self.source:
            if self._first_ns is None:
                self._first_ns = frame.stamp_ns
            self.skipped = self.source.skipped
            if frame.stamp_ns - self._first_ns >= self._limit_ns:
                return
            yield frame
        self.skipped = self.source.skipped

    def close(self) -> None:
        self.source.close()
