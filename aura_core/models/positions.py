"""mRoPE arithmetic, ours: where each cached token stands in time, height and width.

The library infers positions from module state that all sessions share, and infers them wrongly when
new visual tokens meet a warm cache; so every call of the language model gets explicit positions
from here.

Text counts up with t = h = w. A chunk is one temporal grid that starts at position s: t = s
everywhere, h = s + row, w = s + column; what follows starts at s + max(rows, columns). (Qwen2-VL,
arXiv 2409.12191, section 2.1; equal to the library's `get_rope_index`, tested.)
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import StreamError
from aura_core.models.backend import Piece, Video


def text_positions(start: int, length: int) -> NDArray[np.int64]:
    """Positions (3, length) of a run of text."""
    out = np.empty((3, length), np.int64)
    out[:] = np.arange(start, start + length)
    return out


def grid_positions(start: int, grid: tuple[int, int]) -> NDArray[np.int64]:
    """Positions (3, rows * columns) of one chunk, row by row."""
    return _grid_at_zero(grid) + start


@functools.lru_cache(maxsize=64)
def _grid_at_zero(grid: tuple[int, int]) -> NDArray[np.int64]:
    rows, columns = np.indices(grid, dtype=np.int64).reshape(2, -1)
    return np.stack([np.zeros_like(rows), rows, columns])


@dataclass(frozen=True)
class _Run:
    """Tokens `first`..`end` of the cache; they start at position `start`, and `after` comes
    next."""

    first: int
    end: int
    start: int
    after: int
    visual: bool


class PositionTrack:
    """Positions of one session's cache, and the way back: `rollback` finds the exact next
    position."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    @property
    def length(self) -> int:
        """Number of tokens placed so far."""
        return self._runs[-1].end if self._runs else 0

    @property
    def next_position(self) -> int:
        """Position of the token that comes next, were it text."""
        return self._runs[-1].after if self._runs else 0

    def extend(self, pieces: Sequence[Piece]) -> NDArray[np.int64]:
        """Place `pieces` after what is there; their positions (3, tokens), int64."""
        parts = [np.empty((3, 0), np.int64)]
        for piece in pieces:
            start, first, n = self.next_position, self.length, len(piece)
            if n == 0:
                continue
            if isinstance(piece, Video):
                parts.append(grid_positions(start, piece.grid))
                self._runs.append(_Run(first, first + n, start, start + max(piece.grid), True))
            else:
                parts.append(text_positions(start, n))
                self._runs.append(_Run(first, first + n, start, start + n, False))
        return np.concatenate(parts, axis=1)

    def rollback(self, length: int) -> None:
        """Forget all but the first `length` tokens. Raises `StreamError` inside a chunk: it is all
        or nothing."""
        if not 0 <= length <= self.length:
            raise StreamError(f"cannot roll back to {length} tokens: the cache holds {self.length}")
        index = bisect_right(self._runs, length, key=lambda run: run.first)
        kept, cut = self._runs[:index], self._runs[index - 1] if index else None
        if cut is not None and cut.first == length:
            kept.pop()
        elif cut is not None and length < cut.end:
            if cut.visual:
                raise StreamError(
                    f"cannot roll back to {length} tokens: that is inside the chunk at {cut.first}"
                )
            kept[-1] = _Run(cut.first, length, cut.start, cut.start + length - cut.first, False)
        self._runs = kept

    def evict(self, first: int, end: int) -> int:
        """Cut tokens `first`..`end` out; returns by how much the positions of all later tokens were
        lowered."""
        if not 0 <= first <= end <= self.length:
            raise StreamError(
                f"cannot cut out tokens {first} to {end}: the cache holds {self.length}"
            )
        runs = [part for run in self._runs for part in _split(run, (first, end))]
        before = [r for r in runs if r.end <= first]
        later = [r for r in runs if r.first >= end]
        begin = before[-1].after if before else 0
        shift = (later[0].start if later else self.next_position) - begin
        n = end - first
        moved = [
            _Run(r.first - n, r.end - n, r.start - shift, r.after - shift, r.visual) for r in later
        ]
        self._runs = before + moved
        return shift


def _split(run: _Run, cuts: tuple[int, ...]) -> list[_Run]:
    """`run` in parts that do not reach across any of `cuts` (cache indices)."""
    inside = sorted({c for c in cuts if run.first < c < run.end})
    if inside and run.visual:
        raise StreamError(f"cannot cut inside the chunk at {run.first}")
    edges = [run.first, *inside, run.end]
    if len(edges) == 2:
        return [run]
    return [
        _Run(a, b, run.start + a - run.first, run.start + b - run.first, False)
        for a, b in pairwise(edges)
    ]
