"""mRoPE arithmetic and its way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.errors import StreamError
from aura_core.models.backend import Piece, Tokens, Video
from aura_core.models.families.qwen_vl import MRopePositions
from aura_core.models.positions import PlainPositions, PositionTrack

TRACKS = pytest.mark.parametrize("kind", [MRopePositions, PlainPositions])


def text(n: int) -> Tokens:
    return Tokens(tuple(range(n)))


def video(rows: int, columns: int) -> Video:
    return Video(None, (rows, columns))


def test_text_counts_up_and_a_chunk_is_one_grid() -> None:
    track = MRopePositions()
    got = track.extend([text(2), video(2, 3), text(2)])
    assert got.dtype == np.int64
    assert got.tolist() == [
        [0, 1, 2, 2, 2, 2, 2, 2, 5, 6],
        [0, 1, 2, 2, 2, 3, 3, 3, 5, 6],
        [0, 1, 2, 3, 4, 2, 3, 4, 5, 6],
    ]
    assert (track.length, track.next_position) == (10, 7)


def test_a_tall_chunk_advances_by_its_rows() -> None:
    track = MRopePositions()
    track.extend([video(5, 2)])
    assert (track.length, track.next_position) == (10, 5)


def test_plain_positions_count_visual_tokens_as_text() -> None:
    track = PlainPositions()
    got = track.extend([text(2), video(2, 3), text(2)])
    assert got.dtype == np.int64 and got.tolist() == list(range(10))
    assert (track.length, track.next_position) == (10, 10)
    assert track.evict(2, 8) == 6
    assert track.extend([text(1)]).tolist() == [4]


@TRACKS
def test_nothing_has_no_positions(kind: type[PositionTrack]) -> None:
    track = kind()
    assert track.extend([]).shape == (*kind.axes, 0)
    assert track.extend([Tokens(())]).shape == (*kind.axes, 0)
    assert (track.length, track.next_position) == (0, 0)


@TRACKS
def test_rollback_into_a_chunk_and_beyond_the_end_is_refused(kind: type[PositionTrack]) -> None:
    track = kind()
    track.extend([text(2), video(2, 3), text(2)])
    for length in (3, 7):
        with pytest.raises(
            StreamError, match=f"roll back to {length} tokens: that is inside the chunk at 2"
        ):
            track.rollback(length)
    for length in (-1, 11):
        with pytest.raises(StreamError, match="the cache holds 10"):
            track.rollback(length)
    assert track.length == 10


_PIECES = st.lists(
    st.one_of(
        st.integers(0, 6).map(text),
        st.tuples(st.integers(1, 4), st.integers(1, 4)).map(lambda g: video(*g)),
    ),
    max_size=8,
)


@TRACKS
@given(before=_PIECES, gone=_PIECES, after=_PIECES, cut=st.integers(0, 6))
def test_after_any_rollback_positions_go_on_as_if_nothing_had_been_there(
    kind: type[PositionTrack],
    before: list[Piece],
    gone: list[Piece],
    after: list[Piece],
    cut: int,
) -> None:
    """Back to a boundary between pieces, and from there `cut` tokens into the text before it."""
    last = before[-1] if before else None
    kept = list(before)
    if isinstance(last, Tokens):
        kept[-1] = Tokens(last.ids[: max(0, len(last) - cut)])
    track, straight = kind(), kind()
    straight.extend(kept)
    track.extend([*before, *gone])
    track.rollback(sum(len(p) for p in kept))
    assert (track.length, track.next_position) == (straight.length, straight.next_position)
    assert np.array_equal(track.extend(after), straight.extend(after))


@TRACKS
@given(pieces=_PIECES, split=st.integers(0, 8))
def test_placing_in_two_goes_equals_one(
    kind: type[PositionTrack], pieces: list[Piece], split: int
) -> None:
    one, two = kind(), kind()
    parts = [two.extend(pieces[:split]), two.extend(pieces[split:])]
    assert np.array_equal(np.concatenate(parts, axis=-1), one.extend(pieces))
