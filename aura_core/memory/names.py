"""Names that the user gives: "this is my cup", "that is Ana", "the red cube is my toy".

A name is a note of its own kind (`name_text`). What it stands for is a description in plain words:
a model that knows no names is asked about "the red cube" where the user says "my toy", and what it
says about the red cube is said of "your toy" (`Names.rewrite`, `Names.said`). Other models are told
(`Names.lines`).

A name is put into an answer only where its description means one thing: not where it may mean
anybody ("a man"), where two things with names fit it, and where the notes tell of several that do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from aura_core.memory import described
from aura_core.memory.form import ago
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.store import Store
from aura_core.memory.times import S
from aura_core.memory.vocabulary import CHINESE, STOP
from aura_core.memory.wanted import Wanted
from aura_core.memory.words import language_of, sentences, terms

MOST = 200  # names that are known at once, the newest ones
LONGEST = 40  # characters of a name
LOOKED_AT = 300  # notes, the newest ones, that may tell of several things of one description


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


@dataclass(frozen=True)
class Naming:
    """A name that was given.

    Attributes:
        name: as it was said: "my cup", "Ana", "我的杯子".
        about: what it stands for, where the words tell: "the red cube"; "" where the user shows it.
        person: it is of somebody.
    """

    name: str
    about: str = ""
    person: bool = False


@dataclass(frozen=True)
class Named:
    """A name that is kept: `description` is what it stands for ("a red cube")."""

    name: str
    description: str
    wall_ns: int


# ---- what was said ---------------------------------------------------------------------------


def naming(text: str) -> Naming | None:
    """The name that is given in a text; None where none is: "this is great", "is this my cup?"."""
    plain = " ".join(unicodedata.normalize("NFKC", text[:500]).replace("’", "'").split())
    plain = plain.strip(" .!。,，")
    if not plain or _QUESTION.search(plain):
        return None
    finds = (_chinese,) if language_of(plain) == "zh" else (_called, _mine, _proper)
    for find in finds:
        found = find(plain)
        if found is not None and 0 < len(found.name) <= LONGEST:
            return found
    return None


_QUESTION = re.compile(
    r"[?？]|吗$|呢$|什么|谁|哪|不是|(?i:^(?:is|are|was|do|does|did|can|could|what|who|whose|where|which|when"
    r"|why|how|if)\b|\bnot\b|n't\b|\b(?:tell|remind|show|let) me\b)"
)
_NAME = r"([A-Za-zÀ-ɏ][\w'-]*(?: [A-ZÀ-Þ][\w'-]*)?)"
_WORD = r"([A-Za-zÀ-ɏ][\w'-]*)"
_THING = r"((?:the|this|that|my|our) [\w' -]{1,60}?)"
_OPENING = r"^(?:(?i:hey|hi|hello|look|please|robot|okay|ok|so|and|see)[, ]+)*"
# "her name is Ana", "i call it Bob", "call the red cube Bob", "the dog is called Rex"
_CALLED = (
    re.compile(_OPENING + rf"(?i:(my|his|her|its|their|the \w+'s) name is) {_NAME}$"),
    re.compile(
        _OPENING + rf"(?i:(?:i|we|you can|please|let's)? ?call (it|this|that|him|her)) {_NAME}$"
    ),
    re.compile(_OPENING + rf"(?i:(?:i|we)? ?call {_THING}) {_WORD}$"),
    re.compile(_OPENING + rf"(?i:{_THING} is (?:called|named)) {_NAME}$"),
    re.compile(_OPENING + rf"(?i:(this|that|it|he|she) is (?:called|named)) {_NAME}$"),
)
_CALL = re.compile(_OPENING + r"(?:(?i:you can|please) )*(?i:call) ")
_SHOWN = re.compile(_OPENING + r"(?i:this|that|it|here|these|those)(?i: is| are|'s) (.+)$")
_IS_MINE = re.compile(_OPENING + rf"(?i:{_THING}) (?i:is|are) ((?i:my|our) .+|(?i:mine|ours))$")
_OWN = re.compile(r"(?i:my|our|\w+'s)(?: [\w-]+){1,3}")
_RELATIVES = _set(
    "friend sister brother mother father mum mom dad son daughter wife husband partner girlfriend"
    " boyfriend grandmother grandfather grandma grandpa aunt uncle cousin neighbour neighbor boss"
    " colleague teacher baby child boy girl roommate nurse doctor"
)
_PETS = _set("dog cat bird rabbit hamster horse fish parrot turtle puppy kitten")
# What is mine, and no thing that one could see.
_ABSTRACT = _set(
    "fault turn opinion problem point idea question plan guess answer job life way last first best"
    " worst favourite favorite favourites own view dream mistake pleasure bad thing time day name"
    " understanding impression experience decision choice concern goal hope wish business"
)
# Given names as a speech recogniser writes them, without a capital letter.
_GIVEN = _set(
    "ana anna anne alice amy adam alex ali andrew ben bob carl carla carlos charlie chris clara dan"
    " david diana elena eli ella emily emma eric eva felix fred george hans harry helen henry ida"
    " jack jacob james jan jane jim joe john jonas julia karl kate laura leo lena lily linda lisa"
    " lucas lucy maria marie martin mary max mia michael mike mohammed nick nina noah oliver olivia"
    " oscar otto paul peter philip rex robert rosa ruth sam sara sarah simon sofia sophie steve"
    " susan thomas tim tom victor william zoe"
)
# Words with a capital letter that are no names.
_CAPITALS = _set(
    "i monday tuesday wednesday thursday friday saturday sunday january february march april june"
    " july august september october november december english chinese french german okay ok"
    " spanish italian japanese korean russian arabic portuguese dutch polish turkish greek american"
    " british european christmas easter halloween great good nice awesome perfect wonderful"
)


def _called(text: str) -> Naming | None:
    for pattern in _CALLED:
        match = pattern.match(text)
        if match is None:
            continue
        whom, name = match[1].lower(), match[2]
        if name.lower() in STOP or name.lower() in _CAPITALS:
            return None
        if _CALL.search(text) and not (name[0].isupper() or name.lower() in _GIVEN):
            return None  # somebody is to be called: "call the fire department"
        shown = whom.split()[0] in ("it", "this", "that") and len(whom.split()) == 1
        person = whom in ("my", "his", "her", "him", "he", "she", "their")
        about = "" if shown or person or whom == "its" else whom.removesuffix("'s")
        return Naming(name, about, person)
    return None


def _mine(text: str) -> Naming | None:
    match = _IS_MINE.match(text)
    if match is not None:
        about, name = match[1], match[2]
        if name.lower() in ("mine", "ours"):
            name = f"{'my' if name.lower() == 'mine' else 'our'} {about.split()[-1]}"
        return Naming(name, about.lower()) if _owned(name) else None
    match = _SHOWN.match(text)
    return _of_mine(match[1]) if match is not None else None


def _of_mine(said: str) -> Naming | None:
    """ "my cup"; of "my friend Ana" the name is Ana."""
    if not _OWN.fullmatch(said):
        return None
    words = said.split()
    relatives = _RELATIVES | _PETS
    if len(words) == 3 and words[1].lower() in relatives:
        if words[2].lower() not in STOP:
            return Naming(words[2], "", words[1].lower() in _RELATIVES)
        return None
    if not _owned(said):
        return None
    return Naming(said, "", words[-1].lower() in _RELATIVES)


def _owned(name: str) -> bool:
    words = name.lower().split()
    return words[-1] not in _ABSTRACT and words[-1] not in STOP and words[1] not in _ABSTRACT


def _proper(text: str) -> Naming | None:
    match = _SHOWN.match(text)
    if match is None:
        return None
    words = match[1].split()
    if not 1 <= len(words) <= 2:
        return None
    known = all(word.lower() in _GIVEN for word in words[:1])
    named = all(
        word[0].isupper() and word.replace("'", "").replace("-", "").isalpha() for word in words
    )
    if any(word.lower() in STOP | _CAPITALS for word in words) or text.isupper():
        return None
    if named or (known and len(words) == 1):
        return Naming(match[1], "", True)
    return None


_ZH_SHOWN = re.compile(
    r"^(?:你?看|请记住|记住)?[,， ]?(?:这|那|这个|那个|这位|那位)(?:就)?是(.{1,12})$"
)
_ZH_IS_MINE = re.compile(r"^(.{1,15}?)是(我们?的[^的]{1,8})$")
_ZH_CALLED = re.compile(
    r"^(我|他|她|它|这|那|这个|那个|.{1,15}?)(?:的名字)?(?:叫做|叫|名字是|名叫)([^我你他她它的]{1,6})$"
)
_ZH_OWN = re.compile(r"我们?的[^的]{1,8}")
_ZH_ABSTRACT = frozenset(
    ("错", "问题", "意思", "想法", "看法", "意见", "责任", "名字", "事", "荣幸")
)
_SURNAMES = frozenset(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
)
_SOUNDS = frozenset(
    "安娜丽莎玛利亚鲍勃汤姆杰克马克露西艾米丽莉凯特爱丽丝大卫约翰彼得保罗迈尔本尼罗拉贝塔卡洛斯妮琳珍"
)
_NO_NAMES = _set(
    "高兴 马上 安全 黄色 许多 周末 周一 何时 高的 程度 马桶 马路 马车 马甲 马克杯 黄瓜 黄豆"
    " 黄油 黄金 黄酒 高楼 高铁 高跟鞋 高压锅 高脚杯 李子 杨树 杨梅 林地 林子 罗盘 孙子 孙女"
    " 胡子 胡椒 胡萝卜 朱古力 程序 程序员 韩国 韩语 唐装 唐诗 宋体 周围 周日 王八 王子 王国"
    " 张力 董事 许可 许可证"
)
# Who or what comes when it is called: "他叫外卖".
_ZH_COMES = _set("外卖 快递 车 出租车 网约车 救护车 消防车 警察 保安 医生 护士 服务员 人 停")


def _chinese(text: str) -> Naming | None:
    text = text.replace(" ", "")
    match = _ZH_CALLED.match(text)
    if match is not None and not re.search("告诉|提醒|通知|如果|每次|时候|就", text):
        whom, name = match[1], match[2]
        if (
            name in CHINESE
            or name in _ZH_COMES
            or len(name) > 6
            or whom.endswith(("请", "大家", "你", "时"))
        ):
            return None
        shown = whom in ("它", "这", "那", "这个", "那个")
        person = whom in ("我", "他", "她")
        return Naming(name, "" if shown or person else whom, person)
    match = _ZH_SHOWN.match(text)
    if match is not None:
        said = match[1]
        if _ZH_OWN.fullmatch(said):
            thing = said.split("的", 1)[1]
            return None if thing in _ZH_ABSTRACT else Naming(said)
        return Naming(said, "", True) if _zh_name(said) else None
    match = _ZH_IS_MINE.match(text)
    if match is not None and match[2].split("的", 1)[1] not in _ZH_ABSTRACT:
        return Naming(match[2], match[1])
    return None


def _zh_name(said: str) -> bool:
    if said in _NO_NAMES or said in CHINESE or not 2 <= len(said) <= 4:
        return False
    if said[0] in "小阿老" and len(said) == 2:
        return said not in ("小心", "小事", "老师", "小的", "老的")
    return (said[0] in _SURNAMES and len(said) <= 3) or set(said) <= _SOUNDS


# ---- what is kept ----------------------------------------------------------------------------


def name_text(name: str, description: str) -> str:
    """The text of the note of a name; its `question` is the name alone."""
    return f"{name}：{description}" if language_of(name) == "zh" else f"{name}: {description}"


def named(note: Note) -> Named | None:
    """The name that a note keeps."""
    if note.kind is not NoteKind.NAME or not note.question.strip():
        return None
    for colon in (": ", "："):
        begin = note.question + colon
        if note.text.startswith(begin) and note.text[len(begin) :].strip():
            return Named(note.question, note.text[len(begin) :].strip(), note.wall_ns)
    return None


class Names:
    """The names that a store keeps. A name that is given again is of the new thing."""

    def __init__(self, store: Store, stream: str | None = None) -> None:
        self._store, self._stream = store, stream
        self._version: tuple[int, int] | None = None
        self._known: tuple[Named, ...] = ()
        self._sure: dict[str, bool] = {}  # whether a description means one thing

    def known(self) -> tuple[Named, ...]:
        """All names, the newest first. What is forgotten in the store is none any more."""
        version = self._store.version()
        if version != self._version:
            wanted = Wanted(
                kinds=(NoteKind.NAME,), stream=self._stream, limit=MOST, newest_first=True
            )
            found: dict[str, Named] = {}
            for note in self._store.find(wanted):
                one = named(note)
                if one is not None:
                    found.setdefault(one.name.lower(), one)
            self._known, self._version, self._sure = tuple(found.values()), version, {}
        return self._known

    def rewrite(self, question: str, sure: bool = False) -> str:
        """The question with what the names in it stand for: "where is my toy?" becomes "where is
        the red cube?".

        `sure`: only names whose description means one thing. A question about the past is asked
        so: what any man did is not told of Ben.
        """
        known = [one for one in reversed(self.known()) if _pattern(one.name).search(question)]
        return _replaced(
            question,
            {one.name: _definite(one.description) for one in known if not sure or self._one(one)},
        )

    def _one(self, named: Named) -> bool:
        """Whether the description of a name means one thing, as far as the notes tell."""
        known = self._sure.get(named.description)
        if known is None:
            known = self._sure[named.description] = self._means_one(named)
        return known

    def _means_one(self, named: Named) -> bool:
        description = named.description
        if described.vague(description):
            return False
        others = (one for one in self._known if one is not named)
        if any(described.fits(description, one.description) for one in others):
            return False
        wanted = Wanted(
            terms=tuple(terms(described.head(description))),
            kinds=(NoteKind.SEEN, NoteKind.ALERT),
            stream=self._stream,
            limit=LOOKED_AT,
            newest_first=True,
        )
        notes = self._store.find(wanted) if wanted.terms else []
        return not described.several(description, (f for n in notes for f in sentences(n.text)))

    def said(self, answer: str) -> str:
        """The answer with names in place of what they stand for: "the red cube left" becomes "your
        toy left". Where a description may mean another one too, it stays."""
        by_thing: dict[str, str] = {}
        for one in reversed(self.known()):
            words = _pattern(_bare(one.description))
            if not words.search(answer) or not self._one(one):
                continue
            for thing in (
                one.description,
                _definite(one.description),
                _indefinite(one.description),
            ):
                by_thing[thing] = _yours(one.name)
        return _replaced(answer, by_thing, described.several)

    def lines(self, now_wall_ns: int, language: str = "en", question: str = "") -> list[str]:
        """What models are told that know names: "my toy: a red cube, named 12 minutes ago"; with a
        question those that are in it."""
        told = []
        for one in reversed(self.known()):
            if question and not _pattern(one.name).search(question):
                continue
            when = ago(max(0, now_wall_ns - one.wall_ns) / S, language)
            if language == "zh":
                told.append(f"{one.name}：{one.description}，{when}起的名字")
            else:
                told.append(f"{one.name}: {one.description}, named {when}")
        return told


def _pattern(words: str) -> re.Pattern[str]:
    """Words as a whole: letters do not go on before and after them. Chinese has no gaps."""
    inside = r"\s+".join(re.escape(word) for word in words.split())
    before = r"(?<![^\W\u3400-\u9fff])" if words[:1].isascii() else ""
    after = r"(?![^\W\u3400-\u9fff])" if words[-1:].isascii() else ""
    return re.compile(before + inside + after, re.IGNORECASE)


def _replaced(
    text: str, by: dict[str, str], several: Callable[[str, list[str]], bool] | None = None
) -> str:
    """Every key replaced at once, the longest first: what was put in is not replaced again.

    `several`: whether the text before a key tells of several such things; then the key stays. What
    follows is not looked at: an answer is told word by word.
    """
    keys = sorted((key for key in by if key.strip()), key=len, reverse=True)
    if not keys:
        return text
    values = {" ".join(key.lower().split()): by[key] for key in keys}
    pattern = re.compile("|".join(_pattern(key).pattern for key in keys), re.IGNORECASE)

    def put(found: re.Match[str]) -> str:
        if several is not None and several(found[0], sentences(text[: found.start()])):
            return found[0]
        return values[" ".join(found[0].lower().split())]

    return pattern.sub(put, text)


def _definite(description: str) -> str:
    return re.sub(r"^(?:a|an|some) (?=\S)", "the ", description, flags=re.IGNORECASE)


def _bare(description: str) -> str:
    return re.sub(r"^(?:the|a|an|some) (?=\S)", "", description, flags=re.IGNORECASE)


def _indefinite(description: str) -> str:
    thing = re.sub(r"^(?:the|a|an) (?=\S)", "", description, flags=re.IGNORECASE)
    if not thing.isascii():
        return description
    return f"{'an' if thing[:1].lower() in 'aeiou' else 'a'} {thing}"


def _yours(name: str) -> str:
    name = re.sub(r"^(?:my|our) (?=\S)", "your ", name, flags=re.IGNORECASE)
    return re.sub("^我(们?)的", lambda found: f"你{found[1]}的", name)
