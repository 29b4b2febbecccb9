"""English: amounts (a number with its sign, power, currency and unit), their ranges and sums.

An amount is read whole, and so is a chain of amounts with dashes or signs between them. Which of a
range and a difference a dash means is decided for the chain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aura_core.speech.numerals import decimal_words, number_words, ordinal_words
from aura_core.speech.patterns import (
    EXPONENT,
    NOT_IN_WORD,
    VALUE,
    digits_of,
    exponent_of,
    float_of,
)
from aura_core.speech.units import UNIT, unit_words

_SCALES = {
    **{"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "b": "billion"},
    **{"tn": "trillion", "thousand": "thousand", "million": "million", "billion": "billion"},
    "trillion": "trillion",
}
_DOLLARS = {
    "$": "dollar",
    "US$": "US dollar",
    "A$": "Australian dollar",
    "C$": "Canadian dollar",
    "HK$": "Hong Kong dollar",
}
_MONEY = {  # for one, for several, cents; "" where there are none
    **{sign: (name, name + "s", "cent") for sign, name in _DOLLARS.items()},
    "USD": ("US dollar", "US dollars", "cent"),
    "€": ("euro", "euros", "cent"),
    "EUR": ("euro", "euros", "cent"),
    "£": ("pound", "pounds", "penny"),
    "GBP": ("pound", "pounds", "penny"),
    "¥": ("yen", "yen", ""),
    "JPY": ("yen", "yen", ""),
    "CNY": ("yuan", "yuan", ""),
    "RMB": ("yuan", "yuan", ""),
    "CHF": ("franc", "francs", ""),
    "₹": ("rupee", "rupees", "paisa"),
    "¢": ("cent", "cents", ""),
}
_CENTS = {"cent": "cents", "penny": "pence", "paisa": "paise"}
_SCALE_WORD = r"(?:thousand|million|billion|trillion)"
_BEFORE = r"(?:(?:US|A|C|HK)?\$|[€£¥₹]|(?:USD|EUR|GBP|JPY|CNY|RMB|CHF)\s)"
_AFTER = r"(?:[€£¥₹¢$]|(?:USD|EUR|GBP|JPY|CNY|RMB|CHF)\b)"
_MONEY_FIRST = re.compile(
    rf"(?P<sign>[-−–]?)(?P<money>{_BEFORE})\s?(?P<inner>[-−]?)(?P<comma>[0-9]+,[0-9]{{1,2}}(?![0-9]))?"
    rf"(?P<value>(?(comma)|{VALUE}))(?:(?:[\s-]?(?P<word>{_SCALE_WORD})|"
    rf"\s?(?P<scale>k|K|mn|m|M|bn|b|B|tn)){NOT_IN_WORD})?{NOT_IN_WORD}"
)
_PER = re.compile(rf"\s?/\s?(?:({UNIT})|([a-z]+))(?![a-z/])")
_NUMBER = re.compile(rf"(?P<sign>[-−–]?)(?P<value>{VALUE}|\.[0-9]+)")
_COMMA = re.compile(rf"(?P<sign>[-−–]?)(?P<value>[0-9]+,[0-9]{{1,2}})(?=\s?(?:{UNIT}|€))")
_SCIENCE = re.compile(r"[eE]([-+−]?[0-9]+)" + NOT_IN_WORD)
_POWER = re.compile(EXPONENT)
_UNIT = re.compile(rf"(-|\s?)({UNIT})")
_MONEY_LAST = re.compile(rf"\s?({_SCALE_WORD})?\s?({_AFTER})")
_MANY = re.compile(rf"(k|mn|M|bn|tn){NOT_IN_WORD}|(m|K)(?=\s)")
_CELSIUS = re.compile(r"\s?([CF])(?![A-Za-z0-9_+#/-])")
# what has a letter C or F behind its number, and is not that warm
_NUMBERED = re.compile(
    r"\b(?:seat|row|gate|room|bus|flat|apartment|apt|level|class|type|size|grade|model|section"
    r"|building|platform|route|line|exhibit|unit|bra|block|terminal|page|floor|figure|table)\.?\s$",
    re.I,
)
_WHOLE = re.compile(rf"{NOT_IN_WORD}|(?=(?:[x×][0-9]+)+(?:\s|{UNIT}|{NOT_IN_WORD}))(?<!\b0)")
_LETTERS = re.compile(rf"([A-Za-z]{{1,2}}){EXPONENT}")
_VARIABLE = re.compile(rf"(π[a-z]?|[abcinpqruvwxyz])(?![A-Za-z0-9_])(?:{EXPONENT})?")
_SIGN_AFTER = re.compile(r"\s?[-+−=]\s?[0-9a-z(]")
_SIGN_BEFORE = re.compile(r"[-+−=]\s?$")
_FRACTION = re.compile(r"(?P<sign>[-−–]?)([0-9]{1,3})/([0-9]{1,3})(?![A-Za-z0-9_/])")
_HALVES = {2: "half", 4: "quarter"}  # the other denominators are ordinals
PEOPLE = (  # what is counted in millions, and has no length in metres
    r"people|users|views|viewers|downloads|subscribers|followers|copies|dollars|euros|pounds|votes"
    r"|voters|jobs|homes|households|inhabitants|residents|visitors|listeners|customers|members"
    r"|passengers|tourists|children|adults|women|men|workers|students|deaths|cases|infections|doses"
    r"|refugees|tons|tonnes|records|files|parameters|tokens|images|videos|songs|books|barrels|times"
    r"|tests|patients|vehicles|cars|birds|animals|species|accounts|players|fans|readers|citizens"
    r"|migrants|shares|sales|units|years|hours|lines|requests|queries|messages|points"
)
_PEOPLE = re.compile(
    rf"\s(?:(?:more|new|active|monthly|daily|registered|young|old|other|paying)\s)?(?:{PEOPLE})\b"
)
_ARTICLE = re.compile(
    r"(?<![A-Za-z])(?:an?|another|two|three|four|five|six|seven|eight|nine|ten|several|these|those)"
    rf"\s(?:{VALUE}\s?{UNIT},?\s)*$",
    re.I,
)
_PAID = re.compile(r"\s(?:bills?|notes?|coins?|tickets?|deals?|prizes?|cards?|vouchers?|fines?)\b")
_GRADES = re.compile(r"['’]s\b|\s(?:grades?|class|team|levels?|students?)\b")
_NOUN = re.compile(
    rf"(?:,?\s{VALUE}\s?{UNIT})*"
    r"\s(?!(?:of|and|or|in|on|at|to|from|for|by|is|are|was|were|with|than|as|per|away|above|below"
    r"|apart|deep|wide|long|tall|high|thick|ago|later|before|after|but|then|if|when|so|that"
    r"|which)\b)[a-z]+"
)
# the sign between two amounts
_BETWEEN = re.compile(
    r"(?P<range>\s[-–—−~]\s|[-–—−~]\s?)|\s?(?P<sign>[+×÷*∗=])\s?|\s?(?P<x>x)\s?(?=[0-9.])"
    r"|(?P<slash>\s/\s|/)"
)
_SAID = {"+": "plus", "÷": "divided by", "*": "times", "∗": "times", "=": "equals"}


@dataclass(frozen=True)
class Amount:
    """A number with what belongs to it. `words` has the sign and the number."""

    end: int
    words: str
    value: float
    one: str = ""  # its unit or currency
    several: str = ""
    money: str = ""  # its currency as written
    whole: str = ""  # the words of a sum with cents, which is said whole
    power: bool = False
    letter: bool = False  # it has a variable: "4x", "a²"
    hyphened: bool = False  # "12-cm": the unit is part of an adjective
    per: str = ""

    def said(self, singular: bool = False, unit: bool = True) -> str:
        """The words, with the unit unless another amount says it."""
        if self.whole:
            return self.whole + self.per
        if not unit or not self.one:
            return self.words
        one = singular or self.hyphened or self.words in ("one", "minus one")
        return f"{self.words} {self.one if one else self.several}{self.per}"


def amount(text: str, at: int, money: str = "") -> Amount | None:
    """The amount at a place, or None. `money`: the currency of the amount before it."""
    first = _MONEY_FIRST.match(text, at)
    if first is not None:
        value = first["value"] or first["comma"].replace(",", ".")
        scale = first["word"] or first["scale"]
        return _sum(
            text, first.end(), first["sign"] or first["inner"], value, scale, first["money"].strip()
        )
    letters = _LETTERS.match(text, at)
    if letters is not None:
        words = letters[1] + power_words(*exponent_of(letters[2], letters[3]))
        return Amount(letters.end(), words, 0.0, power=True, letter=True)
    fraction = _FRACTION.match(text, at)
    if fraction is not None:
        over, under = int(fraction[2]), int(fraction[3])
        if is_part(over, under):
            words = "minus " * bool(fraction["sign"]) + part_words(over, under)
            return Amount(fraction.end(), words, over / under)
    match = _COMMA.match(text, at) or _NUMBER.match(text, at)
    if match is None:
        return None
    value = match["value"]
    if value.count(",") == 1 and re.fullmatch("[0-9]+,[0-9]{1,2}", value):
        value = value.replace(",", ".")
    end, number = match.end(), _number(value)
    sign = "minus " if match["sign"] else ""
    if money:
        scale = re.compile(rf"\s?({_SCALE_WORD}|k|K|m|M|bn|b|B){NOT_IN_WORD}").match(text, end)
        end = scale.end() if scale else end
        found = _sum(text, end, match["sign"], value, scale[1] if scale else None, money)
        return found if _WHOLE.match(text, found.end) else None
    last = _MONEY_LAST.match(text, end)
    if last is not None:
        return _sum(text, last.end(), match["sign"], value, last[1], last[2])
    power = False
    if (science := _SCIENCE.match(text, end)) is not None:
        number += " times ten" + power_words(*exponent_of(science[1], None))
        end, power = science.end(), True
    elif (raised := _POWER.match(text, end)) is not None:
        number += power_words(*exponent_of(raised[1], raised[2]))
        end, power = raised.end(), True
    variable = _VARIABLE.match(text, end)
    if (
        not power
        and variable is not None
        and (
            variable[2]
            or variable[3]
            or variable[1][0] == "π"
            or _SIGN_AFTER.match(text, variable.end())
            or _SIGN_BEFORE.search(text[max(0, at - 2) : at])
        )
    ):
        words = f"{sign}{number} {variable[1]}"
        if variable[2] or variable[3]:
            words += power_words(*exponent_of(variable[2], variable[3]))
        return Amount(variable.end(), words, 0.0, letter=True)
    words, amount_ = sign + number, float_of(value)
    amount_ = -amount_ if sign else amount_
    many = _MANY.match(text, end)
    if many is not None and (many[1] or _PEOPLE.match(text, many.end())):
        scale = _SCALES[(many[1] or many[2]).lower()]
        return Amount(many.end(), f"{words} {scale}", amount_)
    unit = _UNIT.match(text, end)
    named = _NUMBERED.search(text[max(0, at - 14) : at]) is not None
    letter = unit is not None and len(unit[2]) == 1 and unit[2].isupper()
    if unit is not None and letter and (named or _GRADES.match(text, unit.end())):
        unit = None  # row 5 A, and no amperes
    if unit is not None and not (unit[1] == "-" and text[unit.end() : unit.end() + 1] == "-"):
        names, hyphened = unit_words(unit[2]), unit[1] == "-"
        one, several = names.one, names.several
        return Amount(unit.end(), words, amount_, one, several, power=power, hyphened=hyphened)
    warm = _CELSIUS.match(text, end)
    if warm is not None and not named and re.fullmatch(r"[0-9]+(?:\.[0-9])?", value):
        names = unit_words("°" + warm[1])
        return Amount(warm.end(), words, amount_, names.one, names.several)
    return Amount(end, words, amount_, power=power) if _WHOLE.match(text, end) else None


def _number(value: str) -> str:
    return decimal_words(("0" if value[0] == "." else "") + digits_of(value))


def power_words(negative: bool, exponent: str) -> str:
    """The words of an exponent, with a space before them."""
    if not negative and exponent in ("2", "3"):
        return " squared" if exponent == "2" else " cubed"
    words = decimal_words(exponent) if exponent.isdigit() else exponent
    return f" to the power of {'minus ' * negative}{words}"


def is_part(over: int, under: int) -> bool:
    """Whether over/under is said as a part: "three fifths"."""
    return 0 < over < under and (under <= 10 or under in (12, 16, 20, 32, 64, 100))


def part_words(over: int, under: int) -> str:
    """3/5 gives "three fifths"."""
    part = _HALVES.get(under) or ordinal_words(under)
    return f"{number_words(over)} {part if over == 1 else part + 's'}"


def _sum(text: str, end: int, sign: str, value: str, scale: str | None, money: str) -> Amount:
    """A sum of money."""
    one, several, cent = _MONEY[money]
    minus, value = "minus " * bool(sign), digits_of(value)
    number, per = float_of(value), ""
    by = _PER.match(text, end)
    if by is not None:
        end, per = by.end(), f" per {unit_words(by[1]).one if by[1] else by[2]}"
    if scale:
        words = f"{minus}{_number(value)} {_SCALES[scale.lower()]}"
        return Amount(end, words, number, several, several, money, per=per)
    whole, _, rest = value.partition(".")
    if len(rest) != 2 or not cent or "." in rest:
        return Amount(end, minus + _number(value), number, one, several, money, per=per)
    parts = []
    if int(whole) or not int(rest):
        parts.append(f"{_number(whole)} {one if int(whole) == 1 else several}")
    if int(rest):
        parts.append(f"{number_words(int(rest))} {cent if int(rest) == 1 else _CENTS[cent]}")
    words = minus + " and ".join(parts)
    return Amount(end, words, number, one, several, money, whole=words, per=per)


def amounts(text: str, at: int) -> tuple[int, str] | None:
    """Read an amount, a range of two, or a chain of amounts with signs between them."""
    before = text[max(0, at - 2) : at]
    if text[at] in "-−–." and (before[-1:].isalnum() or before[-1:] == "."):
        return None
    if text[at] == "–" and before.strip(' ("“'):
        return None
    first = amount(text, at)
    if first is None:
        return None
    chain, signs, end = [first], [], first.end
    if before[:1].isalpha() and before[1:] == "-":
        return end, first.said()  # part of a name: "Llama-3.1-8B"
    while (between := _BETWEEN.match(text, end)) is not None:
        following = amount(text, between.end(), chain[-1].money if between["range"] else "")
        if following is None:
            break
        signs.append(between[0])
        chain.append(following)
        end = following.end
    if any("/" in s and " " not in s for s in signs) and not any("=" in s for s in signs):
        cut = next(k for k, s in enumerate(signs) if s == "/")  # a fraction, and no division
        signs, chain = signs[:cut], chain[: cut + 1]
    end = chain[-1].end
    noun = _NOUN.match(text, end) and _ARTICLE.search(text[max(0, at - 40) : at])
    paid = chain[-1].money and _PAID.match(text, end)
    joined = text[end : end + 1] == "-" and text[end + 1 : end + 2].isalpha()
    return end, _chain_words(chain, signs, bool(noun or joined or paid))


def _chain_words(chain: list[Amount], signs: list[str], singular: bool) -> str:
    if not signs:
        return chain[0].said(singular)
    kinds = [s.strip() for s in signs]
    calculated = any(k in "+÷*∗=/−" for k in kinds) or any(a.letter for a in chain)
    if not calculated and len(kinds) == 1 and kinds[0] in "-–—~":
        first, second = chain
        if signs[0] != kinds[0] and kinds[0] != "~" and first.value > second.value:
            return f"{first.said()} minus {second.said()}"
        return _range_words(first, second, singular)
    if not calculated and all(k in "-–—~" for k in kinds):
        return " ".join(a.said() for a in chain)
    times = calculated or any(a.power for a in chain)
    words = chain[0].said()
    for k, (sign, following) in enumerate(zip(kinds, chain[1:], strict=True)):
        if sign in "×x":
            said = "times" if times else "by"
        elif sign in "-–—−~":
            said = "minus"
        else:
            said = "divided by" if sign == "/" else _SAID[sign]
        words += f" {said} {following.said(singular and k == len(kinds) - 1)}"
    return words


def _range_words(first: Amount, second: Amount, singular: bool) -> str:
    same = first.several == second.several and first.per == second.per
    if first.whole or second.whole or not (same or not first.one):
        return f"{first.said()} to {second.said(singular)}"
    return f"{first.said(unit=False)} to {second.said(singular)}"
