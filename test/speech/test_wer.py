"""Word error rates."""

from __future__ import annotations

import sys

import pytest

from aura_core.bench.speech.wer import DETERMINERS, WordErrors, word_errors
from aura_core.errors import ConfigError
from aura_core.words import spoken_words

pytest.importorskip("jiwer")


@pytest.mark.parametrize(
    ("said", "heard", "counts"),
    [
        ("What do you see?", "what do you see", (0, 0, 0, 4)),
        ("is there a cube", "is there the cube", (1, 0, 0, 4)),
        ("is there a cube", "is there cube", (0, 1, 0, 4)),
        ("is there a cube", "is there a a cube", (0, 0, 1, 4)),
        ("a b c", "", (0, 3, 0, 3)),
        ("", "a b", (0, 0, 2, 0)),
    ],
)
def test_counts(said: str, heard: str, counts: tuple[int, ...]) -> None:
    assert word_errors(said, heard) == WordErrors(*counts)


def test_determiners_can_be_ignored_on_both_sides() -> None:
    assert word_errors("is there a cube", "is there the the cube", DETERMINERS) == WordErrors(
        words=3
    )


def test_rates_add_up() -> None:
    total = word_errors("a b", "a c") + word_errors("a b", "a b")
    assert total.rate == 0.25
    assert WordErrors().rate == 0.0 and word_errors("", "x").rate == 1.0


def test_words_of_chinese_are_its_letters() -> None:
    assert spoken_words("桌上有什么, Aura?") == ["桌", "上", "有", "什", "么", "aura"]
    assert spoken_words("don’t  stop") == ["don't", "stop"]
    assert word_errors("桌上有杯子", "桌上有瓶子。") == WordErrors(substitutions=1, words=5)


def test_without_jiwer_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jiwer", None)
    with pytest.raises(
        ConfigError, match=r"word error rates need jiwer: .* -m pip install .*'jiwer>=4"
    ):
        word_errors("a", "a")
