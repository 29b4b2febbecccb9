"""The events that the host reports to its listeners.

A listener is a function of one event. The host calls it on the model's thread, so it must store or
send the event and return soon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aura_core.memory import deletion
from aura_core.memory.notes import Note
from aura_core.stream.attribution import REOPENINGS
from aura_core.stream.watches import Watch
from aura_core.types import Answered, Call, Delegate, Frame, Query, Response, Step
from aura_core.words import shorten


@dataclass(frozen=True)
class Ready:
    """The model is loaded and warmed up. From now on frames are taken."""

    description: str  # the model in one line


@dataclass(frozen=True)
class Words:
    """The answer so far, while it is generated."""

    stream: str
    response_id: str
    text: str
    stamp_ns: int  # newest frame that the words describe
    asked: bool  # whether they answer a question of this chunk
    frame_id: str = ""  # camera of that frame
    urgent: bool = False  # they probably answer an urgent watch


@dataclass(frozen=True)
class Alert:
    """A watch that was answered, and its text."""

    watch: Answered
    instruction: str


@dataclass(frozen=True)
class Stepped:
    """A chunk was decided.

    `frame` is its newest frame, the one that `step` and its response are stamped with: what a
    response describes, and the evidence of an alert. `watches` are all watches after a step with
    alerts, so that who keeps them knows of an alert before it is told.
    """

    stream: str
    step: Step
    frame: Frame
    alerts: tuple[Alert, ...] = ()  # one for each watch that its response answers
    watches: tuple[Watch, ...] = ()


@dataclass(frozen=True)
class Asked:
    """A question was accepted."""

    stream: str
    query: Query  # with its id
    source: str  # where it came from, such as "asr/text"


@dataclass(frozen=True)
class Watched:
    """The watches have changed: one was begun, answered, or closed."""

    stream: str
    watches: tuple[Watch, ...]  # all that the conversation holds, oldest first


@dataclass(frozen=True)
class Called:
    """The model calls a tool to answer a question. Whoever makes the call gives its result, or why
    it was not made, to `Host.result`; the model then goes on."""

    stream: str
    query: Query  # the question
    call: Call


@dataclass(frozen=True)
class Delegated:
    """The model hands a task over. Whoever does it gives its result, or why there is none, to
    `Host.delegated`; the words are told at once. Without a result the time ends at some point."""

    stream: str
    query: Query | None  # the question or watch that it belongs to
    delegate: Delegate
    frame: Frame  # the newest frame that the model saw: the evidence
    timeout_s: float


@dataclass(frozen=True)
class Told:
    """The result of a task, or that there is none, was told as an answer to its question.

    `frame` is the evidence of the task. `watches` are as in `Stepped`.
    """

    stream: str
    delegate: Delegate
    response: Response
    frame: Frame
    alerts: tuple[Alert, ...] = ()
    watches: tuple[Watch, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A question that was accepted will not be answered."""

    stream: str
    query: Query
    reason: str  # one line, without the question


@dataclass(frozen=True)
class Unheard:
    """Nobody could hear the answer of a watch, however often it was opened again: it stays closed.
    A `Problem` is told of it too."""

    stream: str
    query: Query  # the watch

    @property
    def message(self) -> str:
        """What the user should know, as a sentence."""
        return (
            f'I could not make myself heard about "{shorten(self.query.text)}", in'
            f" {REOPENINGS + 1} tries. I watch for it no more."
        )


@dataclass(frozen=True)
class Problem:
    """Something failed, and the stream goes on."""

    stream: str
    message: str
    chunk: int | None = None  # the chunk that was lost, if one was


@dataclass(frozen=True)
class Failed:
    """The host has ended, because the model cannot run."""

    message: str


@dataclass(frozen=True)
class Moved:
    """The streams go on with another model: with the fallback, or with the first one again."""

    away: bool  # the fallback runs now
    message: str  # what happened and why, in one line


@dataclass(frozen=True)
class Noted:
    """Memory has taken a note. It is on disk within half a second."""

    stream: str
    note: Note


@dataclass(frozen=True)
class Forgotten:
    """Notes were deleted from the memory, because somebody asked for it, here or with `aura
    memory`. What was told of them anywhere is to be forgotten too."""

    deletions: tuple[deletion.Forgotten, ...] = ()  # empty: it is not known which, so it may be all


Event = (
    Ready
    | Words
    | Stepped
    | Asked
    | Watched
    | Called
    | Delegated
    | Told
    | Refused
    | Unheard
    | Problem
    | Failed
    | Moved
    | Noted
    | Forgotten
)
Listener = Callable[[Event], None]
