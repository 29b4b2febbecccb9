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

    def frames(self) -> Iterator[Frame]:
        first: int | None = None
        for frame in self.source:
            first = frame.stamp_ns if first is None else first
            self.skipped = self.source.skipped
            if frame.stamp_ns - first >= self._limit_ns:
                return
            yield frame
        self.skipped = self.source.skipped

    def close(self) -> None:
        self.source.close()
