"""The host owns the model's thread: it loads the model, then serves every stream, chunk by chunk.

    callbacks -> Inbox (one a stream) -> Host: admit, call, step, work ahead -> listeners

Whatever runs the engine on something live uses this host: the ROS node, `aura run` on a camera, and
the console. It knows no ROS. A bad frame or question is reported and skipped. A model that fails in
a step loses that chunk. Only a model that cannot be loaded ends the host.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from aura_core.config import AssistantConfig
from aura_core.errors import AuraError, InputError, one_line
from aura_core.live.events import (
    Asked,
    Called,
    Delegated,
    Event,
    Failed,
    Forgotten,
    Listener,
    Moved,
    Noted,
    Problem,
    Ready,
    Refused,
    Stepped,
    Unheard,
    Watched,
    Words,
)
from aura_core.live.fallback import Models
from aura_core.live.futures import gathered
from aura_core.live.health import Health
from aura_core.live.inbox import RESTING, STOPPING, Inbox, convert
from aura_core.live.memory import AssistantMemory, remembering
from aura_core.live.rate import Rate
from aura_core.live.stream import Stream, alerts_of
from aura_core.live.tasks import Tasks
from aura_core.memory.wanted import Wanted
from aura_core.models.backend import Backend
from aura_core.stream.attribution import stands
from aura_core.stream.engine import StreamEngine
from aura_core.stream.generation import OnText
from aura_core.stream.ids import new_run
from aura_core.stream.intake import check_text
from aura_core.stream.recovery import Lost, Recovery
from aura_core.stream.watches import Watch
from aura_core.tools import result_of
from aura_core.types import Call, Chunk, Frame, Query, Response, Step
from aura_core.words import shorten

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
EXPIRY_S = 0.25  # how often questions that wait for a chunk, and open tasks, are looked at
WARM_SIZE = (480, 640)  # rows and columns of the blank frames of the warm-up step


class Host:
    """Loads a model, and runs it on one or more live streams.

    Call `listen` and `start`, feed the inboxes, then `stop`. The host can be started again
    afterwards.

    Args:
        load: opens the model; called on the model's thread.
        config: the engine's settings.
        streams: names of the streams (cameras) that share the model. Each has its own window. They
            take turns, one chunk a turn.
        backlog_chunks: most closed chunks of a stream that may wait.
        fallback: opens the model of `config.fallback`; called on the model's thread. None: there is
            none.
    """

    def __init__(
        self,
        load: Callable[[], Backend],
        config: AssistantConfig,
        streams: Sequence[str] = ("",),
        backlog_chunks: int = 3,
        fallback: Callable[[], Backend] | None = None,
    ) -> None:
        self.config = config
        other = config.fallback
        names = (config.model.path, other.model.path)
        opened = None if fallback is None else lambda: self._fitting(fallback())
        self._models = Models(load, opened, other, self._attempt, names)
        self._changed = threading.Condition()
        own = config.generation
        self._rate = Rate(own.questions_per_minute)

        def inbox() -> Inbox:
            return Inbox(
                config.sampling,
                backlog_chunks,
                own.max_pending_questions,
                self._changed,
                own.at_once,
                config.watch.max_open,
                own.max_question_chars,
            )

        self.streams = {name: Stream(name, inbox()) for name in streams}
        self._turns = list(self.streams.values())  # the stream that is served next comes first
        self._tasks = Tasks(lambda: self.config, self._tell)
        self._listeners: list[Listener] = []
        self._phase = "new"
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.memory: AssistantMemory | None = None
        self._begin_run()

    def _begin_run(self) -> None:
        self.run = run = new_run()
        before, self.memory = self.memory, None
        if self.config.memory.path:
            self.memory = AssistantMemory(
                remembering(self.config),
                run,
                lambda line: self._tell(Problem("", line)),
                lambda note: self._tell(Noted(note.stream, note)),
            )
            if before is not None and before.asked_pause is not None:
                # somebody has asked for it: a new run does not undo it
                self.memory.pause(before.asked_pause, since_ns=before.paused_since_ns)
        for stream in self.streams.values():
            stream.begin(run)

    # ---- from any thread ---------------------------------------------------------------------

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on. Returns a function that ends this."""
        self._listeners = [*self._listeners, listener]

        def end() -> None:
            self._listeners = [known for known in self._listeners if known is not listener]

        return end

    @property
    def running(self) -> bool:
        """Whether the host loads its model or serves its streams."""
        return self._phase in ("loading", "ready")

    @property
    def deciding(self) -> bool:
        """Whether a step is under way whose first word has not come, or is about to begin."""
        return any(
            s.deciding or (s.inbox.waiting and s.step_began is None) for s in self.streams.values()
        )

    @property
    def inbox(self) -> Inbox:
        """The inbox of the first stream."""
        return next(iter(self.streams.values())).inbox

    def start(self) -> None:
        """Begin to load the model, and return at once.

        What was put into the inboxes before the first start is kept. A later start empties them.
        """
        if self._thread is not None:
            for stream in self.streams.values():
                stream.inbox.open()
                stream.errors = stream.missed = stream.reported_missed = 0
                stream.spoke, stream.engine = False, None
            self._models.reset()
            self._begin_run()
        self._stopping.clear()
        self._phase = "loading"
        self._thread = threading.Thread(target=self._main, name="aura model", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the model's thread; an answer under way ends at its next token.

        Returns False when the thread does not end within `timeout_s`.
        """
        self._stopping.set()
        self._models.close()
        self._close()
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True

    def free(self) -> None:
        """Let the model's memory go, after `stop`."""
        for stream in self.streams.values():
            stream.close()
        self._models.reset()

    def _close(self) -> None:
        for stream in self.streams.values():
            for query in stream.inbox.close():
                self._tell(Refused(stream.name, query, STOPPING))
            self._tasks.drop(stream, STOPPING)

    def rest(self) -> None:
        """Decide nothing until `wake`: frames and questions are not taken.

        An answer under way ends at its next token. Chunks that wait are dropped; watches, and what
        the window holds, stay.
        """
        for stream in self.streams.values():
            if stream.answering and stream.engine is not None:
                stream.engine.cancel()
            for query in stream.inbox.rest():
                self._tell(Refused(stream.name, query, RESTING))
            self._tasks.drop(stream, RESTING)

    def wake(self) -> None:
        """Go on after `rest`."""
        for stream in self.streams.values():
            stream.inbox.wake()

    def drain(self, timeout_s: float | None = None) -> bool:
        """Wait until every waiting chunk is decided.

        Returns False when that takes longer than `timeout_s` (None: no limit), or when the host has
        ended.
        """
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._phase in ("failed", "stopped") or self._quiet(), timeout_s
            )
            return done and self._phase == "ready"

    def heard(self, response_id: str, said: str) -> None:
        """Tell that only the part `said` of a response was heard aloud.

        An answer that is still being generated ends at its next token. The conversation then holds
        `said` as the answer. Where nothing was heard, the watches that it answered are open again;
        where that has happened too often, `Unheard` is told.
        """
        for stream in self.streams.values():
            if stream.engine is None:
                continue
            if stream.answering == response_id:
                stream.engine.cancel()
            done = stream.inbox.call(partial(_heard, response_id, said))
            done.add_done_callback(lambda done, stream=stream: self._after_heard(stream, done))

    def ask(self, query: Query | str, stream: str | None = None, source: str = "") -> Future[Query]:
        """Ask a question that the user expects to be answered now, or begin a watch.

        `source` is where it comes from, such as "asr/text": each source has a rate of its own
        (`generation.questions_per_minute`).

        The future gives the question with its id, or the `InputError` of its refusal. It is set
        within the step that is being made. While the model loads, a watch is accepted at once.

        Raises:
            InputError: the question cannot be answered now: the model is loading, no frames come,
                the question is empty or too long, its source has asked too often, or too many
                wait. A watch is not refused for the first two.
        """
        which = self._named(stream)
        query = Query(query) if isinstance(query, str) else query
        check_text(query.text, self.config.generation.max_question_chars)
        if not stands(query):
            self._check_now(which)
        self._rate.take(source)
        if not (stands(query) and self._phase in ("new", "loading")):
            asked = which.inbox.ask(query)
            asked.add_done_callback(lambda done: self._accepted(which, source, done))
            return asked
        query = query if query.id else replace(query, id=which.ids.next("q"))
        later = which.inbox.ask(query)
        later.add_done_callback(lambda done: self._refused_later(which, query, done))
        accepted: Future[Query] = Future()
        accepted.set_result(query)
        self._accepted(which, source, accepted)
        return accepted

    def result(self, call: Call, text: str, stream: str | None = None) -> None:
        """Give the result of a call (`Called`) to the model, as text; it then goes on to answer.

        Where it cannot go on, because it rests or ends, `Refused` is told for the question.
        """
        which, query = self._named(stream), result_of(call, text)
        if reason := which.inbox.follow(query):
            self._tell(Refused(which.name, query, reason))

    def delegated(self, task_id: str, words: str, success: bool = True) -> Future[Response]:
        """Give the result of a task (`Delegated`); it is told at once (`Told`).

        Args:
            task_id: the id of the task.
            words: the result, as it is told; a long one is cut. Without success: why there is none;
                empty: `delegate_failed` is told.
            success: whether the task was done.

        The future gives the response, or an `InputError`.

        Raises:
            InputError: no task with this id is open, or a result has no words.
        """
        stream = self._named(self._tasks.stream_of(task_id))
        words = self._tasks.words(words, success)
        return stream.inbox.call(lambda engine: self._tasks.deliver(stream, engine, task_id, words))

    def _accepted(self, stream: Stream, source: str, done: Future[Query]) -> None:
        if done.exception() is None:
            self._tell(Asked(stream.name, done.result(), source))

    def _refused_later(self, stream: Stream, query: Query, done: Future[Query]) -> None:
        """A watch that was accepted while the model was loading."""
        if (error := done.exception()) is not None:
            self._tell(Refused(stream.name, query, one_line(error)))

    def _check_now(self, stream: Stream) -> None:
        if self._phase in ("failed", "stopped"):
            return  # the inbox is closed, and refuses it
        if self._phase != "ready":
            raise InputError("the model is still loading; ask again when it is ready")
        arrived_s, limit_s = stream.inbox.arrived_s, self.config.generation.question_ttl_s
        if arrived_s is None:
            raise InputError("no frame has come from the camera yet")
        limit_s = max(limit_s, self.config.sampling.hold_s or 0.0)
        if (age_s := time.monotonic() - arrived_s) > limit_s:
            raise InputError(f"no frames come from the camera; the last one came {age_s:.0f} s ago")

    def forget(self, wanted: Wanted | None, timeout_s: float | None = None) -> int:
        """Delete notes for good, None: all of them, and return their number.

        They leave the text before the video too, with the next step; see `_heed_deletions`.

        Raises `InputError` without a memory, and when it cannot be done.
        """
        if self.memory is None:
            raise InputError("there is no memory (memory.path is empty)")
        try:
            return self.memory.forget(wanted, timeout_s)
        finally:  # an error may come after the notes are gone
            for stream in self.streams.values():
                stream.inbox.call(lambda engine: None)  # it is served now, also without a chunk

    def unwatch(self, watch_id: str, stream: str | None = None) -> Future[bool]:
        """End a watch, or take back a question that was not asked yet; of any stream when None.

        The future gives True if there was a watch or question of this id.
        """
        which = list(self.streams.values()) if stream is None else [self._named(stream)]
        return gathered([w.inbox.call(partial(_unwatch, w.inbox, watch_id)) for w in which], any)

    def watches(self) -> Future[list[tuple[str, Watch]]]:
        """All watches, each with the name of its stream."""

        def of(name: str) -> Callable[[StreamEngine], list[tuple[str, Watch]]]:
            return lambda engine: [(name, w) for w in engine.conversation.watches.list()]

        calls = [s.inbox.call(of(name)) for name, s in self.streams.items()]
        return gathered(calls, lambda lists: [w for some in lists for w in some])

    def configure(self, config: AssistantConfig) -> None:
        """Use other limits from the next chunk on: those of `decider`, `generation` and `watch`.

        All other settings must be as before.
        """
        self.config = config  # `_serve` passes it on
        self._rate.most = config.generation.questions_per_minute
        for stream in self.streams.values():
            stream.inbox.limit(config.generation.max_pending_questions)

    def health(self, stream: str | None = None) -> Health:
        """How a stream is doing now; `stream` None or "" means the first."""
        which = self._named(stream)
        counters, engine, began = which.inbox.counters(), which.engine, which.step_began
        return Health(
            phase=self._phase,
            busy_s=time.monotonic() - began if began is not None else 0.0,
            frames_received=counters.received_frames,
            frames_dropped=counters.dropped_frames,
            chunks_dropped=counters.dropped_chunks,
            chunks_missed=which.missed,
            chunks_lost=counters.lost_chunks,
            active_watches=len(engine.conversation.attribution.open_ids()) if engine else 0,
            errors=which.errors,
            clock_restarts=counters.clock_restarts,
            stuck_stamps=counters.stuck_stamps,
            frames_undecodable=which.view.undecodable,
            frame_quiet_s=which.view.quiet_s(which.inbox.arrived_s),
            black=which.view.black,
            frozen_s=which.view.frozen_s,
            trouble=engine.backend.trouble if engine else "",
            fallback=self._models.state,
            model_changes=self._models.changes,
            memory="off" if self.memory is None else self.memory.state,
            memory_trouble="" if self.memory is None else self.memory.trouble,
            memory_paused_ns=None if self.memory is None else self.memory.paused_since_ns,
        )

    @property
    def model_path(self) -> str:
        """`model.path` of the model that runs; the served name of one that only a server knows."""
        c = self.config
        model, server = (
            (c.fallback.model, c.fallback.server) if self._models.away else (c.model, c.server)
        )
        anywhere = server.url and server.dialect == "openai"
        return server.model if anywhere else model.path

    def _named(self, stream: str | None) -> Stream:
        if not stream:
            return next(iter(self.streams.values()))
        if stream not in self.streams:
            named = ", ".join(name for name in self.streams if name)
            there = f"camera must be one of {named}, not" if named else "there is no camera"
            raise InputError(f"{there} '{stream}'")
        return self.streams[stream]

    # ---- on the model's thread ---------------------------------------------------------------

    def _main(self) -> None:
        try:
            if self.memory is not None:
                self.memory.open()
            if self._open():
                while (stream := self._next()) is not None:
                    self._serve(stream)
        finally:  # a bug ends the thread with a traceback; then nobody may wait for it for ever
            self._models.close()
            died = self._phase in ("loading", "ready") and not self._stopping.is_set()
            with self._changed:
                if self._phase != "failed":
                    self._phase = "stopped"
                self._changed.notify_all()
            self._close()  # nothing may wait for a host that has ended
            if self.memory is not None:
                self.memory.close()
            if died:
                self._tell(Failed("the model's thread ended by a bug; its traceback is above"))

    def _open(self) -> bool:
        try:
            backend = self._models.begin(self._open_streams)
        except Exception as e:  # a model is foreign code, see `Recovery`
            log.debug("the model could not be loaded", exc_info=e)
            self._phase = "failed"
            self._tell(Failed(one_line(e)))
            return False
        self._phase = "ready"
        self._tell(Ready(backend.description))
        if self._models.trouble:  # it did not start
            self._tell(Moved(True, self._models.changed()))
        elif problem := self._models.check():
            self._tell(Problem("", problem))
        return True

    def _open_streams(self, backend: Backend) -> None:
        for stream in self.streams.values():
            stream.open(backend, self.config, self.memory)
        warm(next(iter(self.streams.values())).engine)

    def _fitting(self, backend: Backend) -> Backend:
        """The model, if it can do what the settings ask for. Raises `ConfigError`."""
        StreamEngine(backend, self.config)
        return backend

    def _attempt(self, backend: Backend) -> None:
        """Make a step on a model that does not run."""
        warm(StreamEngine(backend, self.config))

    def _change_model(self) -> None:
        """Go on with the other model where that is due. Between two chunks."""
        backend = self._models.due()
        if backend is None:
            return
        try:
            for stream in self.streams.values():
                stream.move(backend, self.config)
        except Exception as e:  # it is tried again with the next chunk
            log.debug("the model could not be changed", exc_info=e)
            self._report(stream, f"{backend.name} cannot take over: {one_line(e)}")
            return
        message = self._models.changed()
        self._tell(Moved(self._models.away, message))

    def _next(self) -> Stream | None:
        """The next stream that has something to do; None: stop.

        Works ahead while no stream has.
        """
        holds = self.config.sampling.hold_s is not None
        while not self._stopping.is_set():
            for stream in self._turns:
                stream.inbox.hold()
            waiting = next((s for s in self._turns if s.inbox.waiting), None)
            if waiting is not None:
                self._turns.remove(waiting)
                self._turns.append(waiting)
                return waiting
            if not any([self._work_ahead(stream) for stream in self._turns]):
                with self._changed:
                    self._changed.notify_all()  # for those that wait in `drain`
                    asked = bool(self._tasks) or any(s.inbox.questions for s in self._turns)
                    self._changed.wait_for(self._wanted, EXPIRY_S if asked or holds else None)
                for stream in self._turns:
                    self._expire(stream)
        return None

    def _wanted(self) -> bool:
        return self._stopping.is_set() or any(s.inbox.waiting for s in self._turns)

    def _quiet(self) -> bool:
        streams = self.streams.values()
        return not any(s.inbox.waiting or s.step_began is not None for s in streams)

    def _serve(self, stream: Stream) -> None:
        """Take new questions and calls, then at most one chunk."""
        self._change_model()
        engine = stream.engine
        assert engine is not None
        if engine.config is not self.config:
            engine.configure(self.config)
        for asked, query in stream.inbox.admit(engine.conversation.admit):
            asked.done.set_result(query)
        self._expire(stream)
        self._heed_deletions(stream)
        for call in stream.inbox.calls():
            _answer(call.work, call.done, stream.recovery)
        self._tell_watches(stream)
        self._catch_up(stream)
        if self._stopping.is_set():
            return
        stream.step_began, stream.deciding = time.monotonic(), True
        try:
            taken = stream.inbox.take()
            if taken is not None:
                self._step(stream, *taken)
            elif (query := stream.inbox.due()) is not None:
                self._answer_now(stream, query)
        finally:
            stream.step_began, stream.answering, stream.deciding = None, "", False
            self._tell_watches(stream)

    def _heed_deletions(self, stream: Stream) -> None:
        """Take what was deleted from the memory out of the window, whoever deleted it: `forget`, or
        `aura memory forget` in another process."""
        if self.memory is None or (deletions := self.memory.heed()) == stream.deletions:
            return
        gone = self.memory.gone(stream.deletions)
        stream.deletions = deletions
        try:
            stream.recovery.call(StreamEngine.renew_memory)
        except AuraError as e:
            self._report(stream, f"deleted notes may still be in the window: {one_line(e)}")
        self._tell(Forgotten(gone))

    def _tell_watches(self, stream: Stream) -> None:
        """Tell the watches, where one has changed."""
        assert stream.engine is not None
        watches = tuple(stream.engine.conversation.watches.list())
        if watches != stream.watches:
            stream.watches = watches
            self._tell(Watched(stream.name, watches))

    def _expire(self, stream: Stream) -> None:
        """Refuse the questions that no chunk came for, and give up tasks whose time is over.

        While another model takes over, questions wait.
        """
        ttl_s = self.config.generation.question_ttl_s
        expired = [] if self._models.trouble else stream.inbox.expire(ttl_s)
        for query in expired:
            self._tell(Refused(stream.name, query, f"no frames came for {ttl_s:g} s"))
        self._tasks.expire(stream)

    def _catch_up(self, stream: Stream) -> None:
        """Add the chunks that closed during an answer to the window, all but the newest.

        Only the newest is decided.
        """
        while stream.spoke and stream.inbox.ready > 1 and not self._stopping.is_set():
            chunk = self._converted(stream, stream.inbox.take_chunk())
            if chunk is not None:
                lost = stream.recovery.see(chunk)
                if lost is not None:
                    self._models.failed(one_line(lost.error, 200))
                    self._report(stream, lost.message, lost.chunk)
                else:
                    stream.seen.append(chunk)
                stream.missed += 1

    def _step(self, stream: Stream, pending: Chunk, query: Query | None) -> None:
        chunk = self._converted(stream, pending)
        if chunk is None:
            if query is not None:
                stream.inbox.give_back(query)
            return
        frame = chunk.frames[-1]
        tell = self._teller(stream, frame, query)
        newest = lambda: self._newest(stream)  # noqa: E731
        result = stream.recovery.step(chunk, query, tell, newest)
        if not isinstance(result, Lost):
            stream.seen.append(chunk)
        self._report_step(stream, result, frame, query)

    def _answer_now(self, stream: Stream, query: Query) -> None:
        frame = stream.engine.last_frame
        if frame is None:  # the window is empty: the question waits for the next chunk
            stream.inbox.give_back(query)
            return
        tell = self._teller(stream, frame, query)
        result = stream.recovery.answer_now(query, tell, lambda: self._newest(stream))
        if result is None:
            stream.inbox.give_back(query)
        else:
            self._report_step(stream, result, frame, query)

    def _teller(self, stream: Stream, frame: Frame, query: Query | None) -> OnText:
        """Publishes the words of an answer about `frame` as they come."""
        said, stamp_ns, frame_id = "", frame.stamp_ns, frame.frame_id

        def tell(response_id: str, text: str) -> None:
            nonlocal said
            stream.answering, stream.deciding = response_id, False
            if self._stopping.is_set():
                stream.engine.cancel()
            if text != said:  # a token may be part of a character, or a space
                said = text
                asked = query is not None
                attribution = stream.engine.conversation.attribution
                urgent = not asked and attribution.urgent_so_far(text)
                words = Words(stream.name, response_id, text, stamp_ns, asked, frame_id, urgent)
                self._tell(words)

        return tell

    def _report_step(
        self, stream: Stream, result: Step | Lost, frame: Frame, query: Query | None
    ) -> None:
        if isinstance(result, Lost):
            self._lost(stream, result)
            return
        stream.deciding = False
        self._models.worked()
        stream.spoke = result.decode_tokens > 0
        missed = stream.missed
        result = replace(result, missed_chunks=missed - stream.reported_missed)
        stream.reported_missed = missed
        engine = stream.engine
        self._tell(Stepped(stream.name, result, frame, *alerts_of(engine, result.response)))
        named = engine.conversation.attribution.named
        if result.call is not None:
            asked = next((e.query for e in named([result.call.query_id])), query)
            self._tell(Called(stream.name, asked, result.call))
        if (task := result.delegate) is not None:
            asked = next((e.query for e in named([task.query_id])), query)
            timeout_s = self.config.delegate_timeout_s
            self._tasks.begin(stream, Delegated(stream.name, asked, task, frame, timeout_s))

    def _lost(self, stream: Stream, lost: Lost) -> None:
        self._models.failed(one_line(lost.error, 200))
        if lost.again is not None:
            stream.inbox.give_back(lost.again)
        self._report(stream, lost.message, lost.chunk)
        if lost.given_up is not None:
            self._tell(Refused(stream.name, lost.given_up, "the model failed twice on it"))

    def _newest(self, stream: Stream) -> Chunk | None:
        """The chunk that closed last, for answers that may be interrupted; else None."""
        if not self.config.generation.interruptible:
            return None
        pending = stream.inbox.newest()
        return None if pending is None else convert(pending, lambda _: None)

    def _converted(self, stream: Stream, chunk: Chunk) -> Chunk | None:
        bad = 0

        def report(error: InputError) -> None:
            nonlocal bad
            bad += 1
            self._report(stream, one_line(error))

        converted = convert(chunk, report)
        stream.view.look(converted, bad)
        if converted is None:
            stream.inbox.unusable()
        return converted

    def _work_ahead(self, stream: Stream) -> bool:
        done = stream.recovery.work_ahead()
        if isinstance(done, Lost):
            self._report(stream, done.message)
            return False
        return done > 0

    def _after_heard(self, stream: Stream, done: Future[tuple[Query, ...]]) -> None:
        if (error := done.exception()) is not None:
            self._report(stream, f"what was said aloud could not be remembered: {one_line(error)}")
            return
        for watch in done.result():
            told = shorten(watch.text)
            self._report(
                stream, f"nobody heard the alert of watch {watch.id}, '{told}': it is lost"
            )
            self._tell(Unheard(stream.name, watch))

    def _report(self, stream: Stream, message: str, chunk: int | None = None) -> None:
        stream.errors += 1
        self._tell(Problem(stream.name, message, chunk))

    def _tell(self, event: Event) -> None:
        if self.memory is not None:
            self.memory.on_event(event)
        for listener in self._listeners:
            listener(event)


def _heard(response_id: str, said: str, engine: StreamEngine) -> tuple[Query, ...]:
    """Returns the watches whose alert is lost, because nobody heard it."""
    lost = engine.unheard(response_id) if not said.strip() else ()
    engine.amend(response_id, said)
    return lost


def _unwatch(inbox: Inbox, watch_id: str, engine: StreamEngine) -> bool:
    return inbox.take_back(watch_id) or engine.unwatch(watch_id)


def _answer(work: Callable[[StreamEngine], Any], done: Future[Any], recovery: Recovery) -> None:
    """Do the work of a call, and give its result or `AuraError` to the caller."""
    try:
        result = recovery.call(work)
    except AuraError as e:
        done.set_exception(e)
    else:
        done.set_result(result)


def warm(engine: StreamEngine) -> None:
    """Make one step on blank frames, and forget it.

    The first forward of a model is many times slower than the others.
    """
    blank = np.zeros((*WARM_SIZE, 3), np.uint8)
    frames = (Frame(blank, 0), Frame(blank, 500_000_000))
    engine.step(Chunk(0, frames, 0, 1_000_000_000), None, lambda _id, _text: engine.cancel())
    engine.reset()
