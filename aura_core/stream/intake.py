"""Frames and questions in, chunks out: each chunk with the question that belongs to it.

Sampling, the queue of chunks and the queue of questions are here and nowhere else. Replay uses this
class directly. Live running puts a lock and a limit around it (`live/inbox.py`). Time is the stamps
of the frames.
"""

from __future__ import annotations

from collections import deque

from aura_core.config import SamplingConfig
from aura_core.errors import InputError
from aura_core.stream.sampling import ChunkSampler
from aura_core.types import Chunk, Frame, Query


class Intake:
    """The closed chunks and the questions of one stream that wait for a step.

    Args:
        sampling: how frames become chunks.
        max_questions: most questions that may wait.
    """

    def __init__(self, sampling: SamplingConfig, max_questions: int) -> None:
        self.sampler = ChunkSampler(sampling)
        self.max_questions = max_questions
        self._chunks: deque[Chunk] = deque()
        self._questions: deque[tuple[Query, int]] = deque()  # with the first chunk that may take it

    # ---- in ----------------------------------------------------------------------------------

    def push(self, frame: Frame) -> None:
        """Take a frame; it may close a chunk."""
        self._close(self.sampler.push(frame))

    def flush(self) -> None:
        """Close the half-filled chunk, because the stream has ended or paused."""
        self._close(self.sampler.flush())

    def ask(self, query: Query, first: int | None = None) -> None:
        """Queue a question.

        A question with a stamp belongs to the chunk of that stamp. A question without one belongs
        to chunk `first`, or to the chunk that is being filled when `first` is None.

        Raises:
            InputError: the question is empty, or too many questions wait.
        """
        self.check(query)
        self._questions.append((query, self.sampler.next_chunk if first is None else first))

    def check(self, query: Query) -> None:
        """Raise the `InputError` that `ask` would raise."""
        check_question(query.text, len(self._questions), self.max_questions)

    def give_back(self, query: Query) -> None:
        """Queue a question again, before all others, because its step failed."""
        self._questions.appendleft((query, 0))

    def remove(self, query_id: str) -> bool:
        """Remove a waiting question. Returns False when none has this id."""
        for waiting in self._questions:
            if waiting[0].id == query_id:
                self._questions.remove(waiting)
                return True
        return False

    # ---- out ---------------------------------------------------------------------------------

    @property
    def ready(self) -> int:
        """Closed chunks that wait."""
        return len(self._chunks)

    @property
    def questions(self) -> list[Query]:
        """The questions that wait, oldest first."""
        return [query for query, _ in self._questions]

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
        return self._chunks.popleft()

    def take(self) -> tuple[Chunk, Query | None]:
        """Remove and return the oldest chunk with the oldest question that is due at its end.

        A chunk takes at most one question. Further ones wait for the next chunk.
        """
        chunk = self._chunks.popleft()
        for waiting in self._questions:
            query, first = waiting
            due = chunk.index >= first if query.stamp_ns is None else query.stamp_ns < chunk.end_ns
            if due:
                self._questions.remove(waiting)
                return chunk, query
        return chunk, None

    def _close(self, chunk: Chunk | None) -> None:
        if chunk is not None:
            self._chunks.append(chunk)


def check_question(text: str, waiting: int, limit: int) -> None:
    """Raise `InputError` when a question is empty, or when `waiting` has reached `limit`."""
    if not text.strip():
        raise InputError("the question is empty")
    if waiting >= limit:
        raise InputError(
            f"{waiting} questions are waiting already; ask again when they are answered"
        )
