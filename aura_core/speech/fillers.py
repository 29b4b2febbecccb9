"""Utterances that are no question: hesitation, laughs, sounds, and what whisper writes for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from aura_core.speech.filler_words import REMARKS, SOUNDS, SUBTITLES
from aura_core.words import spoken_words

Phrases = frozenset[tuple[str, ...]]
COMMON = ("en", "zh")  # their words count whatever language the speech is in
# An answer although it is a remark in front of others: of two directions, it is one.
ANSWERS = frozenset({("right",)})
_LONG = re.compile(r"(.)\1+")  # "hmmm" is "hm"
_LAUGH = re.compile(r"(?:[hj][aei]h?|[ae]h){2,}|(?:ha|he|hi|ho){2,}h?|(?:hee){2,}|[wkｗ]{3,}")
_MARKED = re.compile(r"[\[(*♪][^\])*♪]*[\])*♪]")  # "(laughs)", "[MUSIC]", "*sighs*"


def phrases(texts: Iterable[str]) -> Phrases:
    """Phrases as words, for `Fillers`; texts without any word are left out."""
    return frozenset(tuple(spoken_words(text)) for text in texts) - {()}


_SOUNDS = {code: phrases(text.split(",")) for code, text in SOUNDS.items()}
_REMARKS = {code: phrases(text.split(",")) for code, text in REMARKS.items()}
_SUBTITLES = frozenset("".join(words) for words in phrases(SUBTITLES.split(",")))


class Fillers:
    """Tells fillers from words.

    Args:
        extra: phrases of this house that are never a question.
    """

    def __init__(self, extra: Iterable[str] = ()) -> None:
        self._extra = phrases(extra)

    def is_filler(self, text: str, answers: bool = False, language: str = "") -> bool:
        """Whether `text` consists only of sounds that are no words, or of remarks without a
        question.

        Args:
            answers: the robot has just spoken, so a remark such as "okay" may be an answer.
            language: code of the language of the speech, where it is known.

        A text without any word is no filler: it is empty.
        """
        words = tuple(spoken_words(_MARKED.sub(" ", text)))
        if not words:
            return bool(spoken_words(text))
        if "".join(words) in _SUBTITLES:
            return True
        if words in ANSWERS:
            return False
        codes = dict.fromkeys((*COMMON, language))
        known = self._extra.union(*(_SOUNDS.get(code, frozenset()) for code in codes))
        if not answers:
            known = known.union(*(_REMARKS.get(code, frozenset()) for code in codes))
        return _consists(words, known)


def is_filler(text: str, answers: bool = False, language: str = "") -> bool:
    """See `Fillers.is_filler`; without phrases of a house."""
    return Fillers().is_filler(text, answers, language)


def _consists(words: Sequence[str], known: Phrases) -> bool:
    """Whether the words are made of phrases of `known` and of sounds, one after another."""
    longest = max(map(len, known))
    reached = {0}  # so many words can be made of them
    for end in range(1, len(words) + 1):
        for begin in range(max(0, end - longest), end):
            part = tuple(words[begin:end])
            if begin in reached and (part in known or (len(part) == 1 and _sound(part[0]))):
                reached.add(end)
                break
    return len(words) in reached


_SHORT = frozenset(_LONG.sub(r"\1", words[0]) for words in _SOUNDS["en"] if len(words) == 1)


def _sound(word: str) -> bool:
    return _LONG.sub(r"\1", word) in _SHORT or bool(_LAUGH.fullmatch(word))
