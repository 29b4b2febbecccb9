"""Silent or speak, from hand-written logits and from any logits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aura_core.config import DeciderConfig
from aura_core.errors import ModelError
from aura_core.models.scripted import ScriptedBackend
from aura_core.stream.decision import Decider

CHAT = replace(ScriptedBackend().chat, silent_id=3, end_id=4)
WORDS_ONLY = replace(CHAT, silent_id=4)  # a checkpoint without a silent token


def logits(*values: float) -> np.ndarray:
    return np.asarray(values, np.float32)


def decide(threshold: float | None, *values: float, chat=CHAT):
    return Decider(DeciderConfig(threshold), chat).decide(logits(*values))


def test_the_argmax_decides_without_a_threshold():
    silent = decide(None, 0, 1, 0, 5, 0)
    assert silent.silent and silent.token_id == 3
    spoken = decide(None, 0, 5, 0, 4.9, 4.9)
    assert not spoken.silent and spoken.token_id == 1 and spoken.p_silent > 0.5


def test_an_immediate_end_of_turn_is_silence_too():
    assert decide(None, 0, 1, 0, 0, 5).silent
    assert decide(None, 0, 1, 0, 0, 5, chat=WORDS_ONLY).silent
    assert not decide(None, 0, 1, 0, 5, 0, chat=WORDS_ONLY).silent  # 3 is a word there


def test_p_silent_is_the_mass_of_the_silent_ids_counted_once():
    p = np.log(np.asarray([0.1, 0.2, 0.3, 0.15, 0.25], np.float32))
    assert decide(None, *p).p_silent == pytest.approx(0.4)
    assert decide(None, *p, chat=WORDS_ONLY).p_silent == pytest.approx(0.25)


def test_a_threshold_decides_by_p_silent():
    p = np.log(np.asarray([0.1, 0.2, 0.3, 0.15, 0.25], np.float32))
    assert decide(0.39, *p).silent
    spoken = decide(0.41, *p)
    assert not spoken.silent and spoken.token_id == 2


def test_speech_that_a_threshold_forces_starts_with_the_best_word():
    values = logits(1, 2, 0, 6, 5)
    spoken = Decider(DeciderConfig(0.999), CHAT).decide(values)
    assert not spoken.silent and spoken.token_id == 1
    assert values.tolist() == [1, 2, 0, 6, 5]  # the caller's logits stay as they are


def test_at_the_threshold_is_silent():
    assert decide(0.5, 0.0, -200.0, -200.0, 0.0, -200.0).silent


@given(
    hnp.arrays(np.float32, 5, elements=st.floats(-(2.0**99), 2.0**99, width=32)),
    st.none() | st.floats(0.001, 0.999),
    st.sampled_from([CHAT, WORDS_ONLY]),
)
def test_what_holds_of_any_logits(values, threshold, chat):
    kept = values.copy()
    decision = Decider(DeciderConfig(threshold), chat).decide(values)
    np.testing.assert_array_equal(values, kept)
    assert 0.0 <= decision.p_silent <= 1.0
    if threshold is not None:
        assert decision.silent == (decision.p_silent >= threshold)
    if not decision.silent:
        assert decision.token_id not in (chat.silent_id, chat.end_id)
        words = [
            v if i not in (chat.silent_id, chat.end_id) else -np.inf for i, v in enumerate(values)
        ]
        assert values[decision.token_id] == max(words)


@given(hnp.arrays(np.float32, 5, elements=st.floats(-20, 20, width=32)))
def test_a_higher_threshold_never_silences(values):
    spoken = [
        not Decider(DeciderConfig(t), CHAT).decide(values).silent for t in (0.1, 0.3, 0.5, 0.7, 0.9)
    ]
    assert spoken == sorted(spoken)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_numbers_are_refused(value):
    logits = np.zeros(5, np.float32)
    logits[1] = value
    with pytest.raises(ModelError, match="as a logit"):
        Decider(DeciderConfig(), CHAT).decide(logits)
