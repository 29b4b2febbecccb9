"""Messages of the server as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from aura_core.console.protocol.events import Asked, Message, Refused, Said
from aura_core.console.reasons import beside, find


def encode(message: Message) -> str:
    """A message of the server as JSON text."""
    return json.dumps(as_json(message), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def as_json(message: Any) -> dict[str, Any]:
    """A message as an object of JSON, with its `type`."""
    return {"type": type_name(type(message)), **_fields(message)}


@cache
def type_name(kind: type) -> str:
    """The `type` of a class of messages: `CameraStatus` is "camera_status"."""
    name = kind.__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind))


# The fields of `Snapshot.conversation` hold several classes, so these values have their `type` too.
_TYPED = (Asked, Said, Refused)


def _fields(message: Any) -> dict[str, Any]:
    kind = type(message)
    found = {name: _value(name, getattr(message, name)) for name in _names(kind)}
    for name in _reasons(kind):
        found |= _beside(name, getattr(message, name))
    return found


@cache
def _reasons(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if "reason" in f.metadata)


def _beside(name: str, reason: str | Mapping[str, str]) -> dict[str, object]:
    if isinstance(reason, str):
        return beside(name, reason)
    found = {key: one for key, text in reason.items() if (one := find(text)) is not None}
    codes = {key: code for key, (code, _) in found.items()}
    values = {key: dict(some) for key, (_, some) in found.items()}
    return {f"{name}_code": codes, f"{name}_values": values}


def _value(name: str, value: Any) -> Any:
    if name.endswith("_ns") and isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | int | bool | None):
        return value
    if isinstance(value, tuple | list):
        return [_value(name, one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _value(str(key), one) for key, one in value.items()}
    return as_json(value) if isinstance(value, _TYPED) else _fields(value)
