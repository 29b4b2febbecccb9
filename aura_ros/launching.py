"""What the launch files share: reading arguments, tools that may be missing, and how a launch ends.

Needs `launch` of ROS 2, and nothing of this package's nodes: `ros2 launch` may run another Python
than they do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration

from aura_core.settings import Settings, find
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

# name, default, description, and the choices or None
Argument = tuple[str, str, str, list[str] | None]
Nodes = Callable[[LaunchContext], list[LaunchDescriptionEntity]]


def describe(arguments: Sequence[Argument], nodes: Nodes) -> LaunchDescription:
    """A launch description with these arguments, which starts what `nodes` returns."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in arguments
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=nodes)])


def given(arguments: Sequence[Argument], context: LaunchContext) -> dict[str, str]:
    """The values of the arguments, by name."""
    return {name: LaunchConfiguration(name).perform(context) for name, *_ in arguments}


def about(cls: type[Settings], name: str) -> str:
    """Description of a setting, for an argument that overrides the parameter file."""
    return f"{find(cls, name).description}; empty: what params_file says"


def number(get: Mapping[str, str], name: str, kind: type) -> Any:
    """An argument as a number. Raises `RuntimeError`, one line that names it."""
    try:
        return kind(get[name])
    except ValueError:
        raise RuntimeError(f"{name}:={get[name]}: a number is expected") from None


def names(given: str) -> list[str]:
    """The texts of a list: `front,back` or `[front, back]`."""
    parts = [part.strip().strip("'\"") for part in given.strip().strip("[]").split(",")]
    return [part for part in parts if part]


def file(get: Mapping[str, str], name: str) -> Path:
    """An argument that names a file. Raises `RuntimeError` where there is none."""
    path = Path(get[name])
    if not path.is_file():
        raise RuntimeError(f"{name}:={path}: there is no such file")
    return path


def installed(package: str) -> bool:
    """Whether a ROS 2 package is installed."""
    try:
        get_package_prefix(package)
    except (PackageNotFoundError, OSError):
        return False
    return True


def need(packages: Sequence[str], argument: str) -> None:
    """Raise `RuntimeError` with the command that installs what an argument needs and is missing."""
    if missing := [p for p in packages if not installed(p)]:
        distribution = os.environ.get("ROS_DISTRO", "$ROS_DISTRO")
        apt = " ".join(f"ros-{distribution}-{p.replace('_', '-')}" for p in missing)
        raise RuntimeError(
            f"{argument}: {', '.join(missing)} is not installed: sudo apt install {apt}"
        )


def parameter(params_file: Path, node: str, name: str) -> Any:
    """What a parameter file says of a parameter of a node; None where it says nothing."""
    found = None
    data = yaml.safe_load(params_file.read_text(encoding="utf-8"))
    for key, section in (data or {}).items():
        if key == "/**" or str(key).rpartition("/")[2] == node:
            found = ((section or {}).get("ros__parameters") or {}).get(name, found)
    return found


def ended(event: ProcessExited, context: LaunchContext) -> None:
    """A node that died ends the launch, with exit code 1. One that has finished does not: the
    camera of a file ends with its file."""
    if event.returncode != 0 and not context.is_shutdown:
        raise RuntimeError(f"{event.process_name} died with exit code {event.returncode}")
