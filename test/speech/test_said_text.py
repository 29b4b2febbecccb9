"""What holds for any text that is spoken: nothing lost or said twice, and no digit stays."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_core.speech.normalise import for_speech
from aura_core.speech.numerals import chinese_number, number_words
from aura_core.speech.sentences import SentenceSplitter
from aura_core.speech.units import UNITS
from aura_core.speech.unspoken import without_unspoken

WRITTEN = [
    line.split("\t")[0].replace("\\n", "\n")
    for name in ("pairs", "faults", "fresh", "hard", "third", "fourth")
    for line in Path(__file__).with_name(f"spoken_{name}.tsv").read_text("utf-8").splitlines()
]
MONTHS = ("January", "Feb.", "March", "April", "May", "Jun", "July", "Aug", "Sept", "October")
# words that are no number, unit, month or abbreviation
WORDS = ("cup", "plate", "Robot", "lamps", "behind", "chairs", "near", "Anna")
HAN = ("杯子", "桌上", "看见", "机器人", "在", "旁边", "红色的", "大约")
whole = st.integers(0, 10**7).map(str)
decimal = st.tuples(st.integers(0, 999), st.integers(0, 99)).map(lambda n: f"{n[0]}.{n[1]}")
number = whole | decimal | st.integers(10**3, 10**9).map(lambda n: f"{n:,}")
unit = st.sampled_from(sorted(UNITS))
gap = st.sampled_from(("", " "))
dash = st.sampled_from(("-", "–", " - ", " – "))
day, year = st.integers(1, 28), st.integers(1900, 2099)
clock = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda t: f"{t[0]}:{t[1]:02}")
quantity = st.tuples(st.sampled_from(("", "-")), number, gap, unit).map("".join)
ranges = (
    st.tuples(number, dash, number)
    | st.tuples(number, dash, number, gap, unit)
    | st.tuples(number, unit, dash, number, unit)
    | st.tuples(clock, dash, clock)
    | st.tuples(st.just("$"), number, dash, number)
    | st.tuples(st.just("€"), number, dash, st.just("€"), number)
).map("".join)
dates = (
    st.tuples(st.sampled_from(MONTHS), day, year).map(lambda d: f"{d[0]} {d[1]}, {d[2]}")
    | st.tuples(day, st.sampled_from(MONTHS), year).map(lambda d: f"{d[0]} {d[1]} {d[2]}")
    | st.tuples(year, st.integers(1, 12), day).map(lambda d: f"{d[0]}-{d[1]:02}-{d[2]:02}")
    | st.tuples(day, st.integers(1, 12), year).map(lambda d: f"{d[0]}/{d[1]}/{d[2]}")
    | st.tuples(day, st.integers(1, 12), year).map(lambda d: f"{d[0]}.{d[1]}.{d[2]}")
)
NUMERIC = number | quantity | ranges | dates | clock


def grown(text: str, step: int) -> list[str]:
    """What is said of an answer that arrives `step` characters at a time."""
    splitter, said = SentenceSplitter(), []
    for end in range(step, len(text) + step, step):
        for sentence in splitter.feed(without_unspoken(text[:end]), end >= len(text)):
            said.append(for_speech(sentence, text))
    return [words for words in said if words]  # "" is not handed to the voice


@settings(max_examples=400, deadline=None)
@given(NUMERIC, st.sampled_from(("I see {} here.", "It is {}.", "“{}” they said", "({})")))
def test_no_digit_stays_in_english(written: str, around: str) -> None:
    said = for_speech(around.format(written))
    assert re.search(r"[0-9$€%°^=]|[-–−]\s|\s[-–−]", said) is None, said


@settings(max_examples=400, deadline=None)
@given(NUMERIC, st.sampled_from(("我看见{}了。", "这里是{}，对吗", "大约{}左右", "（{}）在这里")))
def test_no_digit_stays_in_chinese(written: str, around: str) -> None:
    said = for_speech(around.format(written))
    assert re.search(r"[0-9$€%°^=–−-]", said) is None, said


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS) | NUMERIC, min_size=2, max_size=9))
def test_each_word_is_said_once_and_in_order(pieces: list[str]) -> None:
    said = for_speech(" ".join(pieces))
    known = [w for w in re.findall(r"[A-Za-z]+", said) if w in WORDS]
    assert known == [p for p in pieces if p in WORDS], said


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(HAN) | NUMERIC, min_size=2, max_size=7))
def test_each_chinese_word_is_said_once_and_in_order(pieces: list[str]) -> None:
    said = for_speech("我们，".join(pieces) + "。")
    at = 0
    for piece in pieces:
        if piece in HAN:
            at = said.index(piece, at) + len(piece)
    for piece in {p for p in pieces if p in HAN and len(p) > 1}:
        assert said.count(piece) == pieces.count(piece), said


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(21, 9999), min_size=1, max_size=5, unique=True))
def test_each_number_is_said_once(numbers: list[int]) -> None:
    english = for_speech("I see " + " lamps, ".join(map(str, numbers)) + " lamps.")
    assert english == "I see " + " lamps, ".join(map(number_words, numbers)) + " lamps."
    chinese = for_speech("看见" + "盏灯，".join(map(str, numbers)) + "盏灯。")
    assert chinese == "看见" + "盏灯，".join(chinese_number(str(n)) for n in numbers) + "盏灯。"


SIGNS = (*"*_#>|~$%&+=-–:;,.!?()\"'^/@<", "**", "~~", "```", " ``` ", " - ", " < ", " > ", " ")


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(WORDS[:6]) | st.sampled_from(SIGNS), min_size=1, max_size=12))
def test_no_word_is_lost_between_signs(pieces: list[str]) -> None:
    text = " ".join(["We see", *pieces])
    words = [p for p in pieces if p in WORDS]
    assert [w for w in re.findall(r"[A-Za-z]+", for_speech(text)) if w in WORDS] == words


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6),
    st.lists(st.sampled_from((*"*_#>|~$%&+=-–:;,.!?()[]\"'^@ ", "**", " (", ") ", "... "))),
)
def test_no_word_is_lost_beside_signs(words: list[str], signs: list[str]) -> None:
    signs = signs + [" "] * len(words)
    text = "".join(word + sign for word, sign in zip(words, signs, strict=False))
    said = for_speech(text)
    assert [w for w in re.findall("[A-Z]?[a-z]+", said) if w in WORDS] == words, (text, said)


# a thought without its first mark takes back what stood before it, so it begins an answer
WHOLE = [w for w in WRITTEN if "</think>" not in w or "<think>" in w]


BLOCKS = (
    "```python\nx = f(1). y\n```",
    "```x = f(1). y```",
    "``` ",
    "Use ```git status``` now.",
    "\n\n    x = f(1). y = 2\n    z. A\n\n",
    "<think>No. Yes.</think>",
    '<tool_call>{"a": "b. c"}</tool_call>',
    "◁think▷No. Yes.◁/think▷",
    "U.S. Robots are here.",
    "Plan B. It works.",
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(WHOLE) | st.sampled_from(BLOCKS), min_size=1, max_size=5),
    st.sampled_from(("\n", " ", ". ")),
    st.integers(1, 9),
)
def test_an_answer_that_grows_is_said_as_the_whole_one(
    written: list[str], between: str, step: int
) -> None:
    text = between.join(written)
    assert grown(text, step) == grown(text, len(text) + 1)


@pytest.mark.parametrize("step", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Price ``` is odd. Then talk goes on.", ["Price is odd.", "Then talk goes on."]),
        ("So ```x = f(1). y``` it is. Go", ["So it is.", "Go"]),
        ("Use ```git status``` here. Then go.", ["Use git status here.", "Then go."]),
        ("Run:\n\n    x = f(1). y = 2\n\n    z = 3\nDone.", ["Run:", "Done."]),
        (
            "Yes.\n\n    This is set in. And it is text.",
            ["Yes.", "This is set in.", "And it is text."],
        ),
        (
            "So:\n\n    for example 0.5 m; or more. Go.\n",
            ["So:", "for example zero point five metres; or more.", "Go."],
        ),
        ("Write `</think>` at its end. Go.", ["Write at its end.", "Go."]),
        ("- One\n    - Two. It is f(x).\n", ["One", "Two.", "It is f(x)."]),
        ('<tool_call>{"a": "b. c"}</tool_call>It is red. Go.', ["It is red.", "Go."]),
        ("<answer>Two cups.</answer> It is red.", ["Two cups.", "It is red."]),
        ("◁think▷No. So.◁/think▷It is. Go.", ["It is.", "Go."]),
        (
            "<|channel|>analysis<|message|>A. B.<|end|>"
            "<|start|>assistant<|channel|>final<|message|>Go.",
            ["Go."],
        ),
        ("Use the `<think>` tag. Then go.", ["Use the tag.", "Then go."]),
        ("他说在14:05。\n5%-10%。\n好。", ["他说在十四点零五分。", "百分之五到百分之十。", "好。"]),
    ],
)
def test_what_is_not_spoken_is_left_out_however_it_arrives(
    text: str, said: list[str], step: int
) -> None:
    assert grown(text, step) == said


def test_a_sentence_without_letters_has_the_language_of_its_answer() -> None:
    assert for_speech("14:05", "时间是：\n14:05") == "十四点零五分"
    assert for_speech("5%-10%", "大概多少？\n5%-10%") == "百分之五到百分之十"
    assert for_speech("14:05", "The time is:\n14:05") == "fourteen oh five"
    assert for_speech("5 cm", "大概多少？") == "五厘米"
    assert for_speech("about 5 cm", "大概多少？") == "about five centimetres"
