"""Which language a text in Latin letters is in, by py3langid, an optional package.

It is a naive Bayes classifier over n-grams of bytes with a model of its own, and needs no network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LANGUAGES = (
    *("cs", "da", "de", "en", "es", "fi", "fr", "hu", "id"),
    *("it", "nl", "no", "pl", "pt", "ro", "sv", "tr", "vi"),
)
"""ISO 639-1. With all 139 languages of its model short sentences are taken for rare ones."""
SURE = 0.6
"""The least probability that counts: more likely than all the others together."""


def detector() -> Callable[[str], str] | None:
    """Return a function from a text to its language (one of `LANGUAGES`), "" where it is not sure.

    None where py3langid is not installed.
    """
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        return None
    identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([*LANGUAGES])

    def tell(text: str) -> str:
        language, probability = identifier.classify(text)
        return language if probability >= SURE else ""

    return tell
