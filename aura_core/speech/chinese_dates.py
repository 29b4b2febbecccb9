"""Chinese: dates, years, decades, times of day and ratios."""

from __future__ import annotations

import re

from aura_core.speech.numerals import chinese_digits, chinese_number
from aura_core.speech.patterns import DAY, MONTH, MONTH_LETTERS, YEAR, month_and_day, month_of
from aura_core.speech.reading import Kind, kind

_RATIO_BEFORE = re.compile(
    r"(?:比分|比例|比率|比为|比是|[以了]|胜|负|平|赢|输|领先|画面|屏幕|比)(?:是|为)?\s?$"
)
_GAMES = re.compile(r"(?:比赛|比分|以)(?:是|为|最终|最后)?\s?$")
_NAMED = re.compile(
    r"(?:房间|房号|房间号|门牌|门牌号|车次|邮编|密码|验证码|群|QQ|编号|学号|工号|代码|单号|订单号|尾号|证号|卡号|[Rr]oom|·)"
    r"(?:是|为)?[\s:：]*$"
)
_DASH = r"\s?[-–—~～至到]\s?"
_CLOCK = (
    r"(?P<h{0}>[01]?[0-9]|2[0-4])(?:[:：](?P<m{0}>[0-5][0-9])(?:[:：](?P<s{0}>[0-5][0-9]))?)?"
    r"(?:\s?(?P<half{0}>[AaPp])\.?[Mm](?![A-Za-z])\.?)?"
)
_END = r"(?![A-Za-z0-9_]|[./:-][0-9])"


def _plain(number: str) -> str:
    return chinese_number(str(int(number)))


def _date(year: str | None, month: int, day: str | None) -> str:
    words = f"{chinese_digits(year)}年" if year else ""
    return f"{words}{chinese_number(str(month))}月" + (f"{_plain(day)}日" if day else "")


def _numbered(match: re.Match[str]) -> str | None:
    try:
        found = month_and_day(int(match[1]), int(match[3]), match[2])
    except ValueError:
        return None
    if found is None:  # the month is not known; in Chinese it is first
        return _date(match[4], int(match[1]), match[3])
    return _date(match[4], found[0], str(found[1]))


def _time(match: re.Match[str]) -> str | None:
    hour, minute, second, half = (match[f"{part}1"] for part in ("h", "m", "s", "half"))
    if minute is None and (half is None or not 1 <= int(hour) <= 12):
        return None
    words = {"a": "上午", "p": "下午"}[half.lower()] if half else ""
    words += ("两" if int(hour) == 2 else _plain(hour)) + "点"
    second = None if (minute, second) == ("00", "00") else second
    if minute is not None and (minute != "00" or second):
        words += f"{chinese_number(minute if minute[0] == '0' else _plain_digits(minute))}分"
    return words + (f"{_plain(second)}秒" if second else "")


def _plain_digits(number: str) -> str:
    return str(int(number))


def _ratio(match: re.Match[str]) -> str | None:
    if not _RATIO_BEFORE.search(match.string[max(0, match.start() - 6) : match.start()]):
        return None
    return _parts(match)


def _score(match: re.Match[str]) -> str | None:
    if not _GAMES.search(match.string[max(0, match.start() - 10) : match.start()]):
        return None
    return "比".join(chinese_number(n) for n in match[0].split("-"))


def _parts(match: re.Match[str]) -> str:
    return "比".join(chinese_number(n) for n in re.split(r"\s?[:：]\s?", match[0]))


def _years(match: re.Match[str]) -> str | None:
    if int(match[1]) >= int(match[2]):
        return None
    return f"{chinese_digits(match[1])}到{chinese_digits(match[2])}{match[3]}"


def _name(match: re.Match[str]) -> str | None:
    """The digits of what is no count: a room, a password."""
    if not _NAMED.search(match.string[max(0, match.start() - 8) : match.start()]):
        return None
    return chinese_digits(match[0])


def _height(match: re.Match[str]) -> str:
    return f"{'两' if match[1] == '2' else chinese_digits(match[1])}米{chinese_digits(match[2])}"


_ANY_YEAR = r"([12][0-9]{3})"
DATES: list[Kind] = [
    kind(
        "date, year first",
        rf"{_ANY_YEAR}([-/.])(0?[1-9]|1[0-2])\2({DAY})(?:T(?=[0-9]))?(?![0-9./-]*[0-9])(?!Z)"
        rf"|{_ANY_YEAR}-(0[1-9]|1[0-2])-({DAY})T(?=[0-9])",
        lambda m: _date(m[1] or m[5], int(m[3] or m[6]), m[4] or m[7]),
    ),
    kind(
        "year and month",
        rf"({YEAR})-(0[1-9]|1[0-2]){_END}|(0?[1-9]|1[0-2])/({YEAR}){_END}",
        lambda m: _date(m[1] or m[4], int(m[2] or m[3]), None),
    ),
    kind(
        "dates",
        rf"{_ANY_YEAR}/(0?[1-9]|1[0-2])/({DAY})\s?[-–~～至到]\s?(0?[1-9]|1[0-2])/({DAY})(?![0-9/])",
        lambda m: f"{_date(m[1], int(m[2]), m[3])}到{_date(None, int(m[4]), m[5])}",
    ),
    kind("date", rf"([0-9]{{1,2}})([/.-])([0-9]{{1,2}})\2({YEAR}){_END}", _numbered),
    kind(
        "English date",
        rf"({MONTH})\s+({DAY})(?:st|nd|rd|th)?(?![0-9])(?:,?\s*({YEAR})(?![0-9]))?",
        lambda m: _date(m[3], month_of(m[1]), m[2]),
        MONTH_LETTERS,
    ),
    kind(
        "English date, day first",
        rf"({DAY})(?:st|nd|rd|th)?[\s-]+({MONTH})(?:[\s,-]+({YEAR})(?![0-9]))?",
        lambda m: _date(m[3], month_of(m[2]), m[1]),
    ),
    kind(
        "English month",
        rf"({MONTH})\s+({YEAR})(?![0-9])",
        lambda m: _date(m[2], month_of(m[1]), None),
        MONTH_LETTERS,
    ),
    kind("years", r"([0-9]{4})\s?[-–—~～至到]\s?([0-9]{4})(\s?年)", _years),
    kind("years", rf"({YEAR})[-–—]({YEAR})()(?=\s?(?:学年|赛季|财年))", _years),
    kind("season", rf"({YEAR})/({YEAR})()(?=\s?(?:学年|赛季|财年))", _years),
    kind("year", r"([0-9]{4})\s?年(?!前|后|来|内|间)", lambda m: f"{chinese_digits(m[1])}年"),
    kind(
        "year of an era",
        r"(?:(?<=公元前)|(?<=公元))[0-9]{1,4}(?=年)",
        lambda m: chinese_digits(m[0]),
    ),
    kind(
        "room",
        r"[0-9]{3,4}(?=室|号?房)|(?<=[楼层栋座])[0-9]{3,4}(?!人)",
        lambda m: chinese_digits(m[0]),
    ),
    kind("number of something", r"[0-9]{3,}(?![0-9.,])", _name),
    kind(
        "hours and minutes",
        r"([0-9]+)h\s?([0-9]{1,2})(?:min|m)?(?![0-9A-Za-z.:])",
        lambda m: f"{'两' if m[1] == '2' else _plain(m[1])}小时{_plain(m[2])}分钟",
    ),
    kind("height", r"([0-9])m([0-9]{2})(?![0-9A-Za-z])", _height),
    kind("born in", r"([0-9]0|[0-9]5)后(?![0-9])", lambda m: f"{chinese_digits(m[1])}后"),
    kind("ratio", r"[0-9]+[:：][0-9]+(?![0-9:：])", _ratio),
    kind(
        "score",
        r"[0-9]{1,3}-[0-9]{1,3}(?=结束|获胜|取胜|胜|负|战胜|击败|领先|落后|[，。！]|$)",
        _score,
    ),
    kind("time", rf"{_CLOCK.format(1)}(?![0-9:：])", _time),
    kind("ratio", r"[0-9]+(?:\.[0-9]+)?(?:\s?[:：]\s?[0-9]+(?:\.[0-9]+)?)+(?![0-9:：])", _parts),
]
