"""The MLLM's prompts: files of the package that a user may replace.

They are checked before any request is sent.
"""

from __future__ import annotations

import json

import pytest

from aura_core.data.prompts import FIELDS, NAMES, Prompts
from aura_core.data.settings import AskingConfig
from aura_core.errors import ConfigError


def test_prompts_are_read_from_the_package_and_replaced_by_the_users(tmp_path):
    ours = Prompts.load()
    assert set(ours.texts) == set(NAMES) and all(
        f"${f}" in ours.texts[n] for n, fs in FIELDS.items() for f in fs
    )
    (tmp_path / "rephrase.md").write_text("$question in other words, please")
    mine = Prompts.load(tmp_path)
    assert mine.fill("rephrase", question="Hm?") == "Hm? in other words, please"
    assert mine.texts["now"] == ours.texts["now"] and mine.sha256 != ours.sha256


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("rephrase.md", "in other words", r"the field \$question is missing"),
        ("rephrase.md", "$question $why", r"unknown field \$why; known are question"),
        ("rephrase.md", "$question for $5", "a \\$ that begins no field"),
        ("rephrasing.md", "", "unknown prompt rephrasing.md"),
    ],
)
def test_a_wrong_prompt_is_named(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=told):
        Prompts.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "verdict"), [("visible",) * 2, ("missed",) * 2, ("grounded",) * 2]
)
def test_a_check_shows_both_verdicts_each_after_its_reason(name, verdict):
    """The MLLM imitates these replies: a verdict before its reason would be a guess."""
    lines = [line for line in Prompts.load().texts[name].splitlines() if line.startswith("{")]
    replies = [json.loads(line) for line in lines]
    assert [list(r) for r in replies] == [["reason", verdict]] * 2
    assert {r[verdict] for r in replies} == {True, False} and all(r["reason"] for r in replies)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"least_level": 4, "most_level": 2}, "least_level must not be above most_level"),
        ({"personas": ()}, "asking.personas must hold words"),
        ({"languages": ("English", " ")}, "asking.languages must hold words"),
        ({"most_level": 6}, r"asking\.most_level must be in \[1, 5\], not 6"),
    ],
)
def test_settings_of_who_asks_are_checked(changes, told):
    with pytest.raises(ConfigError, match=told):
        AskingConfig(**changes)
