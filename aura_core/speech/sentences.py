"""Splits an answer into sentences while it grows, so that speech starts before it is complete."""

from __future__ import annotations

import re

from aura_core.speech.language import CJK

__all__ = ["CJK", "SentenceSplitter"]

_CLOSERS = "\"'”’»)]}」』）】》*_"
_END = re.compile(r"\.{2,}|[.!?…]+|[。！？；]+|\n", re.UNICODE)
_WORD = re.compile(r"\w", re.UNICODE)


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_NEVER_LAST = _words(
    "mr mrs ms dr prof st mt gen col capt lt sgt rev gov sen rep",
    "vs approx ca e.g i.e cf incl",
)
# no end before a digit ("No. 5"), but an end elsewhere ("No. It fell.")
_BEFORE_DIGIT = _words(
    "no nos fig eq sec min max p pp tel",
    "jan feb mar apr jun jul aug sep sept oct nov dec",
)
# an end if a capital letter follows
_MAYBE_LAST = _words("a.m p.m etc jr sr inc ltd")
# u.s, u.k, ph.d: an end only before one of the words that begin a sentence
_INITIALS = re.compile(r"(?:[a-z]{1,2}\.)+[a-z]")
_STARTERS = _words(
    "the a an this that these those he she it they we i you there here my your his her its our",
    "their in on at by for from to with and but or so if when while after before as then now",
    "what where who why how is are was do does did can could will would please yes no not",
    "nobody somebody everybody someone something nothing one two three",
)
# words that stand between these initials and their noun: "the U.S. Army is here"
_OF_A_STATE = _words(
    "army navy air marine marines force forces coast senate house congress government president",
    "supreme department state states treasury open dollar dollars military embassy constitution",
    "district secretary attorney bank federal trade policy economy company companies citizen",
    "citizens market markets passport troops soldiers",
)
_PREPOSITIONS = _words("in from to for at with by across outside inside around near leave left")
_VERBS = _words(
    "is are was were has have had can could will would do does did must may might should",
    "stand stands live lives come comes go goes work works need needs",
)
# a letter behind these words is no initial of a name: "Plan B. It works."
_LABELS = _words(
    "plan option vitamin room type class grade group part section team gate row step point exhibit",
    "appendix model terminal building version side figure table hepatitis letter variant column",
    "choice answer block zone area line key note lane level unit box line platform case item",
)


class SentenceSplitter:
    """Splits the text of one answer.

    It stores only how many characters were handed out. Text that changes before that position is
    therefore never spoken twice.

    Args:
        max_chars: a longer sentence is cut, after a comma if there is one.
    """

    def __init__(self, max_chars: int = 200) -> None:
        self.max_chars = max_chars
        self._given = 0  # characters of the answer that were given out

    def feed(self, text: str, final: bool = False) -> list[str]:
        """Take the whole text so far, and return the sentences that became complete, stripped.

        Unless `final`, an end that more text may revoke is not an end yet: "0." may become "0.5",
        and "..." may be followed by a small letter.
        """
        sentences: list[str] = []
        while self._given < len(text):
            end = self._find_end(text, final)
            if end is None:
                break
            sentence = text[self._given : end].strip().lstrip("”’」』）】》").strip()
            self._given = end
            if _WORD.search(sentence):
                sentences.append(sentence)
        return sentences

    def _find_end(self, text: str, final: bool) -> int | None:
        """Return the index just after the next sentence, or None if it is not complete yet."""
        start = self._given
        while start < len(text) and text[start].isspace():
            start += 1
        for match in _END.finditer(text, start):
            end = match.end()
            if end - start > self.max_chars:
                break
            while end < len(text) and text[end] in _CLOSERS and match[0] != "\n":
                end += 1
            verdict = self._ends(text, start, match, end, final)
            if verdict is None and not final:
                return self._cut(text, start)
            if verdict is not False:
                return end
        return self._cut(text, start) or (len(text) if final else None)

    @staticmethod
    def _ends(text: str, start: int, match: re.Match[str], end: int, final: bool) -> bool | None:
        """Whether a sentence ends at `end`. None: the text that follows will decide it."""
        mark = match[0]
        if mark == "\n" or mark[0] in "。！？；":
            return True
        if end >= len(text):
            return None
        if not text[end].isspace():
            # "0.5", "aura.py", "?!"; but Chinese is written without spaces
            return re.match(rf"[{CJK}]", text[end]) is not None
        before = text[start : match.start()]
        word = before.split()[-1].lstrip("(\"'“‘").lower() if before.split() else ""
        following = text[end:].lstrip()
        if mark == ".":
            if word in _NEVER_LAST or before.strip().isdigit():  # "1. The first of a list"
                return False
            if word in _BEFORE_DIGIT:
                return not following[0].isdigit() if following else None
            single = len(word) == 1 and word.isalpha() and word != "i"
            if single and before.rstrip()[-1].isupper():
                return _ends_with_letter(before.split(), following, final)
            if word not in _MAYBE_LAST and _INITIALS.fullmatch(word):
                return _ends_with_initials(before.split(), following, final)
        if (mark == "." and word in _MAYBE_LAST) or mark.startswith("..") or mark == "…":
            return following[0].isupper() or not following[0].isalnum() if following else None
        return True

    def _cut(self, text: str, start: int) -> int | None:
        """Return where to cut a text that is longer than `max_chars`, or None if it is not."""
        if len(text) - start <= self.max_chars:
            return None
        piece = text[start : start + self.max_chars]
        for pattern in (r"[,;:](?=\s)|[，、：；]", r"\s"):
            ends = [m.end() for m in re.finditer(pattern, piece)]
            if ends and ends[-1] > self.max_chars // 4:
                return start + ends[-1]
        return start + self.max_chars


def _next_words(following: str, count: int, final: bool) -> list[str] | None:
    """The next words, or None if they have not all come."""
    found = list(re.finditer(r"[\w'’]+", following))[:count]
    if not final and (len(found) < count or found[-1].end() == len(following)):
        complete = re.search(r"[.!?\n]", following)  # fewer words, and a sentence ends there
        if complete is None or not found or complete.start() < found[-1].end():
            return None
    return [match[0] for match in found]


def _ends_with_letter(before: list[str], following: str, final: bool) -> bool | None:
    """Whether a sentence ends with a capital letter, which may be the initial of a name."""
    words = _next_words(following, 1, final)
    if words is None or not words:
        return None if words is None else True
    labelled = len(before) > 1 and before[-2].lower().strip("(\"'“‘*_") in _LABELS
    return words[0][0].isupper() and (labelled or words[0].lower() in _STARTERS)


def _ends_with_initials(before: list[str], following: str, final: bool) -> bool | None:
    """Whether a sentence ends with initials such as "U.S.": what follows begins a sentence."""
    if following and not following.lstrip("\"'“‘([*_")[:1].isalnum():
        return True
    words = _next_words(following, 1, final)
    if words is None or not words:
        return None if words is None else True
    if not words[0][0].isupper():
        return False
    if words[0].lower() in _STARTERS:
        return True
    places = [w.lower() for w in before[-3:-1]]
    if words[0].lower() in _OF_A_STATE or not _PREPOSITIONS.intersection(places):
        return False
    words = _next_words(following, 2, final)
    return None if words is None else len(words) > 1 and words[1].lower() in _VERBS
