"""Messages from text: an interface type by its name, and its fields from YAML.

Every value is checked against the type of its field before it is set: where messages are not built
as Release, a wrong one ends the process.

    twist = interface("geometry_msgs/msg/Twist", "msg")
    template = Template(twist, "{linear: {x: 0.2}}")
    template.fill({"text": "the person fell"}, Time(), Time())   # the message

In a text, `{text}` is replaced by the word `text` of the caller, and `{{text}}` stands for
`{text}`. A time may be `now`, or a word that is a time; a header may be `auto`.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import math
import re
from collections.abc import Mapping
from typing import Any

import yaml
from builtin_interfaces.msg import Time
from rclpy.type_support import check_for_type_support
from rosidl_parser import definition as idl
from std_msgs.msg import Header

from aura_core.errors import ConfigError, one_line, shown
from aura_core.plain import UNREADABLE, load_yaml
from aura_core.words import shorten

_KINDS = {"msg": "a message", "srv": "a service", "action": "an action"}
_EXAMPLES = {
    "msg": "std_msgs/msg/String",
    "srv": "std_srvs/srv/Trigger",
    "action": "nav2_msgs/action/NavigateToPose",
}
_NAME = re.compile(r"([a-z]\w*)/(msg|srv|action)/([A-Z]\w*)", re.ASCII)
_WORD = re.compile(r"\{\{(\w+)\}\}|\{(\w+)\}")
_INTEGER = re.compile(r"(u?)int(8|16|32|64)")
_FLOAT_MAX = (2 - 2**-23) * 2.0**127  # of 32 bits
_MOST, _LONGEST = 20, 500  # elements and characters that `plain` keeps


def interface(name: str, kind: str) -> Any:
    """The class of a message, service or action.

    Args:
        name: such as `std_srvs/srv/Trigger`.
        kind: msg, srv or action.

    Raises `ConfigError` when there is none on this machine.
    """
    what, example = _KINDS[kind], _EXAMPLES[kind]
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise ConfigError(f"type must be {what} such as {example}, not '{name}'")
    package, found, short = parts.groups()
    if found != kind:
        raise ConfigError(f"type must be {what} such as {example}; {name} is of the kind {found}")
    try:
        module = importlib.import_module(f"{package}.{kind}")
    except ImportError as e:
        raise ConfigError(
            f"type {name}: there is no package {package} with {what}; install it, and source"
            " its workspace"
        ) from e
    cls = getattr(module, short, None)
    if not inspect.isclass(cls):
        near = difflib.get_close_matches(short, [n for n in dir(module) if n[0].isupper()], 1)
        hint = f"; did you mean {package}/{kind}/{near[0]}?" if near else ""
        raise ConfigError(f"type {name}: {package} has no such {kind}{hint}")
    try:
        check_for_type_support(cls)
    except Exception as e:  # a library that is missing or of another release
        raise ConfigError(f"type {name} cannot be used here: {one_line(e)}") from e
    return cls


class Template:
    """The fields of a message as YAML text, checked once; `fill` makes a message of them.

    Args:
        cls: the class of the message, request or goal.
        text: YAML text. Fields that it leaves out have their defaults.
        words: the names of the words that may occur in it.

    Raises `ConfigError` that names the field and what is expected.
    """

    def __init__(self, cls: Any, text: str, words: tuple[str, ...] = ()) -> None:
        self._cls = cls
        try:
            fields = load_yaml(text)
        except (yaml.YAMLError, *UNREADABLE) as e:
            raise ConfigError(f"fields: not valid YAML: {one_line(e)}") from e
        self._fields = {} if fields is None else fields
        self.fill(dict.fromkeys(words, ""), Time(), Time())

    def fill(self, words: Mapping[str, str], stamp: Time, now: Time) -> Any:
        """The message.

        Args:
            words: by name; they replace `{name}` in texts.
            stamp: what the text `{stamp}` is where a time is expected.
            now: what `now` and `auto` are.
        """
        return _Filling(words, stamp, now).message(self._cls, self._fields, "fields")


def message(cls: Any, fields: Mapping[str, Any], now: Time) -> Any:
    """A message of plain values, which may come from anywhere: texts stay as they are.

    Fields that are left out have their defaults; `now` is what `now` and `auto` are. Raises
    `ConfigError` that names the field and what is expected.
    """
    return _Filling(None, Time(), now).message(cls, dict(fields), "fields")


def schemas(cls: Any) -> dict[str, dict[str, Any]]:
    """The fields of a message as JSON schemas, by name. Times and headers are left out.

    Raises `ConfigError` for a field that has no schema.
    """
    named = {name: _schema(kind, name) for name, kind in _kinds(cls).items()}
    return {name: schema for name, schema in named.items() if schema}


def check_schemas(cls: Any, given: Mapping[str, Mapping[str, Any]], at: str) -> None:
    """Raise `ConfigError` unless each schema of `given` is for a field of `cls` and of its type."""
    kinds = _kinds(cls)
    for name, schema in given.items():
        if name not in kinds:
            known = ", ".join(kinds) or "no fields"
            raise ConfigError(f"{at}: unknown field '{name}'; {_name(cls)} has {known}")
        where = f"{at}: {name}"
        right, own = _schema(kinds[name], name).get("type", "object"), schema["type"]
        if own != right and (own, right) != ("integer", "number"):
            raise ConfigError(f"{where} must be of the type {right} in {_name(cls)}, not {own}")
        if own == "object" and isinstance(kinds[name], idl.NamespacedType):
            check_schemas(_class(kinds[name]), schema.get("properties", {}), where)


def plain(value: Any) -> Any:
    """The fields of a message as plain values, for JSON; long lists and texts are cut."""
    if hasattr(value, "get_fields_and_field_types"):
        return {name: plain(getattr(value, name)) for name in value.get_fields_and_field_types()}
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return shorten(value, _LONGEST)
    if isinstance(value, bytes):
        return list(value)
    return [plain(v) for v in list(value[:_MOST])]


def _kinds(cls: Any) -> dict[str, Any]:
    return dict(zip(cls.get_fields_and_field_types(), cls.SLOT_TYPES, strict=True))


def _schema(kind: Any, at: str) -> dict[str, Any]:
    if isinstance(kind, idl.AbstractNestedType):
        most = getattr(kind, "size", None) or getattr(kind, "maximum_size", None)
        limit = {} if most is None else {"maxItems": most}
        items = _schema(kind.value_type, at)
        return {"type": "array", **limit, "items": items or {"type": "object"}}
    if isinstance(kind, idl.NamespacedType):
        cls = _class(kind)
        return {} if cls in (Time, Header) else {"type": "object", "properties": schemas(cls)}
    if isinstance(kind, idl.AbstractGenericString):
        most = getattr(kind, "maximum_size", None)
        return {"type": "string"} | ({} if most is None else {"maxLength": most})
    if kind.typename == "boolean":
        return {"type": "boolean"}
    if kind.typename in ("float", "double"):
        return {"type": "number"}
    if kind.typename == "octet" or _INTEGER.fullmatch(kind.typename):
        return {"type": "integer"}
    raise ConfigError(f"{at}: fields of the type {kind.typename} have no JSON schema")


class _Filling:
    """One message in the making. `at` is the name of the field, for messages.

    `words` None: no words are replaced in texts.
    """

    def __init__(self, words: Mapping[str, str] | None, stamp: Time, now: Time) -> None:
        self._words, self._stamp, self._now = words, stamp, now

    def message(self, cls: Any, value: Any, at: str) -> Any:
        if cls is Header and value == "auto":
            return Header(stamp=self._now)
        if cls is Time and isinstance(value, str):
            return self._time(value, at)
        if not isinstance(value, dict):
            also = {Header: ", or auto", Time: ", now, or {stamp}"}.get(cls, "")
            raise _expected(at, f"fields of {_name(cls)} in braces{also}", value)
        kinds = _kinds(cls)
        message = cls()
        for key, inner in value.items():
            if key not in kinds:
                known = ", ".join(kinds) or "no fields"
                raise ConfigError(f"{at}: unknown field '{key}'; {_name(cls)} has {known}")
            where = f"{at}: {key}" if at == "fields" else f"{at}.{key}"
            setattr(message, key, self._value(kinds[key], inner, where))
        return message

    def _value(self, kind: Any, value: Any, at: str) -> Any:
        if isinstance(kind, idl.AbstractNestedType):
            return self._list(kind, value, at)
        if isinstance(kind, idl.NamespacedType):
            return self.message(_class(kind), value, at)
        if isinstance(kind, idl.AbstractGenericString):
            return self._text(kind, value, at)
        return _number(kind.typename, value, at)

    def _list(self, kind: Any, value: Any, at: str) -> list[Any]:
        if not isinstance(value, list):
            raise _expected(at, "a list", value)
        size, most = getattr(kind, "size", None), getattr(kind, "maximum_size", None)
        if size is not None and len(value) != size:
            raise ConfigError(f"{at} must be a list of {size}, not of {len(value)}")
        if most is not None and len(value) > most:
            raise ConfigError(f"{at} must be a list of at most {most}, not of {len(value)}")
        return [self._value(kind.value_type, v, f"{at}[{i}]") for i, v in enumerate(value)]

    def _text(self, kind: Any, value: Any, at: str) -> str:
        if not isinstance(value, str):
            raise _expected(at, "a text (in quotes where YAML takes it for something else)", value)
        codec, unit = ("utf-16-le", 2) if isinstance(kind, idl.AbstractWString) else ("utf-8", 1)
        try:
            value.encode(codec)
        except UnicodeEncodeError as e:
            raise _expected(at, "a text in Unicode", value) from e
        text = value
        if self._words is not None:
            text = _WORD.sub(lambda found: self._word(found, at), value)
        most = getattr(kind, "maximum_size", None)
        if most is None:
            return text
        if text == value and len(value.encode(codec)) > most * unit:
            raise _expected(at, f"a text of at most {most} characters", value)
        return text.encode(codec)[: most * unit].decode(codec, "ignore")  # the words may be longer

    def _word(self, found: re.Match[str], at: str) -> str:
        assert self._words is not None
        literal, name = found.groups()
        if literal is not None:
            return f"{{{literal}}}"
        if name not in self._words:
            known = ", ".join(f"{{{w}}}" for w in self._words) or "none"
            raise ConfigError(
                f"{at}: unknown {{{name}}}; known are {known}, and {{{{{name}}}}} is the text"
                f" {{{name}}}"
            )
        return self._words[name].encode("utf-8", "replace").decode()

    def _time(self, value: str, at: str) -> Time:
        if value == "now":
            return self._now
        if value == "{stamp}" and "stamp" in (self._words or ()):
            return self._stamp
        raise _expected(at, "now, {stamp}, or sec and nanosec in braces", value)


def _number(kind: str, value: Any, at: str) -> Any:
    """The value of a field of a basic type, as rclpy wants it."""
    if kind == "boolean":
        if not isinstance(value, bool):
            raise _expected(at, "true or false", value)
        return value
    if kind in ("float", "double"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _expected(at, "a number", value)
        largest = _FLOAT_MAX if kind == "float" else 1.7976931348623157e308
        if abs(value) > largest and value not in (math.inf, -math.inf):
            raise _expected(at, f"a number of at most {largest:.3g}", value)
        return float(value)
    if kind == "octet":
        return bytes([_integer(value, 0, 255, at)])
    if whole := _INTEGER.fullmatch(kind):
        bits = int(whole[2])
        if whole[1]:
            return _integer(value, 0, 2**bits - 1, at)
        return _integer(value, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, at)
    raise ConfigError(f"{at}: fields of the type {kind} cannot be set")


def _integer(value: Any, low: int, high: int, at: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _expected(at, f"a whole number in [{low}, {high}]", value)
    return value


def _class(kind: Any) -> Any:
    """The class of a field that is a message itself."""
    return getattr(importlib.import_module(".".join(kind.namespaces)), kind.name)


def _name(cls: Any) -> str:
    """The name of a message's class, as ROS writes it."""
    package, kind = cls.__module__.split(".")[:2]
    return f"{package}/{kind}/{cls.__name__}"


def _expected(at: str, what: str, value: Any) -> ConfigError:
    given = shown(value).encode("utf-8", "backslashreplace").decode()
    return ConfigError(f"{at} must be {what}, not {given}")
