"""Where the notes lie when no file is named."""

from __future__ import annotations

import os
from pathlib import Path

NODE = "assistant_node"
SUFFIX = ".memory.db"


def default_path(node: str = NODE) -> Path:
    """The file that `memory.path: auto` means: in $ROS_HOME (~/.ros), by the node and its domain.

    `node`: the node's full name, such as `/kitchen/assistant_node`.
    """
    home = os.environ.get("ROS_HOME") or Path.home() / ".ros"
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    name = node.strip("/").replace("/", ".")
    return Path(home) / "aura" / f"{name}.{domain}{SUFFIX}"


def watches_of(path: Path) -> Path | None:
    """The file of the watches of the same node; None where the name of this one does not tell."""
    if not path.name.endswith(SUFFIX):
        return None
    return path.with_name(path.name.removesuffix(SUFFIX) + ".watches.json")
