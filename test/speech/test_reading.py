"""The pass that reads a text with a table of kinds."""

from __future__ import annotations

import re

import pytest

from aura_core.speech.language import language_of
from aura_core.speech.reading import Reader, kind
from aura_core.speech.units import unit_words


def test_the_longest_reading_wins_and_of_equal_ones_the_first() -> None:
    table = [
        kind("digit", "[0-9]", "d"),
        kind("number", "[0-9]+", "n"),
        kind("other number", "[0-9]+", "o"),
        kind("range", "[0-9]+-[0-9]+", "r"),
    ]
    assert Reader(table, spaced=True).read("5, 12 and 3-14") == "d, n and r"


def test_words_of_a_reading_are_not_read_again() -> None:
    table = [kind("one", "1", "22"), kind("two", "2", "three"), kind("word", "b", "1", first="b")]
    assert Reader(table, spaced=False).read("1 2 b") == "22 three 1"


def test_a_kind_may_refuse_what_its_expression_finds() -> None:
    def small(match: re.Match[str]) -> str | None:
        return "few" if int(match[0]) < 10 else None

    reader = Reader([kind("small", "[0-9]+", small), kind("any", "[0-9]", "x")], spaced=False)
    assert reader.read("7 70") == "few x0"


def test_words_are_parted_from_letters_beside_them() -> None:
    table = [kind("number", "[0-9]+", "five")]
    assert Reader(table, spaced=True).read("5kg (5) x5") == "five kg (five) x5"
    assert Reader(table, spaced=False).read("有5个") == "有five个"


@pytest.mark.parametrize(
    ("written", "several"),
    [
        ("m/s²", "metres per second squared"),
        ("kg/m^3", "kilograms per cubic metre"),
        ("m2", "square metres"),
        ("µg", "micrograms"),
        ("GB/s", "gigabytes per second"),
    ],
)
def test_units_are_put_together(written: str, several: str) -> None:
    assert unit_words(written).several == several


@pytest.mark.parametrize(
    ("sentence", "answer", "code"),
    [
        ("The 猫 weighs 5 kg.", "", "en"),
        ("等5 min再来", "", "zh"),
        ("Alice和Bob来了", "", "zh"),
        ("The すし costs $5, and it is good.", "", "en"),
        ("高さは12センチです", "", "ja"),
        ("14:05", "", "en"),
        ("14:05", "现在几点？14:05", "zh"),
        ("14:05。", "", "zh"),
        ("5 cm", "高度是：\n5 cm", "zh"),
        ("about 5 cm", "高度是：\nabout 5 cm", "en"),
    ],
)
def test_the_language_of_a_sentence_is_that_of_most_of_its_words(
    sentence: str, answer: str, code: str
) -> None:
    assert language_of(sentence, answer) == code
