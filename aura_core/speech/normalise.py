"""Text normalisation for speech: written text to speakable words, in English or Chinese.

Numbers, units and times become words. What cannot be spoken is removed. Numbers are spelt by
unicode-rbnf, from the rules of Unicode's CLDR.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

from aura_core.speech.sentences import CJK

if TYPE_CHECKING:
    from unicode_rbnf import RbnfEngine

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
_KANA = r"[\u3040-\u30ff]"
_CHINESE_UNITS = {
    "km/h": "公里每小时",
    "m/s": "米每秒",
    "km": "公里",
    "cm": "厘米",
    "mm": "毫米",
    "m": "米",
    "kg": "公斤",
    "g": "克",
    "ml": "毫升",
    "L": "升",
    "ms": "毫秒",
    "s": "秒",
    "min": "分钟",
    "h": "小时",
    "°C": "摄氏度",
    "℃": "摄氏度",
    "°": "度",
    "%": "",  # 百分之 goes before the number: see `_say_chinese_number`
}
_CHINESE_UNIT = "|".join(sorted(_CHINESE_UNITS, key=len, reverse=True))
_CHINESE_NUMBER = re.compile(
    rf"(?<![A-Za-z\d.,])([-−])?(\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    rf"(?:\s?({_CHINESE_UNIT})(?![A-Za-z²³/]))?(?![A-Za-z\d]|\.\d)(?=([个只张把台位名本条辆次件块种间层杯米]))?"
)
_CHINESE_RANGE = re.compile(
    r"(?<![A-Za-z\d.-])(\d+(?:\.\d+)?)\s?[-–—~]\s?(?=\d+(?:\.\d+)?(?![\d-]))"
)
_CHINESE_TIME = re.compile(r"(?<![\d:.])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])")
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
    (r"(?m)^\s*(\d+)[.)]\s+", r"\1, "),  # the number of a list item is spoken
    (r"(\*{1,3}|~~|__)(?=\S)(.+?)(?<=\S)\1", r"\2"),
    (r"(?<!\w)_(?=\S)(.+?)(?<=\S)_(?!\w)", r"\1"),
    # a mark without its partner, which is in another sentence
    (r"\*{2,3}|~~|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)", ""),
    (r"\s*\|\s*", ", "),
    (r"(?<=\w)_(?=\w)", " "),
    (r"\[\s*\]|\(\s*\)", ""),
)


def number_words(value: int) -> str:
    """Return the English words of an integer.

    -12 gives "minus twelve", 1203 gives "one thousand two hundred and three".
    """
    return _spelt("en", value, "spellout-cardinal-verbose").replace(",", "")


def chinese_number(text: str) -> str:
    """Return the Chinese words of a number in digits: "1203" -> 一千二百零三, "0.5" -> 零点五."""
    whole, _, decimals = text.replace(",", "").partition(".")
    if len(whole) > 12 or (len(whole) > 1 and whole[0] == "0"):
        words = _chinese_digits(whole)
    else:
        words = _spelt("zh", int(whole), "spellout-cardinal").replace("〇", "零")
    return f"{words}点{_chinese_digits(decimals)}" if decimals else words


@functools.cache
def _speller(language: str) -> RbnfEngine:
    # Imported here: every command of the CLI imports this module for its settings.
    from unicode_rbnf import RbnfEngine

    return RbnfEngine.for_language(language)


def _spelt(language: str, value: int, rules: str) -> str:
    return _speller(language).format_number(value, ruleset_names=[rules]).text


def _digits(text: str) -> str:
    """Return the English words of a number, digit by digit."""
    return " ".join(number_words(int(digit)) for digit in text)


def _chinese_digits(text: str) -> str:
    return "".join("零一二三四五六七八九"[int(digit)] for digit in text)


def for_speech(text: str) -> str:
    """Return the text as a synthesiser should get it, or "" if nothing in it can be spoken.

    Markdown, emoji and web addresses are removed. Numbers, units, times and signs become words:
    Chinese words in text with Chinese characters, else English words. Japanese text keeps its
    numbers, because Japanese synthesisers read them.
    """
    text = unicodedata.normalize("NFC", text)
    for pattern, replacement in _MARKUP:
        text = re.sub(pattern, replacement, text)
    if not re.search(rf"[{CJK}]", text):
        text = _english(text)
    elif not re.search(_KANA, text):
        text = _chinese(text)
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
        words = _digits(whole)
    else:
        words = number_words(int(whole))
    if len(decimals) == 1:
        words += f" point {_digits(decimals[0])}"
    else:  # a version number such as 1.2.3: each part is spoken as a number
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
    return _spelt("en", value, "spellout-ordinal-verbose").replace(",", "")


def _chinese(text: str) -> str:
    text = re.sub(r"(\d{4})\s?年", lambda m: f"{_chinese_digits(m[1])}年", text)
    text = _CHINESE_TIME.sub(_say_chinese_time, text)
    text = _CHINESE_RANGE.sub(r"\1到", text)
    return _CHINESE_NUMBER.sub(_say_chinese_number, text)


def _say_chinese_number(match: re.Match[str]) -> str:
    sign, value, unit, counted = match.groups()
    words = ("负" if sign else "") + chinese_number(value)
    if unit == "%":
        return f"百分之{words}"
    ordinal = match.string[: match.start()].endswith("第")
    if value == "2" and (counted or unit) and not ordinal:  # before a measure word, two is 两
        words = words.replace("二", "两")
    return words + _CHINESE_UNITS.get(unit, "")


def _say_chinese_time(match: re.Match[str]) -> str:
    hour, minute = match.groups()
    hours = "两" if int(hour) == 2 else chinese_number(str(int(hour)))
    if minute == "00":
        return f"{hours}点"
    minutes = chinese_number(minute if minute[0] == "0" else str(int(minute)))
    return f"{hours}点{minutes}分"


def _speakable(char: str) -> bool:
    """Whether a character is no emoji, joiner or control character."""
    return (
        char == "\n"
        or char == "°"
        or unicodedata.category(char) not in ("So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me")
    )
