"""A live source read by its own thread, so that a slow consumer gets the newest frames, not a
backlog."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from aura_core.errors import InputError
from aura_core.sources.base import FrameSource
from aura_core.types import Frame


class Newest(FrameSource):
    """At most `depth` frames wait; older ones are dropped and counted in `dropped`."""

    live = True

    def __init__(self, source: FrameSource, depth: int = 4) -> None:
        self.source, self.dropped = source, 0
        self.description = source.description
        self._waiting: deque[Frame] = deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._error: InputError | None = None
        self._ended = self._closing = False
        self._thread = threading.Thread(target=self._read, name="frames", daemon=True)

    def frames(self) -> Iterator[Frame]:
        self._thread.start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    break
                frame = self._waiting.popleft()
            yield frame
        if self._error is not None:
            raise self._error

    @property
    def waiting(self) -> bool:
        """Whether a frame is there to be taken."""
        return bool(self._waiting)

    def close(self) -> None:
        self._closing = True
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)
        self.skipped = self.source.skipped
        # closing under a thread that still reads would crash the driver
        if not self._thread.is_alive():
            self.source.close()

    def _read(self) -> None:
        try:
            for frame in self.source:
                with self._changed:
                    self._waiting.append(frame)
                    while len(self._waiting) > self._depth:
                        self._waiting.popleft()
                        self.dropped += 1
                    self._changed.notify()
                if self._closing:
                    return
        except InputError as e:
            self._error = e
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()
