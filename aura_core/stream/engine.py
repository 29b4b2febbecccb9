"""START HERE. The core loop: one chunk in, one decision out.

    chunk, question -> encode -> prefill -> decide -> silent | generate -> close the turn

`StreamEngine` has no queues and no threads. Time is the stamps of the frames. The machine's clock
only measures how long a step took, so a replay gives the same decisions as the live run.
`intake.py` turns frames into chunks. `aura_core/live/host.py` runs the engine on a live camera.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from aura_core.config import AssistantConfig
from aura_core.errors import AuraError, ConfigError
from aura_core.models.backend import Backend, Session, Tokens, Video
from aura_core.models.tool_form import Written
from aura_core.stream import yes_no
from aura_core.stream.asides import Asides
from aura_core.stream.attribution import Entry, stands
from aura_core.stream.cache.policies import POLICIES
from aura_core.stream.conversation import Conversation, Said
from aura_core.stream.decision import Decider, Pasts
from aura_core.stream.gate import StaticGate
from aura_core.stream.generation import Answer, Cancel, OnText, TextGenerator
from aura_core.stream.ids import Ids
from aura_core.stream.notes import Memory, NoteTaker, Remembered
from aura_core.stream.owners import Owners
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.window import DualWindow, Turn, check_context, tokens_in
from aura_core.tools import tools_of
from aura_core.types import NS, Call, Chunk, Decision, Evidence, Frame, Query, Response, Step

log = logging.getLogger(__name__)
Newest = Callable[[], Chunk | None]


class StreamEngine:
    """Watches one stream.

    Args:
        backend: an opened model (`aura_core.models.load`).
        config: settings; the defaults when None.
        decider: decides silent or speak from logits; made from `config.decider` when None.
        ids: makes the ids of questions and responses. Replay takes the default, so that two replays
            write the same ids.
        memory: takes notes, and tells them again; None: nothing is remembered beyond the window.

    Raises:
        ConfigError: the model cannot do what `config` asks for (`window.policy` evict, `tools`).
    """

    def __init__(
        self,
        backend: Backend,
        config: AssistantConfig | None = None,
        decider: Decider | None = None,
        ids: Ids | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.backend, self._ids, self.memory = backend, ids, memory
        self.config = config or AssistantConfig()
        tools = [tool.definition() for tool in tools_of(self.config.tools)]
        if tools and backend.chat.tools is None:
            raise ConfigError(
                f"{backend.name}: its chat template writes no tools in a form that is known; take"
                " another model, or no tools"
            )
        self.codec = PromptCodec(backend.tokenizer, backend.chat, self.config.system_prompt, tools)
        self.decider = decider or Decider(self.config.decider, backend.chat)
        self.generator = TextGenerator(self.codec, self.config.generation, self.decider.silent_ids)
        mode = self.config.decider.mode
        asks = mode == "yes_no" or (mode == "auto" and not backend.chat.trained_to_decide)
        self.yes_no = yes_no.YesNo(self.codec, self.config.decider) if asks else None
        self.owners = Owners(backend.open, self.codec, self.decider, self.yes_no)
        self.clock: Callable[[], float] = time.perf_counter  # measures steps; decides nothing
        self.reset()

    def reset(self) -> None:
        """Forget everything: questions, window and cache."""
        c = self.config
        before = self.memory.before if self.memory is not None else None
        ids = self._ids or Ids("run")
        self.conversation = Conversation(
            self.codec, c.window, c.watch, c.generation, ids, memory=before
        )
        self._begin()

    def configure(self, config: AssistantConfig) -> None:
        """Use other limits from the next chunk on: those of `decider`, `generation` and `watch`.

        All other settings must be as before.
        """
        self.config = config
        self.decider.configure(config.decider)
        self.generator.config = config.generation
        self.conversation.configure(config.watch, config.generation)

    def recover(self, query: Query | None = None) -> None:
        """Start again with an empty window after the model failed in an unknown state.

        The model raised something other than an `AuraError` inside `step` or `work_ahead`: out of
        memory, or a lost device. The video and the cache are thrown away. The questions and answers
        of the window move into the prefix, and watches stay open. `query`, the question of the
        failed step, is removed from the conversation, so that it can be asked again.
        """
        self.conversation.forget(query)
        self.conversation.restart()
        self._begin()

    def adopt(self, old: StreamEngine, chunks: Mapping[int, Chunk]) -> None:
        """Go on with the conversation of another engine, which ran another model.

        Questions, watches, ids and all words stay. The newest turns whose chunks are in `chunks`
        (by index) are shown to this model again; the words of the others stay as text. A call of a
        tool stays without its result, and pictures of memory are not shown again. The next step
        prefills all of it. `old` must not be used afterwards.

        Raises:
            AuraError: this model fails, or its context is too short. Nothing has changed.
        """

        def again(turn: Turn) -> Turn | None:
            chunk = chunks.get(turn.chunk)
            if chunk is None:
                return None
            ids = self.codec.answer_ids(turn.answer) if turn.answer else None
            video = self.backend.encode(chunk)
            return replace(turn, video=video, answer_ids=ids, result=None, shown=())

        before = self.memory.before if self.memory is not None else None
        conversation = old.conversation.moved(self.codec, again, before)
        if conversation.window.turns:
            self._check_context(conversation.window.turns[0].video)
        self.conversation = conversation
        self._begin()
        self.policy.rebuild()
        self.decider.memory = old.decider.memory
        self._last, self._last_decided = old._last, old._last_decided

    def _begin(self) -> None:
        self.decider.reset()
        self.gate = StaticGate(self.backend.encode, self.config.gate)
        policy = POLICIES[self.config.window.policy]
        self.policy = policy(self.backend.open, self.codec, self.window)
        self.asides = Asides(self.codec)
        self.notes: NoteTaker | None = None
        if self.memory is not None:
            window, form = self.config.window, self.backend.chat.memory
            self.notes = NoteTaker(self.memory, form, self.asides, window.keep, window.max)
        # Evidence of questions that wait for the result of a call, by id.
        self._cited: dict[str, tuple[Evidence, ...]] = {}
        self._peeked: dict[int, Video] = {}  # chunks that are encoded already, by index
        self._last: Chunk | None = None  # the chunk of the newest turn, and whether it was decided
        self._last_decided = False

    @property
    def window(self) -> DualWindow:
        """The turns in view and the prefix before them."""
        return self.conversation.window

    @property
    def last_chunk(self) -> int:
        """Index of the chunk of the newest turn; -1 before the first."""
        return -1 if self._last is None else self._last.index

    @property
    def last_frame(self) -> Frame | None:
        """The newest frame of the newest turn; None before the first."""
        return None if self._last is None else self._last.frames[-1]

    @property
    def session(self) -> Session:
        """The model session that the next decision is made on."""
        return self.policy.kv.session

    # ---- the step ----------------------------------------------------------------------------

    def step(
        self,
        chunk: Chunk,
        query: Query | None = None,
        on_text: OnText | None = None,
        newest: Newest = lambda: None,
    ) -> Step:
        """Decide one chunk, and answer it where words are due.

        Args:
            chunk: one second of video (see `intake.py`).
            query: the question of this chunk, admitted by `Conversation.admit`.
            on_text: called with the response's id and the answer so far, after each token.
            newest: returns the newest closed chunk while an answer is generated, or None; for
                answers that may be interrupted (live running).

        Returns:
            The decision, the response if there is one, and what the step cost.

        Raises:
            AuraError: the model failed. Window and cache are as before the call, and the question
                is not in the conversation.
        """
        meter = _Meter(self)
        told = self._recall(chunk, query)
        response_id, decision, answer, owners = "", None, None, []
        may_publish = self.conversation.may_publish(chunk.stamp_ns, query)
        try:
            turn = self._enter(chunk, query, told)
            decision, turn = self._decide(chunk, turn, query)
            decided = self.clock()
            if not decision.silent:
                response_id = self._response_id(query)
                tell = self._teller(turn, response_id, on_text) if may_publish else None
                answer = self._generate(decision, tell, newest)
                owners = self._owners_of(answer, turn) if query is None else []
        except AuraError:
            self._undo(query, decision)
            raise
        if answer is not None and self.generator.cancelled is Cancel.DISCARD:
            self._undo(query, decision)
            return meter.step(chunk, query, decision, Said(turn, None), answer, decided)
        said = Said(turn, None)
        if answer is not None:
            said = self._say(chunk, turn, query, decision, answer, response_id, owners)
            said = self._remembered(_hushed(said, query), told)
            if said.response is not None and not may_publish and on_text is not None:
                on_text(response_id, said.response.text)
        cached = answer.cached if answer and said.turn.answer_ids == answer.ids else 0
        self.policy.leave(said.turn, cached)
        self._saw(chunk, True)
        return meter.step(chunk, query, decision, said, answer, decided)

    def answer_now(
        self, query: Query, on_text: OnText | None = None, newest: Newest = lambda: None
    ) -> Step | None:
        """Answer a question about the newest chunk of the window, without waiting for the next.

        A silent turn is taken back and decided again with the question, so the conversation is as
        if the question had been asked in that chunk. Where the chunk has words already, it gets a
        second turn. The arguments are those of `step`.

        Returns None when the window is empty: there is nothing to ask about.

        Raises:
            AuraError: the model failed. Window and cache are as before the call, and the question
                is not in the conversation.
        """
        chunk = self._last
        if chunk is None or not self.window.turns:
            return None
        turn = self.window.turns[-1]
        self._peeked[chunk.index] = turn.video  # it is not encoded again
        asked = turn.question is not None or turn.result is not None
        silent = not asked and turn.answer_ids is None
        if not silent:
            return self.step(chunk, query, on_text, newest)
        remembered = self.decider.memory
        self.policy.take_back()
        if self._last_decided:
            self.decider.retract()
        try:
            step = self.step(chunk, query, on_text, newest)
        except AuraError:
            self._put_back(turn, remembered)
            raise
        if not self.window.turns or self.window.turns[-1].chunk != chunk.index:
            self._put_back(turn, remembered)  # the answer was discarded
        return step

    def _put_back(self, turn: Turn, remembered: Pasts) -> None:
        """Undo `take_back` of a silent turn, because the question was not answered in its place."""
        self.policy.add(turn)
        self.decider.memory = remembered

    def see(self, chunk: Chunk) -> None:
        """Add a chunk that is not decided, because it closed while an answer was generated."""
        self.policy.add(Turn(chunk.index, self._video(chunk)))
        self._saw(chunk, False)

    def _saw(self, chunk: Chunk, decided: bool) -> None:
        """The chunk is in the window now."""
        self._last, self._last_decided = chunk, decided
        if self.notes is not None:
            self.notes.saw(chunk)

    def answer_aside(self, chunk: Chunk, query: Query) -> str:
        """Return what the model answers to `query` about `chunk`; "" when it is silent.

        Window, cache and conversation are as before afterwards, so the same chunk can be stepped
        next.
        """
        turn = self._enter(chunk, query, self._recall(chunk, query))
        self._peeked[chunk.index] = turn.video  # it is encoded once
        decision = None
        try:
            decision, turn = self._decide(chunk, turn, query)
            if decision.silent:
                return ""
            text = self.codec.text(self._generate(decision, None, lambda: None).ids)
            return self.codec.words(text, final=True)
        finally:
            self._undo(query, decision)

    def _recall(self, chunk: Chunk, query: Query | None) -> Remembered | None:
        """What memory tells about the question of a chunk."""
        if self.memory is None or query is None or query.after is not None:
            return None
        return self.memory.recall(query, chunk)

    def _enter(self, chunk: Chunk, query: Query | None, told: Remembered | None) -> Turn:
        """Encode the chunk, and record the question in the conversation."""
        video = self._video(chunk)
        if query is not None:
            self.conversation.ask(query)
        turn = self.conversation.open(chunk.index, video, query)
        if told is None:
            return turn
        shown = tuple((self.backend.encode(_still(f)), caption) for f, caption in told.pictures)
        return replace(turn, question=told.question, recalled=told.text, shown=shown)

    def _decide(self, chunk: Chunk, turn: Turn, query: Query | None) -> tuple[Decision, Turn]:
        """Prefill the chunk's user turn and decide.

        The returned turn holds the text that its user turn ended with: the question, the request to
        report (in yes/no mode, after a yes), or None.
        """
        user = turn.user(self.codec)
        held = query is None and not self._may_speak_unasked
        if self.yes_no is None or query is not None:
            logits = self.policy.enter(user)
            if held:
                return self.decider.hold(logits, chunk.stamp_ns), turn
            return self.decider.decide(logits, chunk.stamp_ns, query is not None), turn
        watches = self.conversation.open_texts()
        question = self.yes_no.question(turn.video, watches)
        logits = self.policy.probe(user, question, self.yes_no.wanted)
        verdict = self.yes_no.verdict(logits)
        if held:
            return self.decider.hold(verdict, chunk.stamp_ns, yes_no.SILENT), turn
        decision = self.decider.decide(verdict, chunk.stamp_ns, silent=yes_no.SILENT)
        if decision.silent:
            return decision, turn
        turn = replace(turn, question=self.yes_no.request(watches))
        first = self.policy.kv.end_user_turn(turn.user(self.codec)[-1])
        first[list(self.decider.silent_ids)] = -np.inf  # it said yes: silence is no answer here
        return replace(decision, token_id=int(first.argmax())), turn

    @property
    def _may_speak_unasked(self) -> bool:
        """Whether words may come in a chunk without a question."""
        return self.config.decider.unsolicited or self.conversation.expects()

    def _generate(
        self, decision: Decision, tell: Callable[[str], None] | None, newest: Newest
    ) -> Answer:
        return self.generator.generate(
            self.policy.kv,
            decision.token_id,
            tell,
            lambda ids: self._called(ids) or self._interrupted(ids, newest()),
        )

    def _response_id(self, query: Query | None) -> str:
        """The words after a call belong to the response that the words before it began."""
        after = None if query is None else query.after
        return self.conversation.ids.next("r") if after is None else after.response_id

    def _teller(
        self, turn: Turn, response_id: str, on_text: OnText | None
    ) -> Callable[[str], None] | None:
        """Tells the words of the response so far; never the text of a call or of a task."""
        if on_text is None:
            return None
        lead = turn.lead
        return lambda text: on_text(response_id, self._named(_joined(lead, self.codec.words(text))))

    def _named(self, text: str) -> str:
        """Words with the names that the user has given."""
        return text if self.memory is None else self.memory.said(text)

    def _called(self, ids: list[int]) -> bool:
        """Whether the answer so far ends with a call: the model gets its result first."""
        tools = self.codec.tools
        return tools is not None and tools.ended(self.codec.text(ids))

    def _owners_of(self, answer: Answer, turn: Turn) -> list[Entry]:
        """The watches that unasked words answer, as the model sees it; empty: the words decide."""
        in_view = {g.query_id for g in self.window.prefix.groups}
        in_view |= {t.question_id for t in self.window.turns if t.question_id is not None}
        candidates = self.conversation.attribution.candidates()
        watches = [w for w in candidates if w.open or w.query.id in in_view]
        if self.config.watch.attribution == "words" or len(watches) < 2:
            return []
        try:
            text = self.codec.text(answer.ids)
            handed = self.codec.handed(text)
            text = f"{handed.words} {handed.task}" if handed else self.codec.words(text, final=True)
            return self.owners.of(text, watches, self.window, turn.video)
        except AuraError as e:  # the words may have been told already, and they are true
            log.warning("the watch of an answer is found by its words: %s", e)
            return []

    def _say(
        self,
        chunk: Chunk,
        turn: Turn,
        query: Query | None,
        decision: Decision,
        answer: Answer,
        response_id: str,
        owners: list[Entry],
    ) -> Said:
        """Record the answer. If its words must not be said, take them out of the cache again."""
        ids = answer.ids
        written = self.codec.tools and self.codec.tools.read(self.codec.text(ids))
        if written:
            call = self._call(written, query, response_id)
            if call is not None:
                return self.conversation.call(turn, ids, written.words, call)
            self.policy.kv.reopen(turn)
            ids = self.codec.answer_ids(self._instead(written, query))
            if query is None and not ids:
                self.decider.retract()
                return Said(turn, None, "call")
        cancelled = self.generator.cancelled is not None
        handed = self.codec.handed(self.codec.text(ids))
        if handed is not None and handed.task and not cancelled:
            said = self.conversation.hand_over(
                turn, ids, handed, query, decision, chunk.stamp_ns, response_id, owners
            )
            if said.delegate is None:
                self.policy.kv.reopen(turn)
                self.decider.retract()
            return said
        if handed is not None:
            self.policy.kv.reopen(turn)
            ids = self.codec.answer_ids(handed.words)
        wordless = not self.codec.text(ids).strip()
        if query is None and wordless and (handed is not None or not cancelled):
            self.policy.kv.reopen(turn)
            self.decider.retract()
            return Said(turn, None, "empty")
        if query is not None and wordless and not cancelled and self.config.decider.must_answer:
            ids = self.codec.answer_ids(self.config.generation.no_answer) or ids
            self.policy.kv.reopen(turn)
        said = self.conversation.say(turn, ids, query, chunk.stamp_ns, response_id, found=owners)
        if said.response is None:
            self.policy.kv.reopen(turn)
            self.decider.retract()
        return said

    def _remembered(self, said: Said, told: Remembered | None) -> Said:
        """The answer with names and evidence; memory is told of it."""
        response = said.response
        if said.call is not None and told is not None:
            self._cited[said.call.query_id] = told.evidence
        if self.memory is None or response is None:
            return said
        text = self._named(response.text)  # as it was before a name is given now
        if told is not None and told.answered is not None:
            told.answered(response.text)
        if told is not None and told.ask is not None:
            self.asides.add(told.ask.aside())
        cited = self._cited.pop(response.query_id, ())
        evidence = told.evidence if told is not None else cited
        return replace(said, response=replace(response, text=text, evidence=evidence))

    def _call(self, written: Written, query: Query | None, response_id: str) -> Call | None:
        """The call that an answer holds; None where none may be made.

        Only an answer to a question may call, not the words for a watch. An answer that was
        cancelled calls nothing.
        """
        if query is None or stands(query) or self.generator.cancelled is not None:
            return None
        before = query.after
        count = 1 if before is None else before.count + 1
        if count > self.config.tools_most:
            return None
        said = written.words if before is None else _joined(before.said, written.words)
        name, arguments, problem = written.name, written.arguments, written.problem
        return Call(name, arguments, query.id, response_id, count, said, problem)

    def _instead(self, written: Written, query: Query | None) -> str:
        """What is said where no call may be made."""
        if query is None or self.generator.cancelled is not None:
            return written.words
        if stands(query):
            return written.words or self.config.generation.no_answer
        return _joined(written.words, self.config.tools_failed)

    def _undo(self, query: Query | None, decision: Decision | None) -> None:
        """Remove the turn that was entered from cache and conversation."""
        self.policy.discard()
        self.conversation.forget(query)
        if decision is not None:
            self.decider.retract()

    def _interrupted(self, ids: list[int], chunk: Chunk | None) -> bool:
        """Whether a chunk that closed during this answer calls for words.

        That chunk is only looked at here. It is decided again when its turn comes.
        """
        if not self.config.generation.interruptible or not self._may_speak_unasked:
            return False
        if chunk is None or chunk.index in self._peeked:
            return False
        video = self._peeked[chunk.index] = self.gate.encode(chunk)
        ended = Tokens(self.codec.assistant(ids).ids[len(ids) - 1 :])
        *seen, rest = self.codec.user(video, None)
        if self.yes_no is None:
            chunk_turn = self.codec.deciding([*seen, rest])
            wanted = self.codec.first or self.decider.silent_ids
            logits = self.codec.allowed(self.policy.kv.peek([ended, *chunk_turn], wanted))
            return not self.decider.peek(logits, chunk.stamp_ns).silent
        question = self.yes_no.question(video, self.conversation.open_texts())
        logits = self.policy.kv.peek([ended, *seen, question], self.yes_no.wanted)
        verdict = self.yes_no.verdict(logits)
        return not self.decider.peek(verdict, chunk.stamp_ns, silent=yes_no.SILENT).silent

    def _video(self, chunk: Chunk) -> Video:
        """The encoded chunk. A chunk that was encoded during an answer is not encoded again."""
        video = self._peeked.pop(chunk.index, None) or self.gate.encode(chunk)
        self._peeked = {i: v for i, v in self._peeked.items() if i > chunk.index}
        if not self.window.turns:
            self._check_context(video)
        return video

    def _check_context(self, video: Video) -> None:
        turn = tokens_in([*self.codec.user(video, None), self.codec.assistant(None)])
        notes = self.memory.prefix_tokens if self.memory is not None else 0
        check_context(self.config.window, turn, self.backend.context, self.backend.name, notes)

    # ---- between steps -----------------------------------------------------------------------

    def idle(self, busy: Callable[[], bool] = lambda: False) -> int:
        """Work ahead, one chunk at a time, until nothing is left or `busy()` is true.

        Returns the number of tokens prefilled.
        """
        tokens = 0
        while not busy() and (done := self.work_ahead()):
            tokens += done
        return tokens

    def work_ahead(self) -> int:
        """Do one piece of background work: a chunk of the next window, or a token of a note.

        Returns the number of tokens prefilled; 0 when nothing is left.
        """
        return self.policy.background() or self.asides.work(self.policy.kv)

    def cancel(self, discard: bool = False) -> None:
        """End the answer that is being generated; may be called from any thread.

        The words so far stay in the conversation. With `discard` none of them stay: cache and
        conversation are as they were before the chunk of the answer.
        """
        self.generator.cancelled = Cancel.DISCARD if discard else Cancel.KEEP

    def amend(self, response_id: str, said: str) -> bool:
        """Change a response to the words that were really said aloud.

        Args:
            response_id: the response that was interrupted.
            said: the words that were heard; "" when nothing was.

        Returns:
            True when the conversation now holds `said` as the answer. False when the response has
            left the window; then nothing changes.
        """
        amended = self.conversation.amended(response_id, said)
        if amended is None:
            return False
        self.policy.amend(*amended)
        return True

    def unheard(self, response_id: str) -> tuple[Query, ...]:
        """Open the watches again that this response answered: nobody heard a word of it.

        Returns those that stay closed, see `Conversation.unheard`.
        """
        return self.conversation.unheard(response_id)

    def deliver(self, task_id: str, text: str) -> Response | None:
        """Say the result of a task that was handed over; it needs no model.

        The words are an answer to the task's question. In the conversation they stand in the newest
        turn, or in a further turn of its chunk where that has words already.

        Args:
            task_id: see `Delegate`.
            text: what is said; blanks at its ends, and special tokens, are not.

        Returns:
            The response. None when no task with this id is open, or its watch was cancelled.
        """
        delivered = self.conversation.deliver(task_id, self.codec.plain(text))
        if delivered is None:
            return None
        ids, response = delivered
        if self.window.turns:
            newest = self.window.turns[-1]
            words = {"answer_ids": ids, "answer": response.text}
            words |= {"answer_id": response.query_id, "response_id": response.id}
            asked = newest.question is not None or newest.result is not None
            if asked or newest.answer_ids is not None:
                self.policy.add(replace(Turn(newest.chunk, newest.video), **words))
            else:
                self.policy.amend(len(self.window.turns) - 1, replace(newest, **words))
        return response

    def renew_memory(self) -> None:
        """Read the notes before the video again: some were deleted. What was recalled for questions
        leaves the window too, and watches know no more what they have told. The next step prefills
        it."""
        if self.memory is None:
            return
        self.conversation.watches.forget_words()
        text = self.memory.before()
        turns = [replace(turn, recalled="", shown=()) for turn in self.window.turns]
        self.policy.renew(replace(self.window.prefix, memory=text), turns)

    def unwatch(self, watch_id: str) -> bool:
        """End a watch. Returns False when no open watch has this id."""
        return self.conversation.watches.cancel(watch_id)


@dataclass(frozen=True)
class _Counts:
    critical_tokens: int
    switches: int
    encodes: int
    forwards: int


def _joined(*parts: str) -> str:
    """The parts of one response."""
    return " ".join(filter(None, parts))


def _hushed(said: Said, query: Query | None) -> Said:
    """The words with which the model accepts a quiet watch stay in the conversation, unsaid."""
    hush = query is not None and query.quiet and said.response is not None
    return replace(said, response=None, suppressed="quiet") if hush else said


def _still(frame: Frame) -> Chunk:
    """One picture as a second of video."""
    return Chunk(0, (frame, frame), frame.stamp_ns, frame.stamp_ns + NS)


class _Meter:
    """Measures one step: counters and milliseconds since the meter was made."""

    def __init__(self, engine: StreamEngine) -> None:
        self._engine = engine
        self._began, self._before = engine.clock(), self._counts()

    def _counts(self) -> _Counts:
        policy = self._engine.policy
        c = policy.counters
        asked = self._engine.owners.cost
        return _Counts(
            c.critical_tokens + asked.tokens,
            c.switches,
            self._engine.gate.encodes,
            policy.forwards + asked.forwards,
        )

    def step(
        self,
        chunk: Chunk,
        query: Query | None,
        decision: Decision,
        said: Said,
        answer: Answer | None,
        decided: float,
    ) -> Step:
        """The report of the step. `decided` is the clock's time after the decision, in seconds."""
        asked = query if query is not None and query.after is None else None
        end, now, before = self._engine.clock(), self._counts(), self._before
        return Step(
            chunk=chunk.index,
            stamp_ns=chunk.stamp_ns,
            decision=decision,
            response=said.response,
            question=asked.text if asked else None,
            question_id=asked.id if asked else None,
            step_ms=(end - self._began) * 1e3,
            decide_ms=(decided - self._began) * 1e3,
            prefill_tokens=now.critical_tokens - before.critical_tokens,
            vision_encodes=now.encodes - before.encodes,
            decode_tokens=len(answer.ids) if answer else 0,
            forwards=now.forwards - before.forwards,
            window_chunks=len(self._engine.window.turns),
            window_tokens=self._engine.session.length,
            switched=now.switches > before.switches,
            suppressed=said.suppressed,
            call=said.call,
            delegate=said.delegate,
        )
