"""`python -m aura_ros.facts`: what `aura doctor` wants to know of ROS, as one JSON object a line.

A line is written as soon as it is known: what comes later may crash or hang.
"""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any


def tell(**facts: Any) -> None:
    """Write one line."""
    print(json.dumps(facts), flush=True)


def main() -> None:
    """Look at rclpy, the middleware and the messages. Raises nothing."""
    try:
        import rclpy
    except Exception as e:  # a library of ROS that is missing, or of another Python
        return tell(error=_line(e))
    try:
        version = importlib.metadata.version("rclpy")
    except importlib.metadata.PackageNotFoundError:
        version = ""
    tell(rclpy=version)
    try:
        tell(rmw=rclpy.get_rmw_implementation_identifier())
    except Exception as e:
        tell(rmw_error=_line(e))
    try:
        from aura_ros import msg
        from aura_ros.action import Watch  # noqa: F401
        from aura_ros.srv import Ask

        Ask.Request()
        tell(messages=sum(isinstance(value, type) for value in vars(msg).values()))
    except Exception as e:
        tell(messages_error=_line(e))


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


if __name__ == "__main__":
    main()
