"""Frozen dataclasses to JSON lines and back.

Reading is strict: a damaged or foreign record is an error that names the field.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from aura_core.errors import InputError

T = TypeVar("T")


def to_line(record: Any) -> str:
    """Return one line of JSON. The same record always gives the same bytes."""
    data = {
        "type": type(record).__name__,
        "version": type(record).VERSION,
        **dataclasses.asdict(record),
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def from_line(cls: type[T], line: str, where: str) -> T:
    """Return the record in `line`.

    Raises `InputError` that names `where` and the wrong field.
    """
    try:
        data = json.loads(line)
    except ValueError as e:
        raise InputError(f"{where}: not a line of JSON: {e}") from e
    if not isinstance(data, dict):
        raise InputError(f"{where}: expected a JSON object, found {type(data).__name__}")
    kind, version = data.pop("type", None), data.pop("version", None)
    if kind != cls.__name__:
        raise InputError(f"{where}: expected a {cls.__name__}, found {kind!r}")
    if version != cls.VERSION:  # type: ignore[attr-defined]
        raise InputError(
            f"{where}: {kind} has version {version!r}, this program reads {cls.VERSION}"
        )  # type: ignore[attr-defined]
    return build(cls, data, where)


def build(cls: type[T], data: Any, where: str) -> T:
    """Return a dataclass from plain JSON values.

    Every field must be present, and no other. Raises `InputError`.
    """
    if not isinstance(data, dict):
        raise InputError(
            f"{where}: expected an object with the fields of {cls.__name__}, found {data!r:.60}"
        )
    hints = _hints(cls)
    if missing := [n for n in hints if n not in data]:
        raise InputError(f"{where}: the field '{missing[0]}' is missing")
    if unknown := [n for n in data if n not in hints]:
        raise InputError(f"{where}: unknown field '{unknown[0]}'")
    values = {name: _value(hint, data[name], f"{where}: {name}") for name, hint in hints.items()}
    try:
        return cls(**values)
    except ValueError as e:
        raise InputError(f"{where}: {e}") from e


@cache
def _hints(cls: type) -> dict[str, Any]:
    """Return the types of the fields. Class variables such as VERSION are not fields."""
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, where)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise InputError(f"{where} must be a list, not {value!r:.60}")
        item = typing.get_args(hint)[0]
        return tuple(_value(item, v, f"{where}[{i}]") for i, v in enumerate(value))
    if isinstance(hint, types.UnionType):  # X | None
        kinds = [k for k in typing.get_args(hint) if k is not type(None)]
        return None if value is None else _value(kinds[0], value, where)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if value not in [str(m) for m in hint]:
            raise InputError(f"{where} must be one of {', '.join(hint)}, not {value!r:.60}")
        return hint(value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise InputError(f"{where} must be {hint.__name__}, not {value!r:.60}")
    return value
