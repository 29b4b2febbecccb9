"""Expectations of a bag: a YAML file of what has to be said, and when, and of what must not be.

    within_s: 1.5                       # tolerance of `at`, in seconds
    ask:
      - {at: 1, text: Warn me if the person falls.}
    expect:
      - alert: Warn me if the person falls.
        window: [10, 14]
        words: [person, fell]
      - answer: What is on the table?   # asked in the bag
        at: 20
        matches: cups?|mugs?
    forbidden:
      - matches: fire|smoke
    most_false_alarms: 0

Times are seconds from the first frame of the bag. Words are compared without case and punctuation.
`judge.py` compares this with what was said.
"""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from aura_core.errors import ConfigError, shown
from aura_core.plain import read_yaml
from aura_core.words import shorten, spoken_words

ANY = "any"  # in place of a question's text: words to whichever question
WITHIN_S = 1.0
MOST_S = 1e9  # as for `--ask`

TEXT_KEYS = ("bag", "image_topic", "text_topic")
FILE_KEYS = (*TEXT_KEYS, "within_s", "ask", "expect", "forbidden", "most_false_alarms")
ASK_KEYS = ("at", "text")
RULE_KEYS = ("answer", "alert", "window", "at", "within_s", "words", "matches")
T = TypeVar("T")


def tokens(text: str) -> list[str]:
    """The words of `text` for comparison: without case, punctuation and apostrophes.

    Each Chinese, Japanese or Korean character is a word.

    >>> tokens("The cat's on 桌子.")
    ['the', 'cat', 's', 'on', '桌', '子']
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return [part for word in spoken_words(plain) for part in word.split("'")]


def has_phrase(words: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether `phrase` occurs in `words`, unbroken."""
    n = len(phrase)
    return any(list(words[i : i + n]) == list(phrase) for i in range(len(words) - n + 1))


@dataclass(frozen=True)
class Content:
    """What words have to say. Empty: anything.

    `words`: each of these words or phrases occurs, as whole words, in any order. `matches`: this
    regular expression is found, in either case. Where both are given, both must hold.
    """

    words: tuple[str, ...] = ()
    matches: str | None = None

    def lacks(self, text: str) -> str:
        """What `text` lacks, in words: "the word 'cup'"; "" when it has all."""
        said = tokens(text)
        missing = [w for w in self.words if not has_phrase(said, tokens(w))]
        if missing:
            noun = "word" if len(missing) == 1 else "words"
            return f"the {noun} {', '.join(repr(w) for w in missing)}"
        if self.matches is not None and not re.search(self.matches, text, re.IGNORECASE):
            return f"a match of '{self.matches}'"
        return ""

    def __str__(self) -> str:
        parts = [", ".join(self.words)] if self.words else []
        parts += [f"/{self.matches}/"] if self.matches is not None else []
        return " and ".join(parts)


@dataclass(frozen=True)
class Rule:
    """One expectation, or one thing that is forbidden.

    `where` is its key path in the file, such as "expect[0]". `kind` is None where answers and
    alerts count alike (only in what is forbidden). `to` is the text of the question or watch, or
    `ANY`. `from_s` and `until_s` are seconds from the first frame; both belong to the window.
    """

    where: str
    kind: Literal["answer", "alert"] | None = None
    to: str = ANY
    from_s: float = 0.0
    until_s: float = math.inf
    content: Content = field(default_factory=Content)

    @property
    def anytime(self) -> bool:
        """Whether there is no window."""
        return self.from_s == 0.0 and math.isinf(self.until_s)

    def holds(self, at_s: float) -> bool:
        """Whether a time, in seconds, lies in the window."""
        return self.from_s <= at_s <= self.until_s

    def __str__(self) -> str:
        text = self.kind or "words"
        text += "" if self.to == ANY else f" to '{shorten(self.to)}'"
        text += "" if self.anytime else f" in {self.from_s:g}..{self.until_s:g} s"
        return f"{text}: {self.content}" if str(self.content) else text


@dataclass(frozen=True)
class AskedBy:
    """A question that the file asks `at_s` seconds after the first frame."""

    at_s: float
    text: str


@dataclass(frozen=True)
class Expectations:
    """The content of a file of expectations.

    `most_false_alarms` is the most alerts that may match no expectation; None: any number. `bag` is
    relative to the file, and the topics are as in `Bag`; None: not given.
    """

    expect: tuple[Rule, ...] = ()
    forbidden: tuple[Rule, ...] = ()
    ask: tuple[AskedBy, ...] = ()
    most_false_alarms: int | None = 0
    within_s: float = WITHIN_S
    bag: str | None = None
    image_topic: str | None = None
    text_topic: str | None = None


def read(path: Path) -> Expectations:
    """The expectations in a YAML file.

    Raises `ConfigError`: one line with the file, the key path and what is allowed.
    """
    data = read_yaml(path, "expectations")
    _refuse_traps(path)
    return parse(data, str(path))


def parse(data: Mapping[str, Any], where: str) -> Expectations:
    """The expectations in a YAML document. `where` names it in the `ConfigError`s."""
    _refuse_unknown(data, FILE_KEYS, where)
    within_s = _seconds(data.get("within_s", WITHIN_S), f"{where}: within_s")
    most = data.get("most_false_alarms", 0)
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 0):
        raise ConfigError(
            f"{where}: most_false_alarms: must be a whole number of at least 0, or null (any"
            f" number), not {_shown(most)}"
        )
    found = Expectations(
        expect=tuple(_each(data, "expect", where, lambda d, w: _expected(d, w, within_s))),
        forbidden=tuple(_each(data, "forbidden", where, lambda d, w: _forbidden(d, w, within_s))),
        ask=tuple(_each(data, "ask", where, _ask)),
        most_false_alarms=most,
        within_s=within_s,
        **{k: _text(data[k], f"{where}: {k}") for k in TEXT_KEYS if k in data},
    )
    if not found.expect and not found.forbidden and most is None:
        raise ConfigError(
            f"{where}: nothing is checked; give expect, forbidden or most_false_alarms"
        )
    return found


def _each(
    data: Mapping[str, Any], key: str, where: str, one: Callable[[dict[str, Any], str], T]
) -> list[T]:
    """The entries of the list `key`, each read by `one`."""
    entries = data.get(key)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ConfigError(f"{where}: {key}: must be a list ('- ...'), not {_shown(entries)}")
    out = []
    for i, entry in enumerate(entries):
        at = f"{where}: {key}[{i}]"
        if not isinstance(entry, dict):
            raise ConfigError(f"{at}: must be a mapping ('key: value'), not {_shown(entry)}")
        out.append(one(entry, at))
    return out


def _ask(data: dict[str, Any], where: str) -> AskedBy:
    _refuse_unknown(data, ASK_KEYS, where)
    for key in ASK_KEYS:
        if data.get(key) is None:
            raise ConfigError(
                f"{where}: {key} is missing; a question is {{at: SECONDS, text: ...}}"
            )
    return AskedBy(_seconds(data["at"], f"{where}.at"), _text(data["text"], f"{where}.text"))


def _expected(data: dict[str, Any], where: str, within_s: float) -> Rule:
    _refuse_unknown(data, RULE_KEYS, where)
    if ("answer" in data) == ("alert" in data):
        raise ConfigError(
            f"{where}: give either answer or alert, with the text of the question or '{ANY}'"
        )
    return _rule(data, where, within_s)


def _forbidden(data: dict[str, Any], where: str, within_s: float) -> Rule:
    _refuse_unknown(data, RULE_KEYS, where)
    if "answer" in data and "alert" in data:
        raise ConfigError(
            f"{where}: give answer or alert, not both; without them both are forbidden"
        )
    if not data:
        raise ConfigError(f"{where}: is empty; give at least one of {', '.join(RULE_KEYS)}")
    return _rule(data, where, within_s)


def _rule(data: dict[str, Any], where: str, within_s: float) -> Rule:
    kind: Literal["answer", "alert"] | None = None
    if "answer" in data:
        kind = "answer"
    elif "alert" in data:
        kind = "alert"
    to = ANY if kind is None else _text(data[kind], f"{where}.{kind}")
    if to != ANY and not tokens(to):
        raise ConfigError(f"{where}.{kind}: '{shorten(to)}' has no words")
    from_s, until_s = _window(data, where, within_s)
    path = where.rpartition(": ")[2]
    return Rule(path, kind, to, from_s, until_s, _content(data, where))


def _window(data: dict[str, Any], where: str, within_s: float) -> tuple[float, float]:
    if "window" in data:
        if "at" in data or "within_s" in data:
            raise ConfigError(f"{where}: give window, or at with within_s, not both")
        window = data["window"]
        if not isinstance(window, list) or len(window) != 2:
            raise ConfigError(
                f"{where}.window: must be [FROM, TO] in seconds, not {_shown(window)}"
            )
        begin, end = (_seconds(t, f"{where}.window[{i}]") for i, t in enumerate(window))
        if end < begin:
            raise ConfigError(
                f"{where}.window: ends at {end:g} s before it begins at {begin:g} s; it must be"
                " [FROM, TO]"
            )
        return begin, end
    if "at" in data:
        at = _seconds(data["at"], f"{where}.at")
        own = _seconds(data.get("within_s", within_s), f"{where}.within_s")
        return max(0.0, round(at - own, 3)), round(at + own, 3)
    if "within_s" in data:
        raise ConfigError(f"{where}: within_s is the tolerance of at, which is missing")
    return 0.0, math.inf


def _content(data: dict[str, Any], where: str) -> Content:
    words = data.get("words", [])
    if isinstance(words, str | int) and not isinstance(words, bool):
        words = [words]
    if not isinstance(words, list):
        raise ConfigError(f"{where}.words: must be a list of words, not {_shown(words)}")
    if not words and "words" in data:
        raise ConfigError(f"{where}.words: is empty; leave it out where any words will do")
    # YAML reads 2 as a number; `_refuse_traps` has refused those that it reads as another one
    words = [str(w) if isinstance(w, int) and not isinstance(w, bool) else w for w in words]
    for i, word in enumerate(words):
        if not tokens(_text(word, f"{where}.words[{i}]")):
            raise ConfigError(f"{where}.words[{i}]: '{shorten(word)}' has no letters or digits")
    pattern = None
    if "matches" in data:
        pattern = _text(data["matches"], f"{where}.matches")
        try:
            re.compile(pattern, re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as e:
            raise ConfigError(
                f"{where}.matches: '{shorten(pattern)}' is no regular expression: {e}"
            ) from e
    return Content(tuple(words), pattern)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):  # YAML reads 2.50 and no as a number and as false
        raise ConfigError(f"{where}: must be text, not {_shown(value)}; put it into quotes")
    if not value.strip():
        raise ConfigError(f"{where}: must be text, and is empty")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise ConfigError(f"{where}: has half a surrogate pair, which is no character")
    return value


def _seconds(value: Any, where: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0.0 <= value <= MOST_S:
        raise ConfigError(f"{where}: must be seconds from 0 to {MOST_S:g}, not {_shown(value)}")
    return round(float(value), 3)


def _shown(value: Any) -> str:
    return shorten(shown(value))


def _refuse_unknown(data: Mapping[Any, Any], known: Sequence[str], where: str) -> None:
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known keys are {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key '{shorten(str(key))}'; {hint}")


def _refuse_traps(path: Path) -> None:
    """Raise `ConfigError` for what YAML would change silently.

    That is a key that stands twice, of which the first is dropped, and a number such as 1:30 or
    017, which is read as 90 or 15.
    """
    import yaml

    waiting = [yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)]
    seen: set[int] = set()  # an alias is the node that it names
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode) and _read_otherwise(node.tag, node.value):
            line = node.start_mark.line + 1
            raise ConfigError(
                f"{path}: line {line}: YAML reads {shorten(node.value)} as another number; write"
                " seconds, and put words into quotes"
            )
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            given: set[str] = set()
            for key, value in node.value:
                waiting.append(value)
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in given:
                    line = key.start_mark.line + 1
                    raise ConfigError(f"{path}: line {line}: '{key.value}' is given twice")
                given.add(key.value)


def _read_otherwise(tag: str, text: str) -> bool:
    """Whether YAML reads a number whose digits are not those of the text."""
    if tag == "tag:yaml.org,2002:int":
        return re.fullmatch(r"[-+]?(0|[1-9][0-9]*)", text) is None
    return tag == "tag:yaml.org,2002:float" and ":" in text
