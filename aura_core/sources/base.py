"""What every source of frames is, and which of its frames are worth converting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from aura_core.types import Frame

NS = 1_000_000_000
JUMP_BACK_NS = 2 * NS  # further back than this is a restarted clock, as in the sampling


class FrameSource(ABC):
    """An open source: iterate it once, close it (or use it as a context manager).

    `description` is one line for people. `live` sources run on by themselves, so frames that are
    not taken in time are lost. `skipped` counts frames that could not be decoded.
    """

    description: str
    live: bool = False
    skipped: int = 0

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """The frames, in order. Raises `InputError` when the source fails."""

    def close(self) -> None:  # noqa: B027 - not every source holds something
        """Release what the source holds; may be called twice."""

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


class Slots:
    """The sampling's rule at any rate: the first frame of each slot of 1/fps seconds is wanted.

    Slots are anchored at the first frame taken; a frame up to `tolerance_s` early counts for its
    slot. With `fps` None every frame is wanted. Frames that nobody wants need not be converted to
    RGB.
    """

    def __init__(self, fps: float | None, tolerance_s: float = 0.05) -> None:
        self._period_ns = None if fps is None else round(NS / fps)
        # A tolerance made for 2 FPS must not swallow the slots of a fast camera.
        self._tolerance_ns = 0 if fps is None else round(min(tolerance_s, 0.4 / fps) * NS)
        self._anchor_ns: int | None = None
        self._slot = -1

    def wants(self, stamp_ns: int) -> bool:
        """Whether a frame of this stamp is worth converting. Pure."""
        if self._period_ns is None or self._anchor_ns is None:
            return True
        return self._jumped_back(stamp_ns) or self._slot_of(stamp_ns) > self._slot

    def took(self, stamp_ns: int) -> None:
        """A wanted frame was converted: its slot is full. (One that failed leaves the slot to the
        next.)"""
        if self._period_ns is None:
            return
        if self._anchor_ns is None or self._jumped_back(stamp_ns):
            self._anchor_ns = stamp_ns
        self._slot = self._slot_of(stamp_ns)

    def _slot_of(self, stamp_ns: int) -> int:
        assert self._anchor_ns is not None and self._period_ns is not None
        return (stamp_ns - self._anchor_ns + self._tolerance_ns) // self._period_ns

    def _jumped_back(self, stamp_ns: int) -> bool:
        assert self._anchor_ns is not None and self._period_ns is not None
        return stamp_ns < self._anchor_ns + self._slot * self._period_ns - JUMP_BACK_NS
