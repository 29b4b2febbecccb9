"""Text normalisation for speech: written text to speakable words, in English or Chinese.

what is not spoken removed ─► markup removed ─► each stretch read in its language ─► tidied
(`unspoken.py`)               (`markup.py`)     (`english.py`, `chinese.py`)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from aura_core.speech.language import CJK, HAN, language_of
from aura_core.speech.markup import LINK, PATH, without_markup
from aura_core.speech.numerals import chinese_number, number_words
from aura_core.speech.units import UNITS
from aura_core.speech.unspoken import without_unspoken

__all__ = ["chinese_number", "for_speech", "number_words"]

_SQUARED = {  # signs of one character for a unit
    **{"㎡": "m²", "㎥": "m³", "㎞": "km", "㎝": "cm", "㎜": "mm", "㎏": "kg", "㎎": "mg"},
    **{"㎖": "ml", "㎢": "km²", "㎠": "cm²", "㎤": "cm³", "㏄": "cm³", "㎐": "Hz", "㎑": "kHz"},
    **{"㎒": "MHz", "㎓": "GHz", "㏈": "dB", "㎾": "kW", "㎸": "kV", "㎳": "ms", "㎲": "µs"},
    **{"％": "%", "＄": "$", "￡": "£", "＋": "+", "－": "-", "＝": "=", "＃": "#"},
    **{chr(0x2080 + k): str(k) for k in range(10)},  # CO₂
}
_SQUARED_SIGN = re.compile(f"[{''.join(_SQUARED)}]")
_KINDS_LEFT_OUT = frozenset(
    ("So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me")
)  # emoji, joiners, control characters ...
# a stretch of Chinese with its numbers in an English sentence, and of English in a Chinese one
_HAN_STRETCH = re.compile(rf"[{HAN}](?:[^A-Za-z\n]*[{HAN}])?")
_LATIN_STRETCH = re.compile(rf"[^{CJK}\u3000-\u303f\uff00-\uffef]+")
_WORDS = re.compile(r"(?<![A-Za-z0-9/])[a-z]{2,}(?![A-Za-z0-9])")


def for_speech(text: str, answer: str = "") -> str:
    """Return the text as a synthesiser should get it, or "" if nothing in it can be spoken.

    Markdown, code blocks, thoughts and emoji are removed; a web address becomes "link". Numbers,
    dates, units, times and signs become words of the language that most of the text is in, see
    `language_of`. Japanese text keeps its numbers, because Japanese synthesisers read them.

    Args:
        text: a sentence, or several.
        answer: the whole answer, as far as it is known. It gives the language of a sentence without
            letters, such as "14:05".
    """
    text = unicodedata.normalize("NFC", text)
    if not text.isascii():
        text = _SQUARED_SIGN.sub(lambda m: _SQUARED[m[0]], text)
        text = "".join(
            str(unicodedata.decimal(c)) if c.isdecimal() and not c.isascii() else c for c in text
        )
    text = without_markup(without_unspoken(text))
    language = language_of(text, answer)
    if language == "ja":
        text = text.replace(LINK, "リンク").replace(PATH, "パス")
        text = re.sub(r"(?<=[^\W_])_(?=[^\W_])", " ", text)
    elif language == "zh":
        text = _stretches(text, _LATIN_STRETCH, _is_english, _english, _chinese)
    else:
        text = _stretches(text, _HAN_STRETCH, _has_digit, _chinese, _english)
    if not text.isascii():
        text = "".join(c for c in text if _speakable(c))
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;:!?)])", r"\1", text).strip(" ,")
    return text if re.search(r"[^\W_]", text) else ""


def _stretches(
    text: str,
    pattern: re.Pattern[str],
    foreign: Callable[[str], bool],
    other: Callable[[str], str],
    own: Callable[[str], str],
) -> str:
    """Read the stretches that are `foreign` with `other`, and all between them with `own`."""
    parts, at = [], 0
    for match in pattern.finditer(text):
        if foreign(match[0]):
            parts += [own(text[at : match.start()]), other(match[0])]
            at = match.end()
    return "".join([*parts, own(text[at:])])


def _english(text: str) -> str:
    # Imported here, as below: a table takes 50 ms, and every command of the CLI imports this module
    # for its settings.
    from aura_core.speech.english import english

    return english(text)


def _chinese(text: str) -> str:
    from aura_core.speech.chinese import chinese

    return chinese(text)


def _is_english(stretch: str) -> bool:
    return sum(word not in UNITS for word in _WORDS.findall(stretch)) >= 2


def _has_digit(stretch: str) -> bool:
    return re.search("[0-9]", stretch) is not None


def _speakable(char: str) -> bool:
    """Whether a character is no emoji, joiner or control character."""
    return char in "\n°" or unicodedata.category(char) not in _KINDS_LEFT_OUT
