"""The position of each token in a session's cache, and how to roll back.

transformers infers positions from state that all sessions share, and infers wrong ones when new
visual tokens are added to a filled cache. So every call of the language model gets explicit
positions from a track. A track belongs to the model family: `PlainPositions` counts tokens, mRoPE
(`families/qwen_vl.py`) places a grid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import StreamError
from aura_core.models.backend import Piece, Video


@dataclass(frozen=True)
class _Run:
    """Tokens `first`..`end` of the cache.

    Their positions begin at `start`; the next token after them has position `after`.
    """

    first: int
    end: int
    start: int
    after: int
    visual: bool


class PositionTrack(ABC):
    """Positions of the tokens of one session.

    `axes` are the leading dimensions of a positions array: (3,) for time, height and width, or ()
    for one number per token. A text token takes the next position in every family. `place` gives
    the positions of visual tokens.
    """

    axes: ClassVar[tuple[int, ...]]

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    @abstractmethod
    def place(self, video: Video, start: int) -> tuple[NDArray[np.int64], int]:
        """Positions (*axes, tokens) of a visual piece that begins at `start`.

        Also returns the position after it.
        """

    @property
    def length(self) -> int:
        """Number of tokens placed so far."""
        return self._runs[-1].end if self._runs else 0

    @property
    def next_position(self) -> int:
        """Position of the next token, if it is text."""
        return self._runs[-1].after if self._runs else 0

    def extend(self, pieces: Sequence[Piece]) -> NDArray[np.int64]:
        """Place `pieces` after the others. Returns their positions, int64 (*axes, tokens)."""
        parts = [np.empty((*self.axes, 0), np.int64)]
        for piece in pieces:
            start, first, n = self.next_position, self.length, len(piece)
            if n == 0:
                continue
            visual = isinstance(piece, Video)
            if isinstance(piece, Video):
                positions, after = self.place(piece, start)
            else:
                positions, after = self._text(start, n), start + n
            parts.append(positions)
            self._runs.append(_Run(first, first + n, start, after, visual))
        return np.concatenate(parts, axis=-1)

    def rollback(self, length: int) -> None:
        """Forget all but the first `length` tokens.

        Raises `StreamError` when `length` is out of range or lies inside a visual piece.
        """
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
        """Cut tokens `first`..`end` out.

        Returns by how much the positions of all later tokens drop. Raises `StreamError` for a bad
        range, or one that cuts a visual piece.
        """
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

    def _text(self, start: int, length: int) -> NDArray[np.int64]:
        out = np.empty((*self.axes, length), np.int64)
        out[...] = np.arange(start, start + length)
        return out


class PlainPositions(PositionTrack):
    """One number per token; visual tokens count like text."""

    axes = ()

    def place(self, video: Video, start: int) -> tuple[NDArray[np.int64], int]:
        """See `PositionTrack`."""
        end = start + len(video)
        return np.arange(start, end, dtype=np.int64), end


def _split(run: _Run, cuts: tuple[int, ...]) -> list[_Run]:
    """`run` in parts that do not cross any of `cuts`, which are cache indices."""
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
