"""The MLLM's prompts: files of the package that a user may replace.

They are checked before any request is sent.
"""

from __future__ import annotations

import pytest

from aura_core.data.prompts import FIELDS, NAMES, Prompts
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
