"""Text generation: one token at a time, until the model, a limit or a caller ends the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from aura_core.config import GenerationConfig
from aura_core.stream.cache.kv_stream import KVStream
from aura_core.stream.prompt import PromptCodec

OnText = Callable[[str, str], None]  # the response's id, the answer so far


class Cancel(Enum):
    """How an answer was ended early: its words so far are kept, or they are discarded."""

    KEEP = "keep"
    DISCARD = "discard"


@dataclass(frozen=True)
class Answer:
    """Token ids of an answer; the first `cached` of them are in the cache."""

    ids: tuple[int, ...]
    cached: int


class TextGenerator:
    """Greedy decoding.

    `cancelled` may be set from any thread. It is cleared when the next answer begins.
    """

    def __init__(
        self, codec: PromptCodec, config: GenerationConfig, silent_ids: tuple[int, ...]
    ) -> None:
        self._codec, self.config, self._silent_ids = codec, config, silent_ids
        self.cancelled: Cancel | None = None

    def generate(
        self,
        kv: KVStream,
        first: int,
        tell: Callable[[str], None] | None,
        interrupted: Callable[[list[int]], bool],
    ) -> Answer:
        """Generate an answer after its first token.

        Args:
            kv: the stream to decode on.
            first: id of the first token, which the decision has chosen.
            tell: called with the answer so far after each token.
            interrupted: called with the ids so far after each token; True ends the answer.
        """
        self.cancelled = None
        ids = [first]
        while True:
            if tell is not None:
                tell(self._codec.text(ids))
            if len(ids) >= self.config.max_new_tokens or self.cancelled or interrupted(ids):
                return Answer(tuple(ids), len(ids) - 1)
            token = int(kv.decode(ids[-1]).argmax())
            if token in self._silent_ids:
                return Answer(tuple(ids), len(ids))
            ids.append(token)
