"""Frames and questions in one order, and the engine stepped after each: no clock, no threads, no
drops (but those of a live source).

`aura run`, `aura replay` and the evaluation all go through `drive`, so the same frames and
questions give the same decisions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from aura_core.errors import InputError
from aura_core.stream.engine import OnText, StreamEngine
from aura_core.types import Frame, Query, Step

NS = 1_000_000_000
OnRefused = Callable[[Query, InputError], None]


@dataclass(frozen=True)
class Asked:
    """A question `at_s` seconds after the first frame."""

    text: str
    at_s: float

    @classmethod
    def parse(cls, spec: str) -> Asked:
        """Read `3.0:what is on the table?`. Raises `InputError` naming what is wrong with it."""
        seconds, colon, text = spec.partition(":")
        try:
            at_s = float(seconds)
        except ValueError:
            colon, at_s = "", 0.0
        if not colon or not 0.0 <= at_s < 1e9:
            raise InputError(
                f"--ask '{_short(spec)}': expected SECONDS:QUESTION, as in '3.0:what is on the"
                " table?'"
            )
        if not text.strip():
            raise InputError(f"--ask '{_short(spec)}': the question is empty")
        return cls(text.strip(), at_s)


def insert(events: Iterable[Frame | Query], questions: Sequence[Asked]) -> Iterator[Frame | Query]:
    """`events` with each question put before the first frame that is not older than it.

    The stamp of a question is the first frame's stamp plus its seconds. Questions that are later
    than the last frame come at the end: one that still falls into the last chunk is seen by it.
    """
    waiting = deque(sorted(questions, key=lambda q: q.at_s))
    first: int | None = None
    for event in events:
        if isinstance(event, Frame):
            first = event.stamp_ns if first is None else first
            while waiting and first + round(waiting[0].at_s * NS) <= event.stamp_ns:
                yield _query(waiting.popleft(), first)
        yield event
    if first is not None:
        yield from (_query(question, first) for question in waiting)


def until(events: Iterable[Frame | Query], duration_s: float | None) -> Iterator[Frame | Query]:
    """The events before `duration_s` seconds after the first frame; None: all."""
    first: int | None = None
    for event in events:
        if isinstance(event, Frame) and first is None:
            first = event.stamp_ns
        late = first is not None and duration_s is not None and event.stamp_ns is not None
        if late and event.stamp_ns - first >= round(duration_s * NS):  # type: ignore[operator]
            return
        yield event


def drive(
    assistant: StreamEngine,
    events: Iterable[Frame | Query],
    on_text: OnText | None = None,
    on_refused: OnRefused | None = None,
    waiting: Callable[[], bool] | None = None,
) -> Iterator[Step]:
    """Feed `events` to the engine and yield every step as soon as its chunk is full.

    A question that the engine refuses goes to `on_refused`; without one the `InputError` is raised.
    `waiting` (live) tells whether an event is there to be taken: until one is, the engine works
    ahead.
    """
    for event in events:
        if isinstance(event, Frame):
            assistant.push(event)
        else:
            try:
                assistant.ask(event)
            except InputError as e:
                if on_refused is None:
                    raise
                on_refused(event, e)
        yield from _steps(assistant, on_text)
        if waiting is not None:
            assistant.idle(waiting)
    assistant.flush()
    yield from _steps(assistant, on_text)


def _steps(assistant: StreamEngine, on_text: OnText | None) -> Iterator[Step]:
    while (step := assistant.step(on_text)) is not None:
        yield step


def _query(question: Asked, first_ns: int) -> Query:
    return Query(question.text, stamp_ns=first_ns + round(question.at_s * NS))


def _short(text: str, limit: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
