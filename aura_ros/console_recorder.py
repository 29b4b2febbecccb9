"""The console's button: a bag of the frames that are shown, and of what the assistant says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import CompressedImage, Image

from aura_core.errors import InputError
from aura_core.replay import recorded
from aura_ros import conversions as to
from aura_ros import qos
from aura_ros.msg import (
    Alert,
    Asked,
    AssistantState,
    Heartbeat,
    Note,
    Response,
    Transcript,
    Watches,
)
from aura_ros.node import AuraNode

if TYPE_CHECKING:
    from aura_ros.bag_recording import BagRecording

# The messages that a recording holds besides the frames, and their classes.
_RECORDED = {
    recorded.ASKED: Asked,
    "aura/response": Response,
    "aura/alert": Alert,
    "aura/heartbeat": Heartbeat,
    "aura/state": AssistantState,
    "aura/watches": Watches,
    "aura/note": Note,
    "asr/transcript": Transcript,
    "/diagnostics": DiagnosticArray,
}
_LATCHED = ("aura/state", "aura/watches")


class Recorder:
    """Makes one recording at a time. Its methods may be called from any thread.

    Args:
        node: subscribes to the messages.
        folder: for bags.
        topics: of the cameras' images.
        compressed: whether these are compressed images.
        images: how raw images are recorded: raw, or the format into which they are compressed.
        on_failure: called with one line when a recording has ended by an error.
    """

    def __init__(
        self,
        node: AuraNode,
        folder: Path,
        topics: Sequence[str],
        compressed: bool,
        images: str,
        on_failure: Callable[[str], None],
    ) -> None:
        self._node, self._folder, self._topics = node, folder, topics
        self._images, self._on_failure = images, on_failure
        self._type: Any = CompressedImage if compressed or images != "raw" else Image
        # whether images are recorded as they come, and not compressed here
        self.records_all = compressed or images == "raw"
        self._lock = threading.RLock()
        self._recording: BagRecording | None = None
        self._ends: list[Callable[[], None]] = []

    @property
    def name(self) -> str:
        """The name of the recording that is being made; "" where none is."""
        running = self._running()
        return running.name if running is not None else ""

    def record(self, on: bool) -> BagRecording:
        """Begin a recording, or end it. Raises `InputError` where there is nothing to do."""
        with self._lock:
            running = self._running()
            if on == (running is not None):
                raise InputError(
                    "a recording is being made already" if on else "no recording is being made"
                )
            self.end()  # or one that has failed
            if running is not None:
                return running
            return self._begin()

    def take(self, topic: str, msg: Image | CompressedImage) -> None:
        """Record an image of a camera, if a recording is being made."""
        if (recording := self._recording) is None:
            return
        message: Any = msg
        if not self.records_all:  # compressed on the thread of the recording
            message = partial(to.compressed_msg, msg, self._images)
        recording.take(self._frame_topic(topic), message, self._node.now_ns(), frame=True)

    def end(self) -> None:
        """End the recording, if one is being made."""
        with self._lock:
            ended, self._recording = self._recording, None
            for end in self._ends:
                end()
            self._ends.clear()
            if ended is None:
                return
            ended.finish()
            if not ended.failed:
                lost = f"; {ended.dropped} frames were left out" if ended.dropped else ""
                self._node.get_logger().info(f"recorded to {ended.place}{lost}")

    def _running(self) -> BagRecording | None:
        recording = self._recording
        return None if recording is None or recording.failed else recording

    def _begin(self) -> BagRecording:
        from aura_ros.bag_recording import BagRecording  # slow to load

        resolve = self._node.resolve_topic_name
        topics = {resolve(name): kind for name, kind in _RECORDED.items()}
        latched = {resolve(name) for name in _LATCHED}
        frames = {self._frame_topic(topic): self._type for topic in self._topics}
        made = BagRecording(self._folder, topics | frames, self._failed, len(self._topics))
        for topic, kind in topics.items():
            profile = qos.LATCHED if topic in latched else qos.EVENTS

            def take(data: bytes, topic: str = topic) -> None:
                made.take(topic, bytes(data), self._node.now_ns())

            subscription = self._node.create_subscription(kind, topic, take, profile, raw=True)
            self._ends.append(partial(self._node.destroy_subscription, subscription))
        self._recording = made
        self._node.get_logger().info(f"recording to {made.place}")
        return made

    def _failed(self, line: str) -> None:
        self._node.get_logger().error(line)
        self._on_failure(line)

    def _frame_topic(self, topic: str) -> str:
        return topic if self.records_all else recorded.compressed(topic)
