"""What is written into what is said: numbers, units and times in English words; nothing that cannot
be spoken."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from aura_core.speech.sentences import CJK

_ONES = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = (
    (10**12, "trillion"),
    (10**9, "billion"),
    (10**6, "million"),
    (1000, "thousand"),
    (100, "hundred"),
)
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_UNITS = {  # as written: (one, several)
    "km/h": ("kilometre per hour", "kilometres per hour"),
    "m/s": ("metre per second", "metres per second"),
    "mph": ("mile per hour", "miles per hour"),
    "rad/s": ("radian per second", "radians per second"),
    "km": ("kilometre", "kilometres"),
    "cm": ("centimetre", "centimetres"),
    "mm": ("millimetre", "millimetres"),
    "m": ("metre", "metres"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "ml": ("millilitre", "millilitres"),
    "l": ("litre", "litres"),
    "L": ("litre", "litres"),
    "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "kHz": ("kilohertz",) * 2,
    "Hz": ("hertz",) * 2,
    "fps": ("frame per second", "frames per second"),
    "V": ("volt", "volts"),
    "A": ("ampere", "amperes"),
    "W": ("watt", "watts"),
    "kW": ("kilowatt", "kilowatts"),
    "px": ("pixel", "pixels"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "%": ("percent",) * 2,
    "m²": ("square metre", "square metres"),
    "m³": ("cubic metre", "cubic metres"),
}
_UNIT = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
_VALUE = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)*"
_NUMBER = re.compile(
    rf"(?<![\w.,])(?P<sign>[-−](?=\d))?(?P<value>{_VALUE})(?:\s?(?P<unit>{_UNIT})(?![\w²³/]))?(?![\w])"
)
_RANGE = re.compile(rf"(?<![\w.-])({_VALUE})\s?[-–—]\s?({_VALUE})(?![\w-])")
_TIME = re.compile(
    r"(?<![\w:.])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?:\s?([ap])\.?m\b\.?)?(?![\w:])", re.I
)
_FRACTIONS = {
    "½": "one half",
    "⅓": "one third",
    "¼": "one quarter",
    "¾": "three quarters",
    "⅔": "two thirds",
    "1/2": "one half",
    "1/3": "one third",
    "1/4": "one quarter",
    "3/4": "three quarters",
    "2/3": "two thirds",
}
_SIGNS = (
    (r"(?<=\d)\s?[×x]\s?(?=\d)", " by "),
    (r"\s?±\s?(?=\d)", " plus or minus "),
    (r"[~≈]\s?(?=\d)", "about "),
    (r"\s=\s", " equals "),
    (r"\s&\s", " and "),
    (r"\s\+\s", " plus "),
    (r"\s<\s", " less than "),
    (r"\s>\s", " more than "),
    (r"\s?(?:→|->)\s?", " to "),
)
_MARKUP: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"!?\[([^\]]*)\]\([^)]*\)", r"\1"),  # links and pictures: their text
    (
        r"(?:https?|ftp|file)://[^\s<>()\u3000-\u303f\uff00-\uffef]*[^\s<>().,;:!?\u3000-\u303f\uff00-\uffef]",
        "",
    ),
    (r"\bwww\.[\w.-]+\w(?:/[^\s<>()]*[\w/])?", ""),
    (r"</?[a-zA-Z][^<>]*>", ""),
    (r"```\w*|`", ""),
    (r"(?m)^\s{0,3}(?:#{1,6}\s+|>\s?|[-*+•]\s+|(?:[-*_]\s?){3,}$)", ""),
    (r"(?m)^\s*(\d+)[.)]\s+", r"\1, "),  # the number of a list is spoken
    (r"(\*{1,3}|~~|__)(?=\S)(.+?)(?<=\S)\1", r"\2"),
    (r"(?<!\w)_(?=\S)(.+?)(?<=\S)_(?!\w)", r"\1"),
    # one half of a pair: the other is in another sentence
    (r"\*{2,3}|~~|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)", ""),
    (r"\s*\|\s*", ", "),
    (r"(?<=\w)_(?=\w)", " "),
    (r"\[\s*\]|\(\s*\)", ""),
)


def number_words(value: int) -> str:
    """English words of an integer: -12 -> "minus twelve", 1203 -> "one thousand two hundred and
    three"."""
    if value < 0:
        return "minus " + number_words(-value)
    if value < 20:
        return _ONES[value]
    if value < 100:
        return _TENS[value // 10] + (f"-{_ONES[value % 10]}" if value % 10 else "")
    for scale, name in _SCALES:
        if value >= scale:
            rest = value % scale
            joint = " and " if rest and rest < 100 else " "
            return f"{number_words(value // scale)} {name}" + (
                joint + number_words(rest) if rest else ""
            )
    raise AssertionError(value)


def for_speech(text: str) -> str:
    """The text as a synthesizer should get it; empty when nothing in it can be spoken.

    Markdown, emoji and web addresses go. English numbers, units, times and signs become words. Text
    with Chinese (or Japanese) characters keeps its numbers: its synthesizer knows how to read them.
    """
    text = unicodedata.normalize("NFC", text)
    for pattern, replacement in _MARKUP:
        text = re.sub(pattern, replacement, text)
    if not re.search(rf"[{CJK}]", text):
        text = _english(text)
    text = "".join(c for c in text if _speakable(c))
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", text).strip(" ,")
    return text if re.search(r"\w", text) else ""


def _english(text: str) -> str:
    text = _TIME.sub(_say_time, text)
    for written, said in _FRACTIONS.items():
        text = re.sub(
            (
                rf"(?<=\d)\s?{written}(?![\d/])"
                if len(written) == 1
                else rf"(?<=\d)\s{written}(?![\d/])"
            ),
            f" and {said}",
            text,
        )
        text = re.sub(rf"(?<![\w/.]){written}(?![\w/])", said, text)
    text = _RANGE.sub(r"\1 to \2", text)
    for pattern, said in _SIGNS:
        text = re.sub(pattern, said, text)
    text = re.sub(r"\$\s?(\d[\d,.]*\d|\d)", r"\1 dollars", text)
    text = re.sub(r"€\s?(\d[\d,.]*\d|\d)|(\d)\s?€", lambda m: f"{m[1] or m[2]} euros", text)
    text = re.sub(r"(?<!\w)(\d{1,4})(?:st|nd|rd|th)\b", lambda m: _ordinal(int(m[1])), text)
    text = re.sub(r"#(?=\d)", "number ", text)
    return _NUMBER.sub(_say_number, text)


def _say_number(match: re.Match[str]) -> str:
    value, unit = match["value"], match["unit"]
    whole, *decimals = value.replace(",", "").split(".")
    if len(whole) > 15 or (len(whole) > 1 and whole[0] == "0"):
        words = " ".join(_ONES[int(digit)] for digit in whole)
    else:
        words = number_words(int(whole))
    if len(decimals) == 1:
        words += " point " + " ".join(_ONES[int(digit)] for digit in decimals[0])
    else:  # a version: each part is a number of its own
        words += "".join(
            f" point {number_words(int(part)) if len(part) <= 15 else part}" for part in decimals
        )
    if match["sign"]:
        words = f"minus {words}"
    return f"{words} {_UNITS[unit][value != '1']}" if unit else words


def _say_time(match: re.Match[str]) -> str:
    hour, minute, second, half = match.groups()
    words = number_words(int(hour))
    if minute == "00" and not second:
        words += "" if half else " o'clock"
    elif minute != "00" or second:
        words += " " + ("oh " if minute[0] == "0" else "") + number_words(int(minute))
    if second:
        words += f" and {number_words(int(second))} second" + "s" * (int(second) != 1)
    return words + (f" {half.lower()} m" if half else "")


def _ordinal(value: int) -> str:
    head, joint, last = re.fullmatch(r"(.*?)([- ]?)(\w+)", number_words(value)).groups()  # type: ignore[union-attr]
    last = _ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return head + joint + last


def _speakable(char: str) -> bool:
    """No emoji, no joiners, no control characters."""
    return (
        char == "\n"
        or char == "°"
        or unicodedata.category(char) not in ("So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me")
    )
