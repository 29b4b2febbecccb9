"""Finds topics on which nothing comes although the nodes that bring it run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aura_ros.soak.nodes import Nodes
from aura_ros.soak.record import Record, Stuck
from aura_ros.soak.verdict import SETTLE_S


@dataclass(frozen=True)
class Stream:
    """Something that comes all the time while its nodes run."""

    topic: str
    nodes: tuple[str, ...]
    limit_s: float  # longest time without it


class Watchdog:
    """Looks at the streams; call `tick` often, and `close` at the end."""

    def __init__(self, streams: Sequence[Stream], nodes: Nodes, record: Record) -> None:
        self._streams, self._nodes, self._record = streams, nodes, record
        self._stuck: dict[str, float] = {}  # since when

    def tick(self, now_s: float, newest_s: Mapping[str, float]) -> None:
        """`newest_s`: when the newest message of each topic came.

        A node has `SETTLE_S` after its start until its messages must come.
        """
        for stream in self._streams:
            runs_s = min(self._nodes.runs_for_s(node, now_s) for node in stream.nodes)
            since_s = max(newest_s.get(stream.topic, 0.0), now_s - max(0.0, runs_s - SETTLE_S))
            if now_s - since_s > stream.limit_s:
                self._stuck.setdefault(stream.topic, since_s)
            elif stream.topic in self._stuck:
                self._close(stream.topic, now_s)

    def close(self, now_s: float) -> None:
        """The run ends."""
        for topic in list(self._stuck):
            self._close(topic, now_s)

    def _close(self, topic: str, now_s: float) -> None:
        self._record.stuck.append(Stuck(topic, self._stuck.pop(topic), now_s))
