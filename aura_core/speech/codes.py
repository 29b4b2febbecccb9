"""What is read in digits or in parts: telephone numbers, ISBNs, addresses, versions.

The kinds are made for a language: it gives the words for digits and for the marks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from string import ascii_letters, digits
from typing import NamedTuple

from aura_core.speech.patterns import NOT_IN_WORD
from aura_core.speech.reading import Kind, kind


class Words(NamedTuple):
    """The words of a language for codes. `called` is found just before a telephone number."""

    digits: Callable[[str], str]
    telephone: Callable[[str], str]  # the digits of a telephone number
    number: Callable[[str], str]
    plus: str
    dot: str
    point: str
    at: str
    comma: str
    called: re.Pattern[str]  # only long numbers follow its groups `weak` and `far`
    counted: re.Pattern[str]  # what follows a count, and no telephone number: " people"


_TLD = r"(?:com|org|net|edu|gov|io|ai|dev|app|info|co\.uk|co|uk|de|fr|cn|jp|eu|ch)"
_LETTER_OR_DIGIT = ascii_letters + digits
# a number that is a telephone number wherever it stands
_TELEPHONE = (
    r"(?:\+[0-9][0-9 ().-]{5,}[0-9]|\([0-9]{2,5}\)\s?[0-9]{3,4}[ .-]?[0-9]{3,4}"
    r"|(?:1[ .-])?[0-9]{3}([ .-])[0-9]{3}\1[0-9]{4}"
    r"|1-[0-9]{3}-[A-Z]{4,}|0[0-9]{2,4}[ /-][0-9]{3,8}(?:[ -][0-9]{2,4})*"
    r"|1[3-9][0-9]([ -])[0-9]{4}\2[0-9]{4})"
)


def codes(words: Words) -> list[Kind]:
    """The kinds of codes, in the words of a language."""

    def telephone(match: re.Match[str]) -> str | None:
        thousands = re.fullmatch(r"\+[0-9]{1,3}(?: [0-9]{3})+", match[0])
        if thousands and words.counted.match(match.string, match.end()):
            return None
        groups = [words.telephone(g) or g for g in re.findall("[0-9]+|[A-Z]+", match[0])]
        return words.plus * match[0].startswith("+") + words.comma.join(groups)

    def called(match: re.Match[str]) -> str | None:
        text = match.string
        by = words.called.search(text[max(0, match.start() - 40) : match.start()])
        if by is None:
            return None
        if (by["weak"] or by["far"]) and sum(c.isdigit() for c in match[0]) < 6:
            return None
        if match[0].isdigit() and words.counted.match(text, match.end()):
            return None
        return telephone(match)

    def isbn(match: re.Match[str]) -> str:
        groups = re.findall("[0-9]+|X", match[2])
        return match[1] + words.comma.join("X" if g == "X" else words.digits(g) for g in groups)

    def ip(match: re.Match[str]) -> str | None:
        parts = match[1].split(".")
        if any(int(part) > 255 for part in parts):
            return None
        port = words.comma + words.digits(match[2]) if match[2] else ""
        return words.dot.join(words.digits(part) for part in parts) + port

    def version(match: re.Match[str]) -> str:
        return words.point.join(words.number(part) for part in match[0].split("."))

    def spelt(match: re.Match[str]) -> str:
        said = match[0].replace("@", words.at)
        return re.sub(r"[0-9]+", lambda m: f" {words.digits(m[0])} ", said.replace(".", words.dot))

    return [
        kind("telephone", rf"{_TELEPHONE}(?!\.?[0-9A-Za-z_]|-[0-9])", telephone, f"+({digits}"),
        kind(
            "called",
            r"\+?[0-9]{3,}(?:[ -][0-9]{2,})*(?!\.?[0-9A-Za-z_]|,[0-9])",
            called,
            f"+{digits}",
        ),
        kind(
            "isbn",
            r"(ISBN(?:-1[03])?:?\s?)([0-9][0-9 -]{8,}[0-9X])" + NOT_IN_WORD,
            isbn,
            "I",
        ),
        kind("ip", r"([0-9]{1,3}(?:\.[0-9]{1,3}){3})(?::([0-9]{2,5}))?(?!\.?[0-9A-Za-z_])", ip),
        kind("version", r"[0-9]{1,9}(?:\.[0-9]{1,9}){2,}(?![0-9A-Za-z_])", version),
        kind(
            "email",
            r"[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
            spelt,
            _LETTER_OR_DIGIT,
            "@",
        ),
        kind(
            "domain",
            rf"(?:[A-Za-z0-9-]+\.){{1,6}}{_TLD}(?![A-Za-z0-9_@-]|\.[A-Za-z0-9])",
            spelt,
            _LETTER_OR_DIGIT,
            ".",
        ),
    ]
