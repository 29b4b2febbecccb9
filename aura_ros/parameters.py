"""ROS 2 parameters of the nodes, made from their settings (`aura_core/node_settings.py`)."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy import parameter as ros
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from aura_core.config import AssistantConfig, AssistantNodeConfig
from aura_core.errors import ConfigError
from aura_core.parameter_file import RCLPY, near_miss
from aura_core.settings import (
    NAME,
    Parameter,
    Settings,
    Value,
    expand,
    from_parameters,
    parameters,
)

__all__ = ["ASSISTANT", "Parameters", "Value", "descriptor", "engine_config"]

ASSISTANT = parameters(AssistantNodeConfig)
BEFORE = "can be changed only while the node is unconfigured"
_S = TypeVar("_S", bound=Settings)


def descriptor(p: Parameter) -> ParameterDescriptor:
    """The descriptor of a parameter, which `ros2 param describe` shows."""
    d = ParameterDescriptor(name=p.name, description=p.description)
    words = []
    if p.setting.choices:
        words.append(f"one of {', '.join(p.setting.choices)}")
    elif p.setting.limits:
        words.append(f"must be {p.setting.limits}")
    if not p.setting.live:
        words.append(BEFORE)
    d.additional_constraints = "; ".join(words)
    if p.low is not None and p.high is not None:
        if isinstance(p.default, float):
            d.floating_point_range = [FloatingPointRange(from_value=p.low, to_value=p.high)]
        else:
            d.integer_range = [IntegerRange(from_value=int(p.low), to_value=int(p.high))]
    return d


class Parameters:
    """The parameters of a node: declared once, read whenever the node is configured.

    A wrong value in a parameter file does not end the node. The parameter then has its default, and
    `values` tells what is wrong until the parameter is set.

    Args:
        node: where they are declared.
        table: the parameters. Where the user chooses names, those of the names that are given are
            declared.
        apply: called with changes of live parameters while the node is configured; may raise
            `ConfigError` to refuse them.
    """

    def __init__(
        self, node: Node, table: Iterable[Parameter], apply: Callable[[Mapping[str, Value]], None]
    ) -> None:
        self._node, self._apply = node, apply
        table = tuple(table)
        homes = {p.name.partition(f".{NAME}.")[0] for p in table if NAME in p.path}
        self._table = {p.name: p for p in expand(table, node._parameter_overrides)}
        self.fixed = False  # whether only live parameters can be changed
        self._wrong: dict[str, str] = {}
        if unknown := _unknown(node, list(self._table), homes):
            self._wrong[""] = unknown
        for p in self._table.values():
            self._declare(p)
        node.add_on_set_parameters_callback(self._on_set)

    def _declare(self, p: Parameter) -> None:
        d = descriptor(p)
        try:
            value = _declare(self._node, p.name, p.default, d)
        except ParameterException as e:
            self._wrong[p.name] = f"parameter {p.name}: {' '.join(str(e).split())}"
            _declare(self._node, p.name, p.default, d, ignore_override=True)
            return
        if problem := p.refusal(value):
            self._wrong[p.name] = f"parameter {problem}"

    def values(self) -> dict[str, Value]:
        """The values now. Raises `ConfigError` naming the node and the first wrong parameter."""
        for problem in self._wrong.values():
            raise ConfigError(f"{self._node.get_name()}: {problem}")
        return {name: self._node.get_parameter(name).value for name in self._table}

    def settings(self, cls: type[_S], changes: Mapping[str, Value] | None = None) -> _S:
        """The settings that the values, with `changes`, make. Raises `ConfigError`."""
        return from_parameters(cls, self.values() | dict(changes or {}), self._node.get_name())

    def _on_set(self, changes: list[ros.Parameter]) -> SetParametersResult:
        """Refuse a change with a reason, or apply it."""
        ours = [(p.name, p.value) for p in changes if p.name in self._table]
        for name, value in ours:
            p = self._table[name]
            problem = p.refusal(value)
            if not problem and self.fixed and not p.setting.live:
                problem = f"{name} {BEFORE}"
            if problem:
                return SetParametersResult(successful=False, reason=problem)
        if self.fixed and ours:
            try:
                self._apply(dict(ours))
            except ConfigError as e:  # contradicts a setting that is no parameter of this call
                return SetParametersResult(successful=False, reason=str(e))
        for name, _ in ours:
            self._wrong.pop(name, None)
        return SetParametersResult(successful=True)


def engine_config(values: dict[str, Value]) -> AssistantConfig:
    """The engine's settings. Raises `ConfigError` on contradictions."""
    return from_parameters(AssistantConfig, values, "parameters")


def _declare(
    node: Node, name: str, default: Value, d: ParameterDescriptor, ignore_override: bool = False
) -> Value:
    """Declare one parameter; returns its value."""
    if not isinstance(default, tuple):
        return node.declare_parameter(name, default, d, ignore_override).value
    # rclpy takes an empty list for an array of bytes: a list is declared by its type.
    kind = ros.Parameter.Type.STRING_ARRAY
    if node.declare_parameter(name, kind, d, ignore_override).value is None:
        node.set_parameters([ros.Parameter(name, kind, list(default))])
    return node.get_parameter(name).value


def _unknown(node: Node, known: list[str], homes: Collection[str] = ()) -> str:
    """What is wrong with unknown names that are likely to mean ours: rclpy ignores them silently.

    Others may belong to other nodes, in a file that they share: one note names them. `homes` are
    the sections in which the user chooses names.
    """
    foreign = []
    for key in node._parameter_overrides:  # the only place where rclpy keeps them
        if key in known or key.split(".")[0] in RCLPY:
            continue
        if key in homes and node._parameter_overrides[key].value is None:  # an empty section
            continue
        if near := near_miss(key, known):
            return (
                f"unknown parameter '{key}' in the parameter file or arguments; did you mean"
                f" '{near}'?"
            )
        if home := difflib.get_close_matches(key.partition(".")[0], homes, 1, 0.8):
            return (
                f"unknown parameter '{key}' in the parameter file or arguments; expected"
                f" '{home[0]}.NAME.SETTING'"
            )
        foreign.append(key)
    if foreign:
        node.get_logger().info(f"parameters of other nodes are ignored: {', '.join(foreign)}")
    return ""
