"""English: dates, years, decades and times of day. The spelling is British."""

from __future__ import annotations

import re
from string import digits

from aura_core.speech.numerals import decimal_words, number_words, ordinal_words, year_words
from aura_core.speech.patterns import (
    DAY,
    MONTH,
    MONTH_LETTERS,
    MONTHS,
    YEAR,
    month_and_day,
    month_of,
)
from aura_core.speech.reading import Kind, kind
from aura_core.speech.units import UNIT

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAY = r"(Mon|Tues?|Wed|Thurs?|Thu|Fri|Sat|Sun)(?:day|sday|nesday|rsday|urday)?\.?"
_ORDINAL = r"(?:st|nd|rd|th)\b"
_DASH = r"\s?[-–—]\s?"
# things that are counted: the number before them is no day and no year ("In March 5 people came")
COUNTED = re.compile(
    r"\s+(?:people|men|women|children|feet|mice|sheep|fish|(?!(?:is|was|has|as|its|this|his|us|thus"
    r"|plus|yes|always|perhaps|towards|besides|across|does|goes|seems|means|looks|comes|gets|makes"
    r"|shows|works|runs|starts|ends|begins|marks|remains|happens|falls|opens|closes|suits|sees"
    r"|says|tells|takes|brings|news)\b)[a-z]{2,}(?<![sui])s)\b"
)
_OWNED = re.compile(  # his 30s, in the low 20s, their 20s or 30s; and not "30s" (seconds)
    r"\b(?:his|her|their|my|your|our|the|aged|early|mid|late|low|high|lower|upper)[\s-]"
    r"(?:[1-9]0'?s\s(?:and|or|to)\s)?$",
    re.I,
)
_DECADES = re.compile(r"[1-9]0'?s(?:\s?[-–]\s?[1-9]0'?s)?(?![A-Za-z0-9])")
_TIMED = re.compile(
    r"\s(?:timer|timeout|delay|interval|window|clip|limit|pause|break|video|mark|exposure|wait"
    r"|countdown|sprint|rest|hold|plank)\b"
)
_YEAR_WORD = re.compile(
    r"(?:^|[^A-Za-z])(?:in|since|until|till|during|year|years|early|late|spring|summer|autumn|fall"
    r"|winter|Q[1-4]|FY|by|from|before|after|of|to|circa|around|and|or)\s+$|\($",
    re.I,
)
_YEAR_BEFORE = re.compile(rf"(?:^|[^0-9A-Za-z]){YEAR}\s+(?:and|or|to)\s+$")
_BETWEEN = re.compile(r"\bbetween\s+$", re.I)
_AND_YEAR = re.compile(rf"\s+and\s+{YEAR}(?![A-Za-z0-9_]|[.,:/][0-9])(?!\s[a-z]+s\b)")
_YEAR_DID = re.compile(r"\s(?:was|saw|began|brought|ended|will be|has been|had)\b")
_ON = re.compile(r"\b(?:on|by|until|till|since|due|before|after)\s$", re.I)
_NEXT_SENTENCE = re.compile(r"\s+[A-Z]")
_IN_YEAR = re.compile(r"\b(?:in|since|during|until|circa|by|year (?:is|was))\s+$", re.I)
_COUNTED_LATER = re.compile(rf"(?:\s[a-z]+)?{COUNTED.pattern}|\s?{UNIT}")
_JOINING = re.compile(r"(?:^|[^A-Za-z])(?:and|or)\s+$", re.I)
# a number with a noun behind it is a count ("in 1984 rooms")
_YEAR_ENDS = re.compile(
    r"\s*(?:$|[.,;:!?)\]\"”])|\s+(?:and|or|to|when|the|but|it|I|he|she|they|we|as|for|with|at|on|in"
    r"|was|is|by|there|a|an|until|after|before|that|because|his|her|their|its)\b"
)
_GAMES = re.compile(
    r"\b(?:ratio|scale|scores?|scored|odds|aspect|mix|mixed|won|win|wins|lost|lose|final|match|game"
    r"|beat|beats|victory|defeat|draw|drew|lead|leads|led|result|half-time|full-time)\b"
    r"(?:\s+(?!(?:at|until|till|from|since|by|around|about|before|after|for|on|starts|start|begins"
    r"|begin|ends|end|today|tomorrow)\b)[\w'’]+,?){0,4}\s*$",
    re.I,
)
_PARTS = re.compile(r"\b(?:ratio|scale|odds|aspect|mix|mixed)\b", re.I)  # never a time of day
_CLOCK = (
    r"(?P<h{0}>[01]?[0-9]|2[0-4])(?::(?P<m{0}>[0-5][0-9])(?::(?P<s{0}>[0-5][0-9]))?)?"
    r"(?:\s?(?P<half{0}>[AaPp])(?:\.\s?[Mm]\.|[Mm]\b\.?))?"
)


def _of(day: str, month: int, year: str | None = None, the: str = "the ") -> str:
    words = f"{the}{ordinal_words(int(day))} of {MONTHS[month - 1]}"
    return words + (f" {year_words(int(year))}" if year else "")


def _numbered(match: re.Match[str]) -> str | None:
    first, second, year = int(match[1]), int(match[3]), match[4]
    if len(year) == 2:
        year = f"{20 if int(year) < 50 else 19}{year}"
    try:
        found = month_and_day(first, second, match[2])
    except ValueError:
        return None
    if found is None:  # which of them is the month is not known
        return f"{number_words(first)} {number_words(second)} {year_words(int(year))}"
    return _of(str(found[1]), found[0], year)


def _without_year(match: re.Match[str]) -> str | None:
    """11/30 where the words say that it is a day."""
    before = match.string[max(0, match.start() - 8) : match.start()]
    first, second = int(match[1]), int(match[2])
    if not _ON.search(before) or max(first, second) < 13:
        return None
    try:
        found = month_and_day(first, second, "/")
    except ValueError:
        return None
    return None if found is None else f"{MONTHS[found[0] - 1]} {ordinal_words(found[1])}"


def _day_first(match: re.Match[str]) -> str | None:
    the, first, month, last, last_month, year = match.groups()
    the = the or "the "
    if last_month:
        return (
            f"{_of(first, month_of(month), None, the)} to {_of(last, month_of(last_month), year)}"
        )
    if last:
        return f"{the}{ordinal_words(int(first))} to {_of(last, month_of(month), year)}"
    return _of(first, month_of(month), year, the)


def _day_range(match: re.Match[str]) -> str:
    the, first, last, month, year = match.groups()
    return f"{the or 'the '}{ordinal_words(int(first))} to {_of(last, month_of(month), year)}"


def _month_first(match: re.Match[str]) -> str | None:
    month, day, suffix, last, year = match.groups()
    counted = COUNTED.match(match.string, match.end())
    if counted and not (suffix or last or year):
        return None
    if not last and not year and re.compile(rf"\s?(?:{UNIT})").match(match.string, match.end()):
        return None
    words = f"{MONTHS[month_of(month) - 1]} {ordinal_words(int(day))}"
    if last:
        words += f" to {ordinal_words(int(last))}"
    return words + (f", {year_words(int(year))}" if year else "")


def _stamp(match: re.Match[str]) -> str:
    words = _of(match[3], int(match[2]), match[1])
    return f"{words} {_time_words(match[4], match[5], match[6], None)}"


def _year_range(match: re.Match[str]) -> str | None:
    first, dash, second = match[1], match[2].strip(), match[3]
    if COUNTED.match(match.string, match.end()):
        return None
    if len(second) == 2:
        if dash == "-" and dash == match[2] and 1 <= int(second) <= 12 and int(first) >= 1970:
            return f"{MONTHS[int(second) - 1]} {year_words(int(first))}"  # 2026-04
        if int(second) <= int(first) % 100:
            return None
        return f"{year_words(int(first))} to {number_words(int(second))}"
    if int(second) <= int(first) or (
        dash != match[2] and not _YEAR_ENDS.match(match.string, match.end())
    ):
        return None
    return f"{year_words(int(first))} to {year_words(int(second))}"


def _season(match: re.Match[str]) -> str | None:
    if int(match[2]) != (int(match[1]) + 1) % 100:
        return None
    return f"{year_words(int(match[1]))} {number_words(int(match[2]))}"


def _year(match: re.Match[str]) -> str | None:
    text, at = match.string, match.start()
    before = text[max(0, at - 24) : at]
    if not before.strip() and _YEAR_DID.match(text, match.end()):
        return year_words(int(match[0]))
    if _BETWEEN.search(before) and _AND_YEAR.match(text, match.end()):
        return year_words(int(match[0]))
    if _IN_YEAR.search(before) and not _COUNTED_LATER.match(text, match.end()):
        return year_words(int(match[0]))
    if not _YEAR_WORD.search(before) or not _YEAR_ENDS.match(text, match.end()):
        return None
    if _JOINING.search(before) and not _YEAR_BEFORE.search(before):
        return None
    if before.endswith("(") and text[match.end() : match.end() + 1] != ")":
        return None
    return year_words(int(match[0]))


def _several(words: str) -> str:
    """The plural of a number: "thirty" gives "thirties"."""
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _decade_words(written: str) -> str:
    number = int(re.sub(r"\D", "", written))
    return _several(year_words(number) if number > 99 else number_words(number))


def _decades(match: re.Match[str]) -> str:
    return " to ".join(_decade_words(d) for d in re.findall(r"[0-9]+", match[0]))


def _ages(match: re.Match[str]) -> str | None:
    before = match.string[max(0, match.start() - 30) : match.start()]
    if not _OWNED.search(before):
        return None
    return None if _TIMED.match(match.string, match.end()) else _decades(match)


def _hundreds(match: re.Match[str]) -> str:
    return {"10": "tens", "100": "hundreds", "1000": "thousands"}[match[1].replace(",", "")]


def _time_words(hour: str, minute: str | None, second: str | None, half: str | None) -> str:
    words = number_words(int(hour))
    second = None if (minute, second) == ("00", "00") else second
    if minute is None or (minute == "00" and not second):
        words += " o'clock" if minute is not None and not half else ""
    else:
        words += " " + ("oh " if minute[0] == "0" else "") + number_words(int(minute))
    if second:
        words += f" and {number_words(int(second))} second" + "s" * (int(second) != 1)
    return words + (f" {half.lower()} m" if half else "")


def _clock(match: re.Match[str]) -> str | None:
    if match["m1"] is None and (match["half1"] is None or not 1 <= int(match["h1"]) <= 12):
        return None
    words = _time_words(match["h1"], match["m1"], match["s1"], match["half1"])
    return words + _stop(match)


def _clocks(match: re.Match[str]) -> str | None:
    """A range of times; the first may lack what the second has: "9-5pm"."""
    if match["m1"] is None and match["half1"] is None and not match["half2"]:
        return None
    if match["m2"] is None and match["half2"] is None:
        return None
    if any(match[f"m{k}"] is None and not 1 <= int(match[f"h{k}"]) <= 12 for k in "12"):
        return None
    said = [_time_words(*(match[f"{part}{k}"] for part in ("h", "m", "s", "half"))) for k in "12"]
    return " to ".join(said) + _stop(match)


def _stop(match: re.Match[str]) -> str:
    """The stop of "5 p.m." where a sentence ends with it."""
    return "." * bool(match[0].endswith(".") and _NEXT_SENTENCE.match(match.string, match.end()))


def _pointed(match: re.Match[str]) -> str:
    return _time_words(match[1], match[2], None, match[3])


def _score(match: re.Match[str]) -> str | None:
    said_of = _GAMES.search(match.string[max(0, match.start() - 60) : match.start()])
    if said_of is None:
        return None
    if match[2] in ("00", "15", "30", "45") and not _PARTS.match(said_of[0]):
        return None  # the game is at that time
    return _ratio(match)


def _ratio(match: re.Match[str]) -> str:
    return " to ".join(number_words(int(n)) for n in match[0].split(":"))


def _weekdays(match: re.Match[str]) -> str:
    names = [next(d for d in _WEEKDAYS if d.startswith(match[k][:3])) for k in (1, 2)]
    return " to ".join(names)


_END = r"(?![A-Za-z0-9_]|[.,:][0-9])"
_ISO = rf"({YEAR})-(0?[1-9]|1[0-2])-({DAY})"
_OPTIONAL_YEAR = rf"(?:,?\s+({YEAR})(?![A-Za-z0-9_]|[.,][0-9]))?"
DATES: list[Kind] = [
    kind(
        "time stamp",
        rf"{_ISO}T([0-9]{{2}}):([0-9]{{2}})(?::([0-9]{{2}})(?:\.[0-9]+)?)?Z?(?![A-Za-z0-9_])",
        _stamp,
    ),
    kind(
        "date, year first",
        rf"({YEAR})([-/.])(0?[1-9]|1[0-2])\2({DAY})(?![A-Za-z0-9_/-])",
        lambda m: _of(m[4], int(m[3]), m[1]),
    ),
    kind("date", rf"([0-9]{{1,2}})([/.-])([0-9]{{1,2}})\2({YEAR})(?![A-Za-z0-9_/-])", _numbered),
    kind("short date", r"([0-9]{1,2})(/)([0-9]{1,2})/([0-9]{2})(?![A-Za-z0-9_/-])", _numbered),
    kind(
        "date with a name",
        rf"({DAY})([-/. ])({MONTH})[-/. ]({YEAR})(?![A-Za-z0-9_/-])",
        lambda m: _of(m[1], month_of(m[3]), m[4]),
    ),
    kind("day and month", r"([0-9]{1,2})/([0-9]{1,2})(?![A-Za-z0-9_/-])", _without_year),
    kind(
        "month",
        rf"(0?[1-9]|1[0-2])[/-]({YEAR})(?![A-Za-z0-9_/-])",
        lambda m: f"{MONTHS[int(m[1]) - 1]} {year_words(int(m[2]))}",
    ),
    kind(
        "year and month",
        rf"({YEAR})/(0[1-9]|1[0-2])(?![A-Za-z0-9_/-])",
        lambda m: _season(m) or f"{MONTHS[int(m[2]) - 1]} {year_words(int(m[1]))}",
    ),
    kind(
        "day first",
        rf"([Tt]he\s+)?({DAY})(?:{_ORDINAL})?\s+(?:of\s+)?({MONTH})"
        rf"(?:{_DASH}({DAY})(?:{_ORDINAL})?\s+({MONTH}))?{_OPTIONAL_YEAR}",
        _day_first,
        f"Tt{digits}",
    ),
    kind(
        "days",
        rf"([Tt]he\s+)?({DAY})(?:{_ORDINAL})?{_DASH}({DAY})(?:{_ORDINAL})?\s+(?:of\s+)?({MONTH})"
        rf"{_OPTIONAL_YEAR}",
        _day_range,
        f"Tt{digits}",
    ),
    kind(
        "month first",
        rf"({MONTH})\s+({DAY})({_ORDINAL})?(?:{_DASH}({DAY})(?:{_ORDINAL})?(?![0-9]))?"
        rf"(?![A-Za-z0-9_:%/]|[.,-][0-9]){_OPTIONAL_YEAR}",
        _month_first,
        MONTH_LETTERS,
    ),
    kind(
        "month and year",
        rf"({MONTH})(?:,?\s+|-)({YEAR})(?![A-Za-z0-9_]|[.,-][0-9])",
        lambda m: f"{MONTHS[month_of(m[1]) - 1]} {year_words(int(m[2]))}",
        MONTH_LETTERS,
    ),
    kind(
        "months",
        rf"({MONTH})\s?[-–—]\s?(?={MONTH})",
        lambda m: f"{MONTHS[month_of(m[1]) - 1]} to ",
        MONTH_LETTERS,
    ),
    kind("weekdays", rf"{_WEEKDAY}{_DASH}{_WEEKDAY}(?![A-Za-z])", _weekdays, "MTWFS"),
    kind(
        "years",
        rf"({YEAR})(\s?[-–—]\s?)({YEAR}|[0-9]{{2}})(?![A-Za-z0-9_-]|[.,/][0-9])",
        _year_range,
    ),
    kind("season", rf"({YEAR})/([0-9]{{2}})(?![A-Za-z0-9_/-])", _season),
    kind("year", rf"{YEAR}(?![A-Za-z0-9_-]|[.,:/][0-9])", _year),
    kind(
        "decades",
        r"['’]?(?:1[1-9][0-9]|20[0-9])0'?s(?:\s?[-–—]\s?(?:[1-9][0-9])?[0-9]0'?s)?(?![A-Za-z0-9])",
        _decades,
        f"'’{digits}",
    ),
    kind("short decades", r"['’][1-9]0s(?![A-Za-z0-9])", _decades, "'’"),
    kind("ages", _DECADES.pattern, _ages),
    kind("hundreds", r"(10|100|1,?000)s(?=\sof\b)", _hundreds),
    kind("score", r"([0-9]{1,3}):([0-9]{1,3})(?![A-Za-z0-9_:])", _score),
    kind("times", rf"{_CLOCK.format(1)}{_DASH}{_CLOCK.format(2)}(?![A-Za-z0-9_:])", _clocks),
    kind("time", rf"{_CLOCK.format(1)}(?:\s?o['’]clock\b)?(?![A-Za-z0-9_:])", _clock),
    kind("time with a point", r"(1[0-2]|0?[1-9])\.([0-5][0-9])\s?([ap])\.?m\b\.?", _pointed),
    kind(
        "ratio",
        r"[0-9]+(?:\.[0-9]+)?(?:\s?:\s?[0-9]+(?:\.[0-9]+)?)+(?![A-Za-z0-9_:])",
        lambda m: " to ".join(decimal_words(n) for n in re.split(r"\s?:\s?", m[0])),
    ),
]
