"""What the host reports. A listener is a function of one event, called on the model's thread: it
stores or sends, and returns soon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aura_core.types import Step


@dataclass(frozen=True)
class Ready:
    """The model is loaded and warm: frames are taken from now on."""

    description: str  # the model in one line


@dataclass(frozen=True)
class Words:
    """An answer so far."""

    stream: str
    response_id: str
    text: str
    stamp_ns: int  # newest frame that the words describe
    asked: bool  # whether a question of this chunk asked for them


@dataclass(frozen=True)
class Stepped:
    """A chunk was decided."""

    stream: str
    step: Step
    question: str  # words of the question that its response answers, or ""


@dataclass(frozen=True)
class Problem:
    """Something went wrong, and the stream goes on."""

    stream: str
    message: str
    chunk: int | None = None  # the chunk that it cost, if it cost one


@dataclass(frozen=True)
class Failed:
    """The host has ended: the model cannot run."""

    message: str


Event = Ready | Words | Stepped | Problem | Failed
Listener = Callable[[Event], None]
