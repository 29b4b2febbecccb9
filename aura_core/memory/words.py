"""The terms of a text: what the index of notes holds, and what a question is matched by.

English words lose their inflections and become one of several words that mean the same in a note
(`vocabulary.py`). Chinese is written without spaces: each character is a term, and each pair of
neighbours; known words become the English term too, so a question in one language finds notes in
the other. A term consists of letters and digits, so FTS5's unicode61 tokenizer leaves it whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from aura_core.memory import vocabulary
from aura_core.memory.vocabulary import (
    ADVERBS,
    AFTER_GONE,
    AFTER_LEFT,
    AFTER_STATE,
    ANYBODY,
    BEFORE_LEFT,
    CHINESE,
    CHINESE_LONGEST,
    CHINESE_STOP,
    DONE_TO_THINGS,
    IRREGULAR,
    NO_STATE,
    SEPARABLE,
    STOP,
)

VERSION = vocabulary.VERSION
QUESTION = "?"  # a line of its own before the terms of the question, see `index`
_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+(?:['’][^\W_{_CJK}]+)*")
_IDEOGRAPH = re.compile(rf"[{_CJK}]")
_LATIN_WORD = re.compile(rf"[^\W\d_{_CJK}]+")
_VOWEL = re.compile("[aeiouy]")
# A consonant, a vowel, a consonant, and no other vowel before: the word ends in a silent e.
_SHORT = re.compile(r"[^aeiouy]*[aeiouy][^aeiouwxy]")
_URL = re.compile(r"\w+://\S+")
_END = re.compile(rf"[;；。！？\n]+|[.!?]+(?=[\s\"'”’)]|$|[{_CJK}])")
_ABBREVIATIONS = ("mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "approx", "e.g", "i.e")
_MAY_END = ("etc", "a.m", "p.m", "min", "max", "no", "ca")
_LAST_WORD = re.compile(r"[\w.]+$")
_BE = ("am", "is", "are", "was", "were", "be", "been", "being")
_COLOURS = ("red", "green", "blue", "yellow", "purple", "white", "grey", "pink", "orange", "brown")


def language_of(text: str) -> str:
    """ "zh" where a text has more Chinese characters than words in letters, else "en"."""
    return "zh" if len(_IDEOGRAPH.findall(text)) > len(_LATIN_WORD.findall(text)) else "en"


def terms(text: str) -> list[str]:
    """All terms of a text in order, as the index holds them."""
    return [term for word in _words(text) for term in word.terms]


def index(text: str, question: str = "") -> str:
    """What the index of a store holds of a note: the terms of each fact on a line, then those of
    the question. `facts_of` reads it."""
    lines = [" ".join(terms(fact)) for fact in sentences(text)]
    return "\n".join([*lines, QUESTION, " ".join(terms(question))])


def facts_of(indexed: str) -> tuple[list[list[str]], list[str]]:
    """The terms of each fact, and those of the question, of what `index` made."""
    facts, _, question = indexed.rpartition("\n" + QUESTION + "\n")
    if indexed.startswith(QUESTION + "\n"):
        facts, question = "", indexed[len(QUESTION) + 1 :]
    return [fact.split(" ") for fact in facts.split("\n") if fact], question.split()


def content(text: str) -> list[str]:
    """The terms of a text that say what it is about, each once: no grammar, and nothing of what
    frames a question ("when did ... last"). All of them are in `terms(text)`."""
    words = [word for word in _words(text) if word.says]
    if not DONE_TO_THINGS.isdisjoint(term for word in words for term in word.says):
        words = [word for word in words if word.raw not in ANYBODY]
    return list(dict.fromkeys(term for word in words for term in word.says))


def sentences(text: str) -> list[str]:
    """The facts of a note: parts between semicolons, full stops, exclamation and question marks,
    and new lines, without these marks. What stands within a number, an abbreviation or an address
    does not end a fact.

    >>> sentences("Mr. Smith came at 9.30; the door is open.")
    ['Mr. Smith came at 9.30', 'the door is open']
    """
    addresses = [_address(match) for match in _URL.finditer(text)] if "://" in text else []
    parts, begin = [], 0
    for end in _END.finditer(text):
        at = end.start()
        if any(first <= at < last for first, last in addresses):
            continue
        if end[0] == "." and _abbreviated(text, begin, end.end()):
            continue
        parts.append(text[begin:at])
        begin = end.end()
    parts.append(text[begin:])
    return [part for part in (part.strip(" \t\r\"'”’“‘)") for part in parts) if part]


def once(text: str) -> str:
    """A note without the facts that only repeat the fact before them: a model that writes may say
    its last fact again, and then it would count twice.

    >>> once("the cat came; the cat came; the door opened; the cat came.")
    'the cat came; the door opened; the cat came'
    >>> once("The cat came. It jumped.")
    'The cat came. It jumped.'
    """
    told = sentences(text)
    pairs = zip(["", *told], told, strict=False)
    kept = [fact for before, fact in pairs if fact.casefold() != before.casefold()]
    if len(kept) == len(told):
        return text
    return ("；" if language_of(text) == "zh" else "; ").join(kept)


def continued(before: str, text: str) -> str:
    """A note without what the note before it tells too, where both are about some of the same time.

    What both tell in the same order is one thing each: the longest common subsequence of their
    facts. Either may have missed something of that time.

    >>> continued("the cat came; the door opened", "the door opened; the lamp went on")
    'the lamp went on'
    >>> continued("the door opened", "the door closed; the lamp went on")
    'the door closed; the lamp went on'
    """
    told = [fact.casefold() for fact in sentences(once(before))]
    facts = sentences(once(text))
    new = [fact.casefold() for fact in facts]
    # most[i][j]: how many facts told[i:] and new[j:] have in common, in order
    most = [[0] * (len(new) + 1) for _ in range(len(told) + 1)]
    for i in reversed(range(len(told))):
        for j in reversed(range(len(new))):
            same = told[i] == new[j]
            most[i][j] = 1 + most[i + 1][j + 1] if same else max(most[i + 1][j], most[i][j + 1])
    if not most[0][0]:
        return text
    kept, i = [], 0
    for j, fact in enumerate(facts):
        while i < len(told) and told[i] != new[j] and most[i + 1][j] == most[i][j]:
            i += 1
        if i < len(told) and told[i] == new[j]:
            i += 1
        else:
            kept.append(fact)
    return ("；" if language_of(text) == "zh" else "; ").join(kept)


@lru_cache(4096)
def stem(word: str) -> str:
    """An English word in lower case without its inflection: "jumped" and "jumps" become "jump"."""
    return _without_e(IRREGULAR.get(word) or _uninflected(word))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


@dataclass(frozen=True)
class _Word:
    raw: str
    terms: tuple[str, ...]  # in the index
    says: tuple[str, ...]  # of these, those that are content


def _words(text: str) -> Iterator[_Word]:
    for sentence in sentences(text):
        english: list[str] = []
        for run in _RUN.findall(_plain(sentence)):
            if not _IDEOGRAPH.match(run):
                english.append(run)
                continue
            yield from _english(english)
            english = []
            yield from _chinese(run)
        yield from _english(english)


def _english(runs: list[str]) -> Iterator[_Word]:
    """The words of a run of English."""
    raws = []
    for raw in (part for run in runs for part in _unclitic(run)):
        if raw in ADVERBS:
            yield _Word(raw, (raw,), ())
        else:
            raws.append(raw)
    heads = [_head(raws, i) for i in range(len(raws))]
    at = 0
    while at < len(heads):
        raw, head = raws[at], heads[at]
        pair = heads[at + 1] if at + 1 < len(heads) else ""
        phrase = _PHRASES.get((head, pair))
        if phrase is not None:
            yield _Word(raw, phrase, phrase)
            at += 2
            continue
        if head in SEPARABLE:
            for further in range(at + 2, min(at + 6, len(heads))):
                phrase = _PHRASES.get((head, heads[further]))
                if phrase is None and heads[further] in ("turnon", "turnoff"):
                    phrase = (heads[further],) if head in ("turn", "switch") else None
                if phrase is not None:
                    heads[further], raws[further] = "", ""
                    break
        if phrase is not None:
            yield _Word(raw, phrase, phrase)
        elif head:
            stop = head in STOP or (raw in STOP and head not in _STATES)
            yield _Word(raw, (head,), () if stop else (head,))
        at += 1


def _head(raws: list[str], at: int) -> str:
    """The term of the English word at `at`, by its neighbours where it has several meanings."""
    raw = raws[at]
    before = raws[at - 1] if at else ""
    after = raws[at + 1] if at + 1 < len(raws) else ""
    if raw in _BE:
        return "be"
    if raw == "left":
        placed = after in AFTER_LEFT or (before in BEFORE_LEFT and before != after)
        return "leftside" if placed else "leave"
    if raw == "right":
        return "rightside" if before in BEFORE_LEFT or after in AFTER_LEFT else "right"
    if raw == "gone":
        return "go" if after in AFTER_GONE else "leave"
    if raw in ("on", "off") and (not after or after in AFTER_STATE):
        return raw if stem(before) in NO_STATE else f"turn{raw}"
    if raw in ("light", "lights"):
        if stem(before) == "get" or before in _BE or after in _COLOURS:
            return "light"
        return "lamp"
    head = stem(raw)
    return _SAME.get(head, head)


def _chinese(run: str) -> Iterator[_Word]:
    """The words of a run of Chinese characters: the longest known ones, else characters. With each
    come its characters, and the pairs that begin in it."""
    at = 0
    while at < len(run):
        length, known = 1, None
        for length in range(min(CHINESE_LONGEST, len(run) - at), 0, -1):
            known = CHINESE.get(run[at : at + length])
            if known is not None:
                break
        raw = run[at : at + length]
        characters = tuple(raw)
        pairs = tuple(run[i : i + 2] for i in range(at, at + length) if i + 2 <= len(run))
        if known is None:
            says = () if raw in CHINESE_STOP else (raw,)
            yield _Word(raw, characters + pairs, says)
        else:
            says = tuple(stem(term) for term in known.split())
            yield _Word(raw, characters + pairs + says, says)
        at += length


def _unclitic(run: str) -> list[str]:
    """A word without what hangs on it: "cat's" is "cat", "didn't" is "didn", "i'm" is "i"."""
    head, _, _ = run.replace("’", "'").partition("'")
    return [head] if head else []


def _uninflected(word: str) -> str:
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    if word.endswith("ied"):
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-1] if word.endswith("zes") and word[-4] in "aeiou" else word[:-2]
    if word.endswith("oes") and len(word) > 5:
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    if word.endswith("eed"):
        return word
    for ending in ("ed", "ing"):
        root = word.removesuffix(ending)
        if root != word and len(root) > 1 and _VOWEL.search(root):
            return _with_e(root)
    return word


def _with_e(root: str) -> str:
    """What "ed" or "ing" was put to: "clos" was "close", "stopp" was "stop", "jump" was "jump"."""
    if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "lsz":
        return root[:-1]
    if root[-1] in "cvu" or root.endswith(("dg", "iz", "yz")):
        return root + "e"
    if root[-1] == "s" and root[-2] not in "su":
        return root + "e"
    if len(root) > 3 and root[-1] == "l" and root[-2] not in "aeiouylrw":
        return root + "e"
    if len(root) > 4 and root.endswith("at") and root[-3] not in "aeiou":
        return root + "e"
    return root + "e" if _SHORT.fullmatch(root) else root


def _without_e(word: str) -> str:
    """Long words lose a final e, so that "arrive" and "arriv(ed)" are one."""
    return word[:-1] if len(word) > 5 and word.endswith("e") and word.isascii() else word


def _address(match: re.Match[str]) -> tuple[int, int]:
    return match.start(), match.start() + len(match[0].rstrip(".,;:!?)\"'"))


def _abbreviated(text: str, begin: int, end: int) -> bool:
    """Whether the full stop before `end` belongs to an abbreviation or an initial."""
    word = _LAST_WORD.search(text, begin, end - 1)
    if word is None or not text[end:].strip():
        return False
    said, follows = word[0].lower(), text[end:].lstrip()[:1]
    if said in _MAY_END:
        return follows.isdigit() if said == "no" else not follows.isupper()
    return said in _ABBREVIATIONS or (len(word[0]) == 1 and word[0].isupper())


_STATES = frozenset(("turnon", "turnoff", "leftside", "rightside", "leave", "lamp"))
_SAME = {stem(word): stem(term) for word, term in vocabulary.SAME.items()}
_PHRASES = {
    (stem(first), stem(second)): tuple(stem(term) for term in becomes)
    for (first, second), becomes in vocabulary.PHRASES.items()
}
