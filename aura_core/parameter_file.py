"""The engine's settings from a ROS 2 parameter file: dotted names, and values that stand for null.

So one file configures the live node (`--params-file`) and `aura run`, `replay` and `eval`
(`--config`). Needs no ROS.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from aura_core.errors import ConfigError
from aura_core.settings import NAME, Parameter, Settings, expand, parameters

NODE = "assistant_node"
# parameters of rclpy itself and of every node, which may be in the same file
RCLPY = ("use_sim_time", "start_type_description_service", "qos_overrides", "autostart")


def _nested(flat: Mapping[str, Any], known: Mapping[str, Parameter]) -> dict[str, Any]:
    """`{"window.keep": 30}` to `{"window": {"keep": 30}}`.

    A value that stands for null becomes None. Below a name that the user chooses, the levels are
    those of the setting: `{"watches.fall.text": ...}` to `{"watches": {"fall": {"text": ...}}}`.
    """
    paths = {p.name.rpartition(".")[0]: p.path[1:-1] for p in known.values()}
    out: dict[str, Any] = {}
    for name, value in flat.items():
        section, _, key = name.rpartition(".")
        home = out
        for level in paths.get(section, (section,)):
            inner = home.setdefault(level, {})
            if not isinstance(inner, dict):  # the settings refuse it
                break
            home = inner
        else:
            home[key] = known[name].setting_value(value) if name in known else value
    return out


def near_miss(key: str, known: Collection[str]) -> str:
    """The known name that an unknown one is likely to mean; "" for a name of somebody else.

    A shared file (`/**`) holds parameters of other nodes too. A name counts as ours when it is
    almost one of our names, or stands in one of our sections.
    """
    near = difflib.get_close_matches(key, known, 1, 0.8)
    section, dot, _ = key.partition(".")
    if not near and dot and any(k.startswith(f"{section}.") for k in known):
        near = difflib.get_close_matches(key, known, 1, 0.0)
    return near[0] if near else ""


def is_parameter_file(data: Mapping[str, Any]) -> bool:
    """Whether a YAML document has the layout of a ROS 2 parameter file."""
    return any(isinstance(v, dict) and "ros__parameters" in v for v in data.values())


def engine_settings(data: Mapping[str, Any], node: type[Settings], where: str) -> dict[str, Any]:
    """The engine's settings in a parameter file, as nested plain values.

    All sections that match `assistant_node` are used; later ones override earlier ones.

    Args:
        data: the YAML document.
        node: settings of the node. Its section `engine` is read, its own settings are left out.
        where: the file, for messages.

    Unknown keys stay, and the settings refuse them; in a section `/**`, which other nodes share,
    only those that are a near miss of ours. Raises `ConfigError` when there is no such section.
    """
    flat: dict[str, Any] = {}
    free = parameters(node)
    names = {p.name for p in free}
    homes = tuple(p.name.partition(f"{NAME}.")[0] for p in free if NAME in p.path)
    sections = [k for k in data if k == "/**" or str(k).rpartition("/")[2] == NODE]
    if not sections:
        raise ConfigError(
            f"{where}: a parameter file without a section for {NODE}; it has"
            f" {', '.join(map(str, data))}"
        )
    for section in sections:
        given = data[section].get("ros__parameters") if isinstance(data[section], dict) else None
        if not isinstance(given, dict):
            raise ConfigError(
                f"{where}: {section}: expected ros__parameters with settings below it"
            )
        leaves = dict(_leaves(given))
        if section == "/**":  # other nodes' parameters may be in it
            leaves = {
                k: v
                for k, v in leaves.items()
                if k in names or k.startswith(homes) or near_miss(k, names)
            }
        flat |= leaves
    table = expand(free, flat)
    known = {p.name: p for p in table if p.path[0] == "engine"}
    others = {p.name for p in table} - known.keys()
    engine = {k: v for k, v in flat.items() if k not in others and k.split(".")[0] not in RCLPY}
    return _nested(engine, known)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value
