"""The window policies of the core loop: when they switch, what is left, what the switch costs."""

from __future__ import annotations

import pytest
from engine_rig import cached, chunk, recomputed
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_core.config import AssistantConfig, WindowConfig
from aura_core.errors import ConfigError
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine


def test_a_switch_rebuilds_the_window_once_and_keeps_the_words():
    backend = ScriptedBackend({0: "Yes."})
    assistant = Lockstep(StreamEngine(backend, AssistantConfig(window=WindowConfig(keep=2, max=4))))
    assistant.ask("Red?")
    steps = [chunk(assistant, i) for i in range(9)]
    assert [s.switched for s in steps] == [i in (4, 6, 8) for i in range(9)]
    assert [s.window_chunks for s in steps] == [1, 2, 3, 4, 3, 4, 3, 4, 3]
    assert backend.encodes == list(range(9))  # each frame is encoded once in its life
    assert [(g.question, g.answers) for g in assistant.engine.window.prefix.groups] == [
        ("Red?", ("Yes.",))
    ]
    assert all(s.forwards == 1 for s in steps[1:])
    assert cached(assistant) == recomputed(assistant)


@given(
    st.dictionaries(st.integers(0, 40), st.sampled_from(["Yes.", "é"])),
    st.integers(1, 6),
    st.integers(1, 6),
)
@settings(max_examples=25)
def test_shadow_floating_and_recompute_are_one_conversation(script, keep, drop):
    """At every step of a replay, also where keep is larger or smaller than what a switch drops."""
    runs = []
    for policy in ("shadow", "floating", "recompute"):
        window = WindowConfig(keep, keep + drop, 2, policy)
        assistant = Lockstep(StreamEngine(ScriptedBackend(script), AssistantConfig(window=window)))
        for i in range(40):
            if i % 7 == 3:
                assistant.ask(["What?", "Tell me every time."][i % 2])
            chunk(assistant, i)
            runs.append((i, recomputed(assistant)))
    third = len(runs) // 3
    assert runs[:third] == runs[third : 2 * third] == runs[2 * third :]


@pytest.mark.parametrize(("keep", "limit"), [(30, 60), (45, 60), (2, 9), (1, 2)])
def test_the_shadow_is_ready_at_every_switch(keep, limit):
    """A decision waits only for the new chunk and the end of the last turn.

    All other work is done in idle time.
    """
    assistant = Lockstep(
        StreamEngine(ScriptedBackend(), AssistantConfig(window=WindowConfig(keep, limit)))
    )
    tokens, head = [], len(assistant.engine.codec.head(assistant.engine.codec.prefix()))
    for i in range(4 * limit):
        step = chunk(assistant, i)
        tokens.append(step.prefill_tokens)
    counters = assistant.engine.policy.counters
    assert counters.rebuilds == counters.stretched == 0 and counters.switches == (
        4 * limit - keep - 1
    ) // (limit - keep)
    # The first chunk has no turn before it, whose end is three tokens: silent, end, newline.
    assert len(set(tokens[1:])) == 1 and tokens[0] == tokens[1] + head - 3
    per_chunk = tokens[1]
    assert (
        counters.background_tokens
        <= counters.switches * (keep * per_chunk + head) + keep * per_chunk + head
    )


def test_a_shadow_without_idle_time_stretches_the_window_to_the_cap():
    window = WindowConfig(keep=3, max=6, hard_cap=8)
    assistant = Lockstep(StreamEngine(ScriptedBackend(), AssistantConfig(window=window)), False)
    sizes = [chunk(assistant, i).window_chunks for i in range(12)]
    assert sizes == [1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8, 6]  # 8 - 3 + the new one
    counters = assistant.engine.policy.counters
    assert (counters.stretched, counters.rebuilds, counters.switches) == (4, 2, 2)
    assert cached(assistant) == recomputed(assistant)


def test_background_work_yields_between_quanta():
    assistant = Lockstep(
        StreamEngine(ScriptedBackend(), AssistantConfig(window=WindowConfig(keep=6, max=8))),
        work_ahead=False,
    )
    for i in range(6):
        chunk(assistant, i)
    asked: list[int] = []

    def busy() -> bool:
        asked.append(assistant.engine.policy.counters.background_tokens)
        return len(asked) == 3

    tokens = assistant.engine.idle(busy)
    per_chunk = asked[2] - asked[1]
    # the first one carries the head
    assert asked[0] == 0 and asked[1] > per_chunk > 0 and tokens == asked[2]
    assert assistant.engine.idle() == 2 * per_chunk and assistant.engine.idle() == 0


def test_a_window_that_the_model_cannot_hold_is_refused_at_the_first_chunk():
    backend = ScriptedBackend()
    per_chunk = chunk(
        Lockstep(StreamEngine(backend)), 0
    ).prefill_tokens  # head instead of a silent end
    backend.context = 100
    with pytest.raises(
        ConfigError,
        match=r"window.max \(60\) is too large for scripted: 70 chunks of \d+ tokens are",
    ):
        chunk(Lockstep(StreamEngine(backend)), 0)
    backend.context = 70 * per_chunk
    assert chunk(Lockstep(StreamEngine(backend)), 0).chunk == 0


def test_eviction_keeps_the_words_and_the_order():
    script = {2: "Yes."}
    config = AssistantConfig(window=WindowConfig(keep=3, max=4, qa_groups=1, policy="evict"))
    assistant = Lockstep(StreamEngine(ScriptedBackend(script), config))
    for i in range(12):
        if i in (2, 9):
            assistant.ask("Red?" if i == 2 else "Blue?")
        chunk(assistant, i)
        tokens = assistant.engine.session.tokens
        seen = sorted({t.chunk for t in tokens if not isinstance(t, int)})
        assert seen == list(range(max(0, i - 3), i + 1))
        text = bytes(t for t in tokens if isinstance(t, int) and t < 256).decode()
        assert ("Red?" in text and "Yes." in text) == (i >= 2)
    assert assistant.engine.policy.counters.switches == 8
