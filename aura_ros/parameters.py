"""ROS 2 parameters of the nodes, made from their settings (`aura_core/node_settings.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
from aura_core.settings import Parameter, Settings, Value, from_parameters, parameters

__all__ = ["ASSISTANT", "Value", "declare", "descriptor", "engine_config", "on_set", "settings_of"]

ASSISTANT = parameters(AssistantNodeConfig)
_S = TypeVar("_S", bound=Settings)


def descriptor(p: Parameter) -> ParameterDescriptor:
    """The descriptor of a parameter, which `ros2 param describe` shows."""
    d = ParameterDescriptor(name=p.name, description=p.description, read_only=not p.setting.live)
    if p.setting.choices:
        d.additional_constraints = f"one of {', '.join(p.setting.choices)}"
    elif p.setting.limits:
        d.additional_constraints = f"must be {p.setting.limits}"
    if p.low is not None and p.high is not None:
        if isinstance(p.default, float):
            d.floating_point_range = [FloatingPointRange(from_value=p.low, to_value=p.high)]
        else:
            d.integer_range = [IntegerRange(from_value=int(p.low), to_value=int(p.high))]
    return d


def declare(node: Node, table: Iterable[Parameter]) -> dict[str, Value]:
    """Declare the parameters of `table` on `node`, and return their values.

    Raises `ConfigError` naming the parameter.
    """
    table = tuple(table)
    _refuse_unknown(node, [p.name for p in table])
    values: dict[str, Value] = {}
    for p in table:
        try:
            values[p.name] = node.declare_parameter(p.name, p.default, descriptor(p)).value
        except ParameterException as e:
            raise ConfigError(
                f"{node.get_name()}: parameter {p.name}: {' '.join(str(e).split())}"
            ) from e
        if problem := p.refusal(values[p.name]):
            raise ConfigError(f"{node.get_name()}: parameter {problem}")
    return values


def settings_of(node: Node, cls: type[_S]) -> _S:
    """Declare the parameters of `cls` on `node`, and return the settings. Raises `ConfigError`."""
    return from_parameters(cls, declare(node, parameters(cls)), node.get_name())


def on_set(
    table: Iterable[Parameter], apply: Callable[[str, Value], None]
) -> Callable[[list[ros.Parameter]], SetParametersResult]:
    """A callback for `add_on_set_parameters_callback`.

    It refuses a change with a reason, or applies it.
    """
    by_name = {p.name: p for p in table}

    def callback(changes: list[ros.Parameter]) -> SetParametersResult:
        ours = [(p.name, p.value) for p in changes if p.name in by_name]
        for name, value in ours:
            if problem := by_name[name].refusal(value):
                return SetParametersResult(successful=False, reason=problem)
        for name, value in ours:
            try:
                apply(name, value)
            except ConfigError as e:  # contradicts a setting that is no parameter of this call
                return SetParametersResult(successful=False, reason=str(e))
        return SetParametersResult(successful=True)

    return callback


def engine_config(values: dict[str, Value]) -> AssistantConfig:
    """The engine's settings. Raises `ConfigError` on contradictions."""
    return from_parameters(AssistantConfig, values, "parameters")


def _refuse_unknown(node: Node, known: list[str]) -> None:
    """Raise `ConfigError` for unknown names that are likely to mean ours: rclpy ignores them
    silently. Others may belong to other nodes, in a file that they share: one note names them."""
    foreign = []
    for key in node._parameter_overrides:  # the only place where rclpy keeps them
        if key in known or key.split(".")[0] in RCLPY:
            continue
        if near := near_miss(key, known):
            raise ConfigError(
                f"{node.get_name()}: unknown parameter '{key}' in the parameter file or arguments;"
                f" did you mean '{near}'?"
            )
        foreign.append(key)
    if foreign:
        node.get_logger().info(f"parameters of other nodes are ignored: {', '.join(foreign)}")
