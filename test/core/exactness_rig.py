"""A long run with every kind of event, and the same conversation computed with an empty cache."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from engine_rig import free
from numpy.typing import NDArray

from aura_core.config import GenerationConfig, WatchConfig, WindowConfig
from aura_core.models import kv_session as session
from aura_core.models.backend import Piece
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.decision import Decider
from aura_core.stream.engine import StreamEngine
from aura_core.stream.notes import Memory
from aura_core.types import Chunk, Decision, Frame, Query, Step

WINDOW = WindowConfig(keep=6, max=12, qa_groups=3)
QUESTIONS = {
    2: "What colour is the ball?",
    9: "Tell me when the red cube appears.",
    30: "Why?",
    31: "And now?",
    77: "Tell me every time the hand has left.",
    120: "What is on the table?",
}
SPOKEN = {2, 9, 11, 14, 23, 24, 25, 31, 47, 48, 60, 77, 78, 84, 90, 99, 101, 120, 133, 147, 149}
CANCELLED = {24, 90}
DISCARDED = {48, 133}
# after the step of chunk KEY, the answer of chunk VALUE is amended
AMENDED = {26: 25, 100: 99, 103: 101}


class ForcedDecider(Decider):
    """Speaks in the chunks of `spoken`, because random weights do not know when to speak.

    It keeps the logits of each decision.
    """

    def __init__(self, inner: Decider, spoken: Container[int] = SPOKEN) -> None:
        self.spoken = spoken
        self.threshold, self.silent_ids, self.restraint = (
            inner.threshold,
            inner.silent_ids,
            inner.restraint,
        )
        self.must_answer = False
        self.seen: list[NDArray[np.float32]] = []

    def decide(
        self, logits: NDArray[np.float32], stamp_ns: int = 0, asked: bool = False
    ) -> Decision:
        self.seen.append(logits)
        decision = super().decide(logits, stamp_ns, asked)
        if len(self.seen) - 1 not in self.spoken:
            return replace(decision, silent=True, token_id=self.silent_ids[0])
        if not decision.silent:
            return decision
        words = logits.copy()
        words[list(self.silent_ids)] = -np.inf
        return Decision(False, decision.p_silent, int(words.argmax()))


class Calls:
    """Counts calls of the vision encoder and of the language model."""

    def __init__(self, model: Any) -> None:
        self.vision = self.language = 0
        model.model.visual.register_forward_hook(self._seen)
        model.model.language_model.register_forward_hook(self._read)

    def _seen(self, *_: Any) -> None:
        self.vision += 1

    def _read(self, *_: Any) -> None:
        self.language += 1


def frame(index: int, size: tuple[int, int] = (64, 64)) -> Frame:
    """Frame `index` of a noise video at 2 FPS."""
    image = np.random.default_rng([7, index]).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Frame(image, index * 500_000_000)


def chunk(index: int, size: tuple[int, int] = (64, 64)) -> Chunk:
    start = index * 1_000_000_000
    return Chunk(
        index, (frame(2 * index, size), frame(2 * index + 1, size)), start, start + 1_000_000_000
    )


def run(
    backend: Any,
    steps: int,
    policy: str = "shadow",
    memory: Memory | None = None,
    quanta: Callable[[int], int] | None = None,
) -> Iterator[tuple[Lockstep, Step, NDArray[np.float32]]]:
    """Each step of a run, with its logits.

    The run has questions and answers, and cancelled, discarded and amended answers. `quanta`: how
    many pieces of background work are done after each step; all when None.
    """
    config = free(
        window=replace(WINDOW, policy=policy),
        generation=GenerationConfig(max_new_tokens=6),
        # every word is told as it comes, and so can be cancelled
        watch=WatchConfig(duplicate_s=0.0),
    )
    assistant = Lockstep(StreamEngine(backend, config, memory=memory), quanta is None)
    assistant.engine.decider = decider = ForcedDecider(assistant.engine.decider)
    for i in range(steps):
        if i in QUESTIONS:
            assistant.ask(Query(QUESTIONS[i]))
        for f in chunk(i).frames:
            assistant.push(f)
        said = 0

        def on_text(_id: str, _text: str, i: int = i) -> None:
            nonlocal said
            said += 1
            if i in CANCELLED | DISCARDED and said == 2:
                assistant.engine.cancel(discard=i in DISCARDED)

        step = assistant.step(on_text)
        assert step is not None
        for _ in range(quanta(i) if quanta is not None else 0):
            assistant.engine.work_ahead()
        yield assistant, step, decider.seen[-1]
        if i in AMENDED:
            turn = next(t for t in assistant.engine.window.turns if t.chunk == AMENDED[i])
            assert turn.answer_ids is not None and turn.response_id is not None
            first = assistant.engine.codec.text(turn.answer_ids[:1])
            assert assistant.engine.amend(turn.response_id, first)


def decided_pieces(assistant: Lockstep) -> list[Piece]:
    """The pieces that the newest decision was made on: the window before it, and its user turn."""
    codec, turn = assistant.engine.codec, assistant.engine.window.turns[-1]
    return [*window_pieces(assistant, -1), *codec.user(turn.video, turn.question)]


def window_pieces(assistant: Lockstep, stop: int | None = None) -> list[Piece]:
    """The first `stop` turns of the window as pieces."""
    pieces: list[Piece] = [assistant.engine.codec.head(assistant.engine.window.prefix)]
    return pieces + [
        p
        for turn in assistant.engine.window.turns[:stop]
        for p in turn.pieces(assistant.engine.codec)
    ]


def cold(backend: Any, pieces: list[Piece], monkeypatch: pytest.MonkeyPatch) -> NDArray[np.float32]:
    """Logits of a new session that gets everything in one call."""
    with monkeypatch.context() as m:
        m.setattr(session, "BLOCK_TOKENS", 1 << 30)
        fresh = backend.open()
        logits = fresh.prefill(pieces)
        assert fresh.forwards == 1
    return logits
