"""Tasks that the model has handed over (delegates), until their results come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from aura_core.config import AssistantConfig
from aura_core.errors import AuraError, InputError, one_line
from aura_core.live.events import Delegated, Event, Refused, Told
from aura_core.live.stream import Stream, alerts_of
from aura_core.stream.attribution import stands
from aura_core.stream.engine import StreamEngine
from aura_core.tools import RESULT_CHARS
from aura_core.types import Response
from aura_core.words import shorten

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Task:
    event: Delegated
    deadline_s: float  # of the monotonic clock


class Tasks:
    """The open tasks of a host, by id. They are changed by single steps, so without a lock.

    Args:
        config: gives the settings of now.
        tell: takes the events.
    """

    def __init__(
        self, config: Callable[[], AssistantConfig], tell: Callable[[Event], None]
    ) -> None:
        self._config, self._tell = config, tell
        self._open: dict[str, _Task] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def stream_of(self, task_id: str) -> str:
        """The name of the stream of a task. Raises `InputError` where no such task is open."""
        return self._found(self._open.get(task_id), task_id).event.stream

    def words(self, words: str, success: bool) -> str:
        """A result as it is told. Raises `InputError` for one without words."""
        words = " ".join(words.encode(errors="replace").decode().split())
        if success and not words:
            raise InputError("the result has no words; without a result, set success to false")
        return shorten(words, RESULT_CHARS) or self._config().delegate_failed

    def begin(self, stream: Stream, event: Delegated) -> None:
        """Hand a task over; one too many has no result."""
        many = len(self._open) >= self._config().delegates_most
        deadline_s = time.monotonic() + event.timeout_s
        self._open[event.delegate.id] = _Task(event, deadline_s)
        if many:
            self._fail(stream, event.delegate.id)
        else:
            self._tell(event)

    def deliver(self, stream: Stream, engine: StreamEngine, task_id: str, words: str) -> Response:
        """Tell the result of a task. Raises `InputError` where nothing may be told any more."""
        task = self._found(self._open.pop(task_id, None), task_id)
        delivered = False
        try:
            response = engine.deliver(task_id, words)
            delivered = True
        finally:
            if not delivered:
                self._refuse(task.event, "the model failed on the result")
        if response is None:
            raise InputError(f"the watch of the task '{task_id}' was cancelled")
        alerts, watches = alerts_of(engine, response)
        event = task.event
        self._tell(Told(stream.name, event.delegate, response, event.frame, alerts, watches))
        return response

    def expire(self, stream: Stream) -> None:
        """Give up the tasks whose time is over."""
        now_s = time.monotonic()
        for task_id, task in list(self._open.items()):
            if task.event.stream == stream.name and now_s >= task.deadline_s:
                self._fail(stream, task_id)

    def drop(self, stream: Stream, reason: str) -> None:
        """Refuse the questions whose tasks will get no result; of watches nothing is told."""
        for task_id, task in list(self._open.items()):
            event = task.event
            if event.stream == stream.name and self._open.pop(task_id, None) is not None:
                if stream.engine is not None:
                    stream.engine.conversation.tasks.pop(task_id, None)
                self._refuse(event, reason)

    def _fail(self, stream: Stream, task_id: str) -> None:
        """Tell that a task has no result."""
        words = self._config().delegate_failed
        try:
            stream.recovery.call(lambda engine: self.deliver(stream, engine, task_id, words))
        except AuraError as e:
            self._open.pop(task_id, None)
            log.debug("a task was given up: %s", one_line(e))

    def _refuse(self, event: Delegated, reason: str) -> None:
        if event.query is not None and not stands(event.query):
            self._tell(Refused(event.stream, event.query, reason))

    @staticmethod
    def _found(task: _Task | None, task_id: str) -> _Task:
        if task is None:
            raise InputError(
                f"no task with the id '{shorten(task_id)}' is open: it is unknown, it has a result,"
                " or its time is over"
            )
        return task
