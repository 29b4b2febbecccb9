"""What waits for the model's thread: chunks, questions and calls of one stream. Thread-safe.

Callbacks only store things here. Frames are sampled by their stamps as they come, and converted
later on the model's thread, so a 30 Hz camera costs two conversions a second. The queue is bounded:
when the model is too slow, the oldest chunks are dropped and counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from aura_core.config import SamplingConfig, WatchConfig
from aura_core.errors import InputError
from aura_core.stream.attribution import stands
from aura_core.stream.engine import StreamEngine
from aura_core.stream.intake import Intake, check_question, check_text
from aura_core.stream.sampling import StampClock
from aura_core.types import NS, Chunk, Frame, Query

MakeFrame = Callable[[], Frame]
T = TypeVar("T")
GRACE_NS = NS // 4
STOPPING = "the assistant is stopping"
RESTING = "the assistant is inactive"


@dataclass(eq=False)
class PendingFrame:
    """A frame that was sampled and is not converted yet."""

    stamp_ns: int
    make: MakeFrame
    arrived_ns: int
    made: Frame | None = None

    def frame(self) -> Frame:
        """The frame; it is converted once. Raises `InputError` when it cannot be converted."""
        if self.made is None:
            made = self.make().checked()
            self.made = replace(made, stamp_ns=self.stamp_ns, arrived_ns=self.arrived_ns)
        return self.made


@dataclass(frozen=True, eq=False)
class Asked:
    """A question that was not admitted yet.

    `done` gets the question with its id, or the `InputError` of its refusal.
    """

    query: Query
    first: int  # the chunk that was being filled when it came
    came_ns: int = field(default_factory=time.monotonic_ns)  # by the machine's steady clock
    done: Future[Query] = field(default_factory=Future)


@dataclass(frozen=True, eq=False)
class Call(Generic[T]):
    """Work to do with the engine between two steps; `done` gets what it returns or raises."""

    work: Callable[[StreamEngine], T]
    done: Future[T] = field(default_factory=Future)


@dataclass(frozen=True)
class InboxCounters:
    """Counters since the inbox was opened.

    Dropped frames and chunks were sampled, but the model was too slow for them. A lost chunk is a
    second without a usable frame.
    """

    received_frames: int = 0
    dropped_frames: int = 0
    dropped_chunks: int = 0
    lost_chunks: int = 0
    clock_restarts: int = 0  # the stamps jumped; seconds are counted on
    stuck_stamps: int = 0  # frames whose stamp stood still; the time of arrival goes on


class Inbox:
    """The inbox of one stream.

    Args:
        sampling: how frames become chunks.
        backlog_chunks: most closed chunks that may wait.
        max_questions: most questions, and most calls, that may wait.
        max_watches: most watches that may wait; those that are open are not known here.
        max_chars: most characters of a question or watch; 0: no limit.
        changed: notified whenever something comes; all streams of a host share it.
    """

    def __init__(
        self,
        sampling: SamplingConfig,
        backlog_chunks: int,
        max_questions: int,
        changed: threading.Condition | None = None,
        at_once: bool = True,
        max_watches: int = WatchConfig.max_open,
        max_chars: int = 0,
    ) -> None:
        self.backlog_chunks, self.max_questions = backlog_chunks, max_questions
        self.max_watches, self.max_chars = max_watches, max_chars
        self._sampling, self._at_once = sampling, at_once
        self._changed = changed or threading.Condition()
        self.open()

    def open(self) -> None:
        """Begin empty: nothing waits, and all counters are zero."""
        with self._changed:
            self._intake = Intake(self._sampling, self.max_questions, self._at_once)
            self._asked: deque[Asked] = deque()
            self._calls: deque[Call[Any]] = deque()
            self._received = self._dropped_frames = self._dropped_chunks = self._unusable = 0
            self._closed = self._rests = False
            self._clock = StampClock()
            self._newest: PendingFrame | None = None  # the newest frame, taken or not
            # when the newest frame came, by the machine's steady clock; None before the first
            self.arrived_s: float | None = None

    def close(self) -> list[Query]:
        """Take nothing more, and refuse the questions and calls that wait.

        Removes and returns the questions that were admitted and not asked yet; the caller tells
        that they are refused.
        """
        with self._changed:
            self._closed = True
            left = self._intake.remove_all()
            futures = [*(a.done for a in self._asked), *(c.done for c in self._calls)]
            self._asked.clear()
            self._calls.clear()
            self._changed.notify_all()
        _refuse(futures, STOPPING)
        return left

    def rest(self) -> list[Query]:
        """Take no frames and questions until `wake`. Chunks that wait are dropped; watches stay.

        Removes and returns the questions that were admitted and not asked yet; the caller tells
        that they are refused. Seconds are counted on, and calls are still made.
        """
        with self._changed:
            self._rests = True
            self._intake.flush()
            while self._intake.ready:
                self._intake.take_chunk()
            left = self._intake.remove_all()
            for watch in reversed([q for q in left if stands(q)]):
                self._intake.give_back(watch)
            futures = [a.done for a in self._asked if not stands(a.query)]
            self._asked = deque(a for a in self._asked if stands(a.query))
        _refuse(futures, RESTING)
        return [q for q in left if not stands(q)]

    def wake(self) -> None:
        """Take frames and questions again."""
        with self._changed:
            self._rests = False
            self._newest, self.arrived_s = None, None

    def limit(self, max_questions: int) -> None:
        """Let so many questions, and calls, wait from now on."""
        with self._changed:
            self.max_questions = self._intake.max_questions = max_questions

    # ---- in: from any thread -----------------------------------------------------------------

    def offer(self, stamp_ns: int, make: MakeFrame) -> bool:
        """Store a frame if the sampling takes it. Returns whether it did.

        `make` converts the frame later, on the model's thread.
        """
        with self._changed:
            self._received += 1
            self.arrived_s = time.monotonic()
            arrived_ns = time.monotonic_ns()
            stamp_ns = self._clock.of(stamp_ns, arrived_ns)
            self._newest = PendingFrame(stamp_ns, make, arrived_ns)
            idle = self._closed or self._rests
            if idle or not self._intake.sampler.wants(stamp_ns, arrived_ns):
                return False
            self._take(self._newest)
            return True

    def hold(self) -> None:
        """Let the newest picture stand for the half seconds that have passed without a frame.

        Does nothing without `sampling.hold_s`. A half second is waited for half of it more: its
        frame may be on the way.
        """
        if self._sampling.hold_s is None:
            return
        with self._changed:
            newest, now_ns = self._newest, time.monotonic_ns()
            if newest is None or self._closed or self._rests:
                return
            until_ns = newest.stamp_ns + now_ns - newest.arrived_ns - GRACE_NS
            for stamp_ns in self._intake.sampler.empty(until_ns, newest.stamp_ns):
                arrived_ns = newest.arrived_ns + stamp_ns - newest.stamp_ns
                self._take(PendingFrame(stamp_ns, newest.frame, arrived_ns))

    def _take(self, frame: PendingFrame) -> None:
        self._intake.push(frame)  # type: ignore[arg-type]
        while self._intake.ready > self.backlog_chunks:
            dropped = self._intake.take_chunk()
            self._dropped_frames += len(set(map(id, dropped.frames)))
            self._dropped_chunks += 1
        self._changed.notify_all()

    def ask(self, query: Query | str) -> Future[Query]:
        """Store a question.

        The future gives the question with its id once the model's thread has admitted it, or the
        `InputError` of its refusal.

        Raises `InputError` at once when the question is no text or too long, too many questions or
        watches wait, or the inbox is closed.
        """
        query = Query(query) if isinstance(query, str) else query
        check_text(query.text, self.max_chars)
        with self._changed:
            waiting = [*(a.query for a in self._asked), *self._intake.questions]
            check_question(query, waiting, self.max_questions)
            watches = sum(map(stands, waiting))
            if stands(query) and watches >= self.max_watches:
                raise InputError(
                    f"{watches} watches are waiting already; at most {self.max_watches} may be open"
                    " (watch.max_open)"
                )
            if self._closed:
                raise InputError(STOPPING)
            if self._rests and not stands(query):
                raise InputError(RESTING)
            asked = Asked(query, self._intake.sampler.next_chunk)
            self._asked.append(asked)
            self._changed.notify_all()
            return asked.done

    def follow(self, query: Query) -> str:
        """Store the result of a call, before all questions. Returns why it is not taken, or ""."""
        with self._changed:
            if self._closed or self._rests:
                return STOPPING if self._closed else RESTING
            self._intake.follow(query, time.monotonic_ns())
            self._changed.notify_all()
            return ""

    def call(self, work: Callable[[StreamEngine], T]) -> Future[T]:
        """Let the model's thread do `work` between two steps.

        The future gives its result. It raises `InputError` when too many calls wait, or when the
        host ends first.
        """
        call = Call(work)
        with self._changed:
            if self._closed:
                call.done.set_exception(InputError(STOPPING))
            elif len(self._calls) >= self.max_questions:
                call.done.set_exception(
                    InputError("too many requests are waiting already; try again later")
                )
            else:
                self._calls.append(call)
                self._changed.notify_all()
        return call.done

    def take_back(self, query_id: str) -> bool:
        """Remove a question that was admitted and not asked yet; False when there is none."""
        with self._changed:
            return self._intake.remove(query_id)

    def end_of_frames(self) -> None:
        """Close the half-filled chunk without waiting for its second frame."""
        with self._changed:
            self._intake.flush()
            self._changed.notify_all()

    def counters(self) -> InboxCounters:
        """A consistent snapshot of the counters."""
        with self._changed:
            sampled = self._intake.sampler.counters
            return InboxCounters(
                self._received,
                self._dropped_frames,
                self._dropped_chunks,
                max(0, sampled.lost_chunks + self._unusable),
                sampled.restarts,
                self._clock.stuck,
            )

    # ---- out: on the model's thread ----------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """Whether a question, a call or a chunk waits."""
        intake = self._intake
        return bool(self._asked or self._calls or intake.ready or intake.has_due)

    @property
    def ready(self) -> int:
        """Closed chunks that wait."""
        return self._intake.ready

    def admit(self, admit: Callable[[Query, list[Query]], Query]) -> list[tuple[Asked, Query]]:
        """Pass every new question through `admit(query, waiting)`.

        Returns the admitted questions; the caller sets their futures. The refused ones have their
        `InputError` already.
        """
        admitted = []
        while True:
            with self._changed:
                if not self._asked:
                    return admitted
                asked, waiting = self._asked.popleft(), self._intake.questions
            try:
                query = admit(asked.query, waiting)
            except InputError as e:
                asked.done.set_exception(e)
                continue
            with self._changed:
                self._intake.ask(query, asked.first, asked.came_ns)
            admitted.append((asked, query))

    def calls(self) -> list[Call[Any]]:
        """Remove and return the calls that wait."""
        with self._changed:
            calls = list(self._calls)
            self._calls.clear()
            return calls

    def take(self) -> tuple[Chunk, Query | None] | None:
        """Remove and return the oldest chunk with its question; None when none waits.

        Its frames are not converted yet.
        """
        with self._changed:
            return self._intake.take() if self._intake.ready and not self._closed else None

    def due(self) -> Query | None:
        """Remove and return the question that is to be asked on the newest chunk; see `Intake`."""
        with self._changed:
            return None if self._closed else self._intake.due()

    def expire(self, ttl_s: float) -> list[Query]:
        """Remove and return the questions that have waited longer than `ttl_s` for a chunk."""
        with self._changed:
            return self._intake.expire(time.monotonic_ns(), ttl_s)

    @property
    def questions(self) -> bool:
        """Whether a question waits for a chunk."""
        return bool(self._intake.questions)

    def take_chunk(self) -> Chunk:
        """Remove and return the oldest chunk. Its question waits for the next chunk."""
        with self._changed:
            return self._intake.take_chunk()

    def newest(self) -> Chunk | None:
        """The newest closed chunk that waits; None when none does."""
        with self._changed:
            return self._intake.newest

    def give_back(self, query: Query) -> None:
        """Queue a question again, before all others, because its step failed."""
        with self._changed:
            self._intake.give_back(query)

    def unusable(self) -> None:
        """Count a chunk of which no frame could be converted as lost."""
        with self._changed:
            self._unusable += 1


def _refuse(futures: list[Future[Any]], reason: str) -> None:
    """Call it without the inbox's lock: a callback of a future may use the inbox."""
    for future in futures:
        future.set_exception(InputError(reason))


def convert(chunk: Chunk, report: Callable[[InputError], None]) -> Chunk | None:
    """The chunk with its frames converted; None when no frame could be.

    A frame that cannot be converted is reported, and the chunk's other frame takes its place.
    """
    made: dict[int, Frame | None] = {}
    for pending in chunk.frames:
        if id(pending) not in made:
            try:
                made[id(pending)] = pending.frame()  # type: ignore[attr-defined]
            except InputError as e:
                report(e)
                made[id(pending)] = None
    frames = [made[id(pending)] for pending in chunk.frames]
    good = [f for f in frames if f is not None]
    if not good:
        return None
    missing = sum(f is None for f in made.values())
    usable = tuple(f if f is not None else good[0] for f in frames)
    return replace(chunk, frames=usable, repeated=chunk.repeated + missing)
