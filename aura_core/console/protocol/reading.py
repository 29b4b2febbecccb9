"""Commands of a page, out of JSON that anyone may have written: every field is checked."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from aura_core.console.protocol.commands import Command, Enter
from aura_core.console.protocol.writing import type_name
from aura_core.errors import InputError
from aura_core.words import is_blank

_COMMANDS = {type_name(kind): kind for kind in typing.get_args(Command)}


def parse(text: str) -> tuple[int, Command]:
    """A command of a page and its id. Raises `BadCommand`, with the id where it can be read."""
    data = _object(text)
    number = data.pop("id", None)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**32:
        raise BadCommand(f"a command needs an id from 1 to {2**32 - 1}")
    try:
        name = data.pop("type", None)
        kind = _COMMANDS.get(name) if isinstance(name, str) else None
        if kind is None:
            raise InputError(f"type must be one of {', '.join(_COMMANDS)}, not {_short(name)}")
        return number, _made(kind, data)
    except InputError as e:
        raise BadCommand(str(e), number) from e


def parse_enter(text: str) -> Enter:
    """The first message of a page. Raises `InputError`."""
    data = _object(text)
    if data.pop("type", None) != "enter":
        raise InputError('the first message must be of type "enter"')
    return typing.cast(Enter, _made(Enter, data))


class BadCommand(InputError):
    """A command that cannot be read. `id` is its id; None where that cannot be read either."""

    def __init__(self, message: str, id: int | None = None) -> None:
        super().__init__(message)
        self.id = id


def _object(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        raise BadCommand(f"not JSON: {str(e)[:100]}") from e
    if not isinstance(data, dict):
        raise BadCommand("a message must be an object of JSON")
    return data


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _made(kind: type, data: Mapping[str, Any]) -> Any:
    hints, values = _hints(kind), dict[str, Any]()
    for f in dataclasses.fields(kind):
        if f.name in data:
            values[f.name] = _checked(f.name, data[f.name], hints[f.name], f.metadata)
        elif f.default is dataclasses.MISSING:
            raise InputError(f"{type_name(kind)}: {f.name} is missing")
    if unknown := sorted(set(data) - set(hints)):
        raise InputError(f"{type_name(kind)}: {_short(unknown[0])} is not known")
    return kind(**values)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _checked(name: str, value: Any, hint: Any, bounds: Mapping[str, Any]) -> Any:
    """The value of a field, if it has the right type and lies within its bounds."""
    if isinstance(hint, types.UnionType):  # X | None
        if value is None:
            return None
        hint = next(one for one in typing.get_args(hint) if one is not type(None))
    if typing.get_origin(hint) is tuple:
        many = bounds["many"]
        if not isinstance(value, list) or len(value) > many:
            raise InputError(f"{name} must be a list of at most {many}")
        return tuple(_checked(name, one, str, bounds) for one in value)
    if hint is bool:
        if not isinstance(value, bool):
            raise InputError(f"{name} must be true or false, not {_short(value)}")
        return value
    if hint is str:
        return _text(name, value, bounds)
    return _number(name, value, hint, bounds)


def _text(name: str, value: Any, bounds: Mapping[str, Any]) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text, not {_short(value)}")
    if "one_of" in bounds:
        if value not in bounds["one_of"]:
            choices = ", ".join(repr(one) for one in bounds["one_of"])
            raise InputError(f"{name} must be one of {choices}, not {_short(value)}")
        return value
    if len(value) > bounds["most"]:
        raise InputError(f"{name} has {len(value)} characters; at most {bounds['most']} may be")
    if is_blank(value) and (bounds.get("least") or value.strip()):
        raise InputError(f"{name} is empty")
    # halves of surrogate pairs cannot be written anywhere
    return value.encode(errors="replace").decode().replace("\0", " ")


def _number(name: str, value: Any, hint: type, bounds: Mapping[str, Any]) -> int | float:
    if name.endswith("_ns") and isinstance(value, str) and len(value) <= 20:
        digits = value.removeprefix("-")
        value = int(value) if digits.isascii() and digits.isdecimal() else value
    allowed = int if hint is int else int | float
    if isinstance(value, bool) or not isinstance(value, allowed):
        if hint is int:
            raise InputError(f"{name} must be a whole number, not {_short(value)}")
        raise InputError(f"{name} must be a number, not {_short(value)}")
    if not bounds["least"] <= value <= bounds["most"]:
        raise InputError(f"{name} must be from {bounds['least']:g} to {bounds['most']:g}")
    return hint(value)


def _short(value: Any) -> str:
    text = json.dumps(value) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
