"""The same question at the same instant with less memory: what each part of memory is worth.

Each way answers on a session of its own, from the pictures and words of the run's window, which are
encoded already. The run is not touched: its cache, window and conversation stay as they are.

| way    | notes before the video | notes before the question |
| window | no                     | no                        |
| prefix | yes                    | no (as Streaming Harness) |
| recall | no                     | yes                       |
| both   | yes                    | yes, as in the run        |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from aura_core.models.backend import Seen
from aura_core.stream.cache.kv_stream import KVStream
from aura_core.stream.engine import StreamEngine
from aura_core.stream.generation import TextGenerator
from aura_core.stream.notes import Remembered
from aura_core.stream.prefix import Prefix
from aura_core.stream.window import Turn
from aura_core.types import NS, Chunk, Query

WAYS = ("window", "prefix", "recall")
BOTH = "both"


@dataclass(frozen=True, eq=False)
class Instant:
    """What an engine is about to decide on: the window as it is then."""

    prefix: Prefix
    turns: tuple[Turn, ...]

    @classmethod
    def of(cls, engine: StreamEngine) -> Instant:
        """The window that the next chunk is decided on."""
        window = engine.window
        if window.full and window.plan is not None:
            return cls(window.plan.prefix, tuple(window.turns[window.plan.drop :]))
        return cls(window.prefix, tuple(window.turns))


class Others:
    """Answers questions in other ways than the run does.

    Args:
        engine: the run's.
    """

    def __init__(self, engine: StreamEngine) -> None:
        self._engine = engine
        self._kv = KVStream(engine.backend.open(), engine.codec)
        self._generator = TextGenerator(
            engine.codec, engine.config.generation, engine.decider.silent_ids
        )

    def answer(
        self, instant: Instant, chunk: int, video: Seen, query: Query, told: Remembered, way: str
    ) -> str:
        """What the model says; "" for silence.

        Args:
            instant: the window before the question.
            chunk: index of the question's chunk.
            video: that chunk, encoded.
            query: the question.
            told: what the run's memory told about it.
            way: one of `WAYS`, or "both".
        """
        recalls = way in ("recall", BOTH)
        memory = instant.prefix.memory if way in ("prefix", BOTH) else ""
        codec, kv = self._engine.codec, self._kv
        kv.begin(codec.head(replace(instant.prefix, memory=memory)))
        for turn in _without_recall(instant.turns) if not recalls else instant.turns:
            kv.add(turn)
        turn = Turn(chunk, video, query.id, query.text)
        if recalls:
            shown = tuple(self._shown(told))
            turn = replace(turn, question=told.question, recalled=told.text, shown=shown)
        logits = kv.enter(turn.user(codec))
        decision = self._engine.decider.peek(logits, asked=True)
        if decision.silent:
            return ""
        ids = self._generator.generate(kv, decision.token_id, None, lambda _: False).ids
        return codec.words(codec.text(ids), final=True)

    def _shown(self, told: Remembered) -> Iterator[tuple[Seen, str]]:
        for frame, caption in told.pictures:
            still = Chunk(0, (frame, frame), frame.stamp_ns, frame.stamp_ns + NS)
            yield self._engine.backend.encode(still), caption


def _without_recall(turns: Sequence[Turn]) -> list[Turn]:
    return [replace(t, recalled="", shown=()) for t in turns]
