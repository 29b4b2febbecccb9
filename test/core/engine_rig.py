"""Half-second frames for the core loop, and what its cache holds against what it should hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from aura_core.models.backend import Piece, Video
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Step

HALF = 500_000_000


def frame(slot: int, level: int = 0) -> Frame:
    return Frame(np.full((1, 1, 3), level, np.uint8), slot * HALF)


def chunk(
    assistant: StreamEngine, index: int, on_text: Callable[[str], None] | None = None
) -> Step:
    """One second of frames, and its step."""
    assistant.push(frame(2 * index))
    assistant.push(frame(2 * index + 1))
    step = assistant.step(on_text)
    assert step is not None
    return step


def cached(assistant: StreamEngine) -> list:
    """What the model's cache holds, and the end of the last turn that rides on the next prefill."""
    return [*assistant.session.tokens, *_flat(assistant.policy.kv.waiting)]


def recomputed(assistant: StreamEngine) -> list:
    """The tokens of the window from nothing."""
    return _flat(assistant.window.pieces(assistant.codec))


def _flat(pieces: Iterable[Piece]) -> list:
    return [t for p in pieces for t in ([p.features] * len(p) if isinstance(p, Video) else p.ids)]


def on_second_token(assistant: StreamEngine, how: str | None) -> Callable[[str], None]:
    """Cancels (`how` is "cancel") or discards ("discard") an answer at its second token; None: lets
    it be."""

    def on_text(_text: str) -> None:
        nonlocal told
        told += 1
        if told == 2 and how is not None:
            assistant.cancel(discard=how == "discard")

    told = 0
    return on_text
