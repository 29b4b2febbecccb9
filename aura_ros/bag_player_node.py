"""A recording (rosbag2, sqlite3 or mcap) as live topics: images, questions, and the time on /clock.

Images are published as they were recorded, with their own stamps. It needs no `ros2 bag play`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence

from rclpy.duration import Duration
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from aura_core.errors import ConfigError, InputError
from aura_core.node_settings import BagPlayerConfig
from aura_core.replay import recorded
from aura_core.replay.bag import Bag
from aura_core.replay.topics import COMPRESSED
from aura_core.stream.attribution import stands
from aura_core.types import NS, Query
from aura_ros import qos
from aura_ros.conversions import to_time
from aura_ros.msg import Watches
from aura_ros.node import AuraNode
from aura_ros.process import run

# Wait after the first subscriber was found: it may not have found this node yet, and would lose
# the first frame.
_SETTLE_S = 1.0
_MOST_BEHIND_NS = NS  # when it is further behind, the recording goes on from the present time
_DELIVERED = Duration(seconds=2)  # most time that the last messages may take


class BagPlayerNode(AuraNode):
    """One thread reads the bag, and publishes each message when it is due."""

    def __init__(self) -> None:
        super().__init__("bag_player_node", BagPlayerConfig)

    def configure(self) -> None:
        """Look whether the bag can be read, and which topics it has."""
        self._config = c = self.settings(BagPlayerConfig)
        if not c.bag:
            raise ConfigError("bag_player_node: parameter bag is empty: name a recording")
        with self._open() as bag:
            topics, about = bag.topics, bag.description
        self._small = topics.image_type == COMPRESSED
        kind, topic = (
            (CompressedImage, recorded.COMPRESSED) if self._small else (Image, recorded.IMAGE)
        )
        self._images = self.publish_on(kind, topic, qos.CAMERA)
        self._questions = self.publish_on(String, recorded.TEXT, qos.EVENTS)
        self._times = self.publish_on(Clock, "/clock", qos.CLOCK) if c.clock else None
        self.get_logger().info(f"{about}; on {self._images.topic_name}")

    def activate(self) -> None:
        """Begin at the beginning of the bag."""
        self._published, self._asked, self._rounds, self._waits = 0, 0, 0, False
        self._open_watches: frozenset[str] = frozenset()
        self.subscribe(Watches, "aura/watches", self._on_watches, qos.LATCHED)
        self.work("player", self._main)

    def _on_watches(self, msg: Watches) -> None:
        self._open_watches = frozenset(w.text.strip() for w in msg.watches if w.open)

    def _open(self) -> Bag:
        c = self._config
        return Bag(c.bag, c.image_topic or None, c.text_topic or None, fps=None)

    def _main(self, stopping: threading.Event) -> None:
        """Play the bag, again and again with `loop`; then end the node."""
        self._wait_for_subscriber(stopping)
        while not stopping.is_set():
            try:
                with self._open() as bag:
                    self._play(bag, stopping)
            except InputError as e:
                self.end(str(e))
                return
            if not self._config.loop and not stopping.is_set():
                self._images.wait_for_all_acked(_DELIVERED)
                self._questions.wait_for_all_acked(_DELIVERED)
                self.get_logger().info(f"{self._config.bag}: the end")
                self.end()
                return
            self._rounds += 1

    def _wait_for_subscriber(self, stopping: threading.Event) -> None:
        self._waits = self._config.wait_for_subscriber
        while self._waits and not self._images.get_subscription_count():
            if stopping.wait(0.05):
                return
        if self._waits:
            stopping.wait(_SETTLE_S)
        self._waits = False

    def _play(self, bag: Bag, stopping: threading.Event) -> None:
        """Publish each message when it is due, by its bag time."""
        began_ns = first_ns = 0  # by the steady clock, and in the bag
        for bag_ns, message in bag.messages():
            now_ns = time.monotonic_ns()
            if not began_ns:
                began_ns, first_ns = now_ns, bag_ns
                self._tell_time(bag_ns)
            due_ns = began_ns + round((bag_ns - first_ns) / self._config.rate)
            began_ns += max(0, now_ns - due_ns - _MOST_BEHIND_NS)
            while (ahead_ns := due_ns - time.monotonic_ns()) > 0:
                if stopping.wait(min(ahead_ns / NS, 1 / self._config.clock_hz)):
                    return
                ahead_ns = max(0, due_ns - time.monotonic_ns())
                self._tell_time(bag_ns - round(ahead_ns * self._config.rate))
            if stopping.is_set():
                return
            if isinstance(message, Query):
                self._ask(message)
            else:
                self._images.publish(message)
                self._published += 1

    def _tell_time(self, now_ns: int) -> None:
        if self._times is not None:
            self._times.publish(Clock(clock=to_time(now_ns)))

    def _ask(self, query: Query) -> None:
        """Ask a question of the bag; in later rounds no watch that is still open."""
        if self._rounds and stands(query) and query.text.strip() in self._open_watches:
            return
        self._questions.publish(String(data=query.text))
        self._asked += 1

    def report(self) -> tuple[str, str, Mapping[str, object], str]:
        """See `AuraNode`."""
        values = {"images": self._published, "questions": self._asked, "rounds": self._rounds}
        message = "waiting for a subscriber" if self._waits else "playing"
        return "ok", message, values, self._config.bag


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; returns the exit code."""
    return run(BagPlayerNode, args)


if __name__ == "__main__":
    sys.exit(main())
