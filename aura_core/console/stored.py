"""Events of the console from lines of JSON, as a recording holds them."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from aura_core.console import protocol as p
from aura_core.errors import ConfigError, InputError
from aura_core.plain import convert

_KINDS = {p.type_name(kind): kind for kind in typing.get_args(p.Event)}


def event_of(line: Mapping[str, Any]) -> p.Event | None:
    """The event that `protocol.as_json` has written; None for a type that is not known here.

    Keys that are not known are left out, so a recording of a later version can be read. Raises
    `InputError` for a value of a wrong type, and for one that is missing.
    """
    kind = _KINDS.get(line.get("type", ""))
    if kind is None:
        return None
    try:
        return typing.cast(p.Event, _read(kind, line))
    except ConfigError as e:
        raise InputError(str(e)) from e


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _read(kind: Any, data: Any) -> Any:
    if not isinstance(data, Mapping):
        raise InputError(f"{p.type_name(kind)} must be an object")
    hints, values = _hints(kind), dict[str, Any]()
    for f in dataclasses.fields(kind):
        if f.name in data:
            values[f.name] = _value(hints[f.name], data[f.name], f.name)
        elif f.default is dataclasses.MISSING:
            raise InputError(f"{p.type_name(kind)}: {f.name} is missing")
    return kind(**values)


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{name} must be a list of objects")
    return value


def _value(hint: Any, value: Any, name: str) -> Any:
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise InputError(f"{name} must be a list")
        element = typing.get_args(hint)[0]
        if isinstance(element, types.UnionType):
            named = {p.type_name(one): one for one in typing.get_args(element)}
            listed = [v for v in value if _mapping(v, name).get("type") in named]
            return tuple(_read(named[v["type"]], v) for v in listed)
        return tuple(_read(element, v) for v in value)
    if name.endswith("_ns") and isinstance(value, str):
        digits = value.removeprefix("-")
        value = (
            int(value) if digits.isascii() and digits.isdecimal() and len(digits) < 20 else value
        )
    return convert(hint, value, name)
