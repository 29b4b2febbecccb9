"""The core loop: one chunk in, one decision out.

    Frame -> Chunker -> Chunk -> PromptCodec -> window policy -> Decider -> silent | speak

`StreamingAssistant` holds one stream's state and no clock: time is the frames' stamps, so a replay gives
the very decisions of the live run.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from aura_core.config import AssistantConfig
from aura_core.errors import InputError
from aura_core.models.backend import Backend, Session, Video
from aura_core.stream.chunker import Chunker
from aura_core.stream.decision import Decider
from aura_core.stream.ledger import Ledger
from aura_core.stream.policies import POLICIES
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.window import DualWindow, Turn
from aura_core.types import Chunk, Decision, Frame, Query, Response, Step

OnText = Callable[[str], None]


class Cancel(Enum):
    """How an answer under way was ended."""

    KEEP = "keep"
    DISCARD = "discard"


@dataclass(frozen=True)
class Answer:
    """Ids of an answer, of which the first `cached` are in the cache."""

    ids: tuple[int, ...]
    cached: int


class StreamingAssistant:
    """Watches one stream.

    Args:
        backend: an opened model (`aura_core.models.load`).
        config: settings; the defaults when None.
        backlog: None (replay) is lockstep: every chunk is decided and `step` ends with the background work.
            A number (live) is the most closed chunks that may wait: older ones are dropped and counted in
            `dropped_chunks`, only the newest of those waiting decides, and the caller gives idle time to `idle`.
    """

    def __init__(self, backend: Backend, config: AssistantConfig | None = None, backlog: int | None = None) -> None:
        self.backend = backend
        self.config = config or AssistantConfig()
        self.backlog = backlog
        self.codec = PromptCodec(backend.tokenizer, backend.chat, self.config.system_prompt)
        self.decider = Decider(self.config.decider, backend.chat)
        self.reset()

    def reset(self) -> None:
        """Forget everything: frames, questions, window and cache."""
        self.chunker = Chunker(self.config.chunker)
        policy = POLICIES[self.config.window.policy]
        self.policy = policy(self.backend.open, self.codec, self.config.window)
        self.ledger = Ledger()
        self.dropped_chunks = 0
        self._pending: deque[Chunk] = deque()
        self._questions: deque[Query] = deque()
        self._asked = 0
        self._cancelled: Cancel | None = None

    @property
    def window(self) -> DualWindow:
        """Turns in view and the text of those that left."""
        return self.policy.window

    @property
    def session(self) -> Session:
        """The cache that the next decision is made on."""
        return self.policy.lane.session

    # ---- input: cheap, never touches the model ------------------------------------------------

    def push(self, frame: Frame) -> None:
        """Take a frame. Raises `InputError` unless it is RGB uint8 (height, width, 3)."""
        image = frame.image
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != "uint8" or 0 in image.shape:
            raise InputError(f"a frame must be uint8 (height, width, 3), not {image.dtype} {image.shape}")
        self._queue(self.chunker.push(frame))

    def flush(self) -> None:
        """The stream has ended: close the half-filled chunk."""
        self._queue(self.chunker.flush())

    def ask(self, query: Query | str) -> Query:
        """Queue a question; returns it with its id. Raises `InputError` when it is empty or too long."""
        query = Query(query) if isinstance(query, str) else query
        limits = self.config.speaker
        if not query.text.strip():
            raise InputError("the question is empty")
        if len(self._questions) >= limits.max_pending_questions:
            raise InputError(f"{len(self._questions)} questions are waiting already; ask again when they are answered")
        tokens = self.codec.question_tokens(query.text)
        if tokens > limits.max_question_tokens:
            raise InputError(f"the question has {tokens} tokens; at most {limits.max_question_tokens} are allowed")
        if not query.id:
            self._asked += 1
            query = replace(query, id=f"q{self._asked}")
        self._questions.append(query)
        return query

    def cancel(self, discard: bool = False) -> None:
        """End the answer that is being spoken (from any thread). What was said stays in the history; with
        `discard` nothing does: cache and history are as they were before its chunk."""
        self._cancelled = Cancel.DISCARD if discard else Cancel.KEEP

    def amend(self, chunk: int, said: str) -> bool:
        """What was really said aloud in `chunk`, when that was less than the answer ("" : nothing).

        The conversation goes on as if that had been the answer. False when the chunk is no longer in view or
        had no answer: then nothing changes.
        """
        for index, turn in enumerate(self.window.turns):
            if turn.chunk == chunk and turn.answer_ids is not None:
                ids = tuple(self.codec.tokenizer.encode(said)) or None
                amended = replace(turn, answer_ids=ids, answer=said or None, answer_id=turn.answer_id if said else None)
                self.policy.amend(index, amended, self.ledger.open_ids())
                return True
        return False

    def idle(self, busy: Callable[[], bool] = lambda: False) -> int:
        """Work ahead, a quantum of at most one chunk at a time, until nothing is left or `busy()` (live only)."""
        tokens = 0
        while not busy() and (done := self.policy.background()):
            tokens += done
        return tokens

    @property
    def ready(self) -> int:
        """Closed chunks that wait for `step`."""
        return len(self._pending)

    @property
    def next_chunk(self) -> Chunk | None:
        """The chunk that the next `step` decides; None when none waits."""
        return self._pending[0] if self._pending else None

    # ---- the step ----------------------------------------------------------------------------

    def step(self, on_text: OnText | None = None) -> Step | None:
        """Decide the oldest waiting chunk; None when there is none.

        `on_text` is called with the whole answer so far after each new token.
        """
        if not self._pending:
            return None
        start, forwards = time.perf_counter(), self.policy.forwards
        missed = self._catch_up()
        chunk = self._pending.popleft()
        asked = self._take_question(chunk)
        counters = replace(self.policy.counters)
        video = self.backend.encode(chunk)
        user = self.codec.user(video, asked.text if asked else None)
        decision = self.decider.decide(self.policy.enter(user, self.ledger.open_ids()))
        decided = time.perf_counter()
        answer = None if decision.silent else self._speak(decision, on_text)
        response = self._close_turn(chunk, video, asked, answer)
        end = time.perf_counter()
        now = self.policy.counters
        step = Step(
            chunk=chunk.index, stamp_ns=chunk.stamp_ns, decision=decision, response=response,
            question=asked.text if asked else None, question_id=asked.id if asked else None,
            step_ms=(end - start) * 1e3, decide_ms=(decided - start) * 1e3,
            prefill_tokens=now.critical_tokens - counters.critical_tokens, vision_encodes=1 + missed,
            decode_tokens=len(answer.ids) if answer else 0, forwards=self.policy.forwards - forwards,
            window_chunks=len(self.window.turns), window_tokens=self.session.length,
            switched=now.switches > counters.switches, missed_chunks=missed,
        )  # fmt: skip
        if self.backlog is None:
            self.idle()
        return step

    def _catch_up(self) -> int:
        """Live: chunks that closed during a long answer are seen, but only the newest decides. How many were."""
        missed = 0
        while self.backlog is not None and len(self._pending) > 1:
            chunk = self._pending.popleft()
            self.policy.add(Turn(chunk.index, self.backend.encode(chunk)), self.ledger.open_ids())
            missed += 1
        return missed

    def _speak(self, decision: Decision, on_text: OnText | None) -> Answer:
        """Greedy decode from the decided first token."""
        self._cancelled = None
        ids, lane = [decision.token_id], self.policy.lane
        while True:
            if on_text is not None:
                on_text(self.codec.text(ids))
            if len(ids) >= self.config.speaker.max_new_tokens or self._cancelled:
                return Answer(tuple(ids), len(ids) - 1)
            token = int(lane.decode(ids[-1]).argmax())
            if token in self.decider.silent_ids:
                return Answer(tuple(ids), len(ids))
            ids.append(token)

    def _close_turn(self, chunk: Chunk, video: Video, asked: Query | None, answer: Answer | None) -> Response | None:
        """Book the answer and append the turn; its end waits for the next prefill."""
        if answer is not None and self._cancelled is Cancel.DISCARD:
            self.policy.discard()
            self.ledger.forget(asked)
            return None
        text = self.codec.text(answer.ids) if answer else None
        response = None
        if text is not None:
            b = self.ledger.book(text, asked)
            response = Response(text, b.kind, b.query_id, b.index, b.acknowledgment, chunk.stamp_ns)
        turn = Turn(
            chunk.index, video, asked.id if asked else None, asked.text if asked else None,
            answer.ids if answer else None, text, response.query_id if response else None,
        )  # fmt: skip
        self.policy.leave(turn, answer.cached if answer else 0, self.ledger.open_ids())
        return response

    # ---- queues ------------------------------------------------------------------------------

    def _queue(self, chunk: Chunk | None) -> None:
        if chunk is None:
            return
        self._pending.append(chunk)
        while self.backlog is not None and len(self._pending) > self.backlog:
            self._pending.popleft()
            self.dropped_chunks += 1

    def _take_question(self, chunk: Chunk) -> Query | None:
        """The oldest question whose time has come; one a chunk, the others wait for the next."""
        for query in self._questions:
            if query.stamp_ns is None or query.stamp_ns < chunk.end_ns:
                self._questions.remove(query)
                self.ledger.ask(query)
                return query
        return None
