"""One word may be an answer or a cough. The figures are what Whisper tiny.en said."""

from __future__ import annotations

import pytest

from aura_core.speech.short_answers import least_confidence


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("Yes.", 0.24),
        ("left.", 0.31),
        ("Yes, please.", 0.3),
        ("No, thanks.", 0.33),
        ("3", 0.27),
        ("two", 0.29),
        ("No thank you.", 0.33),
        ("The red one.", 0.36),
        ("好的。", 0.25),
        ("开灯", 0.4),
    ],
)
def test_an_answer_is_taken(text: str, confidence: float) -> None:
    assert confidence >= least_confidence(text, 0.35)


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("It's...", 0.39),
        ("and then", 0.4),
        ("A.H.M.", 0.38),
        ("H and M.", 0.32),
        ("step", 0.38),
        ("Now", 0.3),
        ("done.", 0.33),
        ("No.", 0.18),
        ("2.", 0.12),
        ("They can see.", 0.3),
    ],
)
def test_what_whisper_writes_for_a_sound_is_not(text: str, confidence: float) -> None:
    assert confidence < least_confidence(text, 0.35)


def test_the_setting_decides() -> None:
    assert least_confidence("step", 0.0) == least_confidence("yes", 0.0) == 0.0
    assert least_confidence("step", 0.9) == 1.0
    assert least_confidence("is it raining", 0.9) == 0.9
