"""Options with letters, and which of them a reply means."""

from __future__ import annotations

import itertools

import pytest

from aura_core.evaluation.tasks import choices


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (["A. x", "B) y"], ["x", "y"]),
        (["A.x", "B.y"], ["x", "y"]),
        ([1, 2], ["1", "2"]),
        # no labels, but words of the option
        (["A.M. news", "P.M. news"], ["A.M. news", "P.M. news"]),
        (["A.M. news", "B.B. King"], ["A.M. news", "B.B. King"]),
        (["A. Lincoln", "G. Washington"], ["A. Lincoln", "G. Washington"]),
        (["the cup", "B. a ball"], ["the cup", "B. a ball"]),
    ],
)
def test_labels_are_replaced_where_every_option_has_its_own(options, texts):
    """Regression: "A.M. news" became "A. M. news"."""
    assert choices.lettered(options) == [f"{a}. {t}" for a, t in zip("AB", texts, strict=True)]


def meant(reply: str, *options: str) -> list[str]:
    """The letters that a reply is counted as."""
    shown = choices.shown("A. Who?\nA. or B?", choices.lettered(options))
    return [letter for letter in "ABCD" if choices.exact(reply, letter, shown)]


@pytest.mark.parametrize("options", [["B", "A"], ["B.", "A."], ["b", "A"], ["C", "A", "B"]])
def test_a_letter_means_its_option_also_where_options_are_letters(options):
    """Regression: of the options "B" and "A" the reply A was right where B is the answer."""
    for letter in "ABC"[: len(options)]:
        assert meant(letter, *options) == [letter]
        assert meant(f"({letter})", *options) == [letter]


def test_a_whole_option_means_it_and_part_of_one_nothing():
    options = ["a cup.", "a ball", "a cup on a table", "A. Lincoln"]
    for letter, option in zip("ABCD", options, strict=True):
        assert meant(option, *options) == [letter]
        assert meant(f"{letter}. {option}", *options) == [letter]
    for reply in ("cup", "A or B", "A B", "a", "E", "", "A. a ball", "Who?", "or B?"):
        assert meant(reply, *options) == []


def test_a_text_that_two_options_share_means_neither():
    assert meant("x", "x", "x") == [] and meant("B", "x", "x") == ["B"]


def test_no_reply_means_two_options():
    """Any words of letters and marks, and any options: a reply is right for one letter at most."""
    texts = ["A", "B", "A. B", "B. A", "A.", "C"]
    replies = [*texts, "A. A", "B. B", "A. A. B", "B. A. B", "(B)"]
    for options in itertools.product(texts, repeat=3):
        for reply in replies:
            assert len(meant(reply, *options)) <= 1, (reply, options)
