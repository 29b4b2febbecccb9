"""Unasked words held back: hysteresis and minimum gap, and that a question is always answered."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.config import AssistantConfig, DeciderConfig
from aura_core.errors import ConfigError
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.decision import Decider, read_decision
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame

S = 1_000_000_000
CHAT = replace(ScriptedBackend().chat, silent_id=3, end_id=4)


def at(p_silent: float) -> np.ndarray:
    """Logits with this mass on the silent token; the rest on word 1."""
    p = np.full(5, 1e-9)
    p[3], p[1] = p_silent, 1 - p_silent
    return np.log(p).astype(np.float32)


def run(config: DeciderConfig, chunks: list[tuple[float, bool]]) -> list[str]:
    """`speak`, `silent`, or the reason for silence, of one chunk a second with (p(silent),
    asked)."""
    decider = Decider(config, CHAT)
    out = []
    for i, (p, asked) in enumerate(chunks):
        d = decider.decide(at(p), i * S, asked)
        out.append(d.reason or "silent" if d.silent else "speak")
    return out


def test_all_is_off_by_default():
    assert DeciderConfig() == DeciderConfig(None, None, 0.0)
    assert run(DeciderConfig(), [(0.1, False)] * 5) == ["speak"] * 5


def test_after_unasked_words_p_silent_must_rise_to_rearm():
    config = DeciderConfig(threshold=0.5, rearm=0.9)
    ps = [0.1, 0.1, 0.7, 0.1, 0.95, 0.1, 0.1]
    says = ["speak", "hysteresis", "silent", "hysteresis", "silent", "speak", "hysteresis"]
    assert run(config, [(p, False) for p in ps]) == says
    assert run(replace(config, threshold=None), [(p, False) for p in ps]) == says


def test_an_answer_to_a_question_is_never_held_back_and_disarms_nothing():
    config = DeciderConfig(rearm=0.9, min_gap_s=100.0)
    assert run(config, [(0.1, False), (0.1, True), (0.1, True), (0.1, False)]) == [
        "speak",
        "speak",
        "speak",
        "hysteresis",
    ]
    assert run(config, [(0.1, True), (0.1, False)]) == ["speak", "speak"]


def test_a_chunk_with_a_question_may_arm_again():
    assert run(DeciderConfig(rearm=0.9), [(0.1, False), (0.95, True), (0.1, False)]) == [
        "speak",
        "silent",
        "speak",
    ]


def test_the_minimum_gap_counts_from_the_newest_unasked_words():
    config = DeciderConfig(min_gap_s=3.0)
    says = run(config, [(0.1, False)] * 8)
    assert says == [
        "speak",
        "min_gap",
        "min_gap",
        "speak",
        "min_gap",
        "min_gap",
        "speak",
        "min_gap",
    ]
    assert run(config, [(0.1, False), (0.1, False), (0.1, True), (0.1, False)])[2:] == [
        "speak",
        "speak",
    ]


def test_a_clock_that_began_anew_has_no_gap_to_keep():
    decider = Decider(DeciderConfig(min_gap_s=10.0), CHAT)
    assert not decider.decide(at(0.1), 100 * S).silent
    assert not decider.decide(at(0.1), 5 * S).silent
    assert decider.decide(at(0.1), 6 * S).reason == "min_gap"


def test_held_back_words_are_silence_by_the_silent_token():
    decider = Decider(DeciderConfig(min_gap_s=10.0), CHAT)
    decider.decide(at(0.1), 0)
    held = decider.decide(at(0.1), S)
    assert held.silent and held.token_id == 3 and held.p_silent == pytest.approx(0.1, abs=1e-6)


def test_reset_and_retract_forget():
    decider = Decider(DeciderConfig(rearm=0.9, min_gap_s=10.0), CHAT)
    assert not decider.decide(at(0.1), 0).silent
    decider.reset()
    assert not decider.decide(at(0.1), S).silent
    assert decider.decide(at(0.1), 2 * S).reason == "hysteresis"
    decider.reset()
    assert not decider.decide(at(0.1), 3 * S).silent
    decider.retract()  # those words were discarded
    assert not decider.decide(at(0.1), 4 * S).silent


def test_a_peek_is_not_remembered():
    decider = Decider(DeciderConfig(rearm=0.9, min_gap_s=10.0), CHAT)
    assert not decider.peek(at(0.1), 0).silent
    assert not decider.peek(at(0.1), S).silent
    assert not decider.decide(at(0.1), 2 * S).silent
    assert decider.peek(at(0.95), 3 * S).silent  # would arm, were it decided
    assert decider.decide(at(0.1), 4 * S).reason == "hysteresis"


def test_a_threshold_says_when_it_overruled_the_model():
    assert read_decision(at(0.3), (3, 4), 0.2) == replace(
        read_decision(at(0.3), (3, 4)), silent=True, reason="threshold"
    )
    forced = read_decision(at(0.7), (3, 4), 0.9)
    assert (forced.silent, forced.token_id, forced.reason) == (False, 1, "threshold")
    assert (
        read_decision(at(0.7), (3, 4), 0.5).reason is None
        and read_decision(at(0.3), (3, 4), 0.5).reason is None
    )


def test_a_threshold_never_silences_the_answer_to_a_question():
    asked = read_decision(at(0.3), (3, 4), 0.2, asked=True)
    assert (asked.silent, asked.reason) == (False, None)
    assert read_decision(at(0.7), (3, 4), 0.2, asked=True).silent  # the model's own silence stands


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"threshold": 0.6, "rearm": 0.5},
            r"decider.rearm \(0.5\) must not be below decider.threshold \(0.6\)",
        ),
        ({"rearm": 1.0}, "decider.rearm must be between 0 and 1, not 1.0"),
        ({"rearm": float("nan")}, "decider.rearm must be between 0 and 1, not nan"),
        ({"min_gap_s": -1.0}, r"decider.min_gap_s must be in \[0, 86400\], not -1"),
        ({"min_gap_s": float("inf")}, r"decider.min_gap_s must be in \[0, 86400\]"),
        ({"min_gap_s": float("nan")}, r"decider.min_gap_s must be in \[0, 86400\]"),
    ],
)
def test_contradictions_are_refused(settings, says):
    with pytest.raises(ConfigError, match=says):
        AssistantConfig.from_dict({"decider": settings})


chunks = st.lists(st.tuples(st.floats(0.001, 0.999), st.booleans(), st.integers(1, 3)), max_size=40)
levels = st.none() | st.floats(0.05, 0.95)


@given(chunks, levels, levels, st.floats(0, 5))
def test_what_holds_of_any_stream(stream, threshold, rearm, gap):
    if threshold is not None and rearm is not None:
        threshold, rearm = sorted((threshold, rearm))
    config = DeciderConfig(threshold, rearm, gap)
    decider = Decider(config, CHAT)
    last_ns, highest, now = None, 1.0, 0
    for p, asked, seconds in stream:
        now += seconds * S
        free = read_decision(at(p), decider.silent_ids, threshold, asked)
        decision = decider.decide(at(p), now, asked)
        assert decision.p_silent == free.p_silent
        if asked or free.silent:
            assert decision == free  # a question is answered, and nothing ever forces speech
        highest = max(highest, decision.p_silent)
        if not decision.silent and not asked:
            assert last_ns is None or now - last_ns >= round(gap * S)
            assert rearm is None or last_ns is None or highest >= rearm
            last_ns, highest = now, 0.0
        elif decision != free:
            assert decision.silent and last_ns is not None
            over = rearm is None or highest >= rearm
            assert decision.reason == ("min_gap" if over else "hysteresis")
            assert not over or now - last_ns < round(gap * S)


def test_the_assistant_counts_in_stamps_forgets_on_reset_and_tells_the_reason():
    config = AssistantConfig(decider=DeciderConfig(rearm=0.9, min_gap_s=2.5))
    assistant = Lockstep(
        StreamEngine(ScriptedBackend(dict.fromkeys((0, 1, 3, 4), "Look!")), config)
    )
    for _ in range(2):
        assistant.reset()
        lines = []
        for i in range(5):
            if i == 1:
                assistant.ask("What?")
            for half in (0, 1):
                assistant.push(Frame(np.zeros((1, 1, 3), np.uint8), (2 * i + half) * S // 2))
            step = assistant.step()
            assert step is not None
            lines.append(json.loads(json.dumps(step.as_json())))
        assert [line["state"] for line in lines] == ["speak", "speak", "silent", "speak", "silent"]
        assert [line["reason"] for line in lines] == ["", "", "", "", "hysteresis"]
        assert lines[4]["p_silent"] < 0.01 and lines[4]["decode_tokens"] == 0
