"""The table of what is written otherwise than it is said in English. See `reading.py`.

The spelling is British: "one hundred and five", "metres".
"""

from __future__ import annotations

import re
from string import ascii_letters, ascii_uppercase, digits

from aura_core.speech.codes import Words, codes
from aura_core.speech.english_amounts import amounts, is_part, part_words
from aura_core.speech.english_dates import COUNTED, DATES
from aura_core.speech.english_signs import SIGNS
from aura_core.speech.numerals import decimal_words, digit_words, number_words, ordinal_words
from aura_core.speech.patterns import (
    NOT_IN_WORD,
    SUPERSCRIPTS,
    VALUE,
    digits_of,
)
from aura_core.speech.reading import Kind, Reader, kind
from aura_core.speech.units import SIMPLE_UNIT, UNIT, unit_words

_GLYPHS = {
    "½": "one half",
    "⅓": "one third",
    "¼": "one quarter",
    "¾": "three quarters",
    "⅔": "two thirds",
    "⅕": "one fifth",
    "⅛": "one eighth",
}


def _initials(match: re.Match[str]) -> str:
    at_end = match.end() == len(match.string)
    return match[0].replace(".", " ").rstrip() + "." * at_end


_STEP = re.compile(r"\b(?:step|page|question|level|part|task|stage|round|image|photo)\s$", re.I)


def _fraction(match: re.Match[str]) -> str | None:
    whole, over, under = match[1], int(match[2]), int(match[3])
    if match[3] == "0" or (match[3][0] == "0" and match[3] != "0"):
        return None
    before = f"{number_words(int(whole))} and " if whole else ""
    if (over, under) in ((24, 7), (9, 11), (50, 50), (20, 20)):
        return f"{before}{number_words(over)} {number_words(under)}"
    counted = re.compile(r"\s(?:stars?|points?|tests?|marks?)\b").match(match.string, match.end())
    counted = counted or _STEP.search(match.string[max(0, match.start() - 10) : match.start()])
    if counted or not is_part(over, under):
        between = "out of" if over <= under else "over"
        said = f"{number_words(over)} {between} {number_words(under)}"
        return f"{number_words(int(whole))} {said}" if whole else said
    return before + part_words(over, under)


def _mixed(match: re.Match[str]) -> str:
    return f"{number_words(int(match[1]))} and {_GLYPHS[match[2]]}"


def _parts(match: re.Match[str], *names: str) -> str:
    parts = [(int(n), name) for n, name in zip(match.groups(), names, strict=True) if n]
    return " ".join(f"{number_words(n)} {name}{'s' * (n != 1)}" for n, name in parts)


def _duration(match: re.Match[str]) -> str:
    return _parts(match, "hour", "minute", "second")


def _angle(match: re.Match[str]) -> str:
    return _parts(match, "degree", "minute", "second")


def _feet(match: re.Match[str]) -> str:
    feet, inches = int(match[1]), int(match[2])
    said = f"{number_words(feet)} {'foot' if feet == 1 else 'feet'}"
    return f"{said} {number_words(inches)} inch{'es' * (inches != 1)}"


_LONG = r"(?!wide|long|tall|high|deep|thick|across|in|and|or|is|by|to|of)[A-Za-z]"


def _inches(match: re.Match[str]) -> str | None:
    quoted = False
    for quote in re.finditer(r'([0-9]?)"', match.string[: match.start()]):
        quoted = not quoted and not quote[1]  # behind a number it ends a quotation, or means inches
    if quoted and match[0][-1] == '"':
        return None
    one = match[1] == "1" or re.compile(r"\s(?!x\s)" + _LONG).match(match.string, match.end())
    return f"{decimal_words(match[1])} {'inch' if one else 'inches'}"


def _ordinals(match: re.Match[str]) -> str:
    last = f" to {ordinal_words(int(match[2]))}" if match[2] else ""
    return ordinal_words(int(match[1])) + last


def _listed(match: re.Match[str]) -> str:
    return ", ".join(number_words(int(number)) for number in match[0].split(","))


_ORDINAL = r"([0-9]{1,4})(?:st|nd|rd|th)\b"
_WORDS = Words(
    digits=digit_words,
    telephone=digit_words,
    number=lambda part: number_words(int(part)),
    plus="plus ",
    dot=" dot ",
    point=" point ",
    at=" at ",
    comma=", ",
    called=re.compile(
        r"(?i)(?:^|[^a-z])(?:(?:call|phone|dial|ring|telephone|tel|hotline|helpline|fax|mobile|cell"
        r"|extension|ext|text|pin|code|passcode|password|zip|postcode|(?P<weak>number|id))"
        r"(?:\s(?:us|me|him|her|them))?(?:\s(?:number|no))?(?:\s(?:is|at|on|now))?[.:]{0,2}"
        r"|(?P<far>(?:call|phone|ring|text|reach)\b(?:[^.!?0-9]|(?:Dr|Mrs?|Ms)\.)*\s(?:at|on))"
        r"|(?:call|dial|ring)\s[0-9]{3}\s(?:or|and))\s*$"
    ),
    counted=re.compile(rf"{COUNTED.pattern}|\s?{UNIT}"),
)
KINDS: list[Kind] = [
    *DATES,
    kind(
        "grouped",
        r"[0-9]{1,3}(?:\.[0-9]{3}){2,}(?![.0-9A-Za-z_])|[0-9]{1,3}(?:['’][0-9]{3})+(?![0-9A-Za-z_])",
        lambda m: decimal_words(re.sub(r"[.'’]", "", m[0])),
    ),
    *codes(_WORDS),
    kind("list", r"[0-9]{1,9}(?:,[0-9]{1,2}(?![0-9]))+(?![.][0-9])" + NOT_IN_WORD, _listed),
    kind("fraction", r"(?:([0-9]+)\s)?([0-9]{1,4})/([0-9]{1,4})(?![A-Za-z0-9_/])", _fraction),
    kind(
        "out of",
        r"([0-9]+\.[0-9]+)/([0-9]+)(?![A-Za-z0-9_/])",
        lambda m: f"{decimal_words(m[1])} out of {number_words(int(m[2]))}",
    ),
    kind("coordinates", r"([0-9]{1,3})°\s?([0-9]{1,2})['′](?:\s?([0-9]{1,2})[\"″])?", _angle),
    kind(
        "unit alone",
        rf"(?:{SIMPLE_UNIT})/(?:{SIMPLE_UNIT})[²³]?(?![A-Za-z0-9_/])",
        lambda m: unit_words(m[0]).several if re.fullmatch(UNIT, m[0]) else None,
        ascii_letters,
        "/",
    ),
    kind("mixed fraction", rf"([0-9]+)\s?([{''.join(_GLYPHS)}])(?![0-9/])", _mixed),
    kind(
        "glyph",
        rf"[{''.join(_GLYPHS)}](?![0-9/])",
        lambda m: _GLYPHS[m[0]],
        "".join(_GLYPHS),
    ),
    kind(
        "hours and minutes", r"([0-9]+)h\s?([0-9]{1,2})(?:m|min)?()(?![.:]?[A-Za-z0-9_])", _duration
    ),
    kind(
        "hours to seconds",
        r"(?:([0-9]+)\s?h\s?)?([0-9]+)\s?(?:m|min)\s?([0-9]{1,2})\s?s(?![A-Za-z0-9_])",
        _duration,
    ),
    kind("feet", r"([0-9])['′]\s?([0-9]{1,2})(?:\"|″|'')", _feet),
    kind(
        "feet alone",
        r"([0-9]+)['′](?=\s(?:long|wide|tall|high|deep)\b)",
        lambda m: f"{decimal_words(m[1])} {'foot' if m[1] == '1' else 'feet'}",
    ),
    kind("feet and inches", r"([0-9]+)\s?ft\.?\s?([0-9]{1,2})\s?in\b", _feet),
    kind(
        "inches",
        r"([0-9]+(?:\.[0-9]+)?)[\"″]",
        _inches,
    ),
    kind("ordinal", rf"{_ORDINAL}(?:\s?[-–]\s?{_ORDINAL})?", _ordinals),
    Kind("amount", amounts, f"{digits}-−–.$€£¥₹UEGJCRHA"),
    Kind("amount with a letter", amounts, ascii_letters, f"^{SUPERSCRIPTS}ⁿ"),
    kind(
        "version with a letter",
        r"[vV]([0-9]+(?:\.[0-9]+)+)(?!\.?[0-9A-Za-z_])",
        lambda m: f"version {decimal_words(m[1])}",
        "vV",
        ".",
    ),
    kind(
        "times as much",
        rf"({VALUE})[x×]{NOT_IN_WORD}",
        lambda m: f"{decimal_words(digits_of(m[1]))} times",
        needs="x×",
    ),
    kind("initials", r"(?:[A-Z]\.){2,}", _initials, ascii_uppercase, "."),
    *SIGNS,
]
_READER = Reader(KINDS, spaced=True)


def english(text: str) -> str:
    """Return English text with its numbers, dates, units and signs in words."""
    return _READER.read(text)
