"""Text normalisation for speech: written text to speakable words, in English or Chinese.

markup removed ─► numbers, dates, units and signs in words ─► what cannot be spoken removed
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from aura_core.speech.chinese import chinese
from aura_core.speech.english import english
from aura_core.speech.numerals import chinese_number, number_words
from aura_core.speech.sentences import CJK
from aura_core.speech.unspoken import without_unspoken

__all__ = ["chinese_number", "for_speech", "number_words"]

_KANA = r"[\u3040-\u30ff]"
_LINK = "\ue000"  # stands for a web address until the language is known
_MARKUP: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"!?\[([^\]]+)\]\([^)]*\)", r"\1"),  # links and pictures: their text
    (r"!?\[\]\([^)]*\)", _LINK),
    (
        r"(?:https?|ftp|file)://[^\s<>()\u3000-\u303f\uff00-\uffef]*[^\s<>().,;:!?\u3000-\u303f\uff00-\uffef]",
        _LINK,
    ),
    (r"\bwww\.[\w.-]+\w(?:/[^\s<>()]*[\w/])?", _LINK),
    (r"</?[a-zA-Z][^<>]*>", ""),
    # code in a line: names are spoken, expressions are not
    (r"`([^`\n]+)`", lambda m: m[1] if re.fullmatch(r"[\w./ -]+", m[1]) else ""),
    (r"```\w*|`", ""),
    (r"(?m)^\s{0,3}(?:#{1,6}\s+|>\s+|[-*+•]\s+|(?:[-*_]\s?){3,}$)", ""),
    (r"(?m)^\s*(\d+)[.)]\s+", r"\1, "),  # the number of a list item is spoken
    (r"(?<=\d)\s?\*\*\s?(?=[-−]?\d)", "^"),  # 2**8 is a power, and no bold text
    (r"(?<=\d)\s?\*\s?(?=\d)", "∗"),
    (r"(\*{1,3}|~~|__)(?=\S)(.+?)(?<=\S)\1", r"\2"),
    (r"(?<!\w)_(?=\S)(.+?)(?<=\S)_(?!\w)", r"\1"),
    # a mark without its partner, which is in another sentence
    (r"\*{2,3}|~~|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)", ""),
    (r"\s*\|\s*", ", "),
    (r"(?<=\w)_(?=\w)", " "),
    (r"\[\s*\]|\(\s*\)", ""),
)


def for_speech(text: str) -> str:
    """Return the text as a synthesiser should get it, or "" if nothing in it can be spoken.

    Markdown, code blocks, thoughts and emoji are removed; a web address becomes "link". Numbers,
    dates, units, times and signs become words: Chinese words in text with Chinese characters, else
    English words. Japanese text keeps its numbers, because Japanese synthesisers read them.
    """
    text = without_unspoken(unicodedata.normalize("NFC", text))
    for pattern, replacement in _MARKUP:
        text = re.sub(pattern, replacement, text)
    if re.search(_KANA, text):
        text = text.replace(_LINK, "リンク")
    elif re.search(rf"[{CJK}]", text):
        text = chinese(text.replace(_LINK, "链接"))
    else:
        text = english(text.replace(_LINK, "link"))
    text = "".join(c for c in text if _speakable(c))
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", text).strip(" ,")
    return text if re.search(r"\w", text) else ""


def _speakable(char: str) -> bool:
    """Whether a character is no emoji, joiner or control character."""
    return (
        char == "\n"
        or char == "°"
        or unicodedata.category(char) not in ("So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me")
    )
