"""Written English to the words that are spoken: dates, times, numbers, units and signs.

Each rule takes what it knows out of the text; the last one spells the numbers that are left. The
spelling is British: "one hundred and five", "metres".
"""

from __future__ import annotations

import re

from aura_core.speech.numerals import (
    decimal_words,
    digit_words,
    number_words,
    ordinal_words,
    year_words,
)
from aura_core.speech.units import UNITS

_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_VALUE = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)*"
_NUMBER = re.compile(
    rf"(?<![\w.,])(?P<sign>[-−](?=\d))?(?P<value>{_VALUE})"
    rf"(?:\s?(?P<unit>{_UNIT})(?![\w²³/]))?(?![\w])"
)
_COMPOUND = re.compile(rf"(?<![\w.,])({_VALUE})-({_UNIT})(?![\w²³/-])")  # a 12-cm pipe
_RANGE = re.compile(
    rf"(?<![\w.-])([-−]?(?:{_VALUE}))\s?[-–—~]\s?([-−]?(?:{_VALUE}))(?![\w-]*[\w])(?!-)"
    rf"|(?<![\w.-])([-−]?(?:{_VALUE}))\s?[-–—~]\s?([-−]?(?:{_VALUE}))(?=\s?(?:{_UNIT})(?!\w))"
)
_UNIT_RANGE = re.compile(
    rf"(?<![\w.-])([-−]?(?:{_VALUE}))\s?({_UNIT})\s?[-–—~]\s?({_VALUE})\s?(?=(?:{_UNIT})(?!\w))"
)
_TIME = re.compile(
    r"(?<![\w:.])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?:\s?([ap])\.?m\b\.?)?(?![\w:])", re.I
)
_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_MONTH_NAMES = {name[:3]: name for name in _MONTHS}
_MONTH = rf"(?:{'|'.join(_MONTHS)}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_YEAR = r"(?:1[1-9]|20)\d\d"
# what may follow a year: a number with a noun behind it is a count ("in 1984 rooms")
_YEAR_ENDS = (
    r"(?=\s*(?:$|[.,;:!?)\]])|\s+(?:and|or|to|when|the|but|it|I|he|she|they|we|as|for|with|at|on|in"
    r"|was|is|by|there|a|an|until|after|before)\b)"
)
_OWNERS = r"his|her|their|my|your|our|the|early|mid|late|mid-|early-|late-"
_DECADES = re.compile(  # his 30s, and not "30s" (seconds)
    rf"\b((?:{_OWNERS})\s?)([1-9]0'?s(?:(?:\s(?:and|or|to)\s|[-–])[1-9]0'?s)*)(?!\w)"
    r"(?!\s(?:timer|timeout|delay|interval|window|clip|limit|pause|break|video|mark)\b)",
    re.I,
)
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "bn": "billion", "b": "billion"}
_MONEY = {
    "$": ("dollar", "cent"),
    "€": ("euro", "cent"),
    "£": ("pound", "penny"),
    "¥": ("yen", ""),
    "₹": ("rupee", "paisa"),
}
_CODES = {"USD": "US dollars", "EUR": "euros", "GBP": "pounds", "JPY": "yen", "CNY": "yuan"}
_GLYPHS = {
    "½": "one half",
    "⅓": "one third",
    "¼": "one quarter",
    "¾": "three quarters",
    "⅔": "two thirds",
}
_PARTS = {2: "half", 4: "quarter"}  # the other denominators are ordinals
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_ABBREVIATIONS = (
    (r"\be\.g\.(?:,)?", "for example,"),
    (r"\bi\.e\.(?:,)?", "that is,"),
    (r"\betc\b\.?(?=\s+[a-z]|[,;:)])", "et cetera"),
    (r"\betc\b", "et cetera"),
    (r"\bvs\b\.?", "versus"),
    (r"\bapprox\.", "approximately"),
    (r"\b(?:ca|c)\.\s?(?=\d)", "about "),
    (r"\bDr\.\s(?=[A-Z])", "Doctor "),
    (r"\bMr\.", "Mister"),
    (r"\bMrs\.", "Missus"),
    (r"\bProf\.", "Professor"),
    (r"\bGen\.(?=\s[A-Z])", "General"),
    (r"\b[Nn]os?\.\s?(?=\d)", "number "),
    (r"\b[Ff]ig\.\s?(?=\d)", "figure "),
    (r"\bpp\.\s?(?=\d)", "pages "),
    (r"\bp\.\s?(?=\d)", "page "),
    (r"\b[Mm]ax\.\s?(?=\d)", "maximum "),
    (r"\b[Mm]in\.\s?(?=\d)", "minimum "),
    (r"\bw/o\b", "without"),
    (r"(?<!\w)w/\s?(?=\w)", "with "),
    (r"\band/or\b", "and or"),
    (r"\bR&D\b", "R and D"),
    (r"\bQ&A\b", "Q and A"),
)
_SIGNS = (
    (r"(?<=\d)\s?[×x]\s?(?=\d)", " by "),
    (r"(?<=\d)[×x](?!\w)", " times"),
    (r"\s?∗\s?", " times "),
    (r"\s?±\s?(?=\d)", " plus or minus "),
    (r"(?<!\d)[~≈]\s?(?=\d)", "about "),
    (r"(?<=\d)\s?÷\s?(?=\d)", " divided by "),
    (r"(?<=\d)−(?=\d)", " minus "),
    (r"(?<=\d)\s?\+\s?(?=\d)", " plus "),
    (r"(?<=\d)\+(?=\s|$|[.,!?])", " plus"),
    (r"(?<![\w.,+])\+(?=\d)", "plus "),
    (r"(?<=\d)\s?=\s?(?=[-−]?\d)", " equals "),
    (r"\s=\s", " equals "),
    (r"\s&\s", " and "),
    (r"\s\+\s", " plus "),
    (r"\s?≤\s?", " at most "),
    (r"\s?≥\s?", " at least "),
    (r"\s?≠\s?", " is not equal to "),
    (r"√\s?(?=\d)", "the square root of "),
    (r"\s<\s|(?<!\w)<\s?(?=\d)", " less than "),
    (r"\s>\s|(?<!\w)>\s?(?=\d)", " more than "),
    (r"\s?(?:→|->)\s?", " to "),
    (r"\s@\s?(?=\w)", " at "),
)


def english(text: str) -> str:
    """Return English text with its numbers, dates, units and signs in words."""
    for rule in (
        _abbreviations,
        _addresses,
        _dates,
        _telephones,
        _thousands,
        _years,
        _times,
        _ratios,
        _fractions,
        _money,
        _powers,
        _durations,
        _ranges,
        _signs,
        _ordinals,
    ):
        text = rule(text)
    text = _COMPOUND.sub(lambda m: f"{decimal_words(m[1])} {UNITS[m[2]][0]}", text)
    text = _NUMBER.sub(_say_number, text)
    text = re.sub(r"(?<=[a-z])/(?=[a-z])", " or ", text)
    return re.sub(r"(?<=[A-Z])/(?=[A-Z])", " ", text)


def _abbreviations(text: str) -> str:
    for pattern, said in _ABBREVIATIONS:
        text = re.sub(pattern, said, text)
    text = re.sub(r"(\d)\s?([ap])\.m\.", r"\1 \2m", text)
    text = re.sub(
        r"\b(?:[A-Z]\.){2,}",
        lambda m: m[0].replace(".", " ").rstrip() + "." * (m.end() == len(text)),
        text,
    )
    return re.sub(r"\bv(?=\d+\.\d)", "version ", text)


def _addresses(text: str) -> str:
    """E-mail and IP addresses."""
    text = re.sub(
        r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        lambda m: m[0].replace("@", " at ").replace(".", " dot "),
        text,
    )
    return re.sub(
        r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)",
        lambda m: " dot ".join(digit_words(part) for part in m[0].split(".")),
        text,
    )


def _dates(text: str) -> str:
    def say(day: str, month: str, year: str | None, the: str = "the ") -> str:
        words = f"{the}{ordinal_words(int(day))} of {month}"
        return words + (f" {year_words(int(year))}" if year else "")

    def numbered(match: re.Match[str]) -> str:
        first, second, year = int(match[1]), int(match[3]), match[4]
        if first > 12 >= second:
            return say(str(first), _MONTHS[second - 1], year)
        if second > 12 >= first:
            return say(str(second), _MONTHS[first - 1], year)
        if match[2] == "." and first <= 31 and second <= 12:  # with points the day is first
            return say(str(first), _MONTHS[second - 1], year)
        if max(first, second) > 12:
            return match[0]
        # which of them is the month is not known
        return f"{number_words(first)} {number_words(second)} {year_words(int(year))}"

    text = re.sub(r"(?<=\d-\d\d)T(\d\d:\d\d(?::\d\d)?)(?:\.\d+)?Z?(?!\w)", r" \1", text)
    text = re.sub(
        rf"(?<![\w./-])({_YEAR})([-/])(0?[1-9]|1[0-2])\2({_DAY})(?![\w/-])",
        lambda m: say(m[4], _MONTHS[int(m[3]) - 1], m[1]),
        text,
    )
    text = re.sub(rf"(?<![\w./-])(\d\d?)([/.-])(\d\d?)\2({_YEAR})(?![\w/-])", numbered, text)
    text = re.sub(
        rf"(\bthe\s+)?(?<![\w.,:-])({_DAY})(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH})"
        rf"(?:,?\s+({_YEAR})(?![\w,.]*\d))?",
        lambda m: say(m[2], _month(m[3]), m[4], m[1] or "the "),
        text,
    )

    def month_first(match: re.Match[str]) -> str:
        words = f"{_month(match[1])} {ordinal_words(int(match[2]))}"
        if match[3]:
            words += f" to {ordinal_words(int(match[3]))}"
        return words + (f", {year_words(int(match[4]))}" if match[4] else "")

    text = re.sub(
        rf"\b({_MONTH})\s+({_DAY})(?:st|nd|rd|th)?(?:\s?[-–]\s?({_DAY}))?(?![\w:%/-]|[.,]\d)"
        rf"(?!\s?(?:{_UNIT})(?!\w))(?:,?\s+({_YEAR})(?![\w]|[.,]\d))?",
        month_first,
        text,
    )
    return re.sub(
        rf"\b({_MONTH})\s+({_YEAR})(?![\w]|[.,]\d)",
        lambda m: f"{_month(m[1])} {year_words(int(m[2]))}",
        text,
    )


def _month(written: str) -> str:
    return _MONTH_NAMES[written[:3]]


def _telephones(text: str) -> str:
    """Telephone numbers, digit by digit, with a comma between their groups."""

    def say(number: str) -> str:
        groups = [digit_words(group) for group in re.findall(r"\d+", number)]
        return ("plus " if number.startswith("+") else "") + ", ".join(groups)

    text = re.sub(
        r"(?<![\w.])(?:\+\d[\d ().-]{5,}\d|\(\d{2,5}\)\s?\d{3,4}[ .-]?\d{3,4}"
        r"|\d{3}([ .-])\d{3}\1\d{4}|\d{3}-\d{4}|0\d{2,4}[ /-]\d{3,8}(?:[ -]\d{2,4})*)(?![\w.-]*\w)",
        lambda m: say(m[0]),
        text,
    )
    return re.sub(
        r"\b((?:call|phone|dial|ring|telephone|tel\.?:?|phone number(?: is)?:?|extension|ext\.)\s+)"
        r"(\d{3,}(?:[ -]\d{2,})*)(?![\w.,]*\d)(?!\s?(?:people|times|of)\b)",
        lambda m: m[1] + say(m[2]),
        text,
        flags=re.I,
    )


def _thousands(text: str) -> str:
    """Thousands that are grouped by spaces: "10 000". Numbers of a list ("1,2,3") are parted."""
    text = re.sub(r"(?<=\d),(?=\d{1,2}(?!\d))", ", ", text)
    return re.sub(
        r"(?<![\w.,])(?<!\d )\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?![\w]|,\d| \d)",
        lambda m: re.sub(r"\s", "", m[0]),
        text,
    )


def _years(text: str) -> str:
    text = re.sub(
        rf"(?<![\w.,-])({_YEAR})\s?[-–—]\s?({_YEAR})(?![\w-]){_YEAR_ENDS}",
        lambda m: f"{year_words(int(m[1]))} to {year_words(int(m[2]))}",
        text,
    )
    text = re.sub(r"(?<=\d0s)\s?[-–—]\s?(?=\d\d\d0s\b)", " to ", text)
    text = re.sub(
        r"(?<![\w.,])'?(1[1-9]\d0|20\d0)'?s\b",
        lambda m: _several(year_words(int(m[1]))),
        text,
    )
    text = re.sub(r"(?<!\w)['’]([1-9]0)s\b", lambda m: _several(number_words(int(m[1]))), text)
    text = _DECADES.sub(
        lambda m: (
            m[1]
            + re.sub(
                r"([-–]?)(\d0)'?s",
                lambda n: " to " * bool(n[1]) + _several(number_words(int(n[2]))),
                m[2],
            )
        ),
        text,
    )
    return re.sub(
        r"\b((?:in|since|until|till|during|year|early|late|spring|summer|autumn|fall|winter|by"
        rf"|from|before|after|of|to)\s+)({_YEAR})(?![\w-]|[.,]\d){_YEAR_ENDS}",
        lambda m: m[1] + year_words(int(m[2])),
        text,
        flags=re.I,
    )


def _several(words: str) -> str:
    """The plural of a number: "thirty" gives "thirties"."""
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _times(text: str) -> str:
    text = re.sub(r"(?<=:\d\d)\s?[-–—]\s?(?=\d)", " to ", text)
    text = re.sub(
        r"\b((?:ratio|scale|score|odds|aspect|mix|mixed|won|lost)(?:\s\w+)?\s)(\d+):(\d+)(?!\d)",
        lambda m: f"{m[1]}{m[2]} to {m[3]}",
        text,
    )
    text = _TIME.sub(_say_time, text)
    return re.sub(
        r"(?<![\w:.,])(1[0-2]|0?[1-9])(?:\s?[-–]\s?(1[0-2]|0?[1-9]))?\s?([ap])m\b",
        lambda m: (
            number_words(int(m[1]))
            + (f" to {number_words(int(m[2]))}" if m[2] else "")
            + f" {m[3].lower()} m"
        ),
        text,
        flags=re.I,
    )


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


def _ratios(text: str) -> str:
    return re.sub(
        r"(?<![\w:.])\d+(?:\.\d+)?(?:\s?:\s?\d+(?:\.\d+)?)+(?![\w:])",
        lambda m: re.sub(r"\s?:\s?", " to ", m[0]),
        text,
    )


def _fractions(text: str) -> str:
    for glyph, words in _GLYPHS.items():
        text = re.sub(rf"(?<=\d)\s?{glyph}(?![\d/])", f" and {words}", text)
        text = re.sub(rf"(?<![\w/.]){glyph}(?![\w/])", words, text)

    def say(match: re.Match[str]) -> str:
        whole, over, under = match[1], int(match[2]), int(match[3])
        if (over, under) in ((24, 7), (9, 11), (50, 50)):
            return f"{whole or ''}{number_words(over)} {number_words(under)}"
        if not 0 < over < under or not (under <= 10 or under in (12, 16, 20, 32, 64, 100)):
            between = "out of" if over <= under else "over"
            return f"{whole or ''}{over} {between} {under}"
        part = _PARTS.get(under) or ordinal_words(under)
        many = over != 1 and part + "s"
        words = f"{number_words(over)} {many or part}"
        return f"{whole.strip()} and {words}" if whole else words

    text = re.sub(
        r"(?<![\w/.,])(\d+)/(\d+)(?=\s(?:stars?|points?|tests?|marks?)\b)", r"\1 out of \2", text
    )
    return re.sub(r"(?<![\w/.,])(\d+\s)?(?<![\w/.,])(\d{1,4})/(\d{1,4})(?![\w/])", say, text)


def _money(text: str) -> str:
    def say(match: re.Match[str]) -> str:
        sign, sum_, scale = match[1], match[2].replace(",", ""), match[3]
        one, cent = _MONEY[sign]
        several = one if one == "yen" else one + "s"
        if scale:
            return f"{sum_} {_SCALES.get(scale.lower(), scale.lower())} {several}"
        whole, _, rest = sum_.partition(".")
        if len(rest) != 2 or not cent:
            return f"{sum_} {one if sum_ == '1' else several}"
        cents = {"penny": "pence"}.get(cent, cent + "s") if int(rest) != 1 else cent
        parts = [f"{whole} {one if whole == '1' else several}"] * (int(whole) > 0)
        parts += [f"{int(rest)} {cents}"] * (int(rest) > 0)
        return " and ".join(parts) or f"0 {several}"

    scale = r"(?:\s?(k|m|mn|bn|b|M|B|K|million|billion|thousand|trillion))"
    text = re.sub(rf"([$€£¥₹])\s?(\d[\d,]*(?:\.\d+)?){scale}?(?!\w)", say, text)
    text = re.sub(r"(\d[\d,.]*)\s?€", r"\1 euros", text)
    text = re.sub(r"(\d)\s?¢", r"\1 cents", text)
    return re.sub(rf"(?<=\d)\s?({'|'.join(_CODES)})\b", lambda m: f" {_CODES[m[1]]}", text)


def _powers(text: str) -> str:
    text = re.sub(r"(?<=[\d)])[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: "^" + m[0].translate(_SUPERSCRIPTS), text)
    text = re.sub(r"(?<=[a-z])\^([23])(?!\d)", lambda m: "²³"[int(m[1]) - 2], text)
    text = re.sub(r"(?<!\w)(?<!\d\s)([a-zA-Z])²", r"\1 squared", text)
    text = re.sub(r"(?<!\w)(?<!\d\s)([a-zA-Z])³", r"\1 cubed", text)
    text = re.sub(r"(?<![\w.,])(\d+(?:\.\d+)?)[eE]([-+−]?\d+)(?!\w)", r"\1 times 10^\2", text)
    text = re.sub(r"(?<=\d)\s?[×x]\s?(?=10\^)", " times ", text)

    def say(match: re.Match[str]) -> str:
        exponent = match[1].replace("+", "").replace("−", "-")
        sign = exponent.startswith("-")
        if exponent in ("2", "3"):
            return " squared" if exponent == "2" else " cubed"
        return f" to the power of {'minus ' * sign}{decimal_words(exponent.lstrip('-'))}"

    def with_unit(match: re.Match[str]) -> str:
        return say(match) + (f" {UNITS[match[2]][1]}" if match[2] else "")

    return re.sub(rf"(?<=[\w)])\s?\^\s?([-+−]?\d+)(?:\s?({_UNIT})(?![\w²³/]))?", with_unit, text)


def _durations(text: str) -> str:
    text = re.sub(r"(?<![\w.,])(\d+)h\s?(\d{1,2})(?:m|min)?(?![\w.,:])", r"\1 h \2 min", text)
    text = re.sub(r"(?<![\w.,])(\d+)m\s?(\d{1,2})s(?!\w)", r"\1 min \2 s", text)
    text = re.sub(r"(?<![\w.,])(\d)['′]\s?(\d{1,2})(?:\"|″|'')", r"\1 ft \2 inches", text)
    return re.sub(
        r"(?<=\d)\"(?=\s(?:screen|display|monitor|pipe|wide|long|tall|high|by|x)\b)", " inch", text
    )


def _ranges(text: str) -> str:
    def say(match: re.Match[str]) -> str:
        first, second = match[1] or match[3], match[2] or match[4]
        spaced = " - " in match[0] or " − " in match[0]
        after = match.string[match.end() :]
        minus = spaced and (re.match(r"\s?=", after) or _value(first) > _value(second))
        return f"{first} {'minus' if minus else 'to'} {second}"

    text = _UNIT_RANGE.sub(r"\1 to \3 ", text)
    text = re.sub(rf"(?<![\w.-])({_VALUE})-({_VALUE})\s?(?==)", r"\1 minus \2 ", text)
    text = re.sub(rf"(?<![\w.])({_VALUE})\s−\s({_VALUE})", r"\1 minus \2", text)
    return _RANGE.sub(say, text)


def _value(number: str) -> float:
    """The value of digits with commas; of a version the first two parts."""
    sign = -1 if number[0] in "-−" else 1
    return sign * float(".".join(number.lstrip("-−").replace(",", "").split(".")[:2]))


def _signs(text: str) -> str:
    for pattern, said in _SIGNS:
        text = re.sub(pattern, said, text)
    text = re.sub(r"(?<![\w.,])(\d+(?:\.\d+)?)k(?!\w)", r"\1 thousand", text)
    text = re.sub(r"(?<![\w])#(?=\d)", "number ", text)
    return re.sub(r"(?<!\w)#(?=[A-Za-z])", "hashtag ", re.sub(r"(?<![\w.])\.(?=\d)", "0.", text))


def _ordinals(text: str) -> str:
    return re.sub(r"(?<!\w)(\d{1,4})(?:st|nd|rd|th)\b", lambda m: ordinal_words(int(m[1])), text)


def _say_number(match: re.Match[str]) -> str:
    value, unit = match["value"], match["unit"]
    words = decimal_words(value)
    if match["sign"]:
        words = f"minus {words}"
    return f"{words} {UNITS[unit][value != '1']}" if unit else words
