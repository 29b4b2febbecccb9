"""The grammar of a recogniser for a fixed set of sentences.

It has templates with slots, and the match of a text against them.

A template is plain words, `{slot}`s and `[optional]` parts: "is there {thing} [on the table]?". A
slot has alternatives. An alternative may have a weight in front, if it is more likely than others:
`the: /8/ the | a`. A file of templates looks like this:

    # One template a line. A slot may be defined before or after its use, and may replace a slot of
    # the grammar to which the file is added.
    tool: hammer | screw driver
    bring me {the} {tool}
    flumox = F L UW M AH K S    # the pronunciation of a word outside the dictionary (ARPAbet)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aura_core.errors import ConfigError

TOKEN = re.compile(
    r"\{(?P<slot>\w+)\}|(?P<open>\[)|(?P<close>\])|(?P<word>[a-z]+(?:'[a-z]+)*)|(?P<space>[\s?.,!]+)"
)
PHONES = frozenset(
    """
    AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH
    UW V W Y Z ZH
    """.split()  # noqa: SIM905
)
MAX_DEPTH = 8  # of slots inside slots


@dataclass(frozen=True)
class Word:
    text: str


@dataclass(frozen=True)
class Slot:
    name: str


@dataclass(frozen=True)
class Optional:
    parts: tuple[Part, ...]


Part = Word | Slot | Optional


@dataclass(frozen=True)
class Alternative:
    """One alternative of a slot."""

    parts: tuple[Part, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class Grammar:
    """Templates, slots, and pronunciations (ARPAbet) of words that the dictionary lacks.

    Raises ConfigError without templates, for an unknown slot, and for slots that contain
    themselves.
    """

    templates: tuple[tuple[Part, ...], ...]
    slots: Mapping[str, tuple[Alternative, ...]]
    pronunciations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.templates:
            raise ConfigError("grammar: there are no templates")
        for template in self.templates:
            self._check(template, ())

    def _check(self, parts: tuple[Part, ...], above: tuple[str, ...]) -> None:
        for part in parts:
            if isinstance(part, Optional):
                self._check(part.parts, above)
            if not isinstance(part, Slot):
                continue
            if part.name not in self.slots:
                raise ConfigError(f"grammar: there is no slot {{{part.name}}}")
            if part.name in above or len(above) >= MAX_DEPTH:
                raise ConfigError(
                    f"grammar: the slot {{{part.name}}} contains itself, or slots are nested too"
                    " deeply"
                )
            for choice in self.slots[part.name]:
                self._check(choice.parts, (*above, part.name))

    def words(self) -> set[str]:
        """Return every word of the grammar."""
        choices = [c.parts for name in self._used() for c in self.slots[name]]
        return {w for parts in (*self.templates, *choices) for w in _words(parts)}

    def matches(self, text: str) -> bool:
        """Whether `text` is a sentence of the grammar, word by word."""
        matcher = _Matcher(self.slots, _said(text))
        return any(len(matcher.said) in matcher.ends(t, frozenset({0})) for t in self.templates)

    def goes_on(self, text: str) -> bool:
        """Whether a longer sentence of the grammar begins with `text`."""
        matcher = _Matcher(self.slots, _said(text))
        for template in self.templates:
            matcher.ends(template, frozenset({0}))
        return matcher.goes_on

    def _used(self) -> set[str]:
        used: set[str] = set()
        todo = [s for t in self.templates for s in _slots(t)]
        while todo:
            name = todo.pop()
            if name not in used:
                used.add(name)
                todo += [s for c in self.slots[name] for s in _slots(c.parts)]
        return used


class _Matcher:
    """Matches the words of one text against parts of templates.

    `ends` returns the positions at which a part may end, given those at which it may start.
    """

    def __init__(self, slots: Mapping[str, tuple[Alternative, ...]], said: list[str]) -> None:
        self.said = said
        self.goes_on = False  # whether a template has one more word after the text's last one
        self._slots = slots
        self._known: dict[tuple[str, frozenset[int]], frozenset[int]] = {}

    def ends(self, parts: tuple[Part, ...], starts: frozenset[int]) -> frozenset[int]:
        for part in parts:
            if isinstance(part, Word):
                self.goes_on = self.goes_on or len(self.said) in starts
                starts = frozenset(
                    i + 1 for i in starts if i < len(self.said) and self.said[i] == part.text
                )
            elif isinstance(part, Optional):
                starts = starts | self.ends(part.parts, starts)
            else:
                starts = self._slot(part.name, starts)
            if not starts:
                break
        return starts

    def _slot(self, name: str, starts: frozenset[int]) -> frozenset[int]:
        if (name, starts) not in self._known:  # a cache, because many templates share a slot
            found = (self.ends(c.parts, starts) for c in self._slots[name])
            self._known[name, starts] = frozenset().union(*found)
        return self._known[name, starts]


def parse(lines: str, name: str, base: Grammar | None = None) -> Grammar:
    """Return the grammar of a text in the format above, added to `base`.

    Raises ConfigError that begins with `name` and the line number.
    """
    templates = list(base.templates) if base else []
    slots = dict(base.slots) if base else {}
    pronunciations = dict(base.pronunciations) if base else {}
    own: dict[str, int] = {}
    uses: list[tuple[int, tuple[Part, ...]]] = []
    for number, raw in enumerate(lines.splitlines(), 1):
        line = raw.split("#", 1)[0].strip()
        where = f"{name}:{number}"
        if not line:
            continue
        if "=" in line:
            word, phones = (side.strip() for side in line.split("=", 1))
            pronunciations[word.lower()] = _phones(phones, word, where)
        elif ":" in line:
            slot, options = (side.strip() for side in line.split(":", 1))
            if not re.fullmatch(r"\w+", slot):
                raise ConfigError(
                    f"{where}: '{slot}' is no name of a slot: letters, digits and _ only"
                )
            if slot in own:
                raise ConfigError(f"{where}: the slot '{slot}' was defined in line {own[slot]}")
            own[slot] = number
            slots[slot] = tuple(_choice(option, where) for option in options.split("|"))
            uses += [(number, c.parts) for c in slots[slot]]
        else:
            template = parse_parts(line, where)
            if template not in templates:
                templates.append(template)
            uses.append((number, template))
    for number, parts in uses:
        for slot in _slots(parts):
            if slot not in slots:
                raise ConfigError(
                    f"{name}:{number}: there is no slot {{{slot}}}; define it in a line '{slot}: a"
                    " | b'"
                )
    try:
        return Grammar(tuple(templates), slots, pronunciations)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def read_grammar(path: Path, base: Grammar | None = None) -> Grammar:
    """Return the grammar of a file, added to `base`. Raises ConfigError."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path), base)
    except OSError as error:
        raise ConfigError(f"asr.grammar_file: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"asr.grammar_file: {path} is not UTF-8 text") from error


def parse_parts(text: str, where: str) -> tuple[Part, ...]:
    """Return the parts of a template. Raises ConfigError that begins with `where`."""
    stack: list[list[Part]] = [[]]
    at = 0
    text = text.lower()
    while at < len(text):
        token = TOKEN.match(text, at)
        if token is None:
            raise ConfigError(
                f"{where}: '{text[at]}' in '{text}': only words, {{slots}} and [optional parts] are"
                " allowed"
            )
        at = token.end()
        if token["word"]:
            stack[-1].append(Word(token["word"]))
        elif token["slot"]:
            stack[-1].append(Slot(token["slot"]))
        elif token["open"]:
            stack.append([])
        elif token["close"]:
            inner = tuple(stack.pop())
            if not stack or not inner:
                raise ConfigError(
                    f"{where}: a ] without its [, or nothing between them, in '{text}'"
                )
            stack[-1].append(Optional(inner))
    if len(stack) != 1:
        raise ConfigError(f"{where}: a [ without its ] in '{text}'")
    if all(isinstance(p, Optional) for p in stack[0]):
        raise ConfigError(f"{where}: '{text}' has no word or slot that must be said")
    return tuple(stack[0])


def _choice(text: str, where: str) -> Alternative:
    found = re.fullmatch(r"\s*(?:/(?P<weight>[^/]*)/)?(?P<rest>.*)", text)
    assert found is not None
    weight = 1.0
    if found["weight"] is not None:
        if (
            not re.fullmatch(r"\s*\d+(\.\d+)?\s*", found["weight"])
            or not float(found["weight"]) > 0.0
        ):
            raise ConfigError(f"{where}: the weight /{found['weight']}/ must be a positive number")
        weight = float(found["weight"])
    return Alternative(parse_parts(found["rest"].strip(), where), weight)


def _phones(text: str, word: str, where: str) -> str:
    phones = text.upper().split()
    wrong = [p for p in phones if p not in PHONES]
    if not re.fullmatch(r"[A-Za-z]+(?:'[A-Za-z]+)*", word) or not phones or wrong:
        hint = f": {' '.join(wrong)}" if wrong else ""
        raise ConfigError(
            f"{where}: 'word = PHONES' takes one word and ARPAbet sounds without stress{hint}"
        )
    return " ".join(phones)


def _said(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower())


def _words(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Word):
            yield part.text
        elif isinstance(part, Optional):
            yield from _words(part.parts)


def _slots(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Slot):
            yield part.name
        elif isinstance(part, Optional):
            yield from _slots(part.parts)
