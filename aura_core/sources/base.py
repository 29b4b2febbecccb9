"""The base class of every source of frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from aura_core.types import Frame


class FrameSource(ABC):
    """An open source of frames. Iterate it once, then close it; or use it as a context manager.

    `description` is one line for people. A `live` source does not wait: frames that are not taken
    in time are lost. `skipped` counts frames that could not be decoded.
    """

    description: str
    live: bool = False
    skipped: int = 0

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """The frames, in order. Raises `InputError` when the source fails."""

    def begin_at(self, second: int) -> int:
        """Leave out the frames before this second, counted from the first frame, if the source can.

        Call it before iterating. Stamps do not change, and the sampling rule takes the same frames
        as if all were read. Returns the second from which on frames come: `second`, or 0 where the
        source does not know its frames' times before it has read them.
        """
        return 0

    def close(self) -> None:  # noqa: B027 - not every source holds something
        """Release what the source holds. May be called twice."""

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
