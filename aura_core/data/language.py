"""The language of a text, as far as its script tells.

Chinese, Japanese, Korean, Russian and others are told apart by their letters. Languages that share
the Latin script are not: they are all "latin". No model guesses.
"""

from __future__ import annotations

import unicodedata
from collections import Counter

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
