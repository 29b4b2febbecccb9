"""`robot_node`: several nodes in one process, such as camera and assistant on a small computer.

    ros2 run aura_ros robot_node assistant_node camera_node --ros-args --params-file my.yaml

Names, topics and parameters are the same as in separate processes. What `-p` gives is for all nodes
that know the parameter; a parameter file can tell them apart.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence

from aura_core.errors import ConfigError
from aura_core.extras import missing
from aura_core.node_settings import NODES
from aura_ros.node import AuraNode
from aura_ros.process import run

_ROS = "--ros-args"


def node_class(name: str) -> type[AuraNode]:
    """The class of a node by its name: `sim_camera_node` is `sim_camera_node.SimCameraNode`."""
    module = importlib.import_module(f"aura_ros.{name}")
    found: type[AuraNode] = getattr(module, name.title().replace("_", ""))
    return found


def split(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of the nodes, and the arguments for ROS.

    Raises `ConfigError` for a name that is unknown or given twice, and where there is none.
    """
    end = args.index(_ROS) if _ROS in args else len(args)
    names, rest = list(args[:end]), list(args[end:])
    if not names:
        raise ConfigError(f"name the nodes to run in this process: {', '.join(NODES)}")
    for name in names:
        if name not in NODES:
            raise ConfigError(f"there is no node '{name}'; there are {', '.join(NODES)}")
        if names.count(name) > 1:
            raise ConfigError(f"{name} is named twice: two nodes of one name would be one to ROS")
    return names, rest


def main(args: Sequence[str] | None = None) -> int:
    """Run the nodes that are named; returns the exit code."""
    try:
        names, rest = split(sys.argv[1:] if args is None else args)
        makers: list[Callable[[], AuraNode]] = [node_class(name) for name in names]
    except ConfigError as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as e:
        print(missing(e), file=sys.stderr)
        return 1
    return run(makers, rest)


if __name__ == "__main__":
    sys.exit(main())
