"""A copy of a running engine: two futures of one conversation.

Everything that changes is copied: window, questions, watches, caches. What does not change is
shared: the model, the tokenizer, closed turns with their features. The copy goes on with the same
bits as the original (tested).
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from aura_core.models.backend import Seen
from aura_core.models.local import LocalBackend
from aura_core.stream.engine import StreamEngine
from aura_core.types import Chunk


class Seeing:
    """A `Backend` that encodes each chunk of a room once, however many copies of an engine see it.

    Call `forget` between two rooms. All else is the backend's own.
    """

    def __init__(self, backend: LocalBackend) -> None:
        self.backend = backend
        self._seen: dict[int, Seen] = {}

    def encode(self, chunk: Chunk) -> Seen:
        """See `Backend`. A chunk is known by its index."""
        if chunk.index not in self._seen:
            self._seen[chunk.index] = self.backend.encode(chunk)
        return self._seen[chunk.index]

    def forget(self) -> None:
        """Another room begins."""
        self._seen.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)


def forked(engine: StreamEngine) -> StreamEngine:
    """A copy of `engine`, between two steps, on the same model."""
    backend = engine.backend
    shared: list[Any] = [backend, engine.config, engine.codec, *engine.window.turns]
    shared += [engine.decider.logits] if hasattr(engine.decider, "logits") else []
    if isinstance(backend, Seeing):
        shared += [backend.backend, backend.model, backend.family]
    else:
        shared += [getattr(backend, name) for name in ("model", "family") if hasattr(backend, name)]
    memo = {id(one): one for one in shared if one is not None}
    with torch.inference_mode():
        return copy.deepcopy(engine, memo)
