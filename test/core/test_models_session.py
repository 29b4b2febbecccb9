"""How a prefill is split into calls of the language model."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from hypothesis import given
from hypothesis import strategies as st

from aura_core.models.backend import Piece, Tokens, Video
from aura_core.models.kv_session import blocks


def text(*ids: int) -> Tokens:
    return Tokens(ids)


def test_blocks_cut_long_text_and_never_a_chunk() -> None:
    small, big = Video("small", (1, 2)), Video("big", (3, 3))
    pieces: list[Piece] = [
        text(1),
        small,
        text(2, 3),
        text(),
        text(4, 5, 6, 7, 8, 9),
        big,
        text(10),
    ]
    assert list(blocks(pieces, 4)) == [
        [text(1), small],
        [text(2, 3)],
        [text(4, 5, 6, 7)],
        [text(8, 9)],
        [big],
        [text(10)],
    ]
    assert list(blocks(pieces, 100)) == [
        [text(1), small, text(2, 3), text(4, 5, 6, 7, 8, 9), big, text(10)]
    ]
    assert list(blocks([text()], 4)) == list(blocks([], 4)) == []


_PIECES = st.lists(
    st.one_of(
        st.lists(st.integers(0, 9), max_size=12).map(lambda ids: Tokens(tuple(ids))),
        st.tuples(st.integers(1, 4), st.integers(1, 4)).map(lambda grid: Video(None, grid)),
    ),
    max_size=10,
)


def flat(pieces: list[Piece]) -> list[object]:
    return [x for p in pieces for x in ([p] if isinstance(p, Video) else p.ids)]


@given(pieces=_PIECES, limit=st.integers(1, 12))
def test_blocks_keep_everything_in_order_and_within_the_limit(
    pieces: list[Piece], limit: int
) -> None:
    cut = list(blocks(pieces, limit))
    assert flat([p for block in cut for p in block]) == flat(pieces)
    for block in cut:
        assert 0 < sum(len(p) for p in block) <= limit or (
            len(block) == 1 and isinstance(block[0], Video)
        )
