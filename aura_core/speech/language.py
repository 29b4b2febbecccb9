"""The language of a sentence, from the scripts that it is written in."""

from __future__ import annotations

import re

from aura_core.speech.units import UNITS

LATIN = "en"  # what a sentence in Latin letters counts as
NAMES = {"en": "English", "zh": "Chinese"}  # for messages
HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
KANA = r"\u3040-\u30ff"
CJK = KANA + HAN
# A match is a word, or a character of a script without spaces. A unit
# behind a number and a Latin letter alone tell nothing: "5 min再来", "A型".
_LETTERS = re.compile(
    rf"(?P<ja>[{KANA}])|(?P<zh>[{HAN}])|(?P<ko>[\u1100-\u11ff\uac00-\ud7af]+)"
    r"|(?P<ru>[\u0400-\u04ff]+)|(?P<el>[\u0370-\u03ff]{2,})|(?P<ar>[\u0600-\u06ff]+)"
    r"|(?P<he>[\u0590-\u05ff]+)|(?P<hi>[\u0900-\u097f]+)|(?P<th>[\u0e00-\u0e7f])"
    r"|(?<![A-Za-z0-9/])(?:(?P<en>[a-z\u00df-\u024f]{2,}|a)|(?P<name>[A-Z][a-z]+))"
    r"(?![A-Za-z0-9])"
)
# words that hold a sentence together tell more than the names in it
_GLUE = re.compile(
    r"the|an?|is|are|was|were|and|or|of|to|in|on|at|it|he|she|they|we|you|that|this|with|for|there"
    r"|has|have|from|by|says|said|means|[的了是在有和我你他她它这那不吗呢吧就都也]",
    re.I,
)
_NUMBER = re.compile(r"[0-9] $")
_MARKS = re.compile(r"[。，！？；：、（）“”《》「」]")


def language_of(sentence: str, answer: str = "") -> str:
    """The code of the language of a sentence: that of most of its words, "en" for Latin letters.

    A character of a script without spaces counts as a word, and so does a mark of Chinese. A word
    such as "the" or 的 counts twice, and a Latin word with a capital, which may be a name, half. On
    a tie the other script wins over Latin letters. A sentence without words ("14:05", "5 cm", "OK")
    has the language of the whole `answer` that it is part of.

    >>> language_of("打开USB3接口。"), language_of("The 猫 is here."), language_of("5%", "很多。5%")
    ('zh', 'en', 'zh')
    """
    halves: dict[str, int] = {}
    for match in _LETTERS.finditer(sentence):
        if match[0] in UNITS and _NUMBER.search(sentence[: match.start()]):
            continue
        code = match.lastgroup or LATIN
        code, weight = (LATIN, 1) if code == "name" else (code, 2)
        if _GLUE.fullmatch(match[0]):
            weight = 4
        halves[code] = halves.get(code, 0) + weight
    if "ja" in halves and halves["ja"] * 6 >= halves.get("zh", 0):
        halves["ja"] += halves.pop("zh", 0)  # Japanese has Chinese characters too
    marks = 2 * len(_MARKS.findall(sentence))
    if "ja" in halves or "zh" in halves:
        halves["ja" if "ja" in halves else "zh"] += marks
    elif not halves:
        if answer and answer != sentence:
            return language_of(answer)
        return "zh" if marks else LATIN
    return max(halves, key=lambda code: (halves[code], code != LATIN))
