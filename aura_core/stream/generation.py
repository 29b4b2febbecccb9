"""Text generation: one token at a time, until the model, a limit or a caller ends the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from aura_core.config import GenerationConfig
from aura_core.models.grammar import only
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
        self._codec, self.config = codec, config
        # The first of several tokens of a marker may be an ordinary word.
        self._ends = silent_ids if len(codec.silence) < 2 else (codec.chat.end_id,)
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
        ids, cached = self._marker(kv, first)
        while True:
            if len(ids) - cached == 1:  # else the marker is not in the cache: nothing is said yet
                if tell is not None:
                    tell(self._codec.text(ids))
                if len(ids) >= self.config.max_new_tokens or self.cancelled or interrupted(ids):
                    return Answer(tuple(ids), cached)
            token = int(kv.decode(ids[cached:]).argmax())
            cached = len(ids)
            if token in self._ends:
                return Answer(tuple(ids), cached)
            ids.append(token)

    def _marker(self, kv: KVStream, first: int) -> tuple[list[int], int]:
        """The ids of the marker that begins with `first`, and how many are in the cache.

        The model is asked only where two markers part. An answer without a marker is its first id.
        """
        ids, cached = [first], 0
        while following := self._codec.within_marker(ids):
            if len(following) > 1:
                logits = kv.decode(ids[cached:])
                cached = len(ids)
                ids.append(int(only(logits, following).argmax()))
            else:
                ids.append(following[0])
        return ids, cached
