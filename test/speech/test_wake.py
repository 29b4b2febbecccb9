"""The wake phrase: found, removed, required or not."""

from __future__ import annotations

import pytest

from aura_core.errors import ConfigError
from aura_core.speech.types import NS
from aura_core.speech.wake import WakeConfig, WakeMode, WakeRule


@pytest.mark.parametrize(
    ("text", "called", "rest"),
    [
        ("hey aura what do you see", True, "what do you see"),
        ("Hey, Aura! What do you see?", True, "What do you see?"),
        ("hey or a what is there", True, "what is there"),
        ("Hey Aura.", True, ""),
        ("hey - aura, what is there?", True, "what is there?"),
        ("what do you see", False, "what do you see"),
        ("say hey aura", False, "say hey aura"),
        ("hey auras", False, "hey auras"),
        ("hey", False, "hey"),
        ("", False, ""),
    ],
)
def test_without_phrase(text: str, called: bool, rest: str) -> None:
    assert WakeRule().without_phrase(text) == (called, rest)


def test_own_phrase_and_aliases() -> None:
    rule = WakeRule(WakeConfig(phrase="Robbie", aliases=("robby",)))
    assert rule.without_phrase("robby where is the cube") == (True, "where is the cube")
    assert rule.without_phrase("hey aura where is the cube")[0] is False


def test_required_after_silence() -> None:
    rule = WakeRule(WakeConfig(mode=WakeMode.AFTER_SILENCE, after_s=10.0))
    assert rule.required(5 * NS)
    rule.robot_spoke(100 * NS)
    rule.robot_spoke(90 * NS)  # late news of an earlier sentence changes nothing
    assert not rule.required(110 * NS)
    assert rule.required(110 * NS + 1)


def test_modes() -> None:
    assert not WakeRule(WakeConfig()).required(0)
    assert WakeRule(WakeConfig(mode="required")).required(0)
    for wrong in ({"mode": "sometimes"}, {"phrase": " ?"}, {"after_s": 0.0}):
        with pytest.raises(ConfigError, match=f"wake.{next(iter(wrong))}"):
            WakeConfig(**wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the news. Hey Aura, what is there?", (True, "what is there?")),
        ("hey aura stop it hey aura where is it", (True, "where is it")),
        ("and now hey aura", (True, "")),
        ("no phrase here", (False, "no phrase here")),
    ],
)
def test_the_phrase_inside(text: str, expected: tuple[bool, str]) -> None:
    assert WakeRule().after_phrase(text) == expected


def test_names_of_people_do_not_call_the_robot() -> None:
    for name in ("Laura", "Aurora", "Dora"):
        assert not WakeRule().without_phrase(f"Hey {name}, where is it?")[0]


def test_the_phrase_alone_arms_for_a_time() -> None:
    rule = WakeRule(WakeConfig("required", armed_s=4.0))
    rule.arm(10 * NS)
    assert not rule.required(14 * NS) and rule.required(14 * NS + 1) and rule.required(9 * NS)
    rule.disarm()
    assert rule.required(11 * NS)
