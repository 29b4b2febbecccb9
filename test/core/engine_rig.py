"""Half-second frames for the core loop, and what its cache holds against what it should hold."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from aura_core.models.backend import Piece, Video
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.generation import OnText
from aura_core.types import Chunk, Frame, Step

HALF = 500_000_000


def frame(slot: int, level: int = 0) -> Frame:
    return Frame(np.full((1, 1, 3), level, np.uint8), slot * HALF)


def chunk(assistant: Lockstep, index: int, on_text: OnText | None = None) -> Step:
    """One second of frames, and its step."""
    assistant.push(frame(2 * index))
    assistant.push(frame(2 * index + 1))
    step = assistant.step(on_text)
    assert step is not None
    return step


def made(index: int) -> Chunk:
    """A chunk by itself."""
    frames = (frame(2 * index), frame(2 * index + 1))
    return Chunk(index, frames, 2 * index * HALF, 2 * (index + 1) * HALF)


def cached(assistant: Lockstep) -> list:
    """What the model's cache holds, and the end of the last turn that rides on the next prefill."""
    return [*assistant.engine.session.tokens, *_flat(assistant.engine.policy.kv.waiting)]


def recomputed(assistant: Lockstep) -> list:
    """The tokens of the window from nothing."""
    return _flat(assistant.engine.window.pieces(assistant.engine.codec))


def _flat(pieces: Iterable[Piece]) -> list:
    return [t for p in pieces for t in ([p.features] * len(p) if isinstance(p, Video) else p.ids)]


def on_second_token(assistant: Lockstep, how: str | None) -> OnText:
    """Cancels (`how` is "cancel") or discards ("discard") an answer at its second token; None: lets
    it be."""

    def on_text(_id: str, _text: str) -> None:
        nonlocal told
        told += 1
        if told == 2 and how is not None:
            assistant.engine.cancel(discard=how == "discard")

    told = 0
    return on_text
