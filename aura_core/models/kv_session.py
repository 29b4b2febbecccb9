"""KVSession: the key-value cache of one stream, for a model in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from aura_core.errors import StreamError
from aura_core.models.backend import Piece, Tokens, Video
from aura_core.models.families import Family
from aura_core.models.families.base import Block, Features

# Most tokens of one call of the language model. Attention needs a mask of queries x keys: for a
# whole window in one call (14k tokens) it takes 200 MB and more, in blocks only a part of that.
BLOCK_TOKENS = 2048


class KVSession:
    """A session of a model in this process.

    The language model is called directly, with embeddings and explicit positions. Text tokens are
    embedded; visual tokens take the chunk's features. The head runs on the last token only. The
    family knows how its model does each of these.

    Args:
        family: the model's family.
        model: of the class that `Family.classes` names, in eval mode.
    """

    def __init__(self, family: Family, model: Any) -> None:
        self.forwards = 0
        self._family, self._model = family, model
        self._cache = family.cache(model)
        self._track = family.positions()

    @property
    def length(self) -> int:
        """Number of tokens in the cache."""
        return self._track.length

    @torch.inference_mode()
    def prefill(
        self, pieces: Sequence[Piece], wanted: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Append `pieces`. Returns the float32 logits (vocabulary,) after the last token.

        `wanted` changes nothing: all logits are there. Raises `StreamError` when the pieces hold no
        token.
        """
        hidden = self._append(pieces)
        return self._family.logits(self._model, hidden[:, -1])[0].float().cpu().numpy()

    @torch.inference_mode()
    def warm(self, pieces: Sequence[Piece]) -> None:
        """Append `pieces`, without running the head."""
        self._append(pieces)

    def rollback(self, length: int) -> None:
        """Forget everything after the first `length` tokens.

        Exact: prefilling the same tokens again gives the same bits.
        """
        surplus = self.length - length
        self._track.rollback(length)
        if surplus:
            self._cache.crop(-surplus)  # transformers takes negative counts only

    def _append(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """Append `pieces`; the hidden states (1, tokens, width) of their last block."""
        hidden = None
        for block in blocks(pieces, BLOCK_TOKENS):
            hidden = self._forward(block)
        if hidden is None:
            raise StreamError("a prefill needs at least one token")
        return hidden

    def _forward(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """One call of the language model; hidden states (1, tokens, width)."""
        device = self._family.text(self._model).embed_tokens.weight.device
        positions = torch.from_numpy(self._track.extend(pieces)).to(device)
        block = block_of(pieces, positions[..., None, :])
        hidden = self._family.hidden(self._model, block, self._cache)
        self.forwards += 1
        return hidden


class EvictableSession(KVSession):
    """A session of a family whose keys can be re-rotated."""

    @torch.inference_mode()
    def evict(self, first: int, end: int) -> None:
        """See `aura_core.models.backend.Evictable`."""
        shift = self._track.evict(first, end)
        self._family.evict(self._model, self._cache, first, end, shift)


def block_of(pieces: Sequence[Piece], positions: torch.Tensor) -> Block:
    """The `Block` of one sequence of pieces, on the device of `positions` (*axes, 1, tokens)."""
    ids = np.concatenate(
        [np.asarray(p.ids if isinstance(p, Tokens) else [0] * len(p), np.int64) for p in pieces]
    )
    visual = np.concatenate([np.full(len(p), isinstance(p, Video)) for p in pieces])
    runs = [p.features for p in pieces if isinstance(p, Video)]
    device = positions.device
    return Block(
        torch.from_numpy(ids).to(device)[None],
        positions,
        torch.from_numpy(visual).to(device)[None],
        joined(runs) if runs else None,
    )


def joined(runs: Sequence[Features]) -> Features:
    """The features of several runs of visual tokens, joined in order."""
    if len(runs) == 1:
        return runs[0]
    levels = zip(*(r.deepstack for r in runs), strict=True)
    return Features(torch.cat([r.merged for r in runs]), [torch.cat(level) for level in levels])


def blocks(pieces: Sequence[Piece], limit: int) -> Iterator[list[Piece]]:
    """`pieces` in groups of at most `limit` tokens.

    A run of visual tokens is never cut, and may be longer. A long text is cut.
    """
    block: list[Piece] = []
    used = 0
    for piece in _short(pieces, limit):
        if block and used + len(piece) > limit:
            yield block
            block, used = [], 0
        block.append(piece)
        used += len(piece)
    if block:
        yield block


def _short(pieces: Sequence[Piece], limit: int) -> Iterator[Piece]:
    """The pieces without empty ones, with texts cut to at most `limit` tokens."""
    for piece in pieces:
        if isinstance(piece, Video):
            yield piece
        else:
            for i in range(0, len(piece), limit):
                yield Tokens(piece.ids[i : i + limit])
