"""Whether a description means one thing, so that a name may stand for it in an answer.

"a man" may be anybody. "the cup" is one cup until notes tell of several. Decided from the words of
the description, from the other things that have names, and from the notes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from aura_core.memory.words import language_of, stem


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ARTICLES = _set("a an the some my your his her its our their this that these those one")
_PERSONS = _set(
    "person people human adult individual figure somebody someone anybody anyone man woman boy girl"
    " child kid baby toddler lady gentleman guy teenager face visitor guest stranger customer"
    " worker"
)
_THINGS = _set("something anything thing object item it one stuff")
# Of somebody they tell nothing: two of those who come are young.
_VAGUE = _set(
    "young old older younger elderly little small big tall short large middle-aged grown adult male"
    " female unknown strange other new same single smiling standing sitting walking"
)
_SEVERAL = _set(
    "another other others second third fourth both each every several many few more multiple"
    " different various extra two three four five six seven eight nine ten eleven twelve dozen pair"
    " first"
)
_ENDS = _set(
    "with without in on at of from near by behind under over beside between next to into onto and"
    " or but is are was were has have had who which that wearing holding carrying inside outside"
    " above"
)
_TELLS = _set("with wearing holding carrying of without")  # further words that tell one apart
_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
MOST_WORDS = 3  # between an article and what it belongs to


@dataclass(frozen=True)
class _Described:
    """ "a small red cup with a handle": its head is "cup", its tail ("with", "handle")."""

    head: str
    kinds: frozenset[str]
    tail: tuple[str, ...]


def vague(description: str) -> bool:
    """Whether a description may mean anybody or anything: "a man", "a young woman", "something"."""
    if language_of(description) == "zh":
        return _chinese_vague(_chinese_core(description))
    one = _english(description)
    if one is None or one.head in _THINGS:
        return True
    person = one.head in _PERSONS or stem(one.head) in _PERSONS
    return person and not one.tail and one.kinds <= _VAGUE


def fits(description: str, other: str) -> bool:
    """Whether a description could be said of what has the other one: "a cup" of "a blue cup"."""
    chinese = language_of(description) == "zh"
    if chinese != (language_of(other) == "zh"):
        return False
    if chinese:
        return _chinese_core(other).endswith(_chinese_core(description))
    one, two = _english(description), _english(other)
    if one is None or two is None:
        return False
    same = stem(one.head) == stem(two.head) and one.kinds <= two.kinds
    return same and one.tail in ((), two.tail)


def head(description: str) -> str:
    """What a description is of: "cup" of "a small red cup"."""
    if language_of(description) == "zh":
        return _chinese_core(description).rsplit("的", 1)[-1]
    one = _english(description)
    return "" if one is None else one.head


def several(description: str, facts: Iterable[str]) -> bool:
    """Whether texts tell of several things that a description could be said of: "two red cups",
    "another red cup"; of "a cup" also "the red cup" in one, and "the blue cup" in another."""
    if language_of(description) == "zh":
        return _chinese_several(_chinese_core(description), facts)
    one = _english(description)
    if one is None:
        return True
    kinds: set[frozenset[str]] = set()
    for fact in facts:
        words = _words(fact)
        for i, word in enumerate(words):
            if stem(word) != stem(one.head):
                continue
            before = _before(words[:i])
            told = frozenset(before) - _ARTICLES
            if not one.kinds <= told or not _follows(words[i + 1 :], one.tail):
                continue
            many = (word != one.head and one.head == stem(one.head)) or word in _PLURALS
            if (many and one.head not in _PLURALS) or _counted(told):
                return True
            if before and before[0] in _ARTICLES and (more := told - one.kinds):
                kinds.add(more)
    return any(not (a <= b or b <= a) for a in kinds for b in kinds)


_PLURALS = _set("men women children people feet mice")


def _counted(words: frozenset[str]) -> bool:
    return not _SEVERAL.isdisjoint(words) or any(w.isdigit() and w != "1" for w in words)


def _english(description: str) -> _Described | None:
    words = _words(description)
    while words and words[0] in _ARTICLES:
        words = words[1:]
    end = next((i for i, word in enumerate(words) if word in _ENDS and i), len(words))
    front, tail = words[:end], words[end:]
    if not front:
        return None
    worn = tail[:1] == ["in"] and tail[1:2] != ["the"]  # "in a red coat", but not "in the room"
    if tail and not (worn or tail[0] in _TELLS):
        tail = []  # where it is: this does not tell it from another one for long
    kept = tuple(stem(word) for word in tail if word not in _ARTICLES)
    return _Described(front[-1], frozenset(front[:-1]), kept)


def _words(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _TOKEN.findall(text)]


def _before(words: list[str]) -> list[str]:
    """The words that belong to what follows, with the article or number before them."""
    found: list[str] = []
    for word in reversed(words[-MOST_WORDS - 1 :]):
        if word in _ENDS and word not in _ARTICLES:
            break
        found.insert(0, word)
        if word in _ARTICLES:
            break
    return found


def _follows(words: list[str], tail: tuple[str, ...]) -> bool:
    told = [stem(word) for word in words if word not in _ARTICLES]
    return tuple(told[: len(tail)]) == tail


# ---- Chinese ---------------------------------------------------------------------------------

_MEASURES = "个只位名条张把辆杯本件块台朵棵头匹双"
_CHINESE_ARTICLE = re.compile(rf"^[一这那某][{_MEASURES}]?(?=.)")
_CHINESE_PERSONS = _set(
    "人 男人 女人 男的 女的 男孩 女孩 男子 女子 男生 女生 孩子 小孩 老人 年轻人 客人 陌生人 有人"
    " 某人 东西 物体 什么"
)
_CHINESE_VAGUE = re.compile(
    "^(?:年轻|年老|老年|中年|年长|成年|高大|高个子|矮小|小|大|高|矮|老)+的?"
)
_CHINESE_KIND = re.compile(
    r"([红橙黄绿蓝紫白黑灰粉棕金银大小高矮新旧圆方]|透明|木|玻璃|塑料|金属)色?的?$"
)
_MANY = (
    "(?:两|二|三|四|五|六|七|八|九|十|几|多|许多|很多|一些|[2-9]|[1-9][0-9]+|另一|另外一|又一"
    "|第[二三四五]|每|各|其他)"
)


def _chinese_core(description: str) -> str:
    return _CHINESE_ARTICLE.sub("", "".join(description.split()))


def _chinese_vague(core: str) -> bool:
    # one character alone is a part of too many words
    return (
        len(core) < 2
        or core in _CHINESE_PERSONS
        or _CHINESE_VAGUE.sub("", core)
        in (
            "",
            *_CHINESE_PERSONS,
        )
    )


def _chinese_several(core: str, facts: Iterable[str]) -> bool:
    many = re.compile(rf"{_MANY}[{_MEASURES}]?{re.escape(core)}|{re.escape(core)}们")
    kinds: set[str] = set()
    for fact in facts:
        plain = "".join(fact.split())
        if many.search(plain):
            return True
        for found in re.finditer(re.escape(core), plain):
            kind = _CHINESE_KIND.search(plain[: found.start()])
            if kind is not None:
                kinds.add(kind[1])
    return len(kinds) > 1
