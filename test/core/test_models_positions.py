"""mRoPE arithmetic and its way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.errors import StreamError
from aura_core.models.backend import Piece, Tokens, Video
from aura_core.models.positions import PositionTrack


def text(n: int) -> Tokens:
    return Tokens(tuple(range(n)))


def video(rows: int, columns: int) -> Video:
    return Video(None, (rows, columns))


def test_text_counts_up_and_a_chunk_is_one_grid() -> None:
    track = PositionTrack()
    got = track.extend([text(2), video(2, 3), text(2)])
    assert got.dtype == np.int64
    assert got.tolist() == [
        [0, 1, 2, 2, 2, 2, 2, 2, 5, 6],
        [0, 1, 2, 2, 2, 3, 3, 3, 5, 6],
        [0, 1, 2, 3, 4, 2, 3, 4, 5, 6],
    ]
    assert (track.length, track.next_position) == (10, 7)


def test_a_tall_chunk_advances_by_its_rows() -> None:
    track = PositionTrack()
    track.extend([video(5, 2)])
    assert (track.length, track.next_position) == (10, 5)


def test_nothing_has_no_positions() -> None:
    track = PositionTrack()
    assert track.extend([]).shape == (3, 0)
    assert track.extend([Tokens(())]).shape == (3, 0)
    assert (track.length, track.next_position) == (0, 0)


def test_rollback_into_a_chunk_and_beyond_the_end_is_refused() -> None:
    track = PositionTrack()
    track.extend([text(2), video(2, 3), text(2)])
    for length in (3, 7):
        with pytest.raises(
            StreamError, match=f"roll back to {length} tokens: that is inside the chunk at 2"
        ):
            track.rollback(length)
    for length in (-1, 11):
        with pytest.raises(StreamError, match="the cache holds 10"):
            track.rollback(length)
    assert (track.length, track.next_position) == (10, 7)


_PIECES = st.lists(
    st.one_of(
        st.integers(0, 6).map(text),
        st.tuples(st.integers(1, 4), st.integers(1, 4)).map(lambda g: video(*g)),
    ),
    max_size=8,
)


@given(before=_PIECES, gone=_PIECES, after=_PIECES, cut=st.integers(0, 6))
def test_after_any_rollback_positions_go_on_as_if_nothing_had_been_there(
    before: list[Piece], gone: list[Piece], after: list[Piece], cut: int
) -> None:
    """Back to a boundary between pieces, and from there `cut` tokens into the text before it."""
    last = before[-1] if before else None
    kept = list(before)
    if isinstance(last, Tokens):
        kept[-1] = Tokens(last.ids[: max(0, len(last) - cut)])
    track, straight = PositionTrack(), PositionTrack()
    straight.extend(kept)
    track.extend([*before, *gone])
    track.rollback(sum(len(p) for p in kept))
    assert (track.length, track.next_position) == (straight.length, straight.next_position)
    assert np.array_equal(track.extend(after), straight.extend(after))


@given(pieces=_PIECES, split=st.integers(0, 8))
def test_placing_in_two_goes_equals_one(pieces: list[Piece], split: int) -> None:
    one, two = PositionTrack(), PositionTrack()
    parts = [two.extend(pieces[:split]), two.extend(pieces[split:])]
    assert np.array_equal(np.concatenate(parts, axis=1), one.extend(pieces))
