"""KVSession: one stream's key-value cache, fed with pieces and rolled back exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from aura_core.errors import StreamError
from aura_core.models.backend import Piece, Tokens, Video
from aura_core.models.kv_cache import roomy_cache
from aura_core.models.positions import PositionTrack

# Tokens of one call of the language model: a window rebuilt in one call needs a query x key mask of
# the whole window squared (14k tokens: 200 MB and more), in blocks only a strip of it.
BLOCK_TOKENS = 2048


class KVSession:
    """A session over a Qwen-VL model.

    The language model is called directly: text embeddings with the chunks' features in their
    places, explicit positions, and the head on the last token alone.

    Args:
        model: a Qwen2.5-VL or Qwen3-VL model for conditional generation, in eval mode.
    """

    def __init__(self, model: Any) -> None:
        self.forwards = 0
        self._text, self._head = model.model.language_model, model.lm_head
        self._cache = roomy_cache()
        self._track = PositionTrack()

    @property
    def length(self) -> int:
        """Tokens in the cache."""
        return self._track.length

    @torch.inference_mode()
    def prefill(self, pieces: Sequence[Piece]) -> NDArray[np.float32]:
        """Append `pieces`; the float32 logits (vocabulary,) after the last token."""
        return self._head(self._append(pieces)[:, -1])[0].float().cpu().numpy()

    @torch.inference_mode()
    def warm(self, pieces: Sequence[Piece]) -> None:
        """Append `pieces` without the head."""
        self._append(pieces)

    def rollback(self, length: int) -> None:
        """Forget everything after the first `length` tokens, exactly (prefilling it again gives the
        same bits)."""
        surplus = self.length - length
        self._track.rollback(length)
        if surplus:
            self._cache.crop(-surplus)  # the library takes negative counts only

    @torch.inference_mode()
    def evict(self, first: int, end: int) -> None:
        """See `aura_core.models.backend.Evictable`. Cached keys carry their rotation: the later
        ones are turned back.

        All three parts of a multimodal position drop by the same amount, so one rotation serves
        every frequency.
        """
        shift = self._track.evict(first, end)
        angle = -shift * self._text.rotary_emb.inv_freq
        cos, sin = torch.cat((angle, angle)).cos(), torch.cat((angle, angle)).sin()
        for layer in self._cache.layers:
            late = layer.keys[:, :, end:].float()
            half = late.shape[-1] // 2
            turned = late * cos + torch.cat((-late[..., half:], late[..., :half]), dim=-1) * sin
            layer.cut(first, end, turned.to(layer.keys.dtype))

    def _append(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """Hidden states of the last block."""
        hidden = None
        for block in blocks(pieces, BLOCK_TOKENS):
            hidden = self._forward(block)
        if hidden is None:
            raise StreamError("a prefill needs at least one token")
        return hidden

    def _forward(self, block: Sequence[Piece]) -> torch.Tensor:
        """One call of the language model; hidden states (1, tokens, width)."""
        embed = self._text.embed_tokens
        device = embed.weight.device
        parts, visual, levels = [], [], []
        for piece in block:
            if isinstance(piece, Video):
                merged, deepstack = piece.features
                parts.append(merged.to(device, embed.weight.dtype))
                levels.append(deepstack)
            else:
                parts.append(embed(torch.tensor(piece.ids, device=device)))
            visual += [isinstance(piece, Video)] * len(piece)
        extra: dict[str, Any] = {}
        # Qwen3-VL: features of inner vision layers join the first text layers
        if levels and levels[0]:
            extra["visual_pos_masks"] = torch.tensor([visual], device=device)
            extra["deepstack_visual_embeds"] = [
                torch.cat(level) for level in zip(*levels, strict=True)
            ]
        positions = torch.from_numpy(self._track.extend(block)).to(device)[:, None]
        out = self._text(
            inputs_embeds=torch.cat(parts)[None],
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            **extra,
        )
        self.forwards += 1
        return out.last_hidden_state


def blocks(pieces: Sequence[Piece], limit: int) -> Iterator[list[Piece]]:
    """`pieces` in groups of at most `limit` tokens; a chunk is never cut, a long text is."""
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
    """The pieces without empty ones, texts longer than `limit` cut."""
    for piece in pieces:
        if isinstance(piece, Video):
            yield piece
        else:
            for i in range(0, len(piece), limit):
                yield Tokens(piece.ids[i : i + limit])
