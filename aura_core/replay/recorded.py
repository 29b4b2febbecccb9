"""The topics that a recording of the assistant holds. Knows no ROS and no library of bags.

`aura record`, `aura replay`, `bag_player_node` and the launch argument `record` take them from
here.
"""

from __future__ import annotations

from collections.abc import Sequence

IMAGE, COMPRESSED = "image_raw", "image_raw/compressed"
TEXT = "asr/text"
ASKED = "aura/asked"

# Causes, which a replay needs, and effects, with which it is compared. Relative names.
CAUSES = (TEXT, ASKED)
EFFECTS = ("aura/response", "aura/alert", "aura/heartbeat", "aura/state", "aura/watches")
# Of all nodes of a robot; absolute.
SHARED = ("/diagnostics",)


def compressed(image: str) -> str:
    """The topic of the compressed images that belong to a topic of raw ones."""
    return f"{image}/compressed"


def recorded(namespace: str, images: Sequence[str]) -> tuple[str, ...]:
    """Absolute names of all topics to record.

    Args:
        namespace: of the nodes; "" or "/": the root.
        images: topics of the cameras' images that the assistant reads; relative or absolute.
    """
    home = f"/{namespace.strip('/')}" if namespace.strip("/") else ""
    names = (*images, *CAUSES, *EFFECTS, *SHARED)
    return tuple(name if name.startswith("/") else f"{home}/{name}" for name in names)
