"""Questions with answers that know no time: LLaVA's `conversations`, or `messages`.

    {"id": "1", "image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\\nWhat is
     this?"}, {"from": "gpt", "value": "A cup."}]}
    {"messages": [{"role": "user", "content": "<image>What is this?"}, {"role": "assistant",
     "content": "A cup."}], "images": ["a.jpg"]}
    {"messages": [{"role": "user", "content": [{"type": "video", "video": "a.mp4"}, {"type": "text",
     "text": "What happens?"}]}, ...]}

`<image>` and `<video>` stand for the next file of `image(s)` or `video(s)`. Files that no mark
stands for are shown before the first question, where there is no mark at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.data.exchange.entries import BadEntry, Entry, entries, text_of
from aura_core.models.grammar import FORMS

SUFFIXES = (".json", ".jsonl")
USER, ASSISTANT, SYSTEM = ("human", "user"), ("gpt", "assistant", "model"), ("system",)
_MARK = re.compile(r"(<image>|<video>)")


@dataclass(frozen=True)
class Named:
    """A picture or a video by its name in the file."""

    kind: str  # image or video
    name: str


@dataclass(frozen=True)
class Asked:
    """A question in parts (texts and media), and its answer."""

    parts: tuple[str | Named, ...]
    answer: str


@dataclass(frozen=True)
class Exchange:
    """One sample of a file. `where` is its file and line."""

    where: str
    id: str
    system: str
    rounds: tuple[Asked, ...]

    @property
    def media(self) -> list[Named]:
        """All pictures and videos, in order."""
        return [p for r in self.rounds for p in r.parts if isinstance(p, Named)]


def exchanges(path: Path) -> Iterator[Exchange | BadEntry]:
    """Yield the samples of one file, and what is left out of it. Raises `InputError`."""
    for entry in entries(path):
        if isinstance(entry, BadEntry):
            yield entry
            continue
        try:
            yield _exchange(entry)
        except BadEntry as e:
            yield e


def _exchange(entry: Entry) -> Exchange:
    name, turns = entry.field("conversations", "messages")
    name = name or "conversations"
    if not isinstance(turns, list) or not turns:
        raise BadEntry(entry.where, name, "must be a list of turns", turns)
    system, rounds = "", []
    waiting = _Waiting(entry)
    asked: tuple[str | Named, ...] | None = None
    for index, turn in enumerate(turns):
        where = f"{name}[{index}]"
        role, content = _turn(entry.where, where, turn)
        if role == "system":
            if index:
                raise BadEntry(entry.where, where, "a system text must come first")
            system = text_of(entry.where, where, content)
        elif (role == "user") != (asked is None):
            raise BadEntry(entry.where, where, "questions and answers must alternate", role)
        elif role == "user":
            asked = waiting.parts(content, where)
        else:
            assert asked is not None
            rounds.append(Asked(asked, _answer(entry.where, where, content)))
            asked = None
    if asked is not None:
        raise BadEntry(entry.where, f"{name}[{len(turns) - 1}]", "the last question has no answer")
    if not rounds:
        raise BadEntry(entry.where, name, "has no answer")
    rounds[0] = Asked((*waiting.rest(), *rounds[0].parts), rounds[0].answer)
    told = entry.value.get("id")
    return Exchange(entry.where, "" if told is None else str(told), system, tuple(rounds))


class _Waiting:
    """The files of an entry, which marks in its questions stand for."""

    def __init__(self, entry: Entry) -> None:
        self._where, self._marks = entry.where, 0
        self._files = {kind: _names(entry, kind) for kind in ("image", "video")}

    def parts(self, content: Any, where: str) -> tuple[str | Named, ...]:
        """Return a question in parts. Raises `BadEntry`."""
        parts: list[str | Named] = []
        if isinstance(content, str):
            for piece in _MARK.split(content):
                if piece in ("<image>", "<video>"):
                    parts.append(self._next(piece[1:-1], where))
                elif piece.strip():
                    parts.append(text_of(self._where, where, piece))
        elif isinstance(content, list):
            for index, inner in enumerate(content):
                parts.append(self._inner(inner, f"{where}.content[{index}]"))
        else:
            raise BadEntry(self._where, where, "must be a text or a list of parts", content)
        if not any(isinstance(p, str) for p in parts):
            raise BadEntry(self._where, where, "has no words")
        return tuple(parts)

    def rest(self) -> list[Named]:
        """Return the files that no mark stands for. Raises `BadEntry` when only some are so."""
        rest = [Named(kind, name) for kind, names in self._files.items() for name in names]
        if rest and self._marks:
            told = f"has more files than marks stand for, the first is {rest[0].name}"
            raise BadEntry(self._where, rest[0].kind, told)
        return rest

    def _next(self, kind: str, where: str) -> Named:
        self._marks += 1
        if not self._files[kind]:
            raise BadEntry(self._where, where, f"has <{kind}> for which no file is named")
        return Named(kind, self._files[kind].pop(0))

    def _inner(self, inner: Any, where: str) -> str | Named:
        kind = inner.get("type") if isinstance(inner, dict) else None
        if kind == "text":
            return text_of(self._where, where, inner.get("text"))
        if kind not in ("image", "video"):
            raise BadEntry(self._where, where, "must have the type text, image or video", kind)
        name = inner.get(kind)
        if name is None:
            return self._next(kind, where)
        return Named(kind, text_of(self._where, f"{where}.{kind}", name))


def _names(entry: Entry, kind: str) -> list[str]:
    name, value = entry.field(kind, f"{kind}s")
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    return [text_of(entry.where, name, v) for v in values]


def _turn(where: str, name: str, turn: Any) -> tuple[str, Any]:
    """Return the role of a turn (user, assistant or system) and its content. Raises `BadEntry`."""
    if not isinstance(turn, dict):
        raise BadEntry(where, name, "must be an object", turn)
    told = turn.get("from", turn.get("role"))
    roles = {"user": USER, "assistant": ASSISTANT, "system": SYSTEM}
    role = next((r for r, names in roles.items() if told in names), None)
    if role is None:
        raise BadEntry(where, f"{name}.role", "must be user, assistant or system", told)
    return role, turn.get("value", turn.get("content"))


def _answer(where: str, name: str, content: Any) -> str:
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        content = content[0].get("text")
    text = text_of(where, name, content)
    if any(text.startswith(m) for form in FORMS.values() for m in form.markers):
        told = "is a decision of a stream; import its annotation, not the converted sample"
        raise BadEntry(where, name, told)
    return text
