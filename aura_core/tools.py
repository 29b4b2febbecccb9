"""Tools: services that a model may call to answer a question. Knows no ROS.

Only the tools of the settings exist, and only with arguments that fit their schema: everything else
is refused. A refusal is told to the model, which can then answer in words.

The schema of a tool's arguments is a part of JSON schema: `KEYWORDS`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aura_core.errors import ConfigError, one_line, shown
from aura_core.plain import UNREADABLE, load_yaml, require
from aura_core.settings import Settings, setting
from aura_core.types import Call, Kind, Query

TYPES: dict[str, type | tuple[type, ...]] = {
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "string": str,
    "array": list,
    "object": dict,
}
KEYWORDS = (
    "type",
    "description",
    "enum",
    "minimum",
    "maximum",
    "maxLength",
    "maxItems",
    "items",
    "properties",
)
MOST_CHARS = 500  # of a text among the arguments, where the schema says nothing else
MOST_ITEMS = 100  # of a list
RESULT_CHARS = 1000  # of a result as the model sees it
UNAVAILABLE = "tools are not available here"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_DAY_S = 86_400.0


@dataclass(frozen=True)
class ToolConfig(Settings):
    """One tool: a service that the model may call."""

    description: str = setting("", "what it does, as the model is told; must be given")
    type: str = setting("", "type of the service, such as std_srvs/srv/SetBool; must be given")
    name: str = setting(
        "", "name of the service; a relative one is relative to the node; must be given"
    )
    arguments: str = setting(
        "",
        "fields of the request that the model chooses, as YAML text: names with JSON schemas; all"
        " are required; {}: none; empty: all fields of the type that are not in fixed",
    )
    fixed: str = setting("{}", "fields of the request that the model cannot choose, as YAML text")
    timeout_s: float = setting(
        5.0, "most time for the answer of the service", unit="s", low=0.1, high=3600.0
    )
    cooldown_s: float = setting(
        0.0,
        "least time between two calls; an earlier one is refused",
        unit="s",
        low=0.0,
        high=_DAY_S,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("description", "type", "name"):
            require(bool(getattr(self, key).strip()), f"{key} must be given")
        check_schemas(self.properties, "arguments")
        both = sorted(self.properties.keys() & self.fixed_fields.keys())
        require(not both, f"arguments and fixed must not both hold {', '.join(both)}")

    @property
    def properties(self) -> dict[str, Any]:
        """The schemas of the arguments, by name; empty too where the type gives them."""
        return _mapping(self.arguments, "arguments")

    @property
    def fixed_fields(self) -> dict[str, Any]:
        """The fields that the model cannot choose."""
        return _mapping(self.fixed, "fixed")

    @property
    def from_type(self) -> bool:
        """Whether the type of the service gives the arguments."""
        return not self.arguments.strip()


@dataclass(frozen=True)
class Tool:
    """A tool as the model knows it. `properties` are the schemas of its arguments, by name."""

    name: str
    description: str
    properties: Mapping[str, Any]

    def definition(self) -> dict[str, Any]:
        """What the model is told: name, description, and the schema of the arguments."""
        parameters = {
            "type": "object",
            "properties": dict(self.properties),
            "required": list(self.properties),
        }
        return {"name": self.name, "description": self.description, "parameters": parameters}

    def refusal(self, arguments: Mapping[str, Any]) -> str:
        """Why these arguments are refused, in one line; "" when they are not."""
        missing = [name for name in self.properties if name not in arguments]
        if missing:
            return f"{missing[0]} is missing"
        return _refused_fields(self.properties, arguments, "")


def tools_of(configs: Mapping[str, ToolConfig]) -> tuple[Tool, ...]:
    """The tools of the settings.

    Raises `ConfigError` for a name that a model cannot write, and where a type would have to give
    the arguments: that needs ROS, and the node has done it before.
    """
    for name, config in configs.items():
        require(
            bool(_NAME.fullmatch(name)),
            f"tools: the name {shown(name)} must be at most 64 letters, digits and _",
        )
        require(
            not config.from_type,
            f"tools.{name}.arguments must be given here: without ROS the fields of {config.type}"
            " are not known ({}: none)",
        )
    return tuple(Tool(n, c.description, c.properties) for n, c in configs.items())


def refusal(tools: Mapping[str, Tool], call: Call) -> str:
    """Why a call is refused, in words for the model; "" when it may be made."""
    if call.problem:
        return call.problem
    if call.name not in tools:
        return f"there is no tool {shown(call.name)}; there are {', '.join(tools) or 'none'}"
    return tools[call.name].refusal(call.arguments)


def error(reason: str) -> str:
    """The result of a call that was refused or has failed."""
    return json.dumps({"error": reason}, ensure_ascii=False)


def result_of(call: Call, text: str) -> Query:
    """The result of a call, as what the model is asked next.

    It has the id of the question, and a longer text is cut.
    """
    text = text.encode(errors="replace").decode().strip() or "{}"
    cut = text if len(text) <= RESULT_CHARS else f"{text[: RESULT_CHARS - 3]}..."
    return Query(cut, id=call.query_id, kind=Kind.REAL_TIME, after=call)


def check_schemas(properties: Any, at: str) -> None:
    """Raise `ConfigError` unless `properties` are names with schemas of the supported part."""
    require(isinstance(properties, dict), f"{at} must be names with JSON schemas")
    for name, schema in properties.items():
        require(isinstance(name, str), f"{at}: the name {shown(name)} must be a text, in quotes")
        _check_schema(schema, f"{at}: {name}" if at == "arguments" else f"{at}.{name}")


def _check_schema(schema: Any, at: str) -> None:
    kinds = ", ".join(TYPES)
    require(
        isinstance(schema, dict) and isinstance(kind := schema.get("type"), str) and kind in TYPES,
        f"{at} must be a JSON schema with a type ({kinds}), not {shown(schema)}",
    )
    for key, value in schema.items():
        require(
            key in KEYWORDS, f"{at}: unknown keyword {shown(key)}; known are {', '.join(KEYWORDS)}"
        )
        if key in ("minimum", "maximum"):
            require(_is(value, "number"), f"{at}.{key} must be a number, not {shown(value)}")
        elif key in ("maxLength", "maxItems"):
            fits = _is(value, "integer") and value >= 0
            require(fits, f"{at}.{key} must be a whole number, not {shown(value)}")
        elif key == "description":
            require(_is(value, "string"), f"{at}.{key} must be a text, not {shown(value)}")
        elif key == "enum":
            fits = isinstance(value, list) and bool(value)
            fits = fits and all(_is(v, schema["type"]) for v in value)
            require(fits, f"{at}.enum must be a list of values of its type, not {shown(value)}")
        elif key == "items":
            _check_schema(value, f"{at}.items")
        elif key == "properties":
            check_schemas(value, at)


def _refused_fields(properties: Mapping[str, Any], values: Mapping[str, Any], at: str) -> str:
    for name, value in values.items():
        where = f"{at}.{name}" if at else name
        if name not in properties:
            known = ", ".join(properties) or "none"
            return f"unknown argument {shown(where)}; known are {known}"
        if problem := _refused(properties[name], value, where):
            return problem
    return ""


def _refused(schema: Mapping[str, Any], value: Any, at: str) -> str:
    """Why a value does not fit a schema that was checked; "" when it does."""
    kind = schema["type"]
    if not _is(value, kind):
        return f"{at} must be {kind}, not {shown(value)}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{at} must be one of {', '.join(map(str, schema['enum']))}, not {shown(value)}"
    if kind in ("integer", "number"):
        if "minimum" in schema and value < schema["minimum"]:
            return f"{at} must be at least {schema['minimum']}, not {shown(value)}"
        if "maximum" in schema and value > schema["maximum"]:
            return f"{at} must be at most {schema['maximum']}, not {shown(value)}"
    if kind == "string" and len(value) > (most := schema.get("maxLength", MOST_CHARS)):
        return f"{at} must be at most {most} characters, not {len(value)}"
    if kind == "array":
        if len(value) > (most := schema.get("maxItems", MOST_ITEMS)):
            return f"{at} must be a list of at most {most}, not of {len(value)}"
        items = schema.get("items")
        for i, entry in enumerate(value if items else ()):
            if problem := _refused(items, entry, f"{at}[{i}]"):
                return problem
    if kind == "object":
        return _refused_fields(schema.get("properties", {}), value, at)
    return ""


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _mapping(text: str, key: str) -> dict[str, Any]:
    import yaml

    try:
        value = load_yaml(text)
    except (yaml.YAMLError, *UNREADABLE) as e:
        raise ConfigError(f"{key}: not valid YAML: {one_line(e)}") from e
    value = {} if value is None else value
    require(isinstance(value, dict), f"{key} must be a mapping as YAML text, not {shown(value)}")
    return dict(value)
