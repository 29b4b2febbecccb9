"""A host under test: a model that can be held or made to fail, and a record of the events."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from engine_rig import free

from aura_core.config import AssistantConfig
from aura_core.live.events import Alert, Event, Ready, Stepped
from aura_core.live.host import Host
from aura_core.models.backend import Video
from aura_core.models.scripted import ScriptedBackend
from aura_core.types import Chunk, Frame, Step

NS = 1_000_000_000
WAIT_S = 20.0
E = TypeVar("E", bound=Event)


def frame(stamp_ns: int, grey: int = 0) -> Frame:
    return Frame(np.full((4, 4, 3), grey, np.uint8), stamp_ns)


class GatedBackend(ScriptedBackend):
    """Encodes only while `gate` is set. The model fails at the chunks in `broken`."""

    def __init__(self, script: Any = None, broken: tuple[int, ...] = ()) -> None:
        super().__init__(script)
        self.gate, self.encoding, self.broken = threading.Event(), threading.Event(), broken
        self.gate.set()
        self.warm = False  # the first chunk is the warm-up's

    def encode(self, chunk: Chunk) -> Video:
        if self.warm:
            self.encoding.set()
            assert self.gate.wait(WAIT_S)
            if chunk.index in self.broken:
                raise RuntimeError("out of memory\n  tried to allocate 2 GiB")
        self.warm = True
        return super().encode(chunk)


@dataclass
class Run:
    """A host, and the events that it has reported."""

    backend: ScriptedBackend
    config: AssistantConfig = field(default_factory=free)
    backlog: int = 3
    load: Callable[[], ScriptedBackend] | None = None
    streams: Sequence[str] = ("",)
    fallback: Callable[[], ScriptedBackend] | None = None

    def __post_init__(self) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.host = Host(
            self.load or (lambda: self.backend),
            self.config,
            self.streams,
            self.backlog,
            self.fallback,
        )
        self.host.listen(self.events.put)
        self.inbox = self.host.inbox

    def start(self) -> Run:
        self.host.start()
        assert self.next(Ready).description == self.backend.description
        return self

    def next(self, kind: type[E]) -> E:
        """The next event of this kind; events before it are skipped."""
        while True:
            event = self.events.get(timeout=WAIT_S)
            if isinstance(event, kind):
                return event

    def steps(self, n: int) -> list[Step]:
        return [self.next(Stepped).step for _ in range(n)]

    def alerts(self) -> tuple[Alert, ...]:
        """The alerts of the next step."""
        return self.next(Stepped).alerts

    def second(self, index: int, grey: int = 0, stream: str | None = None) -> None:
        inbox = self.inbox if stream is None else self.host.streams[stream].inbox
        for half in (0, NS // 2):
            stamp = index * NS + half
            inbox.offer(stamp, lambda stamp=stamp: frame(stamp, grey))


@contextmanager
def made_runs() -> Iterator[Callable[..., Run]]:
    """Makes runs, and stops their hosts at the end."""
    made: list[Run] = []

    def make(backend: ScriptedBackend | None = None, **kwargs: Any) -> Run:
        made.append(Run(backend or ScriptedBackend({}), **kwargs))
        return made[-1]

    yield make
    for run in made:
        if isinstance(run.backend, GatedBackend):
            run.backend.gate.set()
        assert run.host.stop(WAIT_S)


Make = Callable[..., Run]
