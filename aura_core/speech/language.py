"""The language of a sentence, from the script that it is written in."""

from __future__ import annotations

import re

LATIN = "en"  # what a sentence in Latin letters counts as
NAMES = {"en": "English", "zh": "Chinese"}  # for messages
_SCRIPTS = (  # the first that occurs; Japanese has Chinese characters too
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
)


def language_of(sentence: str) -> str:
    """The language code of a sentence: that of its script, "en" for Latin letters.

    >>> language_of("打开USB3接口。"), language_of("Open it.")
    ('zh', 'en')
    """
    return next((code for code, script in _SCRIPTS if script.search(sentence)), LATIN)
