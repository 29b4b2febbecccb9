"""Replay in lockstep: frames and questions in one order, and a step for each chunk that closes.

There are no threads and no drops, and the clock plays no part. `aura run`, `aura replay` and the
evaluation all use `drive`, so the same frames and questions give the same decisions.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from aura_core.errors import AuraError, InputError, ModelError
from aura_core.stream.engine import StreamEngine
from aura_core.stream.generation import OnText
from aura_core.stream.intake import Intake
from aura_core.stream.recovery import Lost, Recovery
from aura_core.tools import UNAVAILABLE, error, result_of
from aura_core.types import NS, Frame, Query, Step
from aura_core.words import is_blank, shorten

OnRefused = Callable[[Query, InputError], None]
OnLost = Callable[[Lost], None]


@dataclass(frozen=True)
class Asked:
    """A question that is asked `at_s` seconds after the first frame."""

    text: str
    at_s: float

    @classmethod
    def parse(cls, spec: str) -> Asked:
        """Read `3.0:what is on the table?`. Raises `InputError` naming what is wrong."""
        seconds, colon, text = spec.partition(":")
        try:
            at_s = float(seconds)
        except ValueError:
            colon, at_s = "", 0.0
        if not colon or not 0.0 <= at_s < 1e9:
            raise InputError(
                f"--ask '{shorten(spec)}': expected SECONDS:QUESTION, as in '3.0:what is on the"
                " table?'"
            )
        if is_blank(text):
            raise InputError(f"--ask '{shorten(spec)}': the question is empty")
        return cls(text.strip(), at_s)


def insert(events: Iterable[Frame | Query], questions: Sequence[Asked]) -> Iterator[Frame | Query]:
    """The events, with each question put before the first frame that is not older than it.

    The stamp of a question is the first frame's stamp plus its seconds. Questions that are later
    than the last frame come at the end; one that falls into the last chunk is still asked there.
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


def shifted(events: Iterable[Frame | Query], by_ns: int) -> Iterator[Frame | Query]:
    """The events, with stamps that are `by_ns` later."""
    for event in events:
        later = None if event.stamp_ns is None else event.stamp_ns + by_ns
        yield replace(event, stamp_ns=later)  # type: ignore[type-var]


def until(events: Iterable[Frame | Query], duration_s: float | None) -> Iterator[Frame | Query]:
    """The events that come before `duration_s` seconds after the first frame; None: all."""
    first: int | None = None
    for event in events:
        if isinstance(event, Frame) and first is None:
            first = event.stamp_ns
        late = first is not None and duration_s is not None and event.stamp_ns is not None
        if late and event.stamp_ns - first >= round(duration_s * NS):  # type: ignore[operator]
            return
        yield event


def paced(
    events: Iterable[Frame | Query],
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[Frame | Query]:
    """The events, each at the time of its stamp."""
    start: tuple[int, float] | None = None
    for event in events:
        if event.stamp_ns is not None:
            if start is None:
                start = event.stamp_ns, now()
            wait = (event.stamp_ns - start[0]) / NS - (now() - start[1])
            if wait > 0:
                sleep(wait)
        yield event


class Lockstep:
    """An engine, and the frames and questions that wait for it.

    Every chunk is decided. No tool is called: a call gets the answer that there are none. A task
    that the model hands over fails at once.

    Args:
        engine: is reset.
        work_ahead: the engine works ahead on the next window after each step.
        at_once: instead of `generation.at_once`. Benchmarks take False: their questions belong to
            the chunk that holds their time.
    """

    def __init__(
        self, engine: StreamEngine, work_ahead: bool = True, at_once: bool | None = None
    ) -> None:
        self.engine, self.work_ahead = engine, work_ahead
        own = engine.config.generation.at_once
        self.at_once = own if at_once is None else at_once
        self.reset()

    def reset(self) -> None:
        """Forget everything, in the engine too."""
        self.engine.reset()
        self._recovery = Recovery(self.engine)
        self._failed_ahead: Lost | None = None
        config = self.engine.config
        limit = config.generation.max_pending_questions
        self.intake = Intake(config.sampling, limit, self.at_once)
        self._standing: frozenset[str] = frozenset()
        watches = config.standing()
        for query in watches:
            self.ask(query)
        self._standing = frozenset(q.id for q in watches)

    def push(self, frame: Frame) -> None:
        """Take a frame. Raises `InputError` unless it is RGB uint8 (height, width, 3)."""
        self.intake.push(frame.checked())

    def flush(self) -> None:
        """Close the half-filled chunk at the end of the stream."""
        self.intake.flush()

    def ask(self, query: Query | str) -> Query:
        """Queue a question, and return it with its id. Raises `InputError` when it is refused."""
        query = Query(query) if isinstance(query, str) else query
        if query.id in self._standing:  # a bag tells of the watches of its parameters too
            return query
        self.intake.check(query)
        admitted = self.engine.conversation.admit(query, self.intake.questions)
        self.intake.ask(admitted)
        return admitted

    def ask_now(self, query: Query) -> Step | None:
        """Answer a question about the chunk that was decided last, so that several questions see
        the same chunk. None when the window is empty.

        Raises `InputError` when it is refused, and what the model raises when it fails.
        """
        self.intake.check(query)
        admitted = self.engine.conversation.admit(query, self.intake.questions)
        result = self._recovery.answer_now(admitted)
        if isinstance(result, Lost):
            raise result.error
        if result is not None and self.work_ahead:
            self._idle()
        return result

    def unwatch(self, watch_id: str) -> bool:
        """End a watch, or take back a question that was not asked yet.

        Returns False when there is none of this id.
        """
        return self.intake.remove(watch_id) or self.engine.unwatch(watch_id)

    @property
    def ready(self) -> int:
        """Closed chunks that wait for `step`."""
        return self.intake.ready

    def step(self, on_text: OnText | None = None) -> Step | None:
        """Answer the oldest question that is due, or decide the oldest chunk that waits; None when
        there is neither.

        A model that fails raises its error. Its chunk is lost, and its question is asked again in
        the next chunk.
        """
        result = self.attempt(on_text)
        if isinstance(result, Lost):
            raise result.error
        return result

    def attempt(self, on_text: OnText | None = None) -> Step | Lost | None:
        """`step`; returns what was lost where the model failed."""
        if self._failed_ahead is not None:
            lost, self._failed_ahead = self._failed_ahead, None
            return lost
        query = self.intake.due()
        if query is not None:
            result = self._recovery.answer_now(query, on_text)
            if result is None:  # the window is empty: the question waits for the next chunk
                self.intake.give_back(query)
        elif self.intake.ready:
            result = self._recovery.step(*self.intake.take(), on_text)
        else:
            result = None
        if isinstance(result, Lost) and result.again is not None:
            self.intake.give_back(result.again)
        if isinstance(result, Step) and result.call is not None:
            self.intake.follow(result_of(result.call, error(UNAVAILABLE)))
        if isinstance(result, Step) and result.delegate is not None:
            result = self._without_helper(result)
        if isinstance(result, Step) and self.work_ahead:
            self._idle()
        return result

    def _without_helper(self, step: Step) -> Step:
        """The step of a task that nobody takes: what is said instead is part of its response."""
        assert step.delegate is not None
        told = self.engine.deliver(step.delegate.id, self.engine.config.delegate_failed)
        if told is None:
            return step
        said = step.response.text if step.response else ""
        return replace(step, response=replace(told, text=" ".join(filter(None, (said, told.text)))))

    def _idle(self) -> None:
        """Work ahead until nothing is left. A failure that emptied the window is told in the next
        `attempt`."""
        while (done := self._recovery.work_ahead()) and not isinstance(done, Lost):
            pass
        self._failed_ahead = done if isinstance(done, Lost) and done.emptied else None

    def expired(self) -> list[Query]:
        """Remove and return the questions that have waited too long for a chunk, in stream time."""
        ttl_s = self.engine.config.generation.question_ttl_s
        return self.intake.expire(self.intake.sampler.newest_ns, ttl_s)

    def steps(self, on_text: OnText | None = None) -> Iterator[Step]:
        """Decide all chunks that wait, one after another."""
        while (step := self.step(on_text)) is not None:
            yield step


def drive(
    lockstep: Lockstep,
    events: Iterable[Frame | Query],
    on_text: OnText | None = None,
    on_refused: OnRefused | None = None,
    on_lost: OnLost | None = None,
) -> Iterator[Step]:
    """Feed `events` to the engine, and yield every step as soon as it is made.

    A question that is refused goes to `on_refused`; a chunk over which the model failed goes to
    `on_lost`, and the stream goes on. Where these are None, the error is raised. It is raised, too,
    when the model fails before the first step was made: then something is set up wrongly.
    """
    made = 0

    def refuse(query: Query, error: InputError) -> None:
        if on_refused is None:
            raise error
        on_refused(query, error)

    def steps() -> Iterator[Step]:
        nonlocal made
        while (result := lockstep.attempt(on_text)) is not None:
            if isinstance(result, Step):
                made += 1
                yield result
            elif on_lost is not None and made:
                on_lost(result)
            elif isinstance(result.error, AuraError):
                raise result.error
            else:
                raise ModelError(result.message) from result.error

    for event in events:
        if isinstance(event, Frame):
            lockstep.push(event)
        else:
            try:
                lockstep.ask(event)
            except InputError as e:
                refuse(event, e)
        for query in lockstep.expired():
            ttl_s = lockstep.engine.config.generation.question_ttl_s
            refuse(query, InputError(f"no frames came for {ttl_s:g} s"))
        yield from steps()
    lockstep.flush()
    yield from steps()


def _query(question: Asked, first_ns: int) -> Query:
    return Query(question.text, stamp_ns=first_ns + round(question.at_s * NS))
