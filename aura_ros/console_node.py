"""The console as a node: a page in the browser that shows and commands the assistant.

topics and services ◄─► ConsoleRobot ◄─► Server (a thread of its own) ◄─► pages
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from aura_core.console.recording import recordings_folder
from aura_core.console.security import is_loopback
from aura_core.console.server import Server
from aura_core.lines import say
from aura_core.node_settings import ConsoleNodeConfig
from aura_ros.console_robot import ConsoleRobot
from aura_ros.node import AuraNode
from aura_ros.process import run


class ConsoleNode(AuraNode):
    """Serves the page while it is active."""

    def __init__(self) -> None:
        super().__init__("console_node", ConsoleNodeConfig)
        self.server: Server | None = None

    def configure(self) -> None:
        """Read or make the certificate, and make the publishers and clients."""
        self._config = config = self.settings(ConsoleNodeConfig)
        self._tls, self._fingerprint = None, ""
        if config.console.https:
            from aura_core.console.tls import certificate_of, context, fingerprint

            self._tls = context(config.console)
            self._fingerprint = fingerprint(certificate_of(config.console))
        folder = recordings_folder(config.console.recordings)
        self._robot = ConsoleRobot(self, config, folder)

    def activate(self) -> None:
        """Take the address, subscribe, and serve."""
        server = Server(self._robot, self._config.console, self._tls)
        server.start()
        self.server = server
        self.undo(self._stop)
        # Only here: /rosout is heard by everybody in the ROS domain, and kept in bags.
        say(f"console: {server.url}")
        if self._fingerprint:
            say(f"certificate: SHA-256 {self._fingerprint}")
        if server.gate.token and not (self._tls or is_loopback(self._config.console.host)):
            self.get_logger().warning(
                "the console's token and pictures are not encrypted; https: true encrypts them"
            )
        self.get_logger().info(f"the console is served on {server.url.partition('#')[0]}")

    def _stop(self) -> None:
        server, self.server = self.server, None
        if server is not None:
            server.stop()

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """See `AuraNode`."""
        assert self.server is not None
        pages = len(self.server.hub.pages)
        url = self.server.url.partition("#")[0]
        status = self._robot.status()
        values = {"pages": pages, "trouble": status.trouble, "recording": status.recording}
        return "ok", f"{pages} pages are open", values, url


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(ConsoleNode, args)


if __name__ == "__main__":
    sys.exit(main())
