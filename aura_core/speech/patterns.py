"""Pieces of regular expressions that the kinds of English and of Chinese share."""

from __future__ import annotations

import re

_SPACE = r"[ \u00a0\u2009\u202f]"
# digits with commas or spaces between their thousands, with a decimal part; or a version (1.2.3)
VALUE = (
    rf"(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+(?![0-9])(?:\.[0-9]+)?"
    rf"|[0-9]{{1,3}}(?:{_SPACE}[0-9]{{3}})+(?![0-9A-Za-z_]|[ ,][0-9])(?:\.[0-9]+)?"
    r"|[0-9]+(?:\.[0-9]+)*)"
)
# no Latin or Greek letter and no digit follows; a Chinese character may
NOT_IN_WORD = r"(?![A-Za-z0-9_\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff])"
YEAR = r"(?:1[1-9]|20)[0-9][0-9]"
DAY = r"(?:3[01]|[12][0-9]|0?[1-9])"
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
MONTH = (
    rf"(?:(?:{'|'.join(MONTHS)})|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?)(?![A-Za-z])"
)
MONTH_LETTERS = "JFMASOND"
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
EXPONENT = rf"(?:\s?\^\s?\{{?([-+−]?(?:[0-9]+|[a-z](?![a-z])))\}}?|([{SUPERSCRIPTS}ⁿ]+))"
_PLAIN = str.maketrans(SUPERSCRIPTS + "ⁿ−", "0123456789-n-")


def month_of(written: str) -> int:
    """The number of a month: "Sept." gives 9."""
    return next(k for k, name in enumerate(MONTHS, 1) if name.startswith(written[:3]))


def digits_of(value: str) -> str:
    """The number without what parts its thousands."""
    return re.sub(rf"{_SPACE}|,", "", value)


def exponent_of(caret: str | None, raised: str | None) -> tuple[bool, str]:
    """Whether an exponent is negative, and its digits or its letter."""
    exponent = (caret or raised or "").translate(_PLAIN).lstrip("+")
    return exponent.startswith("-"), exponent.lstrip("-")


def float_of(value: str) -> float:
    """The value of a number, of a version its first two parts; for comparing."""
    return float(".".join(digits_of(value).split(".")[:2]))


def month_and_day(first: int, second: int, mark: str) -> tuple[int, int] | None:
    """Month and day of "25/12/2026", or None where it is not known which is which.

    With points between them the day is first. Raises ValueError where neither can be a month.
    """
    if first > 12 >= second and first <= 31:
        return second, first
    if second > 12 >= first and second <= 31:
        return first, second
    if max(first, second) > 12 or 0 in (first, second):
        raise ValueError("no month")
    return (second, first) if mark == "." else None
