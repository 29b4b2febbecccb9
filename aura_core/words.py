"""The words of a text, for comparing two texts, and a text as one short line."""

from __future__ import annotations

import re
import unicodedata

_CJK = r"\u3040-\u30ff\u3400-\u9fff"  # scripts without spaces: each character counts as a word
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_CJK_OR_HANGUL = _CJK + r"\uac00-\ud7af"
_SPOKEN = re.compile(rf"[{_CJK_OR_HANGUL}]|[^\W_{_CJK_OR_HANGUL}]+(?:'[^\W_{_CJK_OR_HANGUL}]+)*")

# a word with the blanks after it, or one character of a script without blanks
PIECE = re.compile(rf"[{_CJK}]\s*|[^\s{_CJK}]+\s*")


def words_of(text: str) -> list[str]:
    """The words of `text` in order, in lower case.

    >>> words_of("The cat's on 桌子")
    ['the', 'cat', 's', 'on', '桌', '子']
    """
    return _WORD.findall(text.lower())


def spoken_words(text: str) -> list[str]:
    """The words of `text` as a speech recogniser writes them.

    They are in lower case, "don't" is one word, and each Korean syllable is a word too.

    >>> spoken_words("Don't stop, 桌子!")
    ["don't", 'stop', '桌', '子']
    """
    return _SPOKEN.findall(text.lower().replace("’", "'"))


def shorten(text: str, limit: int = 60) -> str:
    """`text` as one line of at most `limit` characters, without control characters.

    >>> shorten("a\\nlong question", 9)
    'a long...'
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


# What Unicode calls ignorable besides controls and formats, and blanks that are called letters.
_IGNORABLE = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0"
    r"\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
_UNSEEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


def is_blank(text: str) -> bool:
    """Whether nothing of `text` can be seen: it has blanks, controls and invisible characters only.

    >>> is_blank(" \\u200b\\ufeff"), is_blank("\\u200b?")
    (True, False)
    """
    rest = _IGNORABLE.sub("", text)
    return all(unicodedata.category(c) in _UNSEEN for c in rest)
