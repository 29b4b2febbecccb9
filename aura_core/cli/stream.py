"""Run frames and questions through the engine and show the steps: `aura run`, `aura replay`."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aura_core.cli.show import Show
from aura_core.config import AssistantConfig
from aura_core.errors import InputError, ModelError
from aura_core.live.events import (
    Called,
    Delegated,
    Event,
    Failed,
    Moved,
    Problem,
    Ready,
    Refused,
    Stepped,
    Told,
)
from aura_core.live.host import Host
from aura_core.replay.lockstep import Asked, Lockstep, drive
from aura_core.replay.witness import Witness
from aura_core.stream.conversation import Conversation
from aura_core.stream.engine import StreamEngine
from aura_core.stream.ids import new_run
from aura_core.stream.recovery import Lost
from aura_core.tools import UNAVAILABLE, error
from aura_core.types import Frame, Query
from aura_core.words import shorten

if TYPE_CHECKING:
    from aura_core.live.memory import AssistantMemory

LIVE_BACKLOG = 2  # most chunks that may wait when the model is slower than the camera


@contextmanager
def open_lockstep(
    config: AssistantConfig, show: Show
) -> Iterator[tuple[Lockstep, AssistantMemory | None]]:
    """Load the model, and print which it is; open the memory, where one is asked for."""
    from aura_core.live.memory import AssistantMemory, wall_of_stamps
    from aura_core.models import load

    backend = load(config.model, config.server)
    show.note(f"model:  {backend.description}")
    if not config.memory.path:
        yield Lockstep(StreamEngine(backend, config)), None
        return
    wall = wall_of_stamps(time.time_ns())
    memory = AssistantMemory(config.memory, new_run(), show.warn, wall=wall)
    memory.open()
    try:
        yield Lockstep(StreamEngine(backend, config, memory=memory.stream("", backend))), memory
    finally:
        memory.close()


def check_questions(conversation: Conversation, questions: Sequence[Asked]) -> None:
    """Raise the `InputError` of a question now, instead of at its time."""
    for question in questions:
        try:
            conversation.admit(Query(question.text, id="check"))
        except InputError as e:
            raise InputError(f"--ask at {question.at_s:g} s: {e}") from e


def show_steps(
    lockstep: Lockstep,
    events: Iterable[Frame | Query],
    show: Show,
    witness: Witness | None = None,
    memory: AssistantMemory | None = None,
) -> int:
    """Run `events` through the engine, and show every step. `witness` attends it, and `memory`
    notes what was said.

    Ctrl-C ends the stream as its own end would. Returns the number of questions that were refused
    plus the number of chunks that were lost.
    """
    told = _Told(show, witness)
    try:
        events = told.noting(events if witness is None else witness.attending(events))
        for step in drive(lockstep, events, on_refused=told.refuse, on_lost=told.lose):
            show.step(step)
            if witness is not None:
                witness.step(step)
            if memory is not None:
                memory.stepped(step)
    except KeyboardInterrupt:
        show.note("stopped")
        if witness is not None:
            witness.stopped = True
    told.unseen()
    c = lockstep.intake.sampler.counters
    if c.repeated or c.lost_chunks or c.late or c.restarts:
        show.note(
            f"frames: {c.repeated} repeated, {c.late} late, {c.lost_chunks} s lost, "
            f"{c.restarts} clock restarts"
        )
    show.console.print(show.summary(), soft_wrap=True)
    return len(told.refused) + told.lost


def show_live(
    config: AssistantConfig,
    events: Iterable[Frame | Query],
    questions: Sequence[Asked],
    show: Show,
) -> int:
    """`show_steps` for a live source.

    The model runs on the host's thread. Chunks that it is too slow for are dropped and counted.
    When the source fails, its error is raised after all waiting chunks are decided.
    """
    from aura_core.models import fallback, load

    host = Host(
        lambda: load(config.model, config.server),
        config,
        backlog_chunks=LIVE_BACKLOG,
        fallback=fallback(config),
    )
    told, ready = _Told(show), queue.SimpleQueue[Ready | Failed]()

    def listen(event: Event) -> None:
        if isinstance(event, Ready | Failed):
            ready.put(event)
        elif isinstance(event, Stepped):
            show.step(event.step)
        elif isinstance(event, Called):
            host.result(event.call, error(UNAVAILABLE), event.stream)
        elif isinstance(event, Delegated):
            host.delegated(event.delegate.id, "", success=False)
        elif isinstance(event, Told):
            show.told(event.response)
        elif isinstance(event, Refused):
            told.refuse(event.query, InputError(event.reason))
        elif isinstance(event, Moved):
            show.warn(event.message)
        elif isinstance(event, Problem):
            show.warn(event.message)
            told.lost += event.chunk is not None

    host.listen(listen)
    host.start()
    try:
        if isinstance(event := ready.get(), Failed):
            raise ModelError(event.message)
        show.note(f"model:  {event.description}")
        host.inbox.call(lambda e: check_questions(e.conversation, questions)).result()
        try:
            _feed(host, told.noting(events), told)
        except KeyboardInterrupt:
            show.note("stopped")
        finally:
            host.inbox.end_of_frames()
            host.drain()
    finally:
        host.stop()
    told.unseen()
    health = host.health()
    if health.clock_restarts or health.stuck_stamps:
        show.note(
            f"clock:  {health.clock_restarts} restarts, {health.stuck_stamps} frames whose stamp"
            " stood still"
        )
    if health.chunks_lost or health.chunks_dropped or health.chunks_missed:
        show.note(
            f"frames: {health.chunks_lost} s lost; while the model was busy {health.chunks_missed}"
            f" s were seen and not decided, {health.chunks_dropped} s were dropped"
        )
    show.console.print(show.summary(), soft_wrap=True)
    return len(told.refused) + told.lost


def _feed(host: Host, events: Iterable[Frame | Query], told: _Told) -> None:
    for event in events:
        if not host.running:
            return
        if isinstance(event, Frame):
            host.inbox.offer(event.stamp_ns, lambda frame=event: frame)
            continue
        try:
            host.inbox.ask(event)
        except InputError as e:
            told.refuse(event, e)


class _Told:
    """The questions of a run: which were asked, and which were refused."""

    def __init__(self, show: Show, witness: Witness | None = None) -> None:
        self._show, self._witness = show, witness
        self._asked: list[Query] = []
        self.refused: list[Query] = []
        self.lost = 0  # chunks over which the model failed

    def lose(self, lost: Lost) -> None:
        """Warn that a chunk was lost."""
        self.lost += 1
        self._show.warn(lost.message)
        if self._witness is not None:
            self._witness.lose(lost)
        if lost.given_up is not None:
            self.refuse(lost.given_up, InputError("the model failed twice on it"))

    def noting(self, events: Iterable[Frame | Query]) -> Iterator[Frame | Query]:
        """The events; questions among them are recorded."""
        for event in events:
            if isinstance(event, Query):
                self._asked.append(event)
            yield event

    def refuse(self, query: Query, error: InputError) -> None:
        """Print a warning that a question was refused."""
        self.refused.append(query)
        if self._witness is not None:
            self._witness.refuse(query, error)
        at = "" if query.stamp_ns is None else f" at {query.stamp_ns} ns"
        self._show.warn(f"question '{shorten(query.text)}'{at} is refused: {error}")

    def unseen(self) -> None:
        """Print a warning for each question that no step has seen.

        Questions are seen in the order in which they are asked.
        """
        refused = {(q.text, q.stamp_ns) for q in self.refused}  # they have got ids since
        waiting = [q for q in self._asked if (q.text, q.stamp_ns) not in refused]
        for query in waiting[self._show.questions :]:
            self._show.warn(
                f"question '{shorten(query.text)}' was never seen: the frames ended before its time"
            )
