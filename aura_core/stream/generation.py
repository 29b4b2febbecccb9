"""Words, one token at a time, until the model, a limit or somebody else ends them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from aura_core.config import GenerationConfig
from aura_core.stream.cache.kv_stream import KVStream
from aura_core.stream.prompt import PromptCodec

OnText = Callable[[str, str], None]  # the response's id, the whole answer so far


class Cancel(Enum):
    """How an answer under way was ended: what was said stays, or nothing does."""

    KEEP = "keep"
    DISCARD = "discard"


@dataclass(frozen=True)
class Answer:
    """Ids of an answer, of which the first `cached` are in the cache."""

    ids: tuple[int, ...]
    cached: int


class TextGenerator:
    """Greedy decoding. `cancelled` is set from any thread, and cleared when the next answer
    begins."""

    def __init__(
        self, codec: PromptCodec, config: GenerationConfig, silent_ids: tuple[int, ...]
    ) -> None:
        self._codec, self._config, self._silent_ids = codec, config, silent_ids
        self.cancelled: Cancel | None = None

    def generate(
        self,
        kv: KVStream,
        first: int,
        tell: Callable[[str], None] | None,
        interrupted: Callable[[list[int]], bool],
    ) -> Answer:
        """Decode on from the decided first token; `tell` gets the whole answer so far after each
        token."""
        self.cancelled = None
        ids = [first]
        while True:
            if tell is not None:
                tell(self._codec.text(ids))
            if len(ids) >= self._config.max_new_tokens or self.cancelled or interrupted(ids):
                return Answer(tuple(ids), len(ids) - 1)
            token = int(kv.decode(ids[-1]).argmax())
            if token in self._silent_ids:
                return Answer(tuple(ids), len(ids))
            ids.append(token)
