"""Numbers in words, English and Chinese, spelt by unicode-rbnf from the rules of Unicode's CLDR."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unicode_rbnf import RbnfEngine

_LONGEST = {"en": 15, "zh": 12}  # digits; a longer number is read digit by digit


def number_words(value: int) -> str:
    """Return the English words of an integer.

    -12 gives "minus twelve", 1203 gives "one thousand two hundred and three".
    """
    return _spelt("en", value, "spellout-cardinal-verbose").replace(",", "")


def ordinal_words(value: int) -> str:
    """21 gives "twenty-first"."""
    return _spelt("en", value, "spellout-ordinal-verbose").replace(",", "")


def year_words(value: int) -> str:
    """1984 gives "nineteen eighty-four", 2005 gives "two thousand and five"."""
    words = _spelt("en", value, "spellout-numbering-year").replace("oh-", "oh ")
    return words.replace("thousand ", "thousand and ") if 2000 < value < 2010 else words


def decimal_words(text: str) -> str:
    """Return the English words of digits with commas and points: "1,250.5", "007", "1.2.10"."""
    whole, *decimals = text.replace(",", "").split(".")
    if len(whole) > _LONGEST["en"] or (len(whole) > 1 and whole[0] == "0"):
        words = digit_words(whole)
    else:
        words = number_words(int(whole))
    if len(decimals) == 1:
        return f"{words} point {digit_words(decimals[0])}"
    for part in decimals:  # a version such as 1.2.3: each part is a number
        words += f" point {number_words(int(part)) if len(part) <= _LONGEST['en'] else part}"
    return words


def digit_words(text: str) -> str:
    """Return the English words of the digits, one by one. Other characters are left out."""
    return " ".join(number_words(int(digit)) for digit in text if digit.isdigit())


def chinese_number(text: str) -> str:
    """Return the Chinese words of a number in digits: "1203" -> 一千二百零三, "0.5" -> 零点五."""
    whole, _, decimals = text.replace(",", "").partition(".")
    if len(whole) > _LONGEST["zh"] or (len(whole) > 1 and whole[0] == "0"):
        words = chinese_digits(whole)
    else:
        words = _spelt("zh", int(whole), "spellout-cardinal").replace("〇", "零")
    return f"{words}点{chinese_digits(decimals)}" if decimals else words


def chinese_digits(text: str, one: str = "一") -> str:
    """Return the Chinese digits, one by one; `one` is 幺 in a telephone number."""
    names = f"零{one}二三四五六七八九"
    return "".join(names[int(digit)] for digit in text if digit.isdigit())


@functools.cache
def _speller(language: str) -> RbnfEngine:
    # Imported here: every command of the CLI imports this module for its settings.
    from unicode_rbnf import RbnfEngine

    return RbnfEngine.for_language(language)


@functools.lru_cache(4096)
def _spelt(language: str, value: int, rules: str) -> str:
    return _speller(language).format_number(value, ruleset_names=[rules]).text
