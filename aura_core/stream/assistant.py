"""The core loop: one chunk in, one decision out.

    Frame -> Chunker -> Chunk -> DualWindow -> PromptCodec -> Session.prefill -> Decider -> silent | speak

`StreamingAssistant` holds one stream's state and no clock: time is the frames' stamps, so a replay gives
the very decisions of the live run.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from aura_core.config import AssistantConfig
from aura_core.errors import InputError
from aura_core.models.backend import Backend, Piece, Tokens, Video
from aura_core.stream.chunker import Chunker
from aura_core.stream.decision import Decider
from aura_core.stream.gate import StaticGate
from aura_core.stream.ledger import Ledger
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.window import DualWindow, Turn, tokens_in
from aura_core.types import Chunk, Decision, Frame, Query, Response, Step

OnText = Callable[[str], None]


class StreamingAssistant:
    """Watches one stream.

    Args:
        backend: an opened model (`aura_core.models.load`).
        config: settings; the defaults when None.
        backlog: most closed chunks that may wait for `step`; older ones are dropped and counted in
            `dropped_chunks`. None (replay) keeps all.
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
        self.decider.reset()
        self.gate = StaticGate(self.backend.encode, self.config.gate)
        self.chunker = Chunker(self.config.chunker)
        self.window = DualWindow(self.config.window)
        self.ledger = Ledger()
        self.session = self.backend.open()
        self.dropped_chunks = 0
        self._pending: deque[Chunk] = deque()
        self._questions: deque[Query] = deque()
        self._tail: Tokens | None = None  # end of the previous turn, not yet in the cache
        self._asked = 0
        self._cancelled = False

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

    def cancel(self) -> None:
        """End the answer that is being spoken (from any thread); what was said stays in the history."""
        self._cancelled = True

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
        chunk = self._pending.popleft()
        asked = self._take_question(chunk)
        start, forwards = time.perf_counter(), self.session.forwards
        encodes = self.gate.encodes
        video = self.gate.encode(chunk)
        pieces, switched = self._next_pieces()
        pieces += self.codec.user(video, asked.text if asked else None)
        decision = self.decider.decide(self.session.prefill(pieces), chunk.stamp_ns, asked is not None)
        decided = time.perf_counter()
        answer_ids, cached = (None, 0) if decision.silent else self._speak(decision, on_text)
        response = self._close_turn(chunk, video, asked, answer_ids, cached)
        end = time.perf_counter()
        return Step(
            chunk=chunk.index, stamp_ns=chunk.stamp_ns, decision=decision, response=response,
            question=asked.text if asked else None, question_id=asked.id if asked else None,
            step_ms=(end - start) * 1e3, decide_ms=(decided - start) * 1e3,
            prefill_tokens=tokens_in(pieces), vision_encodes=self.gate.encodes - encodes,
            decode_tokens=len(answer_ids or ()), forwards=self.session.forwards - forwards,
            window_chunks=len(self.window.turns), window_tokens=self.session.length, switched=switched,
        )  # fmt: skip

    def _next_pieces(self) -> tuple[list[Piece], bool]:
        """What goes before the new user turn: the previous turn's tail, or a new window."""
        if self.window.full:
            self.window.switch(self.ledger.open_ids())
            self.session.rollback(0)
            return self.window.pieces(self.codec), True
        if self._tail is None:
            return [self.codec.head(self.window.history)], False
        return [self._tail], False

    def _speak(self, decision: Decision, on_text: OnText | None) -> tuple[tuple[int, ...], int]:
        """Greedy decode from the decided first token; returns the answer's ids and how many are cached."""
        self._cancelled = False
        ids = [decision.token_id]
        while True:
            if on_text is not None:
                on_text(self.codec.text(ids))
            if len(ids) >= self.config.speaker.max_new_tokens or self._cancelled:
                return tuple(ids), len(ids) - 1
            token = int(self.session.prefill([Tokens((ids[-1],))]).argmax())
            if token in self.decider.silent_ids:
                return tuple(ids), len(ids)
            ids.append(token)

    def _close_turn(
        self, chunk: Chunk, video: Video, asked: Query | None, answer_ids: tuple[int, ...] | None, cached: int
    ) -> Response | None:
        """Book the answer, append the turn, and leave its end for the next prefill."""
        text = self.codec.text(answer_ids) if answer_ids is not None else None
        response = None
        if text is not None:
            b = self.ledger.book(text, asked)
            response = Response(text, b.kind, b.query_id, b.index, b.acknowledgment, chunk.stamp_ns)
        turn = Turn(
            chunk.index, video, asked.id if asked else None, asked.text if asked else None,
            answer_ids, text, response.query_id if response else None,
        )  # fmt: skip
        self._tail = Tokens(self.codec.assistant(answer_ids).ids[cached:])
        self.window.append(turn)
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
