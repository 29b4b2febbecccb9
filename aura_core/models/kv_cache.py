"""A key-value cache that appends in place.

The library's own cache concatenates: each call copies all that is there, two gigabytes for a
14k-token window of an 8B model, and for each decoded token again. Here keys and values lie in
buffers with room; what the attention gets are views of their first part. The same numbers, and no
allocation once the window has been full.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

ROOM = 1.25  # a buffer that is full grows by this factor
LEAST = 1024  # tokens


class RoomyLayer(DynamicLayer):
    """One layer's keys and values, (1, heads, tokens, width); `keys` and `values` are views of the
    buffers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._buffers: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append; returns all keys and values."""
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
        """Forget tokens `first`..`end`; `keys` replace those of the later ones, (1, heads, later
        tokens, width)."""
        assert self._buffers is not None
        later = self.values[:, :, end:].clone()  # source and destination overlap
        stop = first + later.shape[2]
        for buffer, states in zip(self._buffers, (keys, later), strict=True):
            buffer[:, :, first:stop] = states
        self.keys, self.values = (buffer[:, :, :stop] for buffer in self._buffers)

    def reset(self) -> None:
        """Forget everything, the buffers too."""
        self._buffers = None
        super().reset()


def roomy_cache() -> Cache:
    """An empty cache; its layers come with the first call of the model."""
    return Cache(layer_class_to_replicate=RoomyLayer)


def cut_and_re_rotate(
    cache: Cache, frequencies: torch.Tensor, first: int, end: int, shift: int
) -> None:
    """Cut tokens `first`..`end` out of a `roomy_cache` and re-rotate the later keys.

    Cached keys carry the rotation of their position (RoPE, arXiv 2104.09864, in the layout whose
    halves rotate against each other); the later ones get that of a position lower by `shift`.

    Args:
        frequencies: float (width / 2,), radians for each position.
    """
    angle = -shift * frequencies
    cos, sin = torch.cat((angle, angle)).cos(), torch.cat((angle, angle)).sin()
    for layer in cache.layers:
        late = layer.keys[:, :, end:].float()
        half = late.shape[-1] // 2
        rotated = late * cos + torch.cat((-late[..., half:], late[..., :half]), dim=-1) * sin
        layer.cut(first, end, rotated.to(layer.keys.dtype))
