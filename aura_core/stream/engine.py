"""START HERE. The core loop: one chunk in, one decision out.

    chunk, question -> encode -> prefill -> decide -> silent | generate -> close the turn

`StreamEngine` has no queues and no threads, and no clock decides anything: time is the stamps of
the frames, so a replay gives the very decisions of the live run. Frames become chunks in
`intake.py`; live running is `aura_core/live/host.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from aura_core.config import AssistantConfig
from aura_core.errors import AuraError
from aura_core.models.backend import Backend, Session, Tokens, Video
from aura_core.stream import yes_no
from aura_core.stream.cache.policies import POLICIES
from aura_core.stream.conversation import Conversation, Said
from aura_core.stream.decision import Decider
from aura_core.stream.gate import StaticGate
from aura_core.stream.generation import Answer, Cancel, OnText, TextGenerator
from aura_core.stream.ids import Ids
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.window import DualWindow, Turn, check_context, tokens_in
from aura_core.types import Chunk, Decision, Query, Response, Step

Newest = Callable[[], Chunk | None]


class StreamEngine:
    """Watches one stream.

    Args:
        backend: an opened model (`aura_core.models.load`).
        config: settings; the defaults when None.
        decider: reads silence or speech from logits; the configured one when None.
        run: the run's name, which ids begin with (see `ids.py`).
    """

    def __init__(
        self,
        backend: Backend,
        config: AssistantConfig | None = None,
        decider: Decider | None = None,
        run: str = "run",
    ) -> None:
        self.backend, self.run = backend, run
        self.config = config or AssistantConfig()
        self.codec = PromptCodec(backend.tokenizer, backend.chat, self.config.system_prompt)
        self.decider = decider or Decider(self.config.decider, backend.chat)
        self.generator = TextGenerator(self.codec, self.config.generation, self.decider.silent_ids)
        mode = self.config.decider.mode
        asks = mode == "yes_no" or (mode == "auto" and not backend.chat.trained_to_decide)
        self.yes_no = yes_no.YesNo(self.codec, self.config.decider) if asks else None
        self.clock: Callable[[], float] = time.perf_counter  # measures steps; decides nothing
        self.reset()

    def reset(self) -> None:
        """Forget everything: questions, window and cache."""
        c = self.config
        self.conversation = Conversation(self.codec, c.window, c.watch, c.generation, Ids(self.run))
        self._begin()

    def recover(self, query: Query | None = None) -> None:
        """After a model broke inside `step` or `idle` (out of memory, a lost device): window and
        cache begin anew. The words stay: what was asked and said is in the prefix, and watches are
        open as before. `query`, the question of that step, was never asked."""
        self.conversation.forget(query)
        self.conversation.restart()
        self._begin()

    def _begin(self) -> None:
        self.decider.reset()
        self.gate = StaticGate(self.backend.encode, self.config.gate)
        policy = POLICIES[self.config.window.policy]
        self.policy = policy(self.backend.open, self.codec, self.window)
        self._peeked: dict[int, Video] = {}  # chunks that were looked at during an answer

    @property
    def window(self) -> DualWindow:
        """Turns in view and the prefix before them."""
        return self.conversation.window

    @property
    def session(self) -> Session:
        """The cache that the next decision is made on."""
        return self.policy.kv.session

    # ---- the step ----------------------------------------------------------------------------

    def step(
        self,
        chunk: Chunk,
        query: Query | None = None,
        on_text: OnText | None = None,
        newest: Newest = lambda: None,
    ) -> Step:
        """Decide one chunk.

        Args:
            chunk: the second of video, see `intake.py`.
            query: the question of this chunk, admitted by `Conversation.admit`.
            on_text: called with the response's id and the whole answer so far, after each token.
            newest: the chunk that closed last, while an answer is being made (live running).

        A model that fails (`AuraError`) costs this chunk: window and cache are as before, and the
        question was never asked.
        """
        meter = _Meter(self)
        response_id, decision, answer = "", None, None
        try:
            turn = self._enter(chunk, query)
            decision, turn = self._decide(chunk, turn, query)
            decided = self.clock()
            if not decision.silent:
                response_id = self.conversation.ids.next("r")
                tell = self._teller(response_id, on_text) if self._may_tell(chunk, query) else None
                answer = self._generate(decision, tell, newest)
        except AuraError:
            self._undo(query, decision)
            raise
        if answer is not None and self.generator.cancelled is Cancel.DISCARD:
            self._undo(query, decision)
            return meter.step(chunk, query, decision, None, "", answer, decided)
        said = Said(turn, None)
        if answer is not None:
            said = self._say(chunk, turn, query, answer, response_id)
            if said.response is not None and tell is None and on_text is not None:
                on_text(response_id, said.response.text)
        self.policy.leave(said.turn, answer.cached if answer and said.response else 0)
        return meter.step(chunk, query, decision, said.response, said.suppressed, answer, decided)

    def see(self, chunk: Chunk) -> None:
        """A chunk that is seen and not decided: it passed while an answer was made."""
        self.policy.add(Turn(chunk.index, self._video(chunk)))

    def answer_aside(self, chunk: Chunk, query: Query) -> str:
        """What the model says to `query` about `chunk`, "" for silence. Nothing of it stays: the
        chunk can be stepped afterwards as if it had not been asked about."""
        turn = self._enter(chunk, query)
        self._peeked[chunk.index] = turn.video  # it is encoded once
        decision = None
        try:
            decision, turn = self._decide(chunk, turn, query)
            if decision.silent:
                return ""
            return self.codec.text(self._generate(decision, None, lambda: None).ids)
        finally:
            self._undo(query, decision)

    def _enter(self, chunk: Chunk, query: Query | None) -> Turn:
        """Encode the chunk; the question enters the conversation."""
        video = self._video(chunk)
        if query is not None:
            self.conversation.ask(query)
        return self.conversation.open(chunk.index, video, query)

    def _decide(self, chunk: Chunk, turn: Turn, query: Query | None) -> tuple[Decision, Turn]:
        """Prefill the chunk's user turn and decide. The turn comes back with the text that its user
        turn holds: the question, or the request to report of a model that was asked yes or no."""
        user = self.codec.user(turn.video, turn.question)
        if self.yes_no is None or query is not None:
            logits = self.policy.enter(user)
            return self.decider.decide(logits, chunk.stamp_ns, query is not None), turn
        watches = self.conversation.open_texts()
        logits = self.policy.glance(user, self.yes_no.question(turn.video, watches))
        verdict = self.yes_no.verdict(logits)
        decision = self.decider.decide(verdict, chunk.stamp_ns, silent=yes_no.SILENT)
        if decision.silent:
            return decision, turn
        turn = replace(turn, question=self.yes_no.request(watches))
        words = self.policy.kv.proceed(self.codec.user(turn.video, turn.question)[-1])
        words[list(self.decider.silent_ids)] = -np.inf
        return replace(decision, token_id=int(words.argmax())), turn

    def _generate(
        self, decision: Decision, tell: Callable[[str], None] | None, newest: Newest
    ) -> Answer:
        return self.generator.generate(
            self.policy.kv,
            decision.token_id,
            tell,
            lambda ids: self._interrupted(ids, newest()),
        )

    def _may_tell(self, chunk: Chunk, query: Query | None) -> bool:
        return self.conversation.settled(chunk.stamp_ns, query)

    def _teller(self, response_id: str, on_text: OnText | None) -> Callable[[str], None] | None:
        return None if on_text is None else lambda text: on_text(response_id, text)

    def _say(
        self, chunk: Chunk, turn: Turn, query: Query | None, answer: Answer, response_id: str
    ) -> Said:
        """Book the answer; words that must not be said are taken out of the cache."""
        said = self.conversation.say(turn, answer.ids, query, chunk.stamp_ns, response_id)
        if said.response is None:
            self.policy.kv.reopen(turn)
            self.decider.retract()
        return said

    def _undo(self, query: Query | None, decision: Decision | None) -> None:
        """Nothing of the turn that was entered stays."""
        self.policy.discard()
        self.conversation.forget(query)
        if decision is not None:
            self.decider.retract()

    def _interrupted(self, ids: list[int], chunk: Chunk | None) -> bool:
        """Whether a chunk that closed during this answer calls for words; it is decided again when
        its turn comes."""
        if not self.config.generation.interruptible or chunk is None or chunk.index in self._peeked:
            return False
        video = self._peeked[chunk.index] = self.gate.encode(chunk)
        ended = Tokens(self.codec.assistant(ids).ids[len(ids) - 1 :])
        *seen, rest = self.codec.user(video, None)
        if self.yes_no is None:
            logits = self.policy.kv.peek([ended, *seen, rest])
            return not self.decider.peek(logits, chunk.stamp_ns).silent
        question = self.yes_no.question(video, self.conversation.open_texts())
        verdict = self.yes_no.verdict(self.policy.kv.peek([ended, *seen, question]))
        return not self.decider.peek(verdict, chunk.stamp_ns, silent=yes_no.SILENT).silent

    def _video(self, chunk: Chunk) -> Video:
        """The chunk encoded: once in its life, also when it was looked at during an answer."""
        video = self._peeked.pop(chunk.index, None) or self.gate.encode(chunk)
        self._peeked = {i: v for i, v in self._peeked.items() if i > chunk.index}
        if not self.window.turns:
            turn = tokens_in([*self.codec.user(video, None), self.codec.assistant(None)])
            check_context(self.config.window, turn, self.backend.context, self.backend.name)
        return video

    # ---- between steps -----------------------------------------------------------------------

    def idle(self, busy: Callable[[], bool] = lambda: False) -> int:
        """Work ahead, a quantum of at most one chunk at a time, until nothing is left or `busy()`;
        tokens prefilled."""
        tokens = 0
        while not busy() and (done := self.work_ahead()):
            tokens += done
        return tokens

    def work_ahead(self) -> int:
        """One quantum of at most one chunk: tokens prefilled, 0 when nothing is left."""
        return self.policy.background()

    def cancel(self, discard: bool = False) -> None:
        """End the answer that is being made (from any thread). What was said stays in the
        conversation; with `discard` nothing does: cache and conversation are as they were before
        its chunk."""
        self.generator.cancelled = Cancel.DISCARD if discard else Cancel.KEEP

    def amend(self, response_id: str, said: str) -> bool:
        """What was really said aloud of a response, when that was less than the answer ("":
        nothing).

        The conversation goes on as if that had been the answer. False when the response is no
        longer in view: then nothing changes.
        """
        amended = self.conversation.amended(response_id, said)
        if amended is None:
            return False
        self.policy.amend(*amended)
        return True

    def unwatch(self, watch_id: str) -> bool:
        """End a watch; False when no open one has this id."""
        return self.conversation.watches.cancel(watch_id)


@dataclass(frozen=True)
class _Counts:
    critical_tokens: int
    switches: int
    encodes: int
    forwards: int


class _Meter:
    """What a step has cost: counters and milliseconds since it began."""

    def __init__(self, engine: StreamEngine) -> None:
        self._engine = engine
        self._began, self._before = engine.clock(), self._counts()

    def _counts(self) -> _Counts:
        policy = self._engine.policy
        c = policy.counters
        return _Counts(c.critical_tokens, c.switches, self._engine.gate.encodes, policy.forwards)

    def step(
        self,
        chunk: Chunk,
        query: Query | None,
        decision: Decision,
        response: Response | None,
        suppressed: str,
        answer: Answer | None,
        decided: float,
    ) -> Step:
        """The step as it is reported; `decided` is the clock's time after the decision."""
        end, now, before = self._engine.clock(), self._counts(), self._before
        return Step(
            chunk=chunk.index,
            stamp_ns=chunk.stamp_ns,
            decision=decision,
            response=response,
            question=query.text if query else None,
            question_id=query.id if query else None,
            step_ms=(end - self._began) * 1e3,
            decide_ms=(decided - self._began) * 1e3,
            prefill_tokens=now.critical_tokens - before.critical_tokens,
            vision_encodes=now.encodes - before.encodes,
            decode_tokens=len(answer.ids) if answer else 0,
            forwards=now.forwards - before.forwards,
            window_chunks=len(self._engine.window.turns),
            window_tokens=self._engine.session.length,
            switched=now.switches > before.switches,
            suppressed=suppressed,
        )
