"""The engine's settings as ROS 2 parameters: dotted names, and a value in place of null. Needs no
ROS.

So one file serves the live node (`--params-file`) and `aura run`, `replay` and `eval` (`--config`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aura_core.errors import ConfigError

NODE = "assistant_node"
# ROS has no null: these values stand for "not set".
UNSET: dict[str, int | float | str] = {
    "model.max_pixels": 0,
    "model.threads": 0,
    "window.hard_cap": 0,
    "decider.threshold": 0.0,
    "decider.rearm": 0.0,
    "gate.level": -1.0,
    "system_prompt": "",
}
# rclpy's own, which may stand in a file beside ours; and those of the node that are no business of
# the engine's.
RCLPY = ("use_sim_time", "start_type_description_service", "qos_overrides")
NODES_OWN = ("backlog_chunks", "image_transport", "stale_after_s", *RCLPY)


def nested(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """`{"window.keep": 30}` to `{"window": {"keep": 30}}`, with null where a parameter is
    not set."""
    sections: dict[str, dict[str, Any]] = {}
    plain: dict[str, Any] = {}
    for name, value in parameters.items():
        section, _, key = name.rpartition(".")
        home = sections.setdefault(section, {}) if section else plain
        home[key] = None if name in UNSET and value == UNSET[name] else value
    return sections | plain


def is_parameter_file(data: Mapping[str, Any]) -> bool:
    """Whether a YAML document has the layout of a ROS 2 parameter file."""
    return any(isinstance(v, dict) and "ros__parameters" in v for v in data.values())


def engine_settings(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What a parameter file tells the engine: the sections that match `assistant_node`, later ones
    over earlier ones.

    Raises `ConfigError` when there is none. Unknown keys stay, for the settings to refuse.
    """
    flat: dict[str, Any] = {}
    sections = [k for k in data if k == "/**" or str(k).rpartition("/")[2] == NODE]
    if not sections:
        raise ConfigError(
            f"{where}: a parameter file without a section for {NODE}; it has"
            f" {', '.join(map(str, data))}"
        )
    for section in sections:
        parameters = (
            data[section].get("ros__parameters") if isinstance(data[section], dict) else None
        )
        if not isinstance(parameters, dict):
            raise ConfigError(
                f"{where}: {section}: expected ros__parameters with settings below it"
            )
        flat |= dict(_leaves(parameters))
    return nested({k: v for k, v in flat.items() if k.split(".")[0] not in NODES_OWN})


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value
