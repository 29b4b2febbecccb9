"""The one thread that owns the model: loads it, then decides second after second. Knows no ROS.

Callbacks of the middleware store into the `Inbox`; what comes of it leaves through `Events`, called
on the worker's thread. A bad frame or question is reported and skipped; a model that fails in a
step is reported and starts from an empty window, with the words of the conversation; only a model
that cannot be loaded ends the worker.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aura_core.config import AssistantConfig
from aura_core.errors import AuraError, InputError
from aura_core.live.inbox import (
    EndOfFrames,
    Inbox,
    Item,
    PendingCall,
    PendingFrame,
    PendingQuestion,
)
from aura_core.models.backend import Backend
from aura_core.stream.attribution import Entry
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Step

_REMEMBERED = 64  # answers of which it may still be told that less was heard
WARM_SIZE = (480, 640)  # rows and columns of the blank frames of the warm-up step
# What else a model may raise in a step: torch reports a full GPU, a lost device and bad shapes as
# these.
_STEP_ERRORS = (RuntimeError, ValueError, MemoryError)


@dataclass(frozen=True)
class Events:
    """Where the worker reports to; each is called on the worker's thread."""

    ready: Callable[[str], None]  # frames are taken from now on; the model's one-line description
    # and the words of the question that its response answers, or ""
    step: Callable[[Step, str], None]
    # the answer so far, the stamp of its frame, whether a question asked for it
    text: Callable[[str, int, bool], None]
    # what went wrong; the chunk that it cost, if it cost one
    error: Callable[[str, int | None], None]
    failed: Callable[[str], None]  # the worker has ended: the model cannot run


@dataclass(frozen=True)
class Health:
    """A snapshot of the worker. Counters run from the start."""

    phase: str  # new, loading, ready, failed, stopped
    busy_s: float  # how long the present step has been running; 0 between steps
    frames_received: int
    frames_dropped: int  # wanted, but the model was too slow
    chunks_dropped: int  # whole seconds dropped for the same reason
    chunks_missed: int  # whole seconds that passed during an answer: seen, but not decided
    chunks_lost: int  # whole seconds in which no frame came
    active_watches: int
    errors: int


class Worker:
    """`start` it, feed `inbox`, `stop` it. `load` opens the model, on the worker's thread."""

    def __init__(
        self,
        load: Callable[[], Backend],
        config: AssistantConfig,
        events: Events,
        backlog_chunks: int = 3,
    ) -> None:
        self.config, self.events = config, events
        self.inbox = Inbox(config.sampling, backlog_chunks, config.generation.max_pending_questions)
        self._load = load
        self._assistant: StreamEngine | None = None
        self._phase, self._errors, self._missed, self._said = "new", 0, 0, ""
        self._step_began: float | None = None
        self._answering: int | None = None  # stamp of the answer that is being made
        self._spoken: dict[int, int] = {}  # stamps of the newest answers, and their chunks
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name="aura worker", daemon=True)

    def start(self) -> None:
        """Begin to load the model; returns at once."""
        self._phase = "loading"
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End the thread, and at its next token an answer under way; False when it takes
        too long."""
        self._stopping.set()
        self.inbox.close()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def heard(self, stamp_ns: int, said: str) -> None:
        """Of the answer with this stamp only `said` was heard aloud: if it is still being made, it
        ends at its next token; the conversation goes on as if `said` had been the answer. From any
        thread."""
        assistant = self._assistant
        if assistant is None:
            return
        if self._answering == stamp_ns:
            assistant.cancel()
        done = self.inbox.call(
            lambda a: stamp_ns in self._spoken and a.amend(self._spoken[stamp_ns], said)
        )
        done.add_done_callback(self._complain)

    def set_threshold(self, threshold: float | None) -> None:
        """Change `decider.threshold`; holds from the next chunk on. Raises `ConfigError` above
        `decider.rearm`."""
        self.config = replace(
            self.config, decider=replace(self.config.decider, threshold=threshold)
        )
        if self._assistant is not None:
            self._assistant.decider.threshold = threshold

    def health(self) -> Health:
        """How the worker is doing now; from any thread."""
        counters, assistant, began = self.inbox.counters(), self._assistant, self._step_began
        missing = assistant.sampling.counters.lost_chunks if assistant else 0
        dropped = counters.dropped_chunks + (assistant.dropped_chunks if assistant else 0)
        return Health(
            phase=self._phase,
            busy_s=time.monotonic() - began if began is not None else 0.0,
            frames_received=counters.received,
            frames_dropped=counters.dropped_frames,
            chunks_dropped=dropped,
            chunks_missed=self._missed,
            chunks_lost=max(0, missing - counters.dropped_chunks),
            active_watches=len(assistant.attribution.open_ids()) if assistant else 0,
            errors=self._errors,
        )

    # ---- on the worker's thread --------------------------------------------------------------

    def _main(self) -> None:
        try:
            assistant = self._open()
            if assistant is None:
                return
            while (item := self.inbox.take()) is not None:
                self._store(assistant, item)
                # what came during an answer is seen together
                if not (assistant.spoke and self.inbox.waiting):
                    self._decide(assistant)
        finally:
            # also when a bug ends the thread: its traceback is printed, and the node must not live
            # on
            died = self._phase in ("loading", "ready") and not self._stopping.is_set()
            if self._phase != "failed":
                self._phase = "stopped"
            if died:
                self.events.failed("the worker thread ended by a bug; its traceback is above")

    def _open(self) -> StreamEngine | None:
        try:
            backend = self._load()
            assistant = StreamEngine(backend, self.config, backlog=self.inbox.backlog_chunks)
            _warm(assistant)
        except (AuraError, RuntimeError, OSError) as e:
            self._phase = "failed"
            self.events.failed(_line(e))
            return None
        self._assistant = assistant
        self._phase = "ready"
        self.events.ready(backend.description)
        return assistant

    def _store(self, assistant: StreamEngine, item: Item) -> None:
        """Items come in order, so a question joins the second in which it was asked: the one that a
        replay gives it."""
        try:
            if isinstance(item, PendingQuestion):
                assistant.ask(item.text)
            elif isinstance(item, PendingFrame):
                assistant.push(item.make())
            elif isinstance(item, PendingCall):
                _answer(item, assistant)
            elif isinstance(item, EndOfFrames):
                assistant.flush()
        except InputError as e:
            self._report(_line(e), None)

    def _decide(self, assistant: StreamEngine) -> None:
        """The chunks that have closed; then, until something comes, work ahead."""
        while assistant.ready and not self._stopping.is_set():
            self._step(assistant)
        try:
            assistant.idle(lambda: self.inbox.waiting or self._stopping.is_set())
        except AuraError as e:  # the same quantum is tried again later, or its switch is a rebuild
            self._report(_line(e), None)
        except _STEP_ERRORS as e:
            assistant.recover()
            self._report(
                f"the model failed while it worked ahead, its window is emptied: {_line(e)}", None
            )

    def _step(self, assistant: StreamEngine) -> None:
        chunk = assistant.next_chunk
        assert chunk is not None
        self._step_began, self._said, before = time.monotonic(), "", _newest(assistant)

        def tell(text: str) -> None:  # a question of this chunk was entered before the first word
            self._on_text(assistant, text, chunk.stamp_ns, asked=_newest(assistant) is not before)

        try:
            step = assistant.step(tell)
        except AuraError as e:  # the engine has put everything back
            self._report(f"chunk {chunk.index} is lost: {_line(e)}", chunk.index)
            return
        except _STEP_ERRORS as e:
            given_up = assistant.recover()
            self._report(
                f"the model failed at chunk {chunk.index}, its window is emptied: {_line(e)}",
                chunk.index,
            )
            if given_up is not None:
                self._report(
                    f"the model failed twice over a question, which is given up: {given_up.text}",
                    None,
                )
            return
        finally:
            self._step_began = self._answering = None
        if step is not None and step.response is not None:
            self._spoken[step.stamp_ns] = step.chunk
            if len(self._spoken) > _REMEMBERED:
                del self._spoken[next(iter(self._spoken))]
        if step is not None:
            self._missed += step.missed_chunks
            self.events.step(
                step,
                assistant.attribution.question(step.response.query_id) if step.response else "",
            )

    def _on_text(self, assistant: StreamEngine, text: str, stamp_ns: int, asked: bool) -> None:
        self._answering = stamp_ns
        if self._stopping.is_set():
            assistant.cancel()
        if text != self._said:  # a token may be half a character, or a space
            self._said = text
            self.events.text(text, stamp_ns, asked)
        # the engine looks between tokens at what has come meanwhile
        if self.config.generation.interruptible:
            while self.inbox.waiting and (item := self.inbox.take(calls=False)) is not None:
                self._store(assistant, item)

    def _complain(self, done: Future[Any]) -> None:
        if (error := done.exception()) is not None:
            self._report(f"what was said aloud could not be remembered: {_line(error)}", None)

    def _report(self, message: str, chunk: int | None) -> None:
        self._errors += 1
        self.events.error(message, chunk)


def _answer(call: PendingCall, assistant: StreamEngine) -> None:
    """Refusals and failures of the model go to the caller; a bug ends the worker, as everywhere."""
    try:
        result = call.work(assistant)
    except AuraError as e:
        call.done.set_exception(e)
    else:
        call.done.set_result(result)


def _newest(assistant: StreamEngine) -> Entry | None:
    """The question that the model has seen last."""
    return next(reversed(assistant.attribution.entries), None)


def _warm(assistant: StreamEngine) -> None:
    """One throw-away step: the first forward of a model is many times slower than the others."""
    blank = np.zeros((*WARM_SIZE, 3), np.uint8)
    for stamp_ns in (0, 500_000_000):
        assistant.push(Frame(blank, stamp_ns))
    assistant.step(lambda _text: assistant.cancel())
    assistant.reset()


def _line(e: BaseException) -> str:
    return " ".join(str(e).split()) or type(e).__name__
