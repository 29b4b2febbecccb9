"""English: abbreviations and signs, which have the same words wherever they stand."""

from __future__ import annotations

import re

from aura_core.speech.english_amounts import power_words
from aura_core.speech.markup import LINK, PATH
from aura_core.speech.patterns import EXPONENT, exponent_of
from aura_core.speech.reading import Kind, kind
from aura_core.speech.units import UNITS

_IN_NAME = re.compile(r"[A-Za-z]-?[0-9.]+$")
_ABBREVIATIONS = (  # what they begin with, a regular expression, the words
    ("e", r"e\.g\.,?", "for example,"),
    ("i", r"i\.e\.,?", "that is,"),
    ("e", r"etc\b\.?(?=\s+[a-z]|[,;:)])|etc\b", "et cetera"),
    ("v", r"vs\b\.?", "versus"),
    ("a", r"approx\.", "approximately"),
    ("c", r"ca?\.\s?(?=[0-9])", "about "),
    ("D", r"Dr\.\s(?=[A-Z])", "Doctor "),
    ("M", r"Mr\.", "Mister"),
    ("M", r"Mrs\.", "Missus"),
    ("P", r"Prof\.", "Professor"),
    ("G", r"Gen\.(?=\s[A-Z])", "General"),
    ("Nn", r"[Nn]os?\.\s?(?=[0-9])", "number "),
    ("Ff", r"[Ff]igs?\.\s?(?=[0-9])", "figure "),
    ("p", r"pp\.\s?(?=[0-9])", "pages "),
    ("p", r"p\.\s?(?=[0-9])", "page "),
    ("Mm", r"[Mm]ax\.\s?(?=[0-9])", "maximum "),
    ("Mm", r"[Mm]in\.\s?(?=[0-9])", "minimum "),
    ("w", r"w/o\b", "without"),
    ("w", r"w/\s?(?=[A-Za-z0-9])", "with "),
    ("a", r"and/or\b", "and or"),
    ("e", r"either/or\b", "either or"),
)


def _to(match: re.Match[str]) -> str | None:
    """The dash between two readings, and not in a name: "Llama-3.1-8B"."""
    before = match.string[max(0, match.start() - 24) : match.start()]
    return None if _IN_NAME.search(before) else " to "


# the sign that it begins with, a regular expression, the words
_SIGNS = (
    (LINK, LINK, "link"),
    (PATH, PATH, "path"),
    ("_", r"(?<=[^\W_])_+(?=[^\W_])", " "),
    ("×", r"×\s?", " times "),
    ("∗", r"∗\s?", " times "),
    ("*", r"(?<=\s)\*(?=\s)|(?<=[A-Za-z0-9)])\*(?=[A-Za-z0-9(])", " times "),
    ("±", r"±\s?(?=[0-9.])", " plus or minus "),
    ("~≈", r"[~≈]\s?(?=[0-9.$€£])", "about "),
    ("≈", r"≈", " is about "),
    ("÷", r"÷\s?", " divided by "),
    ("−", r"−\s?", " minus "),
    ("x", r"(?<=[\"″] )x(?= ?[0-9])", "by"),
    ("+", r"(?<=[0-9])\+(?![A-Za-z0-9+])", " plus"),
    ("+", r"\+(?=[0-9.$€£])", " plus "),
    ("+", r"(?<=\s)\+(?=\s)", "plus"),
    ("+", r"(?<=[A-Za-z0-9)²³])\+(?=[A-Za-z0-9(])", " plus "),
    ("=", r"(?<=\s)={1,3}(?=\s)", "equals"),
    ("=", r"(?<=[A-Za-z0-9)²³])={1,3}\s?(?=[-−]?[A-Za-z0-9(.])", " equals "),
    ("=", r"=>\s?", " to "),
    ("=", r"(?<=[0-9)²³] )=(?=[-−]?[A-Za-z0-9(])|(?<=[A-Za-z0-9)])=\s", "equals "),
    ("!", r"!=\s?", " is not equal to "),
    ("<", r"<=\s?", " at most "),
    (">", r">=\s?", " at least "),
    ("≤", r"≤\s?", " at most "),
    ("≥", r"≥\s?", " at least "),
    ("≠", r"≠\s?", " is not equal to "),
    ("^", r"\^", " to the power of "),
    ("§", r"§+\s?(?=[0-9])", "section "),
    ("★", r"(?<=[0-9])★|(?<=[0-9] )★", " stars"),
    ("≈", r"(?<=[A-Za-zα-ω0-9)])≈\s?|(?<=[A-Za-zα-ω0-9)] )≈\s?", " is about "),
    ("/", r"(?<=[A-Za-z])/(?=[0-9])", ", "),
    ("√", r"√\s?(?=[A-Za-z0-9(])", "the square root of "),
    ("<", r"(?<=\s)<(?=\s)|<\s?(?=[0-9.$€£])|(?<=[A-Za-z0-9])<(?=[A-Za-z0-9])", " less than "),
    (">", r"(?<=\s)>(?=\s)|>\s?(?=[0-9.$€£])|(?<=[A-Za-z0-9])>(?=[A-Za-z0-9])", " more than "),
    ("→", r"→\s?", " to "),
    ("-", r"->\s?", " to "),
    # between two readings: "15 March - 17 March", "9:30-10"
    ("-–—", r"(?<=[0-9])[-–—](?=[0-9$€£])|(?<=[0-9] )[-–—](?= [0-9$€£])", _to),
    ("–—", r"(?<=[0-9smth%])[–—](?=[0-9$€£])", " to "),
    ("@", r"(?<=\s)@(?=\s?[A-Za-z0-9])", "at "),
    ("&", r"(?<=\s)&(?=\s)|(?<=[0-9])&(?=[0-9])|(?<=[A-Za-z])&(?=[A-Za-z])", " and "),
    ("#", r"(?<![A-Za-z0-9_])#\s?(?=[0-9])", "number "),
    ("#", r"(?<![A-Za-z0-9_])#(?=[A-Za-z])", "hashtag "),
    ("/", r"(?<=[a-z])/(?=(?:second|minute|hour|day|week|month|year)\b)", " per "),
    ("/", r"(?<=[a-z])/(s|sec|min|h|hr|m|km)\b", lambda m: f" per {UNITS[m[1]].one}"),
    ("/", r"(?<=[0-9])/(?=(?:second|minute|hour|day|week|month|year|person)\b)", " per "),
    ("/", r"(?<=[a-z])/(?=[a-z])", " or "),
    ("/", r"(?<=[A-Z])/(?=[A-Z])", " "),
    (")", rf"\){EXPONENT}", lambda m: ")" + power_words(*exponent_of(m[1], m[2]))),
)
SIGNS: list[Kind] = [
    *(
        kind(pattern, rf"(?<![A-Za-z0-9])(?:{pattern})", words, first)
        for first, pattern, words in _ABBREVIATIONS
    ),
    *(kind(pattern, pattern, words, first) for first, pattern, words in _SIGNS),
]
