"""Time expressions and the spans that they mean."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aura_core.memory.times import S, clock, local, span_in

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 28, 17, 10, tzinfo=BERLIN)  # a Saturday

# The question, and from when to when in Berlin; a date without a time is its midnight.
EXPECTED = """
now | 28 17:05 | 28 17:10
is it on right now? | 28 17:05 | 28 17:10
what happened just now? | 28 17:05 | 28 17:10
who was it a moment ago? | 28 17:05 | 28 17:10
a second ago | 28 17:05 | 28 17:10
recently | 28 16:10 | 28 17:10
what happened ten minutes ago? | 28 16:58 | 28 17:02
10 min ago | 28 16:58 | 28 17:02
a minute ago | 28 17:08:30 | 28 17:09:30
30 seconds ago | 28 17:09:24 | 28 17:09:36
a few minutes ago | 28 17:03:36 | 28 17:08:24
half an hour ago | 28 16:34 | 28 16:46
an hour ago | 28 15:40 | 28 16:40
an hour and a half ago | 28 15:10 | 28 16:10
two and a half hours ago | 28 14:10 | 28 15:10
1 hour 20 minutes ago | 28 15:34 | 28 16:06
11 hours ago | 28 03:58 | 28 08:22
2 days ago | 26 | 27
a week ago | 18 05:10 | 25 05:10
more than an hour ago | 0 | 28 16:10
less than 5 minutes ago | 28 17:05 | 28 17:10
in the last hour | 28 16:10 | 28 17:10
in the last 2 hours | 28 15:10 | 28 17:10
for the past two days | 26 17:10 | 28 17:10
over the last 30 minutes | 28 16:40 | 28 17:10
in the last few minutes | 28 17:06 | 28 17:10
within ten minutes | 28 17:00 | 28 17:10
in the last week | 21 17:10 | 28 17:10
last week | 16 | 23
this week | 23 | 30
last month | 10-01 | 11-01
this year | 2026-01-01 | 2027-01-01
how often did the cat jump today? | 28 | 29
yesterday | 27 | 28
the day before yesterday | 26 | 27
the other day | 21 | 28
all day | 28 | 29
this morning | 28 04:00 | 28 12:00
early this morning | 28 04:00 | 28 12:00
this afternoon | 28 12:00 | 28 18:00
in the afternoon | 28 12:00 | 28 18:00
this evening | 28 17:00 | 29
tonight | 28 17:00 | 29 06:00
last night | 27 17:00 | 28 06:00
at night | 27 20:00 | 28 06:00
overnight | 27 20:00 | 28 06:00
yesterday morning | 27 04:00 | 27 12:00
at noon | 28 11:30 | 28 12:30
at midnight | 27 23:30 | 28 00:30
on Monday | 23 | 24
last Friday | 27 | 28
Friday night | 27 17:00 | 28 06:00
on Tuesday afternoon | 24 12:00 | 24 18:00
last weekend | 21 | 23
on 27 November | 27 | 28
Nov 20th | 20 | 21
2026-11-20 | 20 | 21
at 9:30 | 28 09:20 | 28 09:40
at 9.30 | 28 09:20 | 28 09:40
at 9 | 28 08:40 | 28 09:20
at 21:30 | 27 21:20 | 27 21:40
at 3 pm | 28 14:40 | 28 15:20
at 3 p.m. | 28 14:40 | 28 15:20
around 3 pm | 28 14:20 | 28 15:40
at five o'clock | 28 16:40 | 28 17:20
at half past nine | 28 09:20 | 28 09:40
at a quarter to ten | 28 09:35 | 28 09:55
ten past two | 28 14:00 | 28 14:20
yesterday at 9:30 | 27 09:20 | 27 09:40
yesterday at 3 | 27 14:40 | 27 15:20
this morning at 9 | 28 08:40 | 28 09:20
who came at 9 last night? | 27 20:40 | 27 21:20
between 9 and 10 | 28 09:00 | 28 10:00
between 2 and 4 pm | 28 14:00 | 28 16:00
between 11 and 1 | 28 11:00 | 28 13:00
from 9:15 to 10:45 yesterday | 27 09:15 | 27 10:45
since noon | 28 12:00 | 28 17:10
since 9 | 28 09:00 | 28 17:10
since this morning | 28 04:00 | 28 17:10
since yesterday | 27 | 28 17:10
before 9 | 28 | 28 09:00
before noon | 28 | 28 12:00
after 3 pm | 28 15:00 | 29
until yesterday | 0 | 28
before yesterday | 0 | 27
现在 | 28 17:05 | 28 17:10
刚才发生了什么? | 28 17:05 | 28 17:10
三分钟前 | 28 17:06:24 | 28 17:07:36
10分钟之前 | 28 16:58 | 28 17:02
二十五分钟前 | 28 16:40 | 28 16:50
几分钟前 | 28 17:03:36 | 28 17:08:24
半小时前 | 28 16:34 | 28 16:46
半个小时以前 | 28 16:34 | 28 16:46
两个小时前 | 28 14:40 | 28 15:40
一个半小时前 | 28 15:22 | 28 15:58
三天前 | 25 | 26
最近一小时 | 28 16:10 | 28 17:10
过去两天 | 26 17:10 | 28 17:10
一小时内 | 28 16:10 | 28 17:10
这几天 | 24 17:10 | 28 17:10
猫今天跳了几次? | 28 | 29
昨天 | 27 | 28
前天 | 26 | 27
今早 | 28 04:00 | 28 12:00
上午 | 28 04:00 | 28 12:00
今天下午 | 28 12:00 | 28 18:00
晚上 | 28 17:00 | 29 06:00
昨晚 | 27 17:00 | 28 06:00
昨天晚上九点 | 27 20:40 | 27 21:20
上周 | 16 | 23
上个星期 | 16 | 23
星期一 | 23 | 24
周五 | 27 | 28
上周五 | 20 | 21
上个月 | 10-01 | 11-01
去年 | 2025-01-01 | 2026-01-01
11月20日 | 20 | 21
九点半 | 28 09:20 | 28 09:40
下午三点 | 28 14:40 | 28 15:20
下午三点左右 | 28 14:20 | 28 15:40
凌晨两点 | 28 01:40 | 28 02:20
九点到十点 | 28 09:00 | 28 10:00
9:30的时候 | 28 09:20 | 28 09:40
从早上以来 | 28 04:00 | 28 17:10
中午之后 | 28 12:00 | 29
九点以前 | 28 | 28 09:00
"""
NONE = """
what happened while i was out?
good morning
good evening
is it night?
when did the cat come?
what did the hand take away?
i may come
the second time
count the 3 cups at table 9 please give
what about five people
where did i leave the red cup?
my sat phone
早上好
晚上好
有一点
猫在哪里?
什么时候?
几点了?
天气怎么样?
"""


def _stamp(text: str) -> int:
    if text == "0":
        return 0
    day, _, at = text.partition(" ")
    if "-" not in day:
        day = f"11-{day}"
    if day.count("-") == 1:
        day = f"2026-{day}"
    return (
        int(datetime.fromisoformat(f"{day} {at or '00:00'}").replace(tzinfo=BERLIN).timestamp()) * S
    )


@pytest.mark.parametrize("line", EXPECTED.strip().splitlines())
def test_expressions(line: str) -> None:
    question, begin, end = (part.strip() for part in line.split(" | "))
    span = span_in(question, NOW)
    assert span is not None
    told = [local(ns, BERLIN).isoformat() for ns in (span.begin_wall_ns, span.end_wall_ns)]
    assert told == [local(_stamp(ns), BERLIN).isoformat() for ns in (begin, end)]


@pytest.mark.parametrize("question", NONE.strip().splitlines())
def test_no_time_is_named(question: str) -> None:
    assert span_in(question, NOW) is None


def test_the_words_and_the_rest() -> None:
    span = span_in("How often did the cat jump between 9 and 10 this morning?", NOW)
    assert span is not None
    assert span.words == "between 9 and 10 this morning"
    assert span.rest == "how often did the cat jump ?"
    assert not span.now
    present = span_in("现在灯亮着吗?", NOW)
    assert present is not None and present.now and present.rest == "灯亮着吗?"


def test_words_of_the_night_after_midnight() -> None:
    night = datetime(2026, 11, 28, 2, 0, tzinfo=BERLIN)
    for words in ("last night", "tonight", "at night", "昨晚", "今晚"):
        span = span_in(words, night)
        assert span is not None
        assert local(span.begin_wall_ns, BERLIN).day == 27, words
        assert local(span.end_wall_ns, BERLIN) == datetime(2026, 11, 28, 6, tzinfo=BERLIN)


def test_a_day_on_which_the_clocks_change_has_its_own_length() -> None:
    spring = span_in("yesterday", datetime(2026, 3, 30, 12, tzinfo=BERLIN))
    autumn = span_in("today", datetime(2026, 10, 25, 12, tzinfo=BERLIN))
    assert spring is not None and spring.end_wall_ns - spring.begin_wall_ns == 23 * 3600 * S
    assert autumn is not None and autumn.end_wall_ns - autumn.begin_wall_ns == 25 * 3600 * S
    missing = span_in("at 2:30", datetime(2026, 3, 29, 12, tzinfo=BERLIN))  # no such time
    assert missing is not None and missing.end_wall_ns > missing.begin_wall_ns


def test_without_a_zone_the_machine_s_own_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        span = span_in("today", datetime(2026, 11, 1, 12))
        assert span is not None and span.end_wall_ns - span.begin_wall_ns == 25 * 3600 * S
        assert clock(0, 0) == "19:00"  # of 15 January 1970, the first time that is told
    finally:
        monkeypatch.undo()
        time.tzset()


def test_clock() -> None:
    now = int(NOW.timestamp()) * S

    def told(language: str, *when: int) -> str:
        wall_ns = int(datetime(*when, tzinfo=BERLIN).timestamp()) * S  # type: ignore[misc]
        return clock(wall_ns, now, BERLIN, language)

    assert told("en", 2026, 11, 28, 9, 14) == "09:14"
    assert told("zh", 2026, 11, 28, 9, 14) == "09:14"
    assert told("en", 2026, 11, 27, 9, 14) == "yesterday 09:14"
    assert told("zh", 2026, 11, 27, 9, 14) == "昨天 09:14"
    assert told("en", 2026, 11, 20, 23, 5) == "Fri 20 Nov 23:05"
    assert told("zh", 2026, 11, 20, 23, 5) == "11月20日 23:05"
    assert told("en", 2025, 12, 31, 0, 0) == "Wed 31 Dec 2025 00:00"
    assert told("zh", 2025, 12, 31, 0, 0) == "2025年12月31日 00:00"
    assert told("en", 2026, 11, 29, 1, 0) == "Sun 29 Nov 01:00"  # the clock was set back
    assert clock(0, now, BERLIN, "en").endswith("1970 01:00")
    assert clock(2**62, -5, BERLIN, "zh")
    assert clock(-(2**62), 2**62, None, "en")


WORDS = """
yesterday today at 9 9:30 between and from to since before after until ago in the last 5 two
minutes hours days week night monday half past quarter pm noon an a few 0 99999 1.5 24:00 25
of november 31 2026-02-30 february 29 刚才 昨天 前 三 点 半 分 到 上 周 一 天 下午 小时 十 百 ,
? more than every 月 30日 o'clock . a.m. around this morning
"""
CLOCKS = st.one_of(
    st.datetimes(timezones=st.just(BERLIN)),
    st.datetimes(timezones=st.just(UTC)),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=14)))),
    st.datetimes(),
)


@settings(max_examples=1500, deadline=None)
@given(
    st.one_of(st.text(max_size=80), st.lists(st.sampled_from(WORDS.split()), max_size=9)), CLOCKS
)
@example("999999999 years ago", NOW)
@example("last year", datetime.min)
@example("since 9", datetime.max)
@example("29 february", NOW)
def test_no_text_and_no_clock_raises(text: str | list[str], now: datetime) -> None:
    for question in [text] if isinstance(text, str) else [" ".join(text), "".join(text)]:
        span = span_in(question, now)
        if span is not None:
            assert 0 <= span.begin_wall_ns < span.end_wall_ns
            assert span.words
