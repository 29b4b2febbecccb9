"""Settings from plain values: what a YAML file holds becomes a checked dataclass, or one clear
line."""

from __future__ import annotations

import dataclasses
import types as pytypes
import typing
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from aura_core.errors import ConfigError


def read_yaml(source: Path | Traversable, what: str) -> dict[str, Any]:
    """The mapping in a YAML file. Raises `ConfigError` naming the file; `what` it should hold:
    "configuration"..."""
    import yaml

    try:
        data = yaml.safe_load(source.read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(f"{source}: cannot read the {what}: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{source}: not valid YAML: it is not UTF-8 text") from e
    except yaml.YAMLError as e:
        raise ConfigError(f"{source}: not valid YAML: {' '.join(str(e).split())}") from e
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: expected a mapping of settings, found {type(data).__name__}")
    return data


def build(cls: Any, data: Any, where: str) -> Any:
    """The settings class `cls` from nested plain values. Raises `ConfigError` naming the key and
    where it stands."""
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected a mapping of settings, found {data!r}")
    hints = typing.get_type_hints(cls)
    known = {f.name for f in dataclasses.fields(cls)}
    presets = getattr(cls, "PRESETS", {})
    if presets and "preset" in data:
        rest = {k: v for k, v in data.items() if k != "preset"}
        if data["preset"] not in presets:
            raise ConfigError(
                f"{where}: preset must be one of {', '.join(presets)}, not {data['preset']!r}"
            )
        data = presets[data["preset"]] | rest
    for key in data:
        if key not in known:
            raise ConfigError(
                f"{where}: unknown key '{key}'; known keys are {', '.join(sorted(known))}"
            )
    values = {k: _convert(hints[k], v, f"{where}: {k}") for k, v in data.items()}
    try:
        return cls(**values)
    except ConfigError as e:
        raise ConfigError(f"{where}: {e}") from e


def _convert(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return build(kind, value, where)
    options = typing.get_args(kind) if isinstance(kind, pytypes.UnionType) else (kind,)
    if float in options and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not any(type(value) is o for o in options):
        names = " or ".join("null" if o is type(None) else o.__name__ for o in options)
        raise ConfigError(f"{where} must be {names}, not {value!r}")
    return value


def require(ok: bool, message: str) -> None:
    """Raises `ConfigError` with `message` unless `ok`."""
    if not ok:
        raise ConfigError(message)


def one_of(name: str, value: str, options: tuple[str, ...]) -> None:
    """Raises `ConfigError` unless `value` is one of `options`."""
    require(value in options, f"{name} must be one of {', '.join(options)}, not '{value}'")
