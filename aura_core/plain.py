"""Settings dataclasses from plain values, such as those of a YAML file."""

from __future__ import annotations

import dataclasses
import functools
import re
import types as pytypes
import typing
from collections.abc import Mapping
from enum import Enum
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from aura_core.errors import ConfigError, one_line, shown

# numbers of YAML 1.2 that are none of YAML 1.1: without a point, or without a sign of the exponent
_EXPONENT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+\Z")
MOST_VALUES = 100_000  # of a YAML document, after its aliases are expanded
# What the YAML library raises on malformed scalars, besides its own errors: the date 2020-99-99,
# `!!int ''`, `!!bool x`, `!!timestamp x`, and structures that are nested too deeply.
UNREADABLE = (ValueError, IndexError, KeyError, AttributeError, TypeError, RecursionError)


def read_yaml(source: Path | Traversable, what: str) -> dict[str, Any]:
    """The mapping in a YAML file.

    `what` says what it should hold, for messages: "configuration". Raises `ConfigError` naming the
    file.
    """
    import yaml

    try:
        data = load_yaml(source.read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(f"{source}: cannot read the {what}: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{source}: not valid YAML: it is not UTF-8 text") from e
    except (yaml.YAMLError, *UNREADABLE) as e:
        raise ConfigError(f"{source}: not valid YAML: {one_line(e)}") from e
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: expected a mapping of settings, found {type(data).__name__}")
    return data


def load_yaml(text: str) -> Any:
    """The plain values of a YAML document. Only plain ones: no tag makes an object of Python.

    A number may be written as in YAML 1.2 and JSON: 1e-5, which YAML 1.1 takes for a text.
    Raises `yaml.YAMLError`, or an error of `UNREADABLE`. A document whose aliases stand for more
    than `MOST_VALUES` values, or for themselves, is refused before it is expanded.
    """

    loader = _loader()(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _expanded(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def dump_yaml(data: Any, **options: Any) -> str:
    """Return plain values as the YAML that `load_yaml` reads back; `options` of `yaml.dump`."""
    import yaml

    return str(yaml.dump(data, Dumper=_dumper(), **options))


@functools.cache
def _loader() -> Any:
    """PyYAML's loader of plain values, which knows numbers without a point too."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789."))
    return Loader


@functools.cache
def _dumper() -> Any:
    """PyYAML's dumper of plain values, which puts texts that look like such numbers in quotes."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789."))
    return Dumper


def refuse_bomb(text: str) -> None:
    """Raise `ValueError` for what `load_yaml` does not expand, before another library reads it.

    Other errors of the document are left to that library.
    """
    import yaml

    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, *UNREADABLE):
        return
    if node is not None:
        _expanded(node, {})


def _expanded(node: Any, known: dict[int, int]) -> int:
    """How many values a YAML node stands for, those of its aliases included.

    `known` has the numbers of the nodes that were counted, by their identity; 0 while a node is
    being counted.
    """
    if id(node) not in known:
        known[id(node)] = 0
        inner: list[Any] = node.value if isinstance(node.value, list) else []
        total = 1
        for entry in inner:
            for part in entry if isinstance(entry, tuple) else (entry,):
                total += _expanded(part, known)
        if total > MOST_VALUES:
            raise ValueError(f"its aliases stand for more than {MOST_VALUES} values")
        known[id(node)] = total
    if not known[id(node)]:
        raise ValueError("an alias stands for what it is in")
    return known[id(node)]


def build(cls: Any, data: Any, where: str, base: Any = None) -> Any:
    """The settings class `cls` from nested plain values.

    Args:
        cls: a dataclass of settings.
        data: the values. A section that is given in part keeps the defaults that it has within
            `cls`.
        where: where the values come from, for messages.
        base: settings that hold what `data` leaves out; None: the defaults of `cls`.

    Raises:
        ConfigError: naming the key and where it is.
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected a mapping of settings, found {shown(data)}")
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}
    presets = getattr(cls, "PRESETS", {})
    if presets and "preset" in data:
        rest = {k: v for k, v in data.items() if k != "preset"}
        if not isinstance(data["preset"], str) or data["preset"] not in presets:
            raise ConfigError(
                f"{where}: preset must be one of {', '.join(presets)}, not {shown(data['preset'])}"
            )
        data = presets[data["preset"]] | rest
    for key in data:
        if key not in known:
            raise ConfigError(
                f"{where}: unknown key '{key}'; known keys are {', '.join(sorted(known))}"
            )
    values = {}
    for key, value in data.items():
        inner = f"{where}: {key}"
        if dataclasses.is_dataclass(hints[key]):
            held = _default(known[key]) if base is None else getattr(base, key)
            values[key] = build(hints[key], value, inner, held)
        elif (element := _named(hints[key])) and isinstance(value, dict):
            values[key] = {k: build(element, v, f"{inner}: {k}") for k, v in value.items()}
        else:
            values[key] = convert(hints[key], value, inner)
    try:
        return cls(**values) if base is None else dataclasses.replace(base, **values)
    except ConfigError as e:
        raise ConfigError(f"{where}: {e}") from e


def convert(kind: Any, value: Any, name: str) -> Any:
    """`value` as the type `kind`.

    A whole number is accepted as a float, a text as a member of an enumeration, and a list of texts
    as a tuple of texts. Raises `ConfigError` naming the setting.
    """
    options = typing.get_args(kind) if isinstance(kind, pytypes.UnionType) else (kind,)
    classes = [typing.get_origin(o) or o for o in options]  # tuple[str, ...] is checked as tuple
    if float in classes and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ConfigError(f"{name} must be a number, not {shown(value)}") from None
    if kind == tuple[str, ...] and isinstance(value, (list, tuple)):
        require(all(isinstance(v, str) for v in value), f"{name} must be texts, not {shown(value)}")
        return tuple(value)
    if any(isinstance(value, c) for c in classes if c is not int or not isinstance(value, bool)):
        return value
    for c in classes:
        if issubclass(c, Enum):
            words = [str(member) for member in c]
            require(value in words, f"{name} must be one of {', '.join(words)}, not '{value}'")
            return c(value)
    names = " or ".join("null" if c is type(None) else c.__name__ for c in classes)
    raise ConfigError(f"{name} must be {names}, not {shown(value)}")


def _named(kind: Any) -> Any:
    """The settings class of a mapping of names to settings; None for every other type."""
    inner = typing.get_args(kind) if typing.get_origin(kind) is Mapping else ()
    return inner[1] if inner and dataclasses.is_dataclass(inner[1]) else None


def _default(f: dataclasses.Field[Any]) -> Any:
    """The default of a field; None where it must be given."""
    return None if f.default_factory is dataclasses.MISSING else f.default_factory()


def require(ok: bool, message: str) -> None:
    """Raise `ConfigError` with `message` unless `ok`."""
    if not ok:
        raise ConfigError(message)


def one_of(name: str, value: str, options: tuple[str, ...]) -> None:
    """Raise `ConfigError` unless `value` is one of `options`."""
    require(value in options, f"{name} must be one of {', '.join(options)}, not '{value}'")
