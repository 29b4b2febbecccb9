"""Files of JSON values, read so that each value knows its line.

A file is a list of values, one value, or JSON lines. A value that cannot be used is left out with
one line that names file, line and field (`BadEntry`); the others are read on.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.errors import InputError, one_line

_BLANK = re.compile(r"[\s,]*")
_INDEX = re.compile(r"\[\d+\]")  # left out of a reason, so that reasons can be counted


class BadEntry(Exception):
    """An entry that is left out: `reason` is counted, and `where` names file and line.

    `field` is the name of the field that is wrong; "" where the whole entry is. `found` is its
    value, and `detail` says more of this one entry. `text` is the whole line where it is not JSON.
    """

    def __init__(
        self,
        where: str,
        field: str,
        reason: str,
        found: Any = None,
        detail: str = "",
        text: str = "",
    ) -> None:
        shown = "" if found is None else f", not {found!r:.60}"
        named = f"'{field}' " if field else ""
        super().__init__(f"{where}: {named}{reason}{shown}{detail and f': {detail}'}")
        self.where, self.field, self.text = where, field, text
        self.reason = _INDEX.sub("[]", named) + reason


@dataclass(frozen=True)
class Entry:
    """One value of a file: `where` is file and line, `key` its name in an object of objects."""

    where: str
    value: Any
    key: str = ""

    def field(self, *names: str) -> tuple[str, Any]:
        """Return the first of these fields that is there, as its name and value; ("", None).

        Raises `BadEntry` when the value is no object.
        """
        if not isinstance(self.value, Mapping):
            raise BadEntry(self.where, "", "an object is needed", self.value)
        return next(
            ((n, self.value[n]) for n in names if self.value.get(n) is not None), ("", None)
        )

    def text(self, *names: str, default: str | None = None) -> str:
        """Return a text that is not blank. Raises `BadEntry`."""
        name, value = self.field(*names)
        if value is None and default is not None:
            return default
        return text_of(self.where, name or names[0], value)

    def inner(self, value: Any) -> Entry:
        """Return a value within this one, with the same line."""
        return Entry(self.where, value)


def text_of(where: str, name: str, value: Any) -> str:
    """Return a value as a text that is not blank. Raises `BadEntry`."""
    if not isinstance(value, str) or not value.strip():
        raise BadEntry(where, name, "must be a text that is not empty", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadEntry(where, name, "must be Unicode text", value) from None
    return value.strip()


def seconds_of(where: str, name: str, value: Any) -> float:
    """Return a time in seconds from a number, a text such as "4.5", or a clock such as "1:02:03".

    Raises `BadEntry`.
    """
    found = value
    if isinstance(value, str):
        parts = value.strip().replace(",", ".").split(":")
        try:
            numbers = [float(p) for p in parts]
        except ValueError:
            raise BadEntry(where, name, "must be a time in seconds", value) from None
        if len(parts) > 3 or any(n < 0 for n in numbers) or any(n >= 60 for n in numbers[1:]):
            raise BadEntry(where, name, "must be a time in seconds", value)
        found = sum(n * 60**i for i, n in enumerate(reversed(numbers)))
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
        raise BadEntry(where, name, "must be a time in seconds", value)
    if found < 0:
        raise BadEntry(where, name, "must not be negative", value)
    return float(found)


def read_text(path: Path) -> str:
    """Return a file's text, UTF-8 with or without a mark of its byte order. Raises `InputError`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: cannot be read: {one_line(e)}") from e


def entries(path: Path) -> Iterator[Entry | BadEntry]:
    """Yield the values of a `.json` or `.jsonl` file; a `BadEntry` for a line that is not JSON.

    The values of a list come one by one, so that a large file is not held twice. An object whose
    values are all objects (dense captions) gives these, with their keys. Raises `InputError` for a
    file that cannot be read, and for a `.json` file that is not JSON: what follows the fault cannot
    be told apart.
    """
    text = read_text(path)
    if path.suffix == ".jsonl":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                where = f"{path}:{number}"
                try:
                    yield Entry(where, json.loads(line))
                except ValueError as e:
                    yield BadEntry(where, "", "not a line of JSON", detail=one_line(e), text=line)
        return
    start = _BLANK.match(text)
    assert start is not None
    if text[start.end() : start.end() + 1] == "[":
        yield from _listed(path, text, start.end() + 1)
        return
    value, _ = _decoded(path, text, start.end())
    if isinstance(value, dict) and value and all(isinstance(v, dict) for v in value.values()):
        yield from (Entry(f"{path}: '{key}'", inner, key) for key, inner in value.items())
    else:
        yield Entry(f"{path}:1", value)


def files(place: Path, *suffixes: str) -> list[Path]:
    """Return the files of these kinds below `place`, or `place` itself. Raises `InputError`."""
    if place.is_file():
        return [place]
    if not place.exists():
        raise InputError(f"{place}: there is no such file or folder")
    found = sorted(p for p in place.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
    if not found:
        raise InputError(f"{place}: no file there ends with {' or '.join(suffixes)}")
    return found


def _listed(path: Path, text: str, at: int) -> Iterator[Entry]:
    line, counted = 1, 0
    while True:
        blank = _BLANK.match(text, at)
        assert blank is not None
        at = blank.end()
        line += text.count("\n", counted, at)
        counted = at
        if text[at : at + 1] == "]":
            return
        value, at = _decoded(path, text, at)
        yield Entry(f"{path}:{line}", value)


def _decoded(path: Path, text: str, at: int) -> tuple[Any, int]:
    try:
        return json.JSONDecoder().raw_decode(text, at)
    except json.JSONDecodeError as e:
        raise InputError(f"{path}:{e.lineno}: not JSON: {e.msg}; nothing after it is read") from e
