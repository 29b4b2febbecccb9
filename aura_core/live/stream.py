"""One camera in the host: its inbox, its engine over the loaded model, and what it does now."""

from __future__ import annotations

import logging
from collections import deque

from aura_core.config import AssistantConfig
from aura_core.errors import one_line
from aura_core.live.events import Alert
from aura_core.live.inbox import Inbox
from aura_core.live.memory import AssistantMemory
from aura_core.live.view import View
from aura_core.models.backend import Backend
from aura_core.stream.engine import StreamEngine
from aura_core.stream.ids import Ids
from aura_core.stream.recovery import Recovery
from aura_core.stream.watches import Watch
from aura_core.types import Chunk, Response

log = logging.getLogger(__name__)


class Stream:
    """The state of one camera in the host: its inbox, its engine, and what it is doing now."""

    def __init__(self, name: str, inbox: Inbox) -> None:
        self.name, self.inbox = name, inbox
        self.engine: StreamEngine | None = None
        self.errors = self.missed = self.reported_missed = 0
        self.view = View()
        self.watches: tuple[Watch, ...] = ()  # as they were told last
        self.spoke = False  # in the last step
        self.answering = ""  # id of the response that is being generated
        self.deciding = False  # a step is under way that has said nothing
        self.seen: deque[Chunk] = deque(maxlen=0)  # newest chunks, for another model
        self.memory: AssistantMemory | None = None
        self.deletions = 0  # `AssistantMemory.deletions` that are out of the window
        self.step_began: float | None = None  # seconds of the monotonic clock; None: between steps

    def begin(self, run: str) -> None:
        """Begin a run: ids start with its name."""
        self.ids = Ids(f"{run}.{self.name}" if self.name else run)
        self.deletions = 0

    def open(
        self, backend: Backend, config: AssistantConfig, memory: AssistantMemory | None
    ) -> None:
        """Make a new engine over the loaded model."""
        self.memory = memory
        self.engine = self._engine(backend, config)
        self.seen = deque(maxlen=config.fallback.chunks if config.fallback.on else 0)
        self._recover(config)

    def move(self, backend: Backend, config: AssistantConfig) -> None:
        """Go on with another model. The newest chunks are shown to it, or, where it fails on them,
        none."""
        old, chunks = self.engine, {chunk.index: chunk for chunk in self.seen}
        assert old is not None
        engine = self._engine(backend, config)
        try:
            engine.adopt(old, chunks)
        except Exception as e:  # a model is foreign code, see `Recovery`
            log.warning("%s is not shown the newest seconds: %s", backend.name, one_line(e))
            engine = self._engine(backend, config)
            engine.adopt(old, {})
        self.engine = engine
        self._recover(config)

    def _engine(self, backend: Backend, config: AssistantConfig) -> StreamEngine:
        memory = None if self.memory is None else self.memory.stream(self.name, backend)
        return StreamEngine(backend, config, ids=self.ids, memory=memory)

    def _recover(self, config: AssistantConfig) -> None:
        assert self.engine is not None
        most = config.fallback.after + 1 if config.fallback.on else 0
        self.recovery = Recovery(self.engine, max(2, most))

    def close(self) -> None:
        """Forget the engine, and with it the model."""
        if self.engine is not None:
            self.engine = None
            del self.recovery
            self.seen.clear()


def alerts_of(
    engine: StreamEngine, response: Response | None
) -> tuple[tuple[Alert, ...], tuple[Watch, ...]]:
    """The alerts of a response, and all watches after it where it has any."""
    question = engine.conversation.attribution.question
    answered = response.watches if response else ()
    alerts = tuple(Alert(w, question(w.query_id)) for w in answered)
    return alerts, tuple(engine.conversation.watches.list()) if alerts else ()
