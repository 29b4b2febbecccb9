"""When a question means: the span of a time expression, in English or Chinese.

"ten minutes ago" means a time about which nobody is exact, so its span grows with its age;
"yesterday" means a day of the calendar. Times are wall-clock times of one time zone: an expression
is worked out with the clock on the wall, and becomes nanoseconds since the UNIX epoch at the end,
so days on which the clocks change are right. No text raises, and no time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

S = 1_000_000_000  # in nanoseconds
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
JUST_NOW = 5 * MINUTE
RECENTLY = HOUR
# What a clock may say: datetime knows no year after 9999, and a time zone needs room on both sides.
FIRST, LAST = 15 * DAY, 250_000_000_000 * S
AT_MINUTE, AT_HOUR = timedelta(minutes=10), timedelta(minutes=20)  # "at 9:30", "at 9"
UNITS = {
    "second": S,
    "minute": MINUTE,
    "hour": HOUR,
    "day": DAY,
    "week": 7 * DAY,
    "month": 30 * DAY,
    "year": 365 * DAY,
}


@dataclass(frozen=True)
class Span:
    """A span of time that a question names.

    Attributes:
        begin_wall_ns, end_wall_ns: from and to (without the end), in nanoseconds since the epoch.
        words: the expression, in lower case.
        rest: the question in lower case without it.
        now: it means the present and the minutes before it, as "now" and "just now" do.
        about_wall_ns: the middle of "so long ago", about which it is; None otherwise.
    """

    begin_wall_ns: int
    end_wall_ns: int
    words: str
    rest: str
    now: bool = False
    about_wall_ns: int | None = None


def span_in(question: str, now: datetime) -> Span | None:
    """The span that a question means; None where it names no time.

    Args:
        now: the present. Without a time zone it is local time of this machine, with the rules of
            its time zone.
    """
    text = unicodedata.normalize("NFKC", question).lower().replace("’", "'")
    wall = _Wall(now)
    for find in (_ago, _within, _calendar, _present):
        found = find(text, wall)
        if found is not None:
            (begin, end), places, about = found
            begin, end = max(0, begin), max(0, end)
            words, rest = _cut(text, places)
            end = max(end, begin + 1)
            return Span(
                begin, end, words, rest, find is _present and end - begin == JUST_NOW, about
            )
    return None


def local(wall_ns: int, tz: tzinfo | None = None) -> datetime:
    """A wall-clock time as the clock on the wall shows it. `tz`: None is the zone of this machine,
    and the result then has none. Times that no calendar holds become the nearest that it does."""
    wall_ns = min(max(wall_ns, FIRST), LAST)
    return datetime.fromtimestamp(wall_ns // S, tz).replace(microsecond=wall_ns % S // 1000)


def clock(wall_ns: int, now_wall_ns: int, tz: tzinfo | None = None, language: str = "en") -> str:
    """When it was as one says it now: "09:14", "yesterday 09:14" or "Fri 27 Nov 09:14"; in another
    year the year too."""
    when, now = local(wall_ns, tz), local(now_wall_ns, tz)
    at = f"{when.hour:02}:{when.minute:02}"
    if when.date() == now.date():
        return at
    if when.date() == now.date() - timedelta(days=1):
        return f"昨天 {at}" if language == "zh" else f"yesterday {at}"
    if language == "zh":
        year = "" if when.year == now.year else f"{when.year}年"
        return f"{year}{when.month}月{when.day}日 {at}"
    year = "" if when.year == now.year else f" {when.year}"
    weekday, month = _WEEKDAYS[when.weekday()][:3].title(), _MONTHS[when.month - 1][:3].title()
    return f"{weekday} {when.day} {month}{year} {at}"


# --- what all expressions share ---------------------------------------------------------------

_Range = tuple[int, int]
_Places = list[tuple[int, int]]  # where the words of an expression stand
_Found = tuple[_Range, _Places, int | None]  # and the time that it is about


class _Wall:
    """The present, and a way from the clock on the wall to nanoseconds."""

    def __init__(self, now: datetime) -> None:
        self._tz = now.tzinfo
        try:
            self.ns = min(max(int(now.timestamp() * 1_000_000) * 1000, FIRST), LAST)
        except (OverflowError, ValueError, OSError):
            self.ns = LAST if now.year > 2000 else FIRST
        self.now = local(self.ns, self._tz).replace(tzinfo=None, fold=0)
        self.today = self.now.date()

    def __call__(self, when: datetime) -> int:
        try:
            return int(when.replace(tzinfo=self._tz).timestamp() * 1_000_000) * 1000
        except (OverflowError, ValueError, OSError):
            return LAST if when.year > 2000 else 0


def _cut(text: str, places: _Places) -> tuple[str, str]:
    words, rest, at = [], [], 0
    for begin, end in sorted(places):
        words.append(text[begin:end].strip())
        rest.append(text[at:begin])
        at = max(at, end)
    rest.append(text[at:])
    return " ".join(words), " ".join(" ".join(rest).split())


_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
)
_NUMBER = {word: float(n) for n, word in enumerate(_SMALL.split())} | {
    "a": 1.0,
    "an": 1.0,
    "thirty": 30.0,
    "forty": 40.0,
    "forty-five": 45.0,
    "fifty": 50.0,
    "sixty": 60.0,
    "ninety": 90.0,
    "half a": 0.5,
    "half an": 0.5,
    "a half": 0.5,
    "a quarter of an": 0.25,
    "three quarters of an": 0.75,
    "a couple of": 2.0,
    "a couple": 2.0,
    "a few": 4.0,
    "few": 4.0,
    "several": 5.0,
    "some": 5.0,
}
_WORD_NUMBER = "|".join(
    re.escape(word).replace(r"\ ", r"\s+") for word in sorted(_NUMBER, key=len, reverse=True)
)
_N = rf"(?:[0-9]{{1,9}}(?:\.[0-9]{{1,6}})?|(?:{_WORD_NUMBER})\b)"
_UNIT = r"(?:(second|minute|hour|day|week|month|year)s?\b|(secs?|mins?|hrs?|h|s|m)\b)"
_SHORT_UNITS = {"sec": "second", "min": "minute", "hr": "hour", "h": "hour", "s": "second"}
_ZH_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0, "几": 4}
_ZH_N = r"(?:[0-9]{1,9}(?:\.[0-9]{1,6})?|[零〇一二两三四五六七八九十百几]{1,6}|半)"
_ZH_UNIT = r"(秒钟|秒|分钟|分|个半小时|小时半|小时|钟头|天|日|周|星期|礼拜|月|年)"
_ZH_UNITS = {
    "秒": S,
    "分": MINUTE,
    "小": HOUR,
    "钟": HOUR,
    "天": DAY,
    "日": DAY,
    "周": 7 * DAY,
    "星": 7 * DAY,
    "礼": 7 * DAY,
    "月": 30 * DAY,
    "年": 365 * DAY,
}


def _number(word: str) -> float:
    word = " ".join(word.split())
    return _NUMBER[word] if word in _NUMBER else float(word)


def _unit(match: re.Match[str], group: int) -> int:
    if match[group]:
        return UNITS[match[group]]
    return UNITS[_SHORT_UNITS.get(match[group + 1].rstrip("s") or "s", "minute")]


def _zh_number(word: str) -> float:
    if word == "半":
        return 0.5
    if word[0] in "0123456789":
        return float(word)
    total, digit = 0, 0
    for c in word:
        if c in "十百":
            total += (digit or 1) * (10 if c == "十" else 100)
            digit = 0
        else:
            digit = digit * 10 + _ZH_DIGITS[c] if digit else _ZH_DIGITS[c]
    return float(total + digit)


def _zh_length(number: str, unit: str) -> tuple[float, int]:
    """How many, of which unit in nanoseconds."""
    half = 0.5 if "半" in unit else 0.0
    return _zh_number(number) + half, _ZH_UNITS[unit.removeprefix("个半")[0]]


def _ns(count: float, unit: int) -> int:
    return min(int(count * unit), LAST)


# --- so long ago, in the last so long ---------------------------------------------------------

_EN_AGO = re.compile(
    rf"(?:\b(more than|over|less than|about|around|some|roughly|almost|nearly)\s+)?"
    rf"(?:\b|(?<=\s)|^)({_N})\s*(?:(and\s+a\s+half)\s+)?{_UNIT}"
    rf"(?:\s+(and\s+a\s+half)|\s*,?\s*(?:and\s+)?({_N})\s*{_UNIT})?\s+(?:ago|back|earlier)\b"
)
_ZH_AGO = re.compile(
    rf"(大约|大概|差不多)?({_ZH_N})个?{_ZH_UNIT}(?:({_ZH_N})(分钟|分))?(?:多)?(?:之前|以前|前)"
)


def _ago(text: str, wall: _Wall) -> _Found | None:
    match = _EN_AGO.search(text)
    if match is not None:
        unit = _unit(match, 4)
        count = _number(match[2]) + (0.5 if match[3] or match[6] else 0.0)
        age, smallest = _ns(count, unit), unit
        if match[7]:
            smallest = _unit(match, 8)
            age += _ns(_number(match[7]), smallest)
        if match[2].endswith(("half a", "half an", "quarter of an", "quarters of an")):
            smallest = unit // 10
        vague = match[1] or ""
        loose = match[2].split()[-1] in ("few", "several", "some", "couple", "of")
        if match[0].split()[:2] in (["a", "second"], ["one", "second"]):
            return None  # just now
    else:
        match = _ZH_AGO.search(text)
        if match is None:
            return None
        count, unit = _zh_length(match[2], match[3])
        age, smallest = _ns(count, unit), unit
        if match[4]:
            smallest = MINUTE
            age += _ns(_zh_number(match[4]), MINUTE)
        if count % 1:
            smallest = unit // 10
        vague, loose = "", "几" in match[2]
    places = [match.span()]
    if vague in ("more than", "over"):
        return (0, wall.ns - age), places, None
    if vague == "less than":
        return (wall.ns - age, wall.ns), places, None
    if unit == DAY and count % 1 == 0 and not match[7 if match.re is _EN_AGO else 4]:
        day = _day(wall, int(count))
        return _days(wall, day, 1), places, None
    width = max(age * 3 // 5 if loose else age // 5, smallest // 2)
    about = wall.ns - age
    return (about - width, min(wall.ns, about + width)), places, about


_EN_WITHIN = re.compile(
    rf"(?:(?:\b(?:in|for|during|over|within|of|from)\s+)?(?:the|these|this)\s+(?:last|past|previous)"
    rf"|\b(?:last|past|previous))\s+(?:({_N})\s*)?{_UNIT}|\b(?:within|less than)\s+({_N})\s*{_UNIT}"
)
_ZH_WITHIN = re.compile(
    rf"(?:最近|过去|近|这|前)的?({_ZH_N})个?{_ZH_UNIT}(?:之内|以内|内|里|以来|之间)?"
    rf"|({_ZH_N})个?{_ZH_UNIT}(?:之内|以内|内|以来)"
)


def _within(text: str, wall: _Wall) -> _Found | None:
    match = _EN_WITHIN.search(text)
    if match is not None:
        group = 2 if match[2] or match[3] else 5
        number = match[1] if group == 2 else match[4]
        unit = _unit(match, group)
        if number is None and unit >= 7 * DAY and match[0].startswith("last"):
            return None  # "last week" is one of the calendar
        age = _ns(_number(number) if number else 1.0, unit)
    else:
        match = _ZH_WITHIN.search(text)
        if match is None or (match[2] or match[4]) == "日":
            return None
        age = _ns(*_zh_length(match[1] or match[3], match[2] or match[4]))
    return (wall.ns - age, wall.ns), [match.span()], None


_PRESENT = (
    (re.compile(r"\bjust\s+now\b|\b(?:a|one|this)\s+(?:moment|second|minute)\s+ago\b"), JUST_NOW),
    (re.compile(r"\bright\s+now\b|\bat\s+the\s+moment\b|\bcurrently\b|\bnow\b"), JUST_NOW),
    (re.compile("刚才|刚刚|方才|现在|目前|此刻"), JUST_NOW),
    (re.compile(r"\brecently\b|\blately\b|最近"), RECENTLY),
)


def _present(text: str, wall: _Wall) -> _Found | None:
    for pattern, length in _PRESENT:
        match = pattern.search(text)
        if match is not None:
            return (wall.ns - length, wall.ns), [match.span()], None
    return None


# --- days, parts of a day, and times of the clock ---------------------------------------------

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTH = "|".join(f"{m}|{m[:3]}" for m in _MONTHS)

_Hours = tuple[float, float]  # from and to, in hours of a day; beyond 24 in the day after
_DAWN, _MORNING, _NOON, _AFTERNOON = (0, 7), (4, 12), (11.5, 12.5), (12, 18)
_EVENING, _NIGHT, _LATE = (17, 24), (17, 30), (20, 30)
_PARTS: dict[str, _Hours] = {
    "morning": _MORNING,
    "noon": _NOON,
    "midday": _NOON,
    "lunchtime": (11, 14),
    "afternoon": _AFTERNOON,
    "evening": _EVENING,
    "midnight": (23.5, 24.5),
    "凌晨": _DAWN,
    "清晨": _MORNING,
    "早晨": _MORNING,
    "早上": _MORNING,
    "上午": _MORNING,
    "中午": _NOON,
    "下午": _AFTERNOON,
    "傍晚": _EVENING,
    "晚上": _NIGHT,
    "夜里": _LATE,
    "半夜": _LATE,
    "深夜": _LATE,
}
_PART = re.compile(
    r"(?<!good )(?:\b(?:in|during|at|by|over)\s+)?(?:\b(?:the|this|that)\s+)?"
    r"(?:\b(?:early|late)\s+)?\b(morning|noon|midday|lunchtime|afternoon|evening|midnight)\b"
    r"|\b(?:at|in\s+the|during\s+the|all|the\s+whole)\s+(night)\b|\b(overnight)\b"
    r"|(凌晨|清晨|早晨|早上|上午|中午|下午|傍晚|晚上|夜里|半夜|深夜)(?!好)(?:的时候)?"
)
_ZH_DAYS = {"大前天": 3, "前天": 2, "前晚": 2, "昨": 1, "今": 0, "整天": 0, "全天": 0}
_WEEKDAY = "|".join(_WEEKDAYS)
_DAY = re.compile(
    r"\b(?:the\s+)?(?P<before>day\s+before\s+yesterday)\b|\b(?P<yesterday>yesterday)(?:'s)?\b"
    r"|(?:\bearlier\s+)?\b(?P<today>today|all\s+day|(?:the\s+)?whole\s+day)(?:'s)?\b"
    r"|\b(?P<last_night>last\s+night|yesterday\s+night)\b|\b(?P<tonight>tonight)\b"
    r"|\b(?P<other>the\s+other\s+day)\b"
    rf"|\b(?:on\s+|last\s+|this\s+)?(?P<weekday>{_WEEKDAY})s?\b(?:\s+(?P<night>night)\b)?"
    r"|\b(?:on\s+|at\s+|over\s+|during\s+)?(?:the|this|last)\s+(?P<weekend>weekend)\b"
    r"|\b(?P<which>this|last)\s+(?P<length>week|month|year)\b"
    r"|(?<![0-9])(?P<year>(?:19|20)[0-9]{2})-(?P<month>[01]?[0-9])-(?P<day>[0-3]?[0-9])(?![0-9])"
    rf"|\b(?:on\s+)?(?:the\s+)?(?P<day2>[0-3]?[0-9])(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month2>{_MONTH})\b"
    rf"|\b(?:on\s+)?(?P<month3>{_MONTH})\s+(?P<day3>[0-3]?[0-9])(?:st|nd|rd|th)?\b(?!:)"
    r"|(?P<month4>[01]?[0-9])月(?P<day4>[0-3]?[0-9])[日号]"
    r"|(?P<zh>大前天|前天|昨天|昨日|昨晚|昨夜|前晚|今天|今日|今早|今晨|今晚|今夜|整天|全天)"
    r"|(?P<zh_which>上个?|这个?|本|去|今)(?P<zh_length>周末|周|星期|礼拜|月|年)(?P<zh_weekday>[一二三四五六日天])?"
    r"|(?P<zh_weekend>周末)|(?:周|星期|礼拜)(?P<zh_weekday2>[一二三四五六日天])(?!气)"
)
_MERIDIEM = r"(?:\s*(am|pm|a\.m\.?|p\.m\.?)(?![a-z]))"
_HOUR_WORDS = {word: hour for hour, word in enumerate(_SMALL.split()[:13])}
_HOUR = "(?:[0-2]?[0-9]|" + "|".join(_SMALL.split()[1:13]) + ")"
# Groups: hour, minute, meridiem.
_ANY_TIME = (
    rf"(?<![0-9:.])({_HOUR})(?:[:.]([0-5][0-9]))?(?:\s*o'?\s*clock)?{_MERIDIEM}?(?![0-9a-z])"
)
_ENDS = (
    r"(?=\s*(?:$|[?,.!;\x00]|(?:in|this|today|yesterday|on|last|tonight|and|or|sharp|did|was|were|who"
    r"|what|when|until|till|to|please)\b))"
)
_EN_BETWEEN = re.compile(
    rf"\b(?:between|from)\s+{_ANY_TIME}\s*(?:and|to|until|till|-|–)\s*{_ANY_TIME}"
)
_EN_PAST_TO = re.compile(
    r"\b(?:at\s+|around\s+|about\s+)?(half|(?:a\s+)?quarter|five|ten|twenty|twenty-five|[0-5]?[0-9](?=\s+min))"
    rf"(?:\s+minutes)?\s+(past|to)\s+({_HOUR})(?![0-9a-z]){_MERIDIEM}?"
)
_EN_CLOCK = re.compile(
    rf"(?:\b(?P<near>around|about|at\s+about|at\s+around)\s+|\b(?:at|by)\s+)?(?<![0-9:.])(?:"
    rf"(?P<h1>[0-2]?[0-9]):(?P<m1>[0-5][0-9])(?::[0-5][0-9])?(?P<x1>{_MERIDIEM})?(?![0-9])"
    rf"|(?P<h2>{_HOUR})(?P<x2>{_MERIDIEM})|\b(?P<h3>{_HOUR})\s*o'?\s*clock(?P<x3>{_MERIDIEM})?)"
    rf"|\b(?P<prefix>at|around|about|by|since|until|till|before|after)\s+(?P<h4>{_HOUR})"
    rf"(?:\.(?P<m4>[0-5][0-9]))?{_ENDS}"
)
_ZH_H = r"([0-9]{1,2}|[零一二两三四五六七八九十]{1,3})"
_ZH_TIME = (
    rf"{_ZH_H}点(?:钟|整|(半|一刻|三刻)|([0-5]?[0-9]|[零一二三四五六七八九十]{{1,3}})分?)?(?!儿)"
)
_ZH_BETWEEN = re.compile(rf"从?{_ZH_TIME}(?:到|至|和|-|~){_ZH_TIME}(?:之间)?")
_ZH_CLOCK = re.compile(
    rf"(?<!有)(?<!早)(?<!晚)(?:在|从|到)?{_ZH_TIME}(左右)?|(?<!有)(?:早上|晚上){_ZH_TIME}(左右)?"
)
_OPERATOR = re.compile(
    r"\b(since|before|after|until|till|up\s+to|from)\s+(?:the\s+)?$|(自从|从|自)$"
)
_ZH_OPERATOR = re.compile("^(?:钟|的时候)?(?:(以来|之后|以后|后|开始)|(之前|以前|前))")


@dataclass(frozen=True)
class _Time:
    """A time of the clock as it was said: minutes after midnight that it may mean."""

    may_be: tuple[int, ...]
    exact: bool  # minutes were said
    near: bool = False  # "around"


def _calendar(text: str, wall: _Wall) -> _Found | None:
    places: _Places = []
    named = _DAY.search(text)
    days: _Range | None = None  # ordinal of the first day, and how many
    hours: _Hours | None = None
    if named is not None:
        found = _day_named(named, wall)
        if found is None:
            named = None
        else:
            days, hours = found
            places.append(named.span())
            text = _masked(text, named.span())
    part = _PART.search(text) if hours is None else None
    if part is not None:
        word = part[1] or part[4]
        hours = _PARTS[word] if word else _LATE
        places.append(part.span())
    times = list(_times(_masked(text, part.span()) if part else text, places))
    if not places:
        return None
    before, after = min(places)[0], max(place[1] for place in places)
    operator = _OPERATOR.search(text[:before])
    chinese = _ZH_OPERATOR.match(text[after:])
    word = ""
    if chinese is not None:
        word = "after" if chinese[1] else "before"
        if chinese[1] in ("以来", "开始"):
            word = "since"
        places.append((after, after + chinese.end()))
    if operator is not None:
        word = operator[1] or "since"
        places.append(operator.span())
    if times:
        prefix = _prefix_of(text, places)
        word = word or prefix
        begin, end = _at_times(times, days, hours, wall)
        if word and len(times) == 1:
            middle = begin + (end - begin) / 2
            begin = end = middle
        return _operated(word, wall(begin), wall(end), wall, begin), places, None
    if hours is not None:
        first, number = days if days is not None else (_begun(hours, wall), 1)
        begin, end = _hours_of(first, hours)
        if number > 1:
            end = _midnight(first + number)
        if hours == _NOON and word:
            begin = end = begin + (end - begin) / 2
        return _operated(word, wall(begin), wall(end), wall, begin), places, None
    if days is None:
        return None
    begin, end = _midnight(days[0]), _midnight(sum(days))
    return _operated(word, wall(begin), wall(end), wall, None), places, None


def _operated(word: str, begin: int, end: int, wall: _Wall, clock_of: datetime | None) -> _Range:
    """The span after "since" or "before" it. `clock_of`: the day that it belongs to, which then
    limits what is before and after it."""
    if word in ("since", "from"):
        return begin, max(wall.ns, begin)
    if word in ("before", "until", "till", "up to"):
        first = 0 if clock_of is None else wall(_midnight(clock_of.toordinal()))
        return first, begin if word == "before" else end
    if word == "after":
        last = wall.ns if clock_of is None else wall(_midnight(clock_of.toordinal() + 1))
        return end, max(last, end)
    return begin, end


def _day_named(match: re.Match[str], wall: _Wall) -> tuple[_Range, _Hours | None] | None:
    """The days that words name, as the ordinal of the first and their number, and hours of a day
    where the words name these too."""
    today, groups = wall.today.toordinal(), match.groupdict()
    if match["zh"]:
        word = match["zh"]
        back = next(days for key, days in _ZH_DAYS.items() if word.startswith(key))
        hours = {"晚": _NIGHT, "夜": _NIGHT, "早": _MORNING, "晨": _MORNING}.get(word[-1])
        if back == 0 and hours is not None:
            return (_begun(hours, wall), 1), hours
        return (today - back, 1), hours
    for key, back, hours in (
        ("before", 2, None),
        ("yesterday", 1, None),
        ("today", 0, None),
        ("last_night", 1, _NIGHT),
    ):
        if match[key]:
            return (today - back, 1), hours
    if match["tonight"]:
        return (_begun(_NIGHT, wall), 1), _NIGHT
    if match["other"]:
        return (today - 7, 7), None
    if match["weekday"]:
        back = (wall.today.weekday() - _WEEKDAYS.index(match["weekday"])) % 7 or 7
        return (today - back, 1), _NIGHT if match["night"] else None
    if match["weekend"] or match["zh_weekend"] or match["zh_length"] == "周末":
        back = (wall.today.weekday() - 5) % 7
        if match["zh_which"] in ("上", "上个") or match[0].startswith("last"):
            back = back or 7
            back = 8 if wall.today.weekday() == 6 else back
        return (today - back, 2), None
    if match["length"] or (match["zh_length"] and not match["zh_weekday"]):
        return _calendar_length(match, wall)
    if match["zh_weekday"] or match["zh_weekday2"]:
        return _zh_weekday(match, wall)
    month = groups["month"] or groups["month2"] or groups["month3"] or groups["month4"]
    day = groups["day"] or groups["day2"] or groups["day3"] or groups["day4"]
    return _dated(groups["year"], month, day, wall)


def _calendar_length(match: re.Match[str], wall: _Wall) -> tuple[_Range, None] | None:
    """This week or the last one; a month, a year."""
    which, length = match["which"] or match["zh_which"], match["length"] or match["zh_length"]
    last, day = which in ("last", "上", "上个", "去"), wall.today
    if which in ("去", "今") and length != "年":
        return None
    if length in ("week", "周", "星期", "礼拜"):
        first = day.toordinal() - day.weekday() - 7 * last
        return (first, 7), None
    if length in ("month", "月"):
        first_day = day.replace(day=1)
        if last:
            first_day = (first_day - timedelta(days=1)).replace(day=1)
        next_first = (first_day + timedelta(days=31)).replace(day=1)
    else:
        first_day = day.replace(month=1, day=1, year=day.year - last)
        next_first = first_day.replace(year=first_day.year + 1)
    return (first_day.toordinal(), (next_first - first_day).days), None


def _zh_weekday(match: re.Match[str], wall: _Wall) -> tuple[_Range, None] | None:
    which, today = match["zh_which"], wall.today
    weekday = "一二三四五六日天".index(match["zh_weekday"] or match["zh_weekday2"]) % 7
    weekday = 6 if (match["zh_weekday"] or match["zh_weekday2"]) == "天" else weekday
    if which is None:
        return (today.toordinal() - ((today.weekday() - weekday) % 7 or 7), 1), None
    if which in ("去", "今") or match["zh_length"] in ("月", "年"):
        return None
    monday = today.toordinal() - today.weekday() - (7 if which.startswith("上") else 0)
    return (monday + weekday, 1), None


def _dated(year: str | None, month: str, day: str, wall: _Wall) -> tuple[_Range, None] | None:
    """A date; without a year the last one with that name."""
    number = int(month) if month.isdigit() else 1 + [m[:3] for m in _MONTHS].index(month[:3])
    years = [int(year)] if year else [wall.today.year - back for back in range(5)]
    for candidate in years:
        try:
            found = date(candidate, number, int(day))
        except ValueError:
            continue  # 29 February, or no date at all
        if year or found <= wall.today:
            return (found.toordinal(), 1), None
    return None


def _times(text: str, places: _Places) -> Iterator[_Time]:
    """The times of the clock that a text names: one, or two with a span between them."""
    for pattern, of in ((_EN_BETWEEN, _en_time), (_ZH_BETWEEN, _zh_time)):
        match = pattern.search(text)
        if match is not None:
            a, b, c, d, e, f = match.groups()
            first, second = of(a, b, c, e if of is _zh_time else f), of(d, e, f, None)
            if first is None or second is None:
                continue
            places.append(match.span())
            yield first
            yield second
            return
    for find in (_past_to, _en_clock, _zh_clock):
        found = find(text)
        if found is not None:
            told, place = found
            places.append(place)
            yield told
            return


def _past_to(text: str) -> tuple[_Time, tuple[int, int]] | None:
    match = _EN_PAST_TO.search(text)
    if match is None:
        return None
    word = match[1].removeprefix("a").strip()
    minutes = {"half": 30, "quarter": 15, "twenty-five": 25}.get(word)
    if minutes is None:
        minutes = int(_NUMBER[word] if word in _NUMBER else int(word))
    told = _en_time(match[3], None, match[4], None)
    if told is None or minutes > 59:
        return None
    shift = minutes if match[2] == "past" else -minutes
    return _Time(tuple((m + shift) % 1440 for m in told.may_be), True), match.span()


def _en_clock(text: str) -> tuple[_Time, tuple[int, int]] | None:
    for match in _EN_CLOCK.finditer(text):
        hour = match["h1"] or match["h2"] or match["h3"] or match["h4"]
        meridiem = match["x1"] or match["x2"] or match["x3"]
        told = _en_time(hour, match["m1"] or match["m4"], meridiem, None)
        if told is None:
            continue
        near = bool(match["near"]) or match["prefix"] in ("around", "about")
        return _Time(told.may_be, told.exact, near), match.span()
    return None


def _zh_clock(text: str) -> tuple[_Time, tuple[int, int]] | None:
    for match in _ZH_CLOCK.finditer(text):
        hour, fraction, minute, near, *other = match.groups()
        if hour is None:
            hour, fraction, minute, near = other
        if match[0] == "一点":  # "a little"
            continue
        told = _zh_time(hour, fraction, minute, None)
        if told is not None:
            return _Time(told.may_be, told.exact, near is not None), match.span()
    return None


def _en_time(
    hour: str, minute: str | None, meridiem: str | None, other: str | None
) -> _Time | None:
    """`other`: the meridiem of the time that it is told together with."""
    number = _HOUR_WORDS[hour] if hour in _HOUR_WORDS else int(hour)
    if number > 24 or (hour.startswith("0") and len(hour) > 1 and minute is None):
        return None
    minutes = (number % 24) * 60 + int(minute or 0)
    half = (meridiem or other or "").strip()[:1]
    exact = minute is not None
    if half and number <= 12:
        return _Time((minutes % 720 + (720 if half == "p" else 0),), exact)
    if number > 12 or number == 0 or hour.startswith("0"):
        return _Time((minutes,), exact)
    return _Time((minutes % 720, minutes % 720 + 720), exact)


def _zh_time(hour: str, fraction: str | None, minute: str | None, _: str | None) -> _Time | None:
    number = int(_zh_number(hour))
    minutes = {"半": 30, "一刻": 15, "三刻": 45}.get(fraction or "", 0)
    if minute:
        minutes = int(_zh_number(minute))
    if number > 24 or minutes > 59:
        return None
    exact = bool(fraction or minute)
    if number > 12 or number == 0:
        return _Time(((number % 24) * 60 + minutes,), exact)
    return _Time((number % 12 * 60 + minutes, number % 12 * 60 + minutes + 720), exact)


def _at_times(
    times: list[_Time], days: _Range | None, hours: _Hours | None, wall: _Wall
) -> tuple[datetime, datetime]:
    """From and to, of one time and what is about it, or between two."""
    begin = _resolved(times[0], days, hours, wall)
    if len(times) == 2:
        at = begin.hour * 60 + begin.minute
        length = min((m - at) % 1440 or 1440 for m in times[1].may_be)
        return begin, begin + timedelta(minutes=length)
    width = (AT_MINUTE if times[0].exact else AT_HOUR) * (2 if times[0].near else 1)
    return begin - width, begin + width


def _resolved(told: _Time, days: _Range | None, hours: _Hours | None, wall: _Wall) -> datetime:
    """The last time of that name that has been; on a named day the one that people are awake at."""
    minutes = list(told.may_be)
    if hours is not None:
        low, high = (10, 15) if hours == _NOON else hours
        shifted = [m + 1440 * n for m in minutes for n in (0, 1)]
        minutes = [m for m in shifted if low * 60 <= m <= high * 60] or minutes
    if days is None:
        first = wall.today.toordinal()
        all_times = [
            _midnight(first - b) + timedelta(minutes=m) for b in (0, 1, 2) for m in minutes
        ]
        return max(when for when in all_times if when <= wall.now)
    on_day = [_midnight(days[0]) + timedelta(minutes=m) for m in minutes]
    if days[0] == wall.today.toordinal():
        return max((when for when in on_day if when <= wall.now), default=on_day[0])
    return next((when for when in on_day if when.hour >= 7), on_day[-1])


def _prefix_of(text: str, places: _Places) -> str:
    """ "since" in "since 9", which the time itself holds."""
    for begin, end in places:
        match = re.match(r"(since|before|after|until|till)\b", text[begin:end])
        if match is not None:
            return match[1]
    return ""


def _begun(hours: _Hours, wall: _Wall) -> int:
    """The ordinal of the last day of which these hours have begun."""
    today = wall.today.toordinal()
    return today if _hours_of(today, hours)[0] <= wall.now else today - 1


def _hours_of(day: int, hours: _Hours) -> tuple[datetime, datetime]:
    midnight = _midnight(day)
    return midnight + timedelta(hours=hours[0]), midnight + timedelta(hours=hours[1])


def _midnight(day: int) -> datetime:
    return datetime.combine(date.fromordinal(day), time())


def _days(wall: _Wall, first: int, number: int) -> _Range:
    return wall(_midnight(first)), wall(_midnight(first + number))


def _day(wall: _Wall, back: int) -> int:
    return max(wall.today.toordinal() - back, date(1970, 1, 2).toordinal())


def _masked(text: str, place: tuple[int, int]) -> str:
    begin, end = place
    return text[:begin] + "\x00" * (end - begin) + text[end:]
