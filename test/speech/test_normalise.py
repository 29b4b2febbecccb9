"""Text for speech."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.speech.normalise import chinese_number, for_speech, number_words

# one pair a line: what is written (\\n is the end of a line), a tab, what is said
TABLES = ("pairs", "faults", "fresh", "hard", "third", "fourth")
PAIRS = [
    line.split("\t")
    for name in TABLES
    for line in Path(__file__).with_name(f"spoken_{name}.tsv").read_text("utf-8").splitlines()
]


def test_the_tables_have_seven_hundred_different_pairs() -> None:
    assert len({written for written, _ in PAIRS}) == len(PAIRS) >= 700


@pytest.mark.parametrize(("written", "said"), PAIRS)
def test_says_what_the_tables_say(written: str, said: str) -> None:
    assert for_speech(written.replace("\\n", "\n")) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("It is 0.5 m away.", "It is zero point five metres away."),
        ("1 m, 1.5 m and 12 cm", "one metre, one point five metres and twelve centimetres"),
        (
            "30 % at 21 °C, -5°C outside",
            "thirty percent at twenty-one degrees Celsius, minus five degrees Celsius outside",
        ),
        ("30% sure.", "thirty percent sure."),
        ("2 cups", "two cups"),
        ("1,250 people", "one thousand two hundred and fifty people"),
        ("at 14:05", "at fourteen oh five"),
        ("at 2:30 pm.", "at two thirty p m"),
        ("at 9:00", "at nine o'clock"),
        ("12:34:01", "twelve thirty-four and one second"),
        ("2-3 cups", "two to three cups"),
        ("version 1.2.10", "version one point two point ten"),
        ("room 007", "room zero zero seven"),
        ("the 1st, 2nd, 3rd, 12th and 21st", "the first, second, third, twelfth and twenty-first"),
        ("½ cup, 2 ½ cups, 1/2", "one half cup, two and one half cups, one half"),
        ("5 km/h or 3 m/s", "five kilometres per hour or three metres per second"),
        ("sensor A4 and USB3", "sensor A4 and USB3"),
        ("30 x 40 cm", "thirty by forty centimetres"),
        ("~5 s", "about five seconds"),
        ("$5", "five dollars"),
        ("a **red** _cup_ and `code`", "a red cup and code"),
        ("## Title", "Title"),
        ("- first point", "first point"),
        ("1. first point", "one, first point"),
        ("see [the page](https://a.b/c?d=1) now", "see the page now"),
        ("look at https://example.org/x.html, please.", "look at link, please."),
        ("done 🎉👍🏽!", "done!"),
        ("<b>bold</b>", "bold"),
        ("snake_case", "snake case"),
        ("**half of a pair", "half of a pair"),
        ("杯子高12厘米，**红色**。🎉", "杯子高十二厘米，红色。"),
        ("距离0.5 m。", "距离零点五米。"),
        ("有2个杯子和2.5 kg米", "有两个杯子和二点五公斤米"),
        ("气温-5°C，湿度30%。", "气温负五摄氏度，湿度百分之三十。"),
        ("2026年3月15日14:05", "二零二六年三月十五日十四点零五分"),
        ("2:00到9:30", "两点到九点三十分"),
        ("第2层有1,250人", "第二层有一千二百五十人"),
        ("大约2-3米，房间007", "大约二到三米，房间零零七"),
        ("版本1.2.10，USB3接口", "版本一点二点十，USB3接口"),
        ("高さは12センチです", "高さは12センチです"),
        ("🎉", ""),
        ("---", ""),
        ("https://example.org", "link"),
    ],
)
def test_says(written: str, said: str) -> None:
    assert for_speech(written) == said


@given(st.text(alphabet="0123456789٣.,:-–−/^²⁻%$€'\"+=×x*~ ()°#@kmsMay中月年日比", max_size=30))
def test_any_text_becomes_one_clean_line(text: str) -> None:
    said = for_speech(text)
    assert said == said.strip(" ,") and re.search(r"\s\s|\n", said) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "zero"),
        (15, "fifteen"),
        (-40, "minus forty"),
        (101, "one hundred and one"),
        (110, "one hundred and ten"),
        (1234, "one thousand two hundred and thirty-four"),
        (10**6 + 1, "one million and one"),
        (
            10**15 - 1,
            (
                "nine hundred and ninety-nine trillion nine hundred and ninety-nine billion nine"
                " hundred and ninety-nine million nine hundred and ninety-nine thousand nine"
                " hundred and ninety-nine"
            ),
        ),
    ],
)
def test_number_words(value: int, words: str) -> None:
    assert number_words(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0", "零"),
        ("10", "十"),
        ("105", "一百零五"),
        ("1203", "一千二百零三"),
        ("10105", "一万零一百零五"),
        ("0.50", "零点五零"),
        ("1234567890123", "一二三四五六七八九零一二三"),
    ],
)
def test_chinese_numbers(value: str, words: str) -> None:
    assert chinese_number(value) == words
