"""Frames and questions through the engine, shown: what `aura run` and `aura replay` share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from aura_core.cli.show import Show, one_line
from aura_core.config import AssistantConfig
from aura_core.errors import InputError
from aura_core.replay.lockstep import NS, Asked, drive
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Query

LIVE_BACKLOG = 2  # chunks that may wait when a camera is faster than the model


def open_assistant(config: AssistantConfig, show: Show, live: bool = False) -> StreamEngine:
    """Load the model and say which it is."""
    from aura_core.models import load

    backend = load(config.model, config.server)
    show.note(f"model:  {backend.description}")
    return StreamEngine(backend, config, LIVE_BACKLOG if live else None)


def check_questions(assistant: StreamEngine, questions: Sequence[Asked]) -> None:
    """Refuse a question now rather than in its second."""
    for question in questions:
        try:
            assistant.ask(question.text)
        except InputError as e:
            raise InputError(f"--ask at {question.at_s:g} s: {e}") from e
        assistant.reset()


def show_steps(
    assistant: StreamEngine,
    events: Iterable[Frame | Query],
    show: Show,
    waiting: Callable[[], bool] | None = None,
) -> int:
    """Run `events` through the engine and show every step; returns how many questions were refused.

    Ctrl-C ends the stream, as the end of a camera does. `waiting`: see `drive`.
    """
    queries: list[Query] = []
    refused: list[Query] = []

    def refuse(query: Query, error: InputError) -> None:
        refused.append(query)
        at = "" if query.stamp_ns is None else f" at {query.stamp_ns} ns"
        show.warn(f"question '{shorten(query.text)}'{at} is refused: {error}")

    try:
        for step in drive(assistant, _noting(events, queries), on_refused=refuse, waiting=waiting):
            show.step(step)
    except KeyboardInterrupt:
        show.note("stopped")
    unseen = [q for q in queries if q not in refused]
    # questions are seen in the order in which they are asked
    for query in unseen[show.questions :]:
        show.warn(
            f"question '{shorten(query.text)}' was never seen: the frames ended before its time"
        )
    c = assistant.sampling.counters
    if c.repeated or c.lost_chunks or c.late or c.restarts or assistant.dropped_chunks:
        show.note(
            f"frames: {c.repeated} repeated, {c.late} late, {c.lost_chunks} s lost, "
            f"{c.restarts} clock restarts, {assistant.dropped_chunks} chunks dropped"
        )
    show.console.print(show.summary(), soft_wrap=True)
    return len(refused)


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


def _noting(events: Iterable[Frame | Query], queries: list[Query]) -> Iterator[Frame | Query]:
    for event in events:
        if isinstance(event, Query):
            queries.append(event)
        yield event
