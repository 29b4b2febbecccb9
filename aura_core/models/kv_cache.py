"""A key-value cache that appends in place.

The cache of transformers concatenates, so each call copies the whole cache: two gigabytes for a
window of 14k tokens of an 8B model, and again for each decoded token. Here keys and values are
stored in buffers with room to grow, and attention gets views of the filled part. The numbers are
the same, and once the window has been full, nothing is allocated any more.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

ROOM = 1.25  # a full buffer grows by this factor
LEAST = 1024  # smallest size of a buffer, in tokens


class RoomyLayer(DynamicLayer):
    """Keys and values of one layer, (1, heads, tokens, width); views of larger buffers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._buffers: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values (1, heads, new tokens, width). Returns all keys and all values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[2]
        new = (key_states, value_states)
        if self._buffers is None or self._buffers[0].shape[2] < end:
            size = max(LEAST, end, int(start * ROOM))
            grown = [states.new_empty((*states.shape[:2], size, states.shape[3])) for states in new]
            for old, buffer in zip((self.keys, self.values), grown, strict=True):
                if start:
                    buffer[:, :, :start] = old
            self._buffers = (grown[0], grown[1])
        for buffer, states in zip(self._buffers, new, strict=True):
            buffer[:, :, start:end] = states
        self.keys, self.values = (buffer[:, :, :end] for buffer in self._buffers)
        return self.keys, self.values

    def cut(self, first: int, end: int, keys: torch.Tensor) -> None:
        """Cut tokens `first`..`end` out.

        `keys` (1, heads, later tokens, width) replace the keys of the later tokens.
        """
        assert self._buffers is not None
        later = self.values[:, :, end:].clone()  # source and destination overlap
        stop = first + later.shape[2]
        for buffer, states in zip(self._buffers, (keys, later), strict=True):
            buffer[:, :, first:stop] = states
        self.keys, self.values = (buffer[:, :, :stop] for buffer in self._buffers)

    def reset(self) -> None:
        """Forget everything, and free the buffers."""
        self._buffers = None
        super().reset()


def roomy_cache() -> Cache:
    """An empty cache. Its layers are made at the first call of the model."""
    return Cache(layer_class_to_replicate=RoomyLayer)


def cut_and_re_rotate(
    cache: Cache, frequencies: torch.Tensor, first: int, end: int, shift: int
) -> None:
    """Cut tokens `first`..`end` out of a `roomy_cache`, and re-rotate the later keys.

    A cached key carries the rotation of its position (RoPE, arXiv 2104.09864, in the layout that
    rotates the first half of the width against the second). Rotating it by -shift * frequencies
    gives the key of a position lower by `shift`.

    Args:
        cache: from `roomy_cache`.
        frequencies: float (width / 2,), radians per position.
        first: index of the first token to cut.
        end: index after the last token to cut.
        shift: by how much the positions of the later tokens drop.
    """
    angle = -shift * frequencies
    cos, sin = torch.cat((angle, angle)).cos(), torch.cat((angle, angle)).sin()
    for layer in cache.layers:
        late = layer.keys[:, :, end:].float()
        half = late.shape[-1] // 2
        rotated = late * cos + torch.cat((-late[..., half:], late[..., :half]), dim=-1) * sin
        layer.cut(first, end, rotated.to(layer.keys.dtype))
