"""Frames and questions in, at any rate; chunks out, each with the question that belongs to it.

The one place where sampling, the queue of chunks and the queue of questions are. Replay uses it as
it is; live running puts a lock and a limit around it (`live/inbox.py`). Pure logic: time is the
stamps.
"""

from __future__ import annotations

from collections import deque

from aura_core.config import SamplingConfig
from aura_core.errors import InputError
from aura_core.stream.sampling import ChunkSampler
from aura_core.types import Chunk, Frame, Query


class Intake:
    """Closed chunks and questions of one stream that wait to be stepped.

    Args:
        sampling: how frames become chunks.
        max_questions: most questions that may wait.
    """

    def __init__(self, sampling: SamplingConfig, max_questions: int) -> None:
        self.sampler = ChunkSampler(sampling)
        self.max_questions = max_questions
        self._chunks: deque[Chunk] = deque()
        self._questions: deque[tuple[Query, int]] = deque()  # and the first chunk that may take it

    # ---- in ----------------------------------------------------------------------------------

    def push(self, frame: Frame) -> None:
        """Take a frame; it may close a chunk."""
        self._close(self.sampler.push(frame))

    def flush(self) -> None:
        """The stream has ended or paused: close the half-filled chunk."""
        self._close(self.sampler.flush())

    def ask(self, query: Query, first: int | None = None) -> None:
        """Take a question. One with a stamp belongs to the chunk of that stamp; one without to
        chunk `first`, or to the chunk that is being filled now. Raises `InputError` when it is
        empty or too many wait."""
        self.check(query)
        self._questions.append((query, self.sampler.next_chunk if first is None else first))

    def check(self, query: Query) -> None:
        """Raises `InputError` where `ask` would."""
        check_question(query.text, len(self._questions), self.max_questions)

    def give_back(self, query: Query) -> None:
        """A question whose step could not be made: the first to be asked again."""
        self._questions.appendleft((query, 0))

    def remove(self, query_id: str) -> bool:
        """Take a waiting question back; False when none has this id."""
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
        """The chunk that `take` gives next."""
        return self._chunks[0] if self._chunks else None

    @property
    def newest(self) -> Chunk | None:
        """The chunk that closed last, of those that wait."""
        return self._chunks[-1] if self._chunks else None

    def take_chunk(self) -> Chunk:
        """The oldest chunk alone; its question waits for the next one."""
        return self._chunks.popleft()

    def take(self) -> tuple[Chunk, Query | None]:
        """The oldest chunk, and the oldest question whose time has come by its end: one a chunk,
        the others wait for the next."""
        chunk = self._chunks.popleft()
        for waiting in self._questions:
            query, first = waiting
            due = chunk.index >= first if query.stamp_ns is None else query.stamp_ns < chunk.end_ns
            if due:
                self._questions.remove(waiting)
                return chunk, query
        return chunk, None

    def put_back(self, chunk: Chunk) -> None:
        """The chunk that was taken last waits again."""
        self._chunks.appendleft(chunk)

    def _close(self, chunk: Chunk | None) -> None:
        if chunk is not None:
            self._chunks.append(chunk)


def check_question(text: str, waiting: int, limit: int) -> None:
    """Raises `InputError` for an empty question, and for one more than may wait."""
    if not text.strip():
        raise InputError("the question is empty")
    if waiting >= limit:
        raise InputError(
            f"{waiting} questions are waiting already; ask again when they are answered"
        )
