"""Requests to the model that are no part of the conversation, answered in idle time: notes.

A request stands behind everything in the deciding cache, as a user turn without video, and its
answer is generated one token a piece of work. Whatever the stream does next takes both out again,
exactly (`KVStream.aside`); the answer then goes on behind the newest chunk. So the pictures that a
note is about are in the cache already, and decisions are the same to the bit with and without it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from aura_core.errors import AuraError
from aura_core.models.backend import Tokens
from aura_core.stream.cache.kv_stream import KVStream
from aura_core.stream.prompt import PromptCodec

FAILURES = 2  # of the model, after which a request is given up


@dataclass(eq=False)
class Aside:
    """One request.

    Attributes:
        request: returns its text; called whenever it is put behind the newest chunk.
        most: most tokens of the answer.
        done: called with the answer; "" where the model was silent, or failed.
        ids: token ids of the answer so far.
    """

    request: Callable[[], str]
    most: int
    done: Callable[[str], None]
    ids: list[int] = field(default_factory=list)
    failures: int = 0


@dataclass
class AsideCounters:
    """What was spent since the last reset."""

    tokens: int = 0  # prefilled
    forwards: int = 0  # calls of the language model
    preempted: int = 0  # times that a chunk came before an answer was complete


class Asides:
    """The requests that wait, oldest first."""

    def __init__(self, codec: PromptCodec) -> None:
        self._codec = codec
        # The first of several tokens of a marker may be an ordinary word.
        silent = codec.silence if len(codec.silence) == 1 else ()
        self._ends = (codec.chat.end_id, *silent)
        self._jobs: deque[Aside] = deque()
        self._on: KVStream | None = None  # where the first request stands
        self.counters = AsideCounters()

    def add(self, job: Aside) -> None:
        """Answer `job` after those that wait."""
        self._jobs.append(job)

    def drop(self, job: Aside) -> None:
        """Give a request up, if it waits."""
        if job in self._jobs:
            if job is self._jobs[0] and self._on is not None:
                self._on.back()
            self._jobs.remove(job)

    def work(self, kv: KVStream) -> int:
        """Do one call of the model for the oldest request, on the deciding stream.

        Returns the number of tokens prefilled; 0 where nothing waits.

        Raises:
            AuraError: the model failed. The request is tried again later, or given up.
        """
        if not self._jobs:
            return 0
        job = self._jobs[0]
        if kv.is_aside and self._on is kv and job.ids:
            piece = Tokens((job.ids[-1],))
        else:
            self.counters.preempted += bool(job.ids)
            request = self._codec.noting(job.request())
            piece = Tokens((*request.ids, *job.ids))
            kv.back()
        before, prefilled = kv.session.forwards, kv.prefilled
        try:
            token = int(kv.aside([piece]).argmax())
        except AuraError:
            job.failures += 1
            if job.failures >= FAILURES:
                self._finish(kv, job, "")
            raise
        finally:
            self.counters.forwards += kv.session.forwards - before
            tokens = kv.prefilled - prefilled
            self.counters.tokens += tokens
        self._on = kv
        if token not in self._ends:
            job.ids.append(token)
        if token in self._ends or len(job.ids) >= job.most:
            text = self._codec.words(self._codec.text(job.ids), final=True)
            self._finish(kv, job, text)
        return tokens

    def _finish(self, kv: KVStream, job: Aside, text: str) -> None:
        kv.back()
        self._jobs.remove(job)
        job.done(text)
