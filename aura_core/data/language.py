"""The language of a text, as far as its script tells.

Chinese, Japanese, Korean, Russian and others are told apart by their letters. Languages that share
the Latin script are not: they are all "latin", and `detector.py` tells them apart. No model guesses
here.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from aura_core.words import words_of

_SCRIPTS = (  # the first word of a letter's Unicode name, and what it is counted as
    ("CJK", "han"),
    ("HIRAGANA", "ja"),
    ("KATAKANA", "ja"),
    ("HANGUL", "ko"),
    ("CYRILLIC", "cyrillic"),
    ("ARABIC", "arabic"),
    ("DEVANAGARI", "devanagari"),
    ("THAI", "thai"),
    ("GREEK", "greek"),
    ("HEBREW", "hebrew"),
    ("LATIN", "latin"),
)

_NAMES = {  # the script of a language's name, as people write it in settings
    "zh": "zh chinese mandarin cantonese",
    "ja": "ja japanese",
    "ko": "ko korean",
    "cyrillic": "ru russian uk ukrainian bg bulgarian",
    "arabic": "ar arabic fa persian farsi ur urdu",
    "devanagari": "hi hindi marathi nepali",
    "thai": "th thai",
    "greek": "el greek",
    "hebrew": "he hebrew",
    "latin": "en english de german fr french es spanish it italian pt portuguese nl dutch sv"
    " swedish da danish no norwegian fi finnish pl polish cs czech tr turkish vi vietnamese"
    " id indonesian ro romanian hu hungarian",
}
_SCRIPT_OF = {name: script for script, names in _NAMES.items() for name in names.split()}
FOREIGN_WORDS = 3
"""So many words may be of another script: a name, or what is written on a sign."""


def script_of(language: str) -> str:
    """Return what `language_of` tells of texts in a language that is named; "" where the name is
    not known.

    >>> script_of("Brazilian Portuguese"), script_of("zh"), script_of("Klingon")
    ('latin', 'zh', '')
    """
    found = (_SCRIPT_OF.get(word) for word in re.findall(r"\w+", language.lower()))
    return next((script for script in found if script), "")


def fits(text: str, script: str, foreign_words: int = 0) -> bool:
    """Whether a text can be in a language of that script ("": any). Texts without letters fit.

    So does Japanese without kana, and a text of another script with at most `foreign_words` words.
    """
    found = language_of(text)
    if found in ("", script) or not script or (script, found) == ("ja", "zh"):
        return True
    return len(words_of(text)) <= foreign_words


def language_of(text: str) -> str:
    """Return "zh", "ja", "ko", or the name of the script that most letters are of; "" without any.

    A text with kana is Japanese whatever else it has. One Han character counts as three letters,
    because it stands for about as much as a short word.

    >>> language_of("What is on the 桌子?"), language_of("猫が来た")
    ('latin', 'ja')
    """
    found: Counter[str] = Counter()
    for letter in text:
        if letter.isalpha():
            name = unicodedata.name(letter, "").partition(" ")[0]
            script = next((s for start, s in _SCRIPTS if name.startswith(start)), "other")
            found[script] += 3 if script == "han" else 1
    if found["ja"]:
        return "ja"
    if not found.total():
        return ""
    most = max(found, key=lambda script: found[script])
    return "zh" if most == "han" else most
