"""Whether a question needs memory, and what for.

The window shows the last minute, and most questions are about it: they must not become slower. So
the gate opens only where the words of a question point beyond: "when did ... last", "how often",
"where did I leave ...", "ever", "today". It stays closed for what is asked in the same words about
the last minute: "what happened?", "what was taken away?", "where did the cat go?", and, without a
time, "which came first, the cube or the ball?".
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aura_core.memory.times import Span, span_in
from aura_core.memory.vocabulary import IRREGULAR
from aura_core.memory.words import content, stem


class Intent(StrEnum):
    """What is wanted of the past."""

    WHEN = "when"
    DID = "did"
    COUNT = "count"
    AROUND = "around"  # what happened at a time
    WHERE = "where"
    ORDER = "order"  # what came first
    WHAT = "what"  # who or what it was


@dataclass(frozen=True)
class Need:
    """What a question wants of memory.

    Attributes:
        intent: what is wanted.
        content: the terms that a fact must hold; none for `around`.
        span: the time that counts; None: any.
        options: of "which came first, X or Y": the terms of each; `content` then holds only what is
            said of both.
        first: the first of what matches is wanted, not the last.
        who: a person is asked for.
        said: what was said is asked for, and not what was seen.
    """

    intent: Intent
    content: tuple[str, ...]
    span: Span | None = None
    options: tuple[tuple[str, ...], ...] = ()
    first: bool = False
    who: bool = False
    said: bool = False


def need(question: str, now: datetime) -> Need | None:
    """What a question needs of memory; None: the window is enough.

    `now`: the present, with a time zone or in local time, as for `times.span_in`.
    """
    text = " ".join(unicodedata.normalize("NFKC", question[:LONGEST]).lower().split())
    text = text.replace("’", "'")
    if not text or _STANDING.search(text):
        return None
    text = _HEAD.sub("", text)
    span = span_in(text, now)
    rest = text if span is None else span.rest
    if not _opens(text, rest, span, now):
        return None
    if span is not None and span.now:
        span = None
    return _needed(_ABSENCE.sub(" ", rest), text, span)


def _opens(text: str, rest: str, span: Span | None, now: datetime) -> bool:
    if _STRONG.search(text):
        return True
    if span is not None:
        present = _PRESENT.search(text) is not None and _OF_PAST.search(text) is None
        return not span.now and not _OF_NOW.search(text) and not (present and _still(span, now))
    return _PAST.search(rest) is not None and not _WINDOW.search(rest)


def _still(span: Span, now: datetime) -> bool:
    """Whether a span of time goes on: today, this evening."""
    return span.end_wall_ns >= int(now.timestamp() * 1e9)


def _needed(rest: str, text: str, span: Span | None) -> Need | None:
    first = _FIRST.search(text) is not None
    who = _WHO.search(text) is not None
    if _COUNT.search(text):
        return Need(Intent.COUNT, _content(rest), span, who=who)
    options = _options(rest) if _ORDER.search(text) else None
    if options is not None:
        return Need(Intent.ORDER, options[0], span, options[1], True)
    if _WHERE.search(text):
        said = tuple(term for term in _content(rest) if term not in _PUT)
        return Need(Intent.WHERE, said, span, first=first) if said else None
    if _WHEN.search(text):
        return Need(Intent.WHEN, _content(rest), span, first=first)
    if _ORDER.search(text):
        return Need(Intent.ORDER, _content(rest), span, first=True)
    said = _content(rest)
    if not said:
        return Need(Intent.AROUND, (), span, first=first)
    did = _DID.search(text) is not None and _OPEN.search(text) is None
    spoken = _SAID.search(text) is not None
    intent = Intent.DID if did else Intent.WHAT
    return Need(intent, said, span, first=first, who=who, said=spoken)


def _content(text: str) -> tuple[str, ...]:
    return tuple(term for term in content(text) if term not in _FRAME)


def _options(rest: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]] | None:
    """What is said of both, and the terms of each, of "did X or Y come first?"; None without
    two."""
    parts = _OR.split(rest)
    if len(parts) != 2:
        return None
    both = ("come",)
    each = tuple(tuple(term for term in _content(part) if term != "come") for part in parts)
    return (both, each) if all(each) else None


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


LONGEST = 2000  # characters of a question that are looked at

_ASKS = r"(?: if| whether)?"
# "please", "robot", "can you tell me": nothing of it says what is asked.
_HEAD = re.compile(
    r"^(?:(?:please|hey|hello|hi|robot|aura|okay|ok|so|and|well|excuse me|sorry|good day"
    rf"|(?:can|could|would) you (?:please )?(?:tell me|say|check){_ASKS}"
    rf"|tell me{_ASKS}(?= (?:did|was|were|has|have|the|a|an|i|we|you|it|how|what|who|where|when)\b)"
    rf"|do you (?:know|think){_ASKS}|i (?:would like|want) to know{_ASKS})\b[\s,:!.]*)+"
)
_TELL = r"(?:tell|alert|warn|inform|notify|call|remind|wake) me|let me know|say something|say so"
_WHENEVER = r"whenever|every time|each time|any time|once|as soon as"
_PAST_VERB = r"(?:did|was|were|has|have|had|came|left)"
# A watch, or a wish for later: it is not about the past.
_STANDING = _any(
    rf"\b(?:{_TELL}|want to know|like to know)\b.*\b(?:{_WHENEVER})\b",
    rf"\b(?:{_TELL}|want to know|like to know)\b.*\bwhen (?!(?:{_PAST_VERB}|i|we)\b)",
    rf"\b(?:{_TELL}|want to know|like to know)\b.*\bif (?!.*\b{_PAST_VERB}\b)",
    rf"^(?:when|if|{_WHENEVER})\b(?! {_PAST_VERB}\b).*\b(?:{_TELL})\b",
    r"\bremind me (?:to|in|at)\b",
    r"\btomorrow\b",
    "(?:如果|每次|每当|一旦|当(?!时)).*(?:告诉|叫|提醒|通知)",
    "(?<!什么)(?:时候|时)请?(?:就|都)?(?:告诉|叫|提醒|通知)",
    "明天",
)
# These point to memory whatever else is said.
_STRONG = _any(
    r"\b(?:remember|recall|ever|so far|in the past|used to|earlier|did i miss|have i missed)\b",
    r"\bhow often\b|\bhow many times\b|\bhow long ago\b",
    r"\b(?:last|first) time\b",
    r"\b(?:when|what time) (?:did|was|were|has|have|had)\b",
    r"\bwhere (?:i|we) (?!am|are|can|should)",
    r"\bwhere (?:did|have|had) (?:\w+ )?(?:i|we|he|she|they|you) (?!go\b|gone\b|come\b)",
    r"\blast (?:see|saw|seen|put|leave|left)\b",
    r"\b(?:have|had) you (?:seen|noticed)\b",
    r"\b(?:see|saw|seen|noticed|here|there|it|this|that) before\b",
    r"\b(?:while|when|since|before|after|until) (?:i|we)(?:'ve)? (?:was|were|am|been|left|came|got"
    r"|went|woke|slept|go|had|have)\b",
    "上次|上一次|上回|最后一次|第一次|多久(?:以前|之前|前)|几次|多少次|几回|多少回|记得|曾经|来着",
    r"过(?![来去程得期敏]|一会).{1,16}(?:吗|没有|没)[?。]*$",
    "以前|之前|过(?:吗|没有|没|么)|(?:有没有|有人|谁).{0,12}过(?![来去程])",
    "(?:放|丢|忘|落|搁|藏)(?:在|到)?了?(?:哪|什么地方)|最后.{0,8}哪",
    "我不在|我(?:出门|出去|离开|睡觉|睡着|回来|上班)",
    r"什么时候(?!\?*$)|[^在]是什么时候|几点.{1,12}[的了][?。]*$",
)
_SUBJECT = r"(?:the|a|an|my|our|your|his|her|their|any|some|this|that|[\w'-]+)"
_FORMS = "left|gone|" + "|".join(
    sorted(
        form
        for form, base in IRREGULAR.items()
        if not form.endswith(("s", "ing", "men", "kid", "feet", "people", "children", "mice"))
    )
)
# Other ways to ask about what is past.
_PAST = _any(
    rf"^(?:if |whether )?(?:did|didn't|has|hasn't|was|wasn't|were|weren't) (?!just\b){_SUBJECT}",
    r"^(?:have|haven't) (?:you|i|we|they|the|any|some|my)",
    rf"\b(?:who|who's) (?:has|had|been)\b|\b(?:who|which \w+|whose \w+) (?:was|were|did|[a-z]+ed"
    rf"|{_FORMS})\b",
    r"\bwhere (?:was|were)\b",
    r"\bwhere (?:did|has|had) (?!.*\b(?:go|gone)\b)",
    r"\bwhat (?:did|have) (?:i|we)\b",
    r"\bhow long (?:did|was|were|has|have|had)\b",
    r"\b(?:who|what) came first\b",
    r"\bhow (?:many|much)\b(?! (?:do|can|are|is)\b)(?!.*\b(?:is|are) (?:still )?left\b)"
    r".*\b(?:did|was|were|has|had|have been|came|went"
    r"|left|entered|visited|passed)\b",
    r"谁.{0,10}(?:了|的)[?。]*$",
    "(?:什么|谁)先来|先来的是(?:什么|谁)",
    r"有没有.{1,16}了[?。]*$",
)
# What is asked in these words about the last minute: here a time or a strong word is needed.
_WINDOW = _any(
    r"^what (?:just |has just |did just )?happen",
    r"^(?:did|has|have) (?:some|any)thing (?:just )?(?:happen|change)",
    r"\b(?:what|which)(?: \w+)? (?:was|were) (?:the last event|that|last|first|taken|brought"
    r"|removed|added|put|new)\b",
    r"\b(?:did|does) (?:the hand|somebody|someone) (?:take|bring)\b",
    r"\bfirst\b.*\bor\b|\bor\b.*\bfirst\b",
    r"^(?:did|has|have|was|were) (?:[\w'-]+ ){1,2}just\b",
    r"\b(?:have|has) (?:\w+ )?(?:i|you|we|he|she|it|they|\w+) got\b",
    r"^who was (?:that|this)\b[ ?.!]*$",
    r"^was (?:that|this) (?:a|an|the|my|your|me|you)\b",
    r"^which way (?:did|has)\b",
    "还是|拿走|拿来",
)
# A time of day as it is told of now: "is it day or night?" in Chinese.
_OF_NOW = _any(
    r"是不?是?(?:白天|晚上|早上|下午|夜里)(?:吗|还是|$|\?)",
    "还是(?:晚上|白天)",
    r"^(?:今天)?(?:星期|是)?几[号月]?\?*$",
    r"^what (?:time|day|date)\b(?! (?:did|was|were|has|have|had)\b)",
)
# "what is she wearing today?" is asked of now, "who came today?" is not.
_PRESENT = _any(
    r"^(?:(?:what|who|how|where|which|why)\b(?: \w+)?(?:'s| (?:is|are|am|do|does|should|can|could"
    r"|will|would|shall))|is|are|am|do|does|should|can|could|will|would|shall)\b",
    "天气|怎么样|穿",
)
_OF_PAST = _any(
    r"\b(?:was|were|did|had|has|have|been|happen\w*|new|so far|[a-z]{3,}ed|" + _FORMS + r")\b",
    "了|过|发生",
)
# While nobody was there to see it: what counts is what was seen.
_ABSENCE = _any(
    r"\b(?:while|when|since|before|after|until) (?:i|we)\b[^,?.!;]*",
    "我(?:不在|出门|出去|离开|睡觉|睡着|回来|上班)家?(?:的时候|期间|时|以后|之后|后|以前|之前|前)?",
)
_COUNT = re.compile(
    r"\bhow often\b|\bhow many\b|\bhow much\b|\bcount\b|几次|多少次|几回|多少回|几个|多少"
)
_ORDER = re.compile(
    r"\b(?:came|come|comes|was|were|arrived|appeared|left|entered) first\b|先来|先到|先出现"
)
_FIRST = re.compile(r"\bfirst\b|第一次|最早|最先|先来")
_WHERE = re.compile(r"\bwhere\b|哪里|哪儿|什么地方|在哪|到哪|放哪")
_WHEN = re.compile(
    r"\bwhen (?:did|was|were|has|have|had)\b|\bhow long ago\b|\b(?:last|first) time\b|\bwhat time\b"
    "|什么时候|多久(?:以前|之前|前)|几点"
)
_DID = re.compile(
    r"\b(?:did|didn't|has|hasn't|have|haven't|was|wasn't|were|weren't|ever|if|whether|remember)\b"
    r"|吗|没有|有没有|没[?。]*$|是不是"
)
_OPEN = re.compile(r"\b(?:who|what|which|whose|how)\b|谁|什么|哪")
_SAID = re.compile(
    r"\b(?:did|have|had) (?:i|you|we) (?:say|said|tell|told|ask|asked|answer|answered|mention)\b"
    "|[你我](?:之前|刚才|今天)?(?:说过|问过|说了|问了|回答)"
)
_WHO = re.compile(r"\bwho\b|\bwho's\b|谁|哪个人")
_OR = re.compile(r"\bor\b|还是|和")
# Terms of verbs with which one asks for a place: a note says in other words where a thing is.
_PUT = _stems(
    "leave put lose keep drop find place set lay hide store park forget go get come have bring take"
    " be 放 丢 忘 落 搁 藏 把"
)
_FRAME = _stems("answer mention 说 问 count number remember order ever miss far true 数")
