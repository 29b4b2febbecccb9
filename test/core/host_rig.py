"""A worker thread to be tested: a model that can be held up or broken, and a record of what is
reported."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aura_core.config import AssistantConfig
from aura_core.live.host import Events, Worker
from aura_core.models.backend import Video
from aura_core.models.scripted import ScriptedBackend
from aura_core.types import Chunk, Frame, Step

NS = 1_000_000_000
WAIT_S = 20.0


def frame(stamp_ns: int, grey: int = 0) -> Frame:
    return Frame(np.full((4, 4, 3), grey, np.uint8), stamp_ns)


class GatedBackend(ScriptedBackend):
    """Encodes only while `gate` is set; `broken` names chunks at which the model fails."""

    def __init__(self, script: Any = None, broken: tuple[int, ...] = ()) -> None:
        super().__init__(script)
        self.gate, self.encoding, self.broken = threading.Event(), threading.Event(), broken
        self.gate.set()

    def encode(self, chunk: Chunk) -> Video:
        if self.sessions[2:]:  # the first two, a window and its shadow, are the warm-up's
            self.encoding.set()
            assert self.gate.wait(WAIT_S)
            if chunk.index in self.broken:
                raise RuntimeError("out of memory\n  tried to allocate 2 GiB")
        return super().encode(chunk)


@dataclass
class Run:
    """A started worker and what it has reported."""

    backend: ScriptedBackend
    config: AssistantConfig = field(default_factory=AssistantConfig)
    backlog: int = 3
    load: Callable[[], ScriptedBackend] | None = None

    def __post_init__(self) -> None:
        self.reports: queue.Queue[tuple[Any, ...]] = queue.Queue()
        put = self.reports.put
        events = Events(
            ready=lambda text: put(("ready", text)),
            step=lambda step, asked: put(("step", step, asked)),
            text=lambda *told: put(("text", *told)),
            error=lambda text, chunk: put(("error", text, chunk)),
            failed=lambda text: put(("failed", text)),
        )
        self.worker = Worker(self.load or (lambda: self.backend), self.config, events, self.backlog)
        self.inbox = self.worker.inbox

    def start(self) -> Run:
        self.worker.start()
        assert self.next("ready") == ("ready", self.backend.description)
        return self

    def next(self, kind: str) -> tuple[Any, ...]:
        """The next report of this kind; others before it are passed over."""
        while True:
            report = self.reports.get(timeout=WAIT_S)
            if report[0] == kind:
                return report

    def steps(self, n: int) -> list[Step]:
        return [self.next("step")[1] for _ in range(n)]

    def second(self, index: int, grey: int = 0) -> None:
        for half in (0, NS // 2):
            stamp = index * NS + half
            self.inbox.offer(stamp, lambda stamp=stamp: frame(stamp, grey))


@contextmanager
def made_runs() -> Iterator[Callable[..., Run]]:
    """Makes runs, and ends their workers at the end."""
    made: list[Run] = []

    def make(backend: ScriptedBackend | None = None, **kwargs: Any) -> Run:
        made.append(Run(backend or ScriptedBackend({}), **kwargs))
        return made[-1]

    yield make
    for run in made:
        if isinstance(run.backend, GatedBackend):
            run.backend.gate.set()
        assert run.worker.stop(WAIT_S)


Make = Callable[..., Run]
