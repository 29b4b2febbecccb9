"""A KV stream that begins a window anew reads only what its head does not share with the last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from engine_rig import chunk
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from aura_core.config import AssistantConfig, WindowConfig
from aura_core.models.backend import Piece, Tokens
from aura_core.models.scripted import ScriptedBackend, ScriptedSession
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.cache.kv_stream import KVStream
from aura_core.stream.engine import StreamEngine

IDS = st.lists(st.integers(1, 3), max_size=6).map(tuple)


class Mute(ScriptedSession):
    """Keeps tokens of any order, and says nothing."""

    def prefill(
        self, pieces: Sequence[Piece], wanted: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        self.warm(pieces)
        return np.zeros(300, np.float32)


def stream() -> tuple[KVStream, ScriptedSession]:
    session = Mute(lambda _: None)
    return KVStream(session, StreamEngine(ScriptedBackend()).codec), session


@given(st.lists(st.tuples(IDS, st.booleans()), min_size=2, max_size=5))
def test_the_cache_holds_the_new_head_whatever_it_shares_with_the_old_one(heads) -> None:
    kv, session = stream()
    for ids, prefilled in heads:
        kv.begin(Tokens(ids), reuse=True)
        if prefilled:
            kv.enter([Tokens((7, 8))])
            assert session.tokens == [*ids, 7, 8]
    ids = heads[-1][0]
    kv.begin(Tokens(ids), reuse=True)
    kv.enter([Tokens((9,))])
    assert session.tokens == [*ids, 9] and kv.length == len(ids) + 1


def test_only_what_is_new_in_a_head_is_prefilled() -> None:
    kv, session = stream()
    kv.begin(Tokens((1, 2, 3)))
    kv.enter([Tokens((7,))])
    kv.begin(Tokens((1, 2, 4, 5)), reuse=True)
    assert session.tokens == [1, 2] and kv.waiting == [Tokens((4, 5))]
    kv.enter([Tokens((7,))])
    kv.begin(Tokens((1, 2, 4, 5)), reuse=True)
    assert session.tokens == [1, 2, 4, 5] and kv.waiting == []
    kv.begin(Tokens((1, 2, 4, 5)))
    assert session.tokens == [] and kv.waiting == [Tokens((1, 2, 4, 5))]


def test_a_head_that_stays_is_read_once_by_each_of_the_two_streams() -> None:
    window = WindowConfig(keep=3, max=6)
    text = "You watch a kitchen. " * 20
    spent = {}
    for system in ("", text):
        config = AssistantConfig(window=window, system_prompt=system)
        assistant = Lockstep(StreamEngine(ScriptedBackend(), config))
        for i in range(30):
            chunk(assistant, i)
        counters = assistant.engine.policy.counters
        assert counters.switches == 8
        spent[system] = counters.background_tokens
    codec = assistant.engine.codec
    head = len(codec.head(codec.prefix()))
    assert len(text) < spent[text] - spent[""] <= head
