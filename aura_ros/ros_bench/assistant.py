"""The assistant with a stop watch: a line for each response in the file $AURA_BENCH_TIMES."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import OrderedDict
from typing import Any

from aura_core.live.events import Event, Stepped, Words
from aura_ros.assistant_node import AssistantNode
from aura_ros.conversions import to_ns
from aura_ros.process import run

TIMES = "AURA_BENCH_TIMES"
_REMEMBERED = 256  # newest images whose arrival is known


class TimedAssistant(AssistantNode):
    """Notes when images come, and when responses go. Times are nanoseconds since 1970."""

    def __init__(self) -> None:
        super().__init__()
        self._arrived: OrderedDict[int, int] = OrderedDict()  # by stamp
        self._words_ns = self._words = 0  # of the present step
        self._times = open(os.environ[TIMES], "a")  # noqa: SIM115 - open as long as the node

    def configure(self) -> None:
        """See `AssistantNode`."""
        super().configure()
        for camera in self.cameras.values():
            on_image = camera._on_image

            def timed(msg: Any, on_image: Any = on_image) -> None:
                self._arrived[to_ns(msg.header.stamp)] = time.time_ns()
                while len(self._arrived) > _REMEMBERED:
                    self._arrived.popitem(last=False)
                on_image(msg)

            camera._on_image = timed

    def _on_event(self, event: Event) -> None:
        began_ns = time.time_ns()
        super()._on_event(event)
        ended_ns = time.time_ns()
        if isinstance(event, Words):
            self._words_ns += ended_ns - began_ns
            self._words += 1
        elif isinstance(event, Stepped):
            if (response := event.step.response) is not None:
                line = {
                    "id": response.id,
                    "arrived_ns": self._arrived.get(response.stamp_ns),
                    "step_ms": event.step.step_ms,
                    "words_ms": self._words_ns / 1e6,
                    "words": self._words,
                    "stepped_ns": began_ns,
                    "published_ns": ended_ns,
                }
                self._times.write(json.dumps(line) + "\n")
                self._times.flush()
            self._words_ns = self._words = 0


if __name__ == "__main__":
    sys.exit(run(TimedAssistant))
