"""What waits for the worker: frames worth converting and questions, in the order in which they
came.

Middleware callbacks only store here. Which frames are stored is decided by their stamps, with the
engine's own `ChunkSampler`, so a 30 Hz camera costs two conversions a second and the chunks are the
ones that a replay of the same frames makes. The queue is bounded: when the model falls behind,
whole old seconds are dropped and counted, and the newest win.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aura_core.config import SamplingConfig
from aura_core.errors import InputError
from aura_core.stream.engine import StreamEngine
from aura_core.stream.sampling import ChunkSampler
from aura_core.types import Frame

MakeFrame = Callable[[], Frame]
_NO_PIXELS = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class PendingFrame:
    """A frame that was sampled but not converted yet; `chunk` is the second it belongs to."""

    chunk: int
    make: MakeFrame


@dataclass(frozen=True)
class PendingQuestion:
    """A question's words."""

    text: str


@dataclass(frozen=True, eq=False)
class PendingCall:
    """Something to do with the engine between two steps; `done` takes what it returns or raises."""

    work: Callable[[StreamEngine], Any]
    done: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True)
class EndOfFrames:
    """The camera went silent or the stream ended: decide what is there."""


Item = PendingFrame | PendingQuestion | PendingCall | EndOfFrames


@dataclass(frozen=True)
class InboxCounters:
    """Frames since the start. `dropped_*` were wanted, but the model was too slow."""

    received: int = 0
    dropped_frames: int = 0
    dropped_chunks: int = 0


class Inbox:
    """Thread-safe. `backlog_chunks` whole seconds may wait beside the one that is being filled."""

    def __init__(self, config: SamplingConfig, backlog_chunks: int, max_questions: int) -> None:
        self.backlog_chunks, self.max_questions = backlog_chunks, max_questions
        self._sampler = ChunkSampler(config)
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._received = self._dropped_frames = self._dropped_chunks = 0
        self._closed = False
        self._begun: int | None = None  # the second whose first frame the worker has already taken

    def offer(self, stamp_ns: int, make: MakeFrame) -> bool:
        """Store a frame if it would be sampled; `make` converts it later, on the worker's
        thread."""
        with self._changed:
            self._received += 1
            if not self._sampler.wants(stamp_ns):
                return False
            self._sampler.push(Frame(_NO_PIXELS, stamp_ns))
            self._items.append(PendingFrame(self._sampler.newest_chunk, make))
            self._drop_oldest()
            self._changed.notify()
            return True

    def ask(self, text: str) -> None:
        """Store a question. Raises `InputError` when it is empty or too many wait already."""
        if not text.strip():
            raise InputError("the question is empty")
        with self._changed:
            waiting = sum(isinstance(i, PendingQuestion) for i in self._items)
            if waiting >= self.max_questions:
                raise InputError(
                    f"{waiting} questions are waiting already; ask again when they are answered"
                )
            self._items.append(PendingQuestion(text))
            self._changed.notify()

    def call(self, work: Callable[[StreamEngine], Any]) -> Future[Any]:
        """Have `work` done on the worker's thread, in its order among frames and questions. The
        future raises `InputError` when too many wait already or the worker ends first."""
        call = PendingCall(work)
        with self._changed:
            if self._closed:
                call.done.set_exception(InputError("the assistant is stopping"))
            elif sum(isinstance(i, PendingCall) for i in self._items) >= self.max_questions:
                call.done.set_exception(
                    InputError("too many requests are waiting already; try again later")
                )
            else:
                self._items.append(call)
                self._changed.notify()
        return call.done

    def end_of_frames(self) -> None:
        """Have the half-filled second decided without waiting for its other frame."""
        with self._changed:
            self._items.append(EndOfFrames())
            self._changed.notify()

    def take(self, calls: bool = True) -> Item | None:
        """The oldest item, waiting until there is one; None when the inbox is closed, or without
        `calls` when the oldest one is a call."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._closed)
            if self._closed:
                return None
            if not calls and isinstance(self._items[0], PendingCall):
                return None
            item = self._items.popleft()
            if isinstance(item, PendingFrame):
                self._begun = item.chunk
            return item

    @property
    def waiting(self) -> bool:
        """Whether something is there to take."""
        return bool(self._items)

    def close(self) -> None:
        """Wake whoever waits in `take`; nothing more comes out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            calls = [i for i in self._items if isinstance(i, PendingCall)]
        for call in calls:  # outside the lock: who waits for it may ask again
            call.done.set_exception(InputError("the assistant is stopping"))

    def counters(self) -> InboxCounters:
        """A consistent snapshot."""
        with self._changed:
            return InboxCounters(self._received, self._dropped_frames, self._dropped_chunks)

    def _drop_oldest(self) -> None:
        """Drop whole seconds: half of one would only show the model a repeated frame."""
        while True:
            waiting = {
                i.chunk
                for i in self._items
                if isinstance(i, PendingFrame) and i.chunk != self._begun
            }
            if len(waiting) <= self.backlog_chunks + 1:
                return
            oldest = min(waiting)
            kept = [
                i for i in self._items if not (isinstance(i, PendingFrame) and i.chunk == oldest)
            ]
            self._dropped_frames += len(self._items) - len(kept)
            self._dropped_chunks += 1
            self._items = deque(kept)
