"""Frames and questions through the engine, shown: what `aura run` and `aura replay` share."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from aura_core.cli.show import Show, one_line
from aura_core.config import AssistantConfig
from aura_core.errors import InputError, ModelError
from aura_core.live.events import Event, Failed, Problem, Ready, Stepped
from aura_core.live.host import Host
from aura_core.replay.lockstep import NS, Asked, Lockstep, drive
from aura_core.stream.conversation import Conversation
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Query

LIVE_BACKLOG = 2  # chunks that may wait when a camera is faster than the model


def open_lockstep(config: AssistantConfig, show: Show) -> Lockstep:
    """Load the model and say which it is."""
    from aura_core.models import load

    backend = load(config.model, config.server)
    show.note(f"model:  {backend.description}")
    return Lockstep(StreamEngine(backend, config))


def check_questions(conversation: Conversation, questions: Sequence[Asked]) -> None:
    """Refuse a question now rather than in its second."""
    for question in questions:
        try:
            conversation.admit(Query(question.text, id="check"))
        except InputError as e:
            raise InputError(f"--ask at {question.at_s:g} s: {e}") from e


def show_steps(lockstep: Lockstep, events: Iterable[Frame | Query], show: Show) -> int:
    """Run `events` through the engine and show every step; returns how many questions were refused.

    Ctrl-C ends the stream, as the end of a camera does.
    """
    told = _Told(show)
    try:
        for step in drive(lockstep, told.noting(events), on_refused=told.refuse):
            show.step(step)
    except KeyboardInterrupt:
        show.note("stopped")
    told.unseen()
    c = lockstep.intake.sampler.counters
    if c.repeated or c.lost_chunks or c.late or c.restarts:
        show.note(
            f"frames: {c.repeated} repeated, {c.late} late, {c.lost_chunks} s lost, "
            f"{c.restarts} clock restarts"
        )
    show.console.print(show.summary(), soft_wrap=True)
    return len(told.refused)


def show_live(
    config: AssistantConfig,
    events: Iterable[Frame | Query],
    questions: Sequence[Asked],
    show: Show,
) -> int:
    """The same on a live source: the model runs on the host's thread, and what it is too slow for
    is dropped and counted. The error of a source that fails is raised when all is decided."""
    from aura_core.models import load

    host = Host(lambda: load(config.model, config.server), config, backlog_chunks=LIVE_BACKLOG)
    told, ready = _Told(show), queue.SimpleQueue[Ready | Failed]()

    def listen(event: Event) -> None:
        if isinstance(event, Ready | Failed):
            ready.put(event)
        elif isinstance(event, Stepped):
            show.step(event.step)
        elif isinstance(event, Problem):
            show.warn(event.message)

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
    if health.chunks_lost or health.chunks_dropped or health.chunks_missed:
        show.note(
            f"frames: {health.chunks_lost} s lost; while the model was busy {health.chunks_missed}"
            f" s were seen and not decided, {health.chunks_dropped} s were dropped"
        )
    show.console.print(show.summary(), soft_wrap=True)
    return len(told.refused)


def _feed(host: Host, events: Iterable[Frame | Query], told: _Told) -> None:
    for event in events:
        if isinstance(event, Frame):
            host.inbox.offer(event.stamp_ns, lambda frame=event: frame)
            continue
        try:
            host.inbox.ask(event)
        except InputError as e:
            told.refuse(event, e)


class _Told:
    """Which questions came, and which were refused."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._asked: list[Query] = []
        self.refused: list[Query] = []

    def noting(self, events: Iterable[Frame | Query]) -> Iterator[Frame | Query]:
        """`events`, whose questions are noted."""
        for event in events:
            if isinstance(event, Query):
                self._asked.append(event)
            yield event

    def refuse(self, query: Query, error: InputError) -> None:
        """Warn that a question was refused."""
        self.refused.append(query)
        at = "" if query.stamp_ns is None else f" at {query.stamp_ns} ns"
        self._show.warn(f"question '{shorten(query.text)}'{at} is refused: {error}")

    def unseen(self) -> None:
        """Warn of the questions that no step has seen: they are seen in the order of asking."""
        waiting = [q for q in self._asked if q not in self.refused]
        for query in waiting[self._show.questions :]:
            self._show.warn(
                f"question '{shorten(query.text)}' was never seen: the frames ended before its time"
            )


def paced(
    events: Iterable[Frame | Query],
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Frame | Query]:
    """The events at the pace of their stamps."""
    start: tuple[int, float] | None = None
    for event in events:
        if event.stamp_ns is not None:
            if start is None:
                start = event.stamp_ns, now()
            wait = (event.stamp_ns - start[0]) / NS - (now() - start[1])
            if wait > 0:
                sleep(wait)
        yield event


def shorten(text: str, limit: int = 60) -> str:
    """One line of at most `limit` characters."""
    text = one_line(text)
    return text if len(text) <= limit else text[: limit - 3] + "..."
