"""Frames and questions in, chunks out: each chunk with the question that belongs to it.

Sampling, the queue of chunks and the queue of questions are here and nowhere else. Replay uses this
class directly. Live running puts a lock and a limit around it (`live/inbox.py`). Time is the stamps
of the frames.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from aura_core.config import SamplingConfig
from aura_core.errors import InputError
from aura_core.stream.attribution import stands
from aura_core.stream.sampling import PER_CHUNK, ChunkSampler
from aura_core.types import NS, Chunk, Frame, Query
from aura_core.words import is_blank


@dataclass(frozen=True)
class Waiting:
    """A question that waits.

    `first`: the first chunk that may take it. `since_ns`: when it came, by the clock that `expire`
    is asked with; None where that clock has not begun, or has begun anew since.
    """

    query: Query
    first: int
    since_ns: int | None


class Intake:
    """The closed chunks and the questions of one stream that wait for a step.

    Args:
        sampling: how frames become chunks.
        max_questions: most questions that may wait; watches do not count.
        at_once: a question is asked on the newest closed chunk, and does not wait for the next.
    """

    def __init__(self, sampling: SamplingConfig, max_questions: int, at_once: bool = True) -> None:
        self.sampler = ChunkSampler(sampling)
        self.max_questions, self.at_once = max_questions, at_once
        self._chunks: deque[Chunk] = deque()
        self._questions: deque[Waiting] = deque()
        self._last: Chunk | None = None  # the chunk and the question that were taken last
        self._taken: Waiting | None = None

    # ---- in ----------------------------------------------------------------------------------

    def push(self, frame: Frame) -> None:
        """Take a frame; it may close a chunk."""
        restarts = self.sampler.counters.restarts
        self._close(self.sampler.push(frame))
        if self.sampler.counters.restarts > restarts:
            self._questions = deque(replace(w, since_ns=None) for w in self._questions)

    def flush(self) -> None:
        """Close the half-filled chunk, because the stream has ended or paused."""
        self._close(self.sampler.flush())

    def ask(self, query: Query, first: int | None = None, since_ns: int | None = None) -> None:
        """Queue a question.

        A question with a stamp belongs to the chunk of that stamp. A question without one belongs
        to chunk `first`, or to the chunk that is being filled when `first` is None. `since_ns`: see
        `Waiting`; the stamp of the newest frame when None.

        Raises:
            InputError: the question is empty or no text, or too many questions wait.
        """
        self.check(query)
        first = self.sampler.next_chunk if first is None else first
        if since_ns is None:
            begun = self.sampler.counters.frames > 0
            newest_ns = self.sampler.newest_ns if begun else None
            since_ns = newest_ns if query.stamp_ns is None else query.stamp_ns
        self._questions.append(Waiting(query, first, since_ns))

    def check(self, query: Query) -> None:
        """Raise the `InputError` that `ask` would raise."""
        check_question(query, self.questions, self.max_questions)

    def give_back(self, query: Query) -> None:
        """Queue the question that was taken last again, before all others: its step failed.

        It waits for the next chunk, and its time to live goes on.
        """
        self._last = None
        taken = self._taken
        since_ns = taken.since_ns if taken and taken.query is query else self.sampler.newest_ns
        self._questions.appendleft(Waiting(query, 0, since_ns))

    def follow(self, query: Query, since_ns: int | None = None) -> None:
        """Queue the result of a call before all questions; `since_ns`: as for `ask`.

        It is asked on the newest closed chunk (`at_once`), or on the next one.
        """
        self._questions.appendleft(Waiting(query, 0, since_ns or self.sampler.newest_ns))

    def remove(self, query_id: str) -> bool:
        """Remove a waiting question. Returns False when none has this id."""
        for waiting in self._questions:
            if waiting.query.id == query_id:
                self._questions.remove(waiting)
                return True
        return False

    def remove_all(self) -> list[Query]:
        """Remove and return all questions that wait."""
        left = self.questions
        self._questions.clear()
        return left

    def expire(self, now_ns: int, ttl_s: float) -> list[Query]:
        """Remove and return the questions that have waited longer than `ttl_s`; watches wait on."""
        if self.sampler.counters.frames:
            self._questions = deque(
                replace(w, since_ns=now_ns) if w.since_ns is None else w for w in self._questions
            )
        late = [
            w
            for w in self._questions
            if w.since_ns is not None
            and now_ns - w.since_ns > round(ttl_s * NS)
            and not stands(w.query)
        ]
        for waiting in late:
            self._questions.remove(waiting)
        return [waiting.query for waiting in late]

    # ---- out ---------------------------------------------------------------------------------

    @property
    def ready(self) -> int:
        """Closed chunks that wait."""
        return len(self._chunks)

    @property
    def questions(self) -> list[Query]:
        """The questions that wait, oldest first."""
        return [waiting.query for waiting in self._questions]

    @property
    def oldest(self) -> Chunk | None:
        """The chunk that `take` returns next; None when none waits."""
        return self._chunks[0] if self._chunks else None

    @property
    def newest(self) -> Chunk | None:
        """The newest closed chunk that waits; None when none does."""
        return self._chunks[-1] if self._chunks else None

    def take_chunk(self) -> Chunk:
        """Remove and return the oldest chunk. Its question waits for the next chunk."""
        self._last = self._chunks.popleft()
        return self._last

    def take(self) -> tuple[Chunk, Query | None]:
        """Remove and return the oldest chunk with the oldest question that is due in it.

        A chunk takes at most one question. With `at_once`, only the newest chunk takes one; further
        questions of its time come out of `due`.
        """
        chunk = self.take_chunk()
        if self.at_once and self._chunks:
            return chunk, None
        return chunk, self._pop(lambda w: self._belongs(w, chunk))

    def due(self) -> Query | None:
        """Remove and return the oldest question that is to be asked now, on the chunk that was
        taken last; None when there is none, when a chunk waits, or without `at_once`."""
        last = self._last
        if not self.at_once or last is None or self._chunks:
            return None
        return self._pop(lambda w: self._belongs(w, last))

    @property
    def has_due(self) -> bool:
        """Whether `due` would return a question."""
        last = self._last
        if not self.at_once or last is None or self._chunks:
            return False
        return any(self._belongs(w, last) for w in self._questions)

    def _belongs(self, waiting: Waiting, chunk: Chunk) -> bool:
        """Whether a question may be asked in this chunk.

        With `at_once` that is the newest closed chunk when the question came. The next one is still
        being filled then, so the question comes up to half a second after the chunk's end; one that
        comes later has missed a chunk without frames, and waits.
        """
        stamp_ns = waiting.query.stamp_ns
        if stamp_ns is None:
            return self.at_once or chunk.index >= waiting.first
        grace_ns = (chunk.end_ns - chunk.start_ns) // PER_CHUNK if self.at_once else -1
        return stamp_ns <= chunk.end_ns + grace_ns

    def _pop(self, belongs: Callable[[Waiting], bool]) -> Query | None:
        for waiting in self._questions:
            if belongs(waiting):
                self._questions.remove(waiting)
                self._taken = waiting
                return waiting.query
        return None

    def _close(self, chunk: Chunk | None) -> None:
        if chunk is not None:
            self._chunks.append(chunk)


def check_text(text: str, max_chars: int = 0) -> None:
    """Raise `InputError` when the text of a question is empty, too long, or no text.

    `max_chars`: most characters; 0: no limit.
    """
    if is_blank(text):
        raise InputError("the question is empty")
    if 0 < max_chars < len(text):
        raise InputError(
            f"the question has {len(text)} characters; at most {max_chars} are allowed"
            " (generation.max_question_chars)"
        )
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise InputError("the question has half a surrogate pair, which is no character")


def check_question(query: Query, waiting: Iterable[Query], limit: int) -> None:
    """Raise `InputError` when `check_text` does, or when `limit` questions wait already.

    Watches do not count, and are never too many here.
    """
    check_text(query.text)
    questions = sum(not stands(q) for q in waiting)
    if questions >= limit and not stands(query):
        raise InputError(
            f"{questions} questions are waiting already; ask again when they are answered"
        )
