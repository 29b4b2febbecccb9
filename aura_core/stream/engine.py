"""The core loop: one chunk in, one decision out.

    Frame -> ChunkSampler -> Chunk -> PromptCodec -> window policy -> Decider -> silent | speak

`StreamEngine` holds one stream's state and no clock: time is the frames' stamps, so a replay
gives the very decisions of the live run.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from aura_core.config import AssistantConfig
from aura_core.errors import AuraError, InputError
from aura_core.models.backend import Backend, Session, Tokens, Video
from aura_core.stream import yes_no
from aura_core.stream.attribution import Attribution
from aura_core.stream.cache.policies import POLICIES
from aura_core.stream.decision import Decider
from aura_core.stream.gate import StaticGate
from aura_core.stream.generation import Answer, Cancel, OnText, Speaker
from aura_core.stream.prefix import QAGroup
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.questions import QuestionQueue
from aura_core.stream.sampling import ChunkSampler
from aura_core.stream.watches import Watches
from aura_core.stream.window import DualWindow, Turn, check_context, tokens_in
from aura_core.types import Chunk, Decision, Frame, Query, Response, Step


class StreamEngine:
    """Watches one stream.

    Args:
        backend: an opened model (`aura_core.models.load`).
        config: settings; the defaults when None.
        backlog: None (replay) is lockstep: every chunk is decided and `step` ends with the
            background work.
            A number (live) is the most closed chunks that may wait: older ones are dropped and
            counted in `dropped_chunks`, of those that closed during an answer only the newest
            decides, and the caller gives idle time to `idle`.
    """

    def __init__(
        self, backend: Backend, config: AssistantConfig | None = None, backlog: int | None = None
    ) -> None:
        self.backend = backend
        self.config = config or AssistantConfig()
        self.backlog = backlog
        self.codec = PromptCodec(backend.tokenizer, backend.chat, self.config.system_prompt)
        self.decider = Decider(self.config.decider, backend.chat)
        self.speaker = Speaker(self.codec, self.config.generation, self.decider.silent_ids)
        mode = self.config.decider.mode
        asks = mode == "yes_no" or (mode == "auto" and not backend.chat.trained_to_decide)
        self.yes_no = yes_no.YesNo(self.codec, self.config.decider) if asks else None
        # of the steps' measured times; decides nothing
        self.clock: Callable[[], float] = time.perf_counter
        self.reset()

    def reset(self) -> None:
        """Forget everything: frames, questions, window and cache."""
        self.sampling = ChunkSampler(self.config.sampling)
        self.attribution = Attribution()
        self.watches = Watches(self.attribution, self.config.watch)
        self.dropped_chunks = self.failed_chunks = 0
        self._pending: deque[Chunk] = deque()
        self._questions = QuestionQueue(
            self.codec, self.attribution, self.config.generation, self.config.watch
        )
        self._begin(())

    def recover(self) -> Query | None:
        """After a model broke inside `step` or `idle` (out of memory, a lost device): window and
        cache begin anew.

        Words stay: what was asked and said is in the history, watches are open as before, and the
        question of that step is asked again; one over which the model broke twice is given up, and
        returned.
        """
        given_up = self._questions.retry()
        self._begin(self.window.words(self.attribution.open_ids()))
        return given_up

    def _begin(self, history: tuple[QAGroup, ...]) -> None:
        self.decider.reset()
        self.gate = StaticGate(self.backend.encode, self.config.gate)
        policy = POLICIES[self.config.window.policy]
        self.policy = policy(self.backend.open, self.codec, self.config.window, history)
        self.spoke = False  # in the last step
        self._peeked: dict[int, Video] = {}  # waiting chunks that were looked at during an answer

    @property
    def window(self) -> DualWindow:
        """Turns in view and the text of those that left."""
        return self.policy.window

    @property
    def session(self) -> Session:
        """The cache that the next decision is made on."""
        return self.policy.kv.session

    # ---- input: cheap, never touches the model ------------------------------------------------

    def push(self, frame: Frame) -> None:
        """Take a frame. Raises `InputError` unless it is RGB uint8 (height, width, 3)."""
        image = frame.image
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != "uint8" or 0 in image.shape:
            raise InputError(
                f"a frame must be uint8 (height, width, 3), not {image.dtype} {image.shape}"
            )
        self._queue(self.sampling.push(frame))

    def flush(self) -> None:
        """The stream has ended: close the half-filled chunk."""
        self._queue(self.sampling.flush())

    def ask(self, query: Query | str) -> Query:
        """Queue a question; returns it with its id. Raises `InputError`, see
        `QuestionQueue.add`."""
        return self._questions.add(
            Query(query) if isinstance(query, str) else query, self.sampling.next_chunk
        )

    def unwatch(self, watch_id: str) -> bool:
        """End a watch, or take back a question that was not answered yet; False when there is none
        of this id."""
        return self._questions.remove(watch_id) or self.watches.cancel(watch_id)

    def cancel(self, discard: bool = False) -> None:
        """End the answer that is being spoken (from any thread). What was said stays in the
        history; with `discard` nothing does: cache and history are as they were before its chunk.
        """
        self.speaker.cancelled = Cancel.DISCARD if discard else Cancel.KEEP

    def amend(self, chunk: int, said: str) -> bool:
        """What was really said aloud in `chunk`, when that was less than the answer ("" : nothing).

        The conversation goes on as if that had been the answer. False when the chunk is no longer
        in view or had no answer: then nothing changes.
        """
        for index, turn in enumerate(self.window.turns):
            if turn.chunk == chunk and turn.answer_ids is not None:
                ids = tuple(self.codec.tokenizer.encode(said)) or None
                amended = replace(
                    turn,
                    answer_ids=ids,
                    answer=said or None,
                    answer_id=turn.answer_id if said else None,
                )
                self.policy.amend(index, amended, self.attribution.open_ids())
                return True
        return False

    def idle(self, busy: Callable[[], bool] = lambda: False) -> int:
        """Work ahead, a quantum of at most one chunk at a time, until nothing is left or `busy()`
        (live only)."""
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

        `on_text` is called with the whole answer so far after each new token. A model that fails
        (`AuraError`) costs this chunk, counted in `failed_chunks`; its question is asked again in
        the next one.
        """
        if not self._pending:
            return None
        start, forwards = self.clock(), self.policy.forwards
        counters, encodes = replace(self.policy.counters), self.gate.encodes
        missed = self._catch_up()
        chunk = self._pending.popleft()
        asked = self._questions.take(chunk)
        try:
            video = self._video(chunk)
            decision, request = self._decide(chunk, video, asked)
        except AuraError:
            # the chunk is lost, its question waits for the next one, the cache is as before
            self.failed_chunks += 1
            self.policy.discard()
            self._questions.give_back()
            raise
        decided = self.clock()
        answer = (
            None
            if decision.silent
            else self._speak(decision, on_text if self._may_tell(chunk, asked) else None)
        )
        response, suppressed = self._close_turn(
            Turn(chunk.index, video, asked.id if asked else None, request),
            chunk,
            asked,
            answer,
            on_text,
        )
        self.spoke = answer is not None
        self._questions.done()
        end = self.clock()
        now = self.policy.counters
        step = Step(
            chunk=chunk.index,
            stamp_ns=chunk.stamp_ns,
            decision=decision,
            response=response,
            question=asked.text if asked else None,
            question_id=asked.id if asked else None,
            step_ms=(end - start) * 1e3,
            decide_ms=(decided - start) * 1e3,
            prefill_tokens=now.critical_tokens - counters.critical_tokens,
            vision_encodes=self.gate.encodes - encodes,
            decode_tokens=len(answer.ids) if answer else 0,
            forwards=self.policy.forwards - forwards,
            window_chunks=len(self.window.turns),
            window_tokens=self.session.length,
            switched=now.switches > counters.switches,
            suppressed=suppressed,
            missed_chunks=missed,
        )
        if self.backlog is None:
            self.idle()
        return step

    def _catch_up(self) -> int:
        """Live: chunks that closed during a long answer are seen, but only the newest decides. How
        many were."""
        missed = 0
        while self.backlog is not None and self.spoke and len(self._pending) > 1:
            chunk = self._pending.popleft()
            self.policy.add(Turn(chunk.index, self._video(chunk)), self.attribution.open_ids())
            missed += 1
        return missed

    def _decide(
        self, chunk: Chunk, video: Video, asked: Query | None
    ) -> tuple[Decision, str | None]:
        """Prefill the chunk's user turn and decide; also the text in that turn: the question, or
        request to report."""
        still_open, text = self.attribution.open_ids(), asked.text if asked else None
        user = self.codec.user(video, text)
        if self.yes_no is None or asked is not None:
            logits = self.policy.enter(user, still_open)
            return self.decider.decide(logits, chunk.stamp_ns, asked is not None), text
        watches = self.attribution.open_texts()
        logits = self.policy.glance(user, self.yes_no.question(video, watches), still_open)
        decision = self.decider.decide(
            self.yes_no.verdict(logits), chunk.stamp_ns, silent=yes_no.SILENT
        )
        if decision.silent:
            return decision, None
        text = self.yes_no.request(watches)
        words = self.policy.kv.proceed(self.codec.user(video, text)[-1])
        words[list(self.decider.silent_ids)] = -np.inf
        return replace(decision, token_id=int(words.argmax())), text

    def _may_tell(self, chunk: Chunk, asked: Query | None) -> bool:
        """Whether words are told as they come: unasked ones that may be taken back are not."""
        return asked is not None or self.watches.settled(chunk.stamp_ns)

    def _speak(self, decision: Decision, on_text: OnText | None) -> Answer:
        return self.speaker.speak(self.policy.kv, decision.token_id, on_text, self._interrupted)

    def _interrupted(self, ids: list[int]) -> bool:
        """Whether a chunk that closed during this answer calls for words; it is decided again when
        its turn comes."""
        if (
            not (self.config.generation.interruptible and self._pending)
            or self._pending[-1].index in self._peeked
        ):
            return False
        chunk = self._pending[-1]
        video = self._peeked[chunk.index] = self.gate.encode(chunk)
        ended = Tokens(self.codec.assistant(ids).ids[len(ids) - 1 :])
        *seen, rest = self.codec.user(video, None)
        question = (
            self.yes_no.question(video, self.attribution.open_texts()) if self.yes_no else rest
        )
        logits = self.policy.kv.peek([ended, *seen, question])
        if self.yes_no is not None:
            return not self.decider.peek(
                self.yes_no.verdict(logits), chunk.stamp_ns, silent=yes_no.SILENT
            ).silent
        return not self.decider.peek(logits, chunk.stamp_ns).silent

    def _close_turn(
        self,
        turn: Turn,
        chunk: Chunk,
        asked: Query | None,
        answer: Answer | None,
        on_text: OnText | None,
    ) -> tuple[Response | None, str]:
        """Book the answer and append the turn, whose end waits for the next prefill; why words were
        taken back."""
        if answer is not None and self.speaker.cancelled is Cancel.DISCARD:
            self.policy.discard()
            self.decider.retract()
            self.attribution.forget(asked)
            return None, ""
        text = self.codec.text(answer.ids) if answer else None
        response, suppressed = None, ""
        if text is not None and answer is not None:
            if asked is None and (suppressed := self.watches.objection(text, chunk.stamp_ns)):
                self.policy.kv.reopen(turn)
                self.decider.retract()
                answer = None
            else:
                if on_text is not None and not self._may_tell(chunk, asked):
                    on_text(text)
                b = self.attribution.book(text, asked)
                response = Response(
                    text,
                    b.kind,
                    b.query_id,
                    b.index,
                    b.acknowledgment,
                    chunk.stamp_ns,
                    urgent=b.urgent,
                )
                if asked is None:
                    self.watches.said(b.query_id, text, chunk.stamp_ns)
                turn = replace(turn, answer_ids=answer.ids, answer=text, answer_id=b.query_id)
        self.policy.leave(turn, answer.cached if answer else 0, self.attribution.open_ids())
        return response, suppressed

    def _video(self, chunk: Chunk) -> Video:
        """The chunk encoded: once in its life, also when it was looked at during an answer."""
        video = self._peeked.pop(chunk.index, None) or self.gate.encode(chunk)
        if not self.window.turns:
            turn = tokens_in([*self.codec.user(video, None), self.codec.assistant(None)])
            check_context(self.config.window, turn, self.backend.context, self.backend.name)
        return video

    # ---- queues ------------------------------------------------------------------------------

    def _queue(self, chunk: Chunk | None) -> None:
        if chunk is None:
            return
        self._pending.append(chunk)
        while self.backlog is not None and len(self._pending) > self.backlog:
            self._peeked.pop(self._pending.popleft().index, None)
            self.dropped_chunks += 1
