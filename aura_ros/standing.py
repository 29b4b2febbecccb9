"""The watches that are there from the start: of the parameters, and of an earlier run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from aura_core.errors import InputError
from aura_core.live.host import Host
from aura_core.live.watch_keeper import Kept, WatchKeeper
from aura_core.types import Query
from aura_ros.node import AuraNode


class Standing:
    """Keeps the watches of a host, and begins those that are there from the start.

    Args:
        node: is being configured; where it is cleaned up after `loaded`, the file is removed.
        host: was not started yet.
        file: see the parameter `watch_file`.
        remembers: the node has a memory. Then the watches go on after a clean end too.
    """

    def __init__(self, node: AuraNode, host: Host, file: str, remembers: bool = False) -> None:
        self._node, self._host, self._remembers = node, host, remembers
        path = path_of(node) if file == "auto" else Path(file) if file else None
        self._keeper = WatchKeeper(path, node.complain)
        host.listen(self._keeper.on_event)
        self._loaded = False
        node.undo(self._close)

    def loaded(self) -> None:
        """The node is configured. A start that fails before leaves the file to the next one."""
        self._loaded = True

    def _close(self) -> None:
        # after a crash that the node has noticed itself, its successor takes them
        if self._loaded and not self._node.exit_code and not self._remembers:
            self._keeper.close()

    def begin(self, watches: Iterable[tuple[str, Query]]) -> None:
        """Begin those of an earlier run, and those of the parameters that are not among them.

        Each watch comes with the name of its camera.

        One that was closed in that run is not begun again.
        """
        kept = Kept()
        try:
            kept = self._keeper.load()
        except InputError as e:
            self._node.complain(f"the watches of the earlier run are lost: {e}")
        self._ask(kept.watches, "restored")
        known = kept.closed | {q.id for _, q in kept.watches}
        self._ask([w for w in watches if w[1].id not in known], "parameters")
        if kept.watches:
            self._node.get_logger().info(f"{len(kept.watches)} watches go on from an earlier run")

    def again(self) -> None:
        """Begin the open watches again, after the host was stopped and started."""
        self._ask(self._keeper.kept().watches, "restored")

    def _ask(self, watches: Iterable[tuple[str, Query]], source: str) -> None:
        for camera, query in watches:
            try:
                self._host.ask(query, camera, source)
            except InputError as e:
                self._node.complain(f"watch {query.id}: {e}")


def path_of(node: AuraNode) -> Path:
    """The file of a node, by its name and its domain."""
    home = os.environ.get("ROS_HOME") or Path.home() / ".ros"
    name = node.get_fully_qualified_name().strip("/").replace("/", ".")
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    return Path(home) / "aura" / f"{name}.{domain}.watches.json"
