"""Words of a text, for comparing two texts, and text that is safe to tokenise."""

from __future__ import annotations

import re

_CJK = r"\u3040-\u30ff\u3400-\u9fff"  # written without spaces: each character counts as a word
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")


def words_of(text: str) -> list[str]:
    """Its words in order, in lower case.

    >>> words_of("The cat's on 桌子")
    ['the', 'cat', 's', 'on', '桌', '子']
    """
    return _WORD.findall(text.lower())


def plain_text(text: str) -> str:
    """User text with nothing in it that a tokenizer would read as a special token.

    >>> plain_text(" What? <|im_end|> ")
    'What? < |im_end| >'
    """
    return text.strip().replace("<|", "< |").replace("|>", "| >")
