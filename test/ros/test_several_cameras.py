"""Several cameras that share a model, and the watches of a parameter file, over real DDS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from aura_ros.msg import Watches
from aura_ros.srv import Ask, CancelWatch, ListWatches
from diagnostic_msgs.msg import DiagnosticStatus
from rig import Process, Rig
from sensor_msgs.msg import CompressedImage, Image
from test_lifecycle import Manager

from aura_core.types import NS, Frame
from aura_ros import qos
from aura_ros.conversions import to_image, to_ns

pytestmark = pytest.mark.scenario

Rigs = Callable[[], tuple[str, Rig]]
EACH = "tell me every time the brightness changes"


class Cameras:
    """Two cameras of a rig."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.second = rig, 0
        self.publishers = {
            name: rig.node.create_publisher(Image, f"{name}/image_raw", qos.FRAMES)
            for name in ("front", "back")
        }

    def matched(self) -> None:
        for publisher in self.publishers.values():
            self.rig.until(publisher.get_subscription_count, "the assistant")
        self.rig.until(lambda: self.rig.heartbeats, "a heartbeat")
        self.rig.met("assistant_node")

    def show(self, **greys: int) -> dict[str, int]:
        """Show the next second; wait until every camera in it is decided. Returns the stamps."""
        stamps: dict[str, int] = {}
        for half in (0, 1):
            for name, grey in greys.items():
                stamps[name] = (1_000 + self.second) * NS + half * NS // 2 + len(name)
                image = np.full((8, 8, 3), grey, np.uint8)
                frame = Frame(image, stamps[name])
                self.publishers[name].publish(to_image(frame, f"{name}_frame"))
        self.second += 1
        for name, stamp in stamps.items():
            self.rig.until(lambda name=name, stamp=stamp: self._decided(name, stamp), name)
        return stamps

    def _decided(self, name: str, stamp_ns: int) -> bool:
        return any(
            h.camera == name and to_ns(h.header.stamp) == stamp_ns for h in self.rig.heartbeats
        )


ARGS = ("-p", "model.path:=scripted", "-p", "stale_after_s:=1.0")


def test_each_camera_has_its_own_window_watches_and_heartbeats(rigs: Rigs) -> None:
    namespace, rig = rigs()
    debug: dict[str, list[CompressedImage]] = {"front": [], "back": []}
    for name, into in debug.items():
        topic = f"aura/debug_image/{name}/compressed"
        rig.node.create_subscription(CompressedImage, topic, into.append, qos.FRAMES)
    with Process("assistant_node", namespace, *ARGS, "-p", "cameras:=[front, back]"):
        cameras, manager = Cameras(rig), Manager(rig, "assistant_node")
        cameras.matched()
        asked = manager.call(Ask, "aura/ask", text=EACH, camera="back")
        assert asked.accepted and ".back-" in asked.query_id
        wrong = manager.call(Ask, "aura/ask", text=EACH, camera="left")
        assert wrong.reason == "camera must be one of front, back, not 'left'"
        cameras.show(front=10, back=10)
        cameras.show(front=10, back=10)
        before = len(rig.alerts)
        cameras.show(front=200, back=10)  # nobody watches the front
        stamps = cameras.show(front=200, back=200)
        cameras.show(front=200, back=200)
        rig.until(lambda: rig.alerts[before:], "the alert")
        (alert,) = rig.alerts[before:]
        assert (alert.watch_id, alert.camera) == (asked.query_id, "back")
        assert (alert.header.frame_id, to_ns(alert.header.stamp)) == ("back_frame", stamps["back"])
        (listed,) = manager.call(ListWatches, "aura/list_watches").watches
        assert (listed.id, listed.camera) == (asked.query_id, "back")
        for name, images in debug.items():
            rig.until(lambda images=images: images, f"a picture of {name}")
            assert {i.header.frame_id for i in images} == {f"{name}_frame"}
        # a question goes to the first camera where none is named
        rig.ask("how bright is it?")
        rig.until(lambda: [r for r in rig.final() if r.camera == "front"], "the answer")
        assert manager.call(CancelWatch, "aura/cancel_watch", watch_id=asked.query_id).cancelled


def test_a_camera_that_stops_is_told_while_the_other_goes_on(rigs: Rigs) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, *ARGS, "-p", "cameras:=[front, back]"):
        cameras = Cameras(rig)
        cameras.matched()
        cameras.show(front=10, back=10)

        def stopped() -> bool:
            cameras.show(front=10)
            return any(h.camera == "back" and h.state == "no_frames" for h in rig.heartbeats)

        rig.until(stopped, "back has stopped")
        assert not any(h.camera == "front" and h.state == "no_frames" for h in rig.heartbeats)

        def diagnosed() -> list[DiagnosticStatus]:
            return [
                s
                for d in rig.diagnostics
                for s in d.status
                if s.name == f"{namespace[1:]}/assistant_node"
                and s.level == DiagnosticStatus.ERROR
                and "back: the camera has stopped" in s.message
            ]

        rig.until(diagnosed, "the diagnosis")


@pytest.mark.parametrize("wrong", ["watches.stove.kind:=often", "watches.stove.txt:=hello"])
def test_a_wrong_watch_of_a_parameter_is_named(rigs: Rigs, wrong: str) -> None:
    namespace, _ = rigs()
    with Process("assistant_node", namespace, *ARGS, "-p", wrong) as process:
        code, output = process.wait()
    assert code == 1 and "watches.stove" in output and "Traceback" not in output


def test_a_watch_without_words_is_named(rigs: Rigs) -> None:
    namespace, _ = rigs()
    args = ("-p", "watches.stove.severity:=critical")
    with Process("assistant_node", namespace, *ARGS, *args) as process:
        code, output = process.wait()
    assert code == 1 and "watches.stove.text must be given" in output


def test_the_watches_of_a_parameter_file_are_there_from_the_start(
    rigs: Rigs, tmp_path: Path
) -> None:
    namespace, rig = rigs()
    file = tmp_path / "my.yaml"
    file.write_text(
        "/**/assistant_node:\n  ros__parameters:\n    model: {path: scripted}\n    watches:\n"
        f"      light: {{text: '{EACH}', severity: critical, cooldown_s: 0.0, urgent: true}}\n"
        "      dark: {text: 'tell me when it is dark', limit: 1}\n"
    )
    told: list[Watches] = []
    rig.node.create_subscription(Watches, "aura/watches", told.append, qos.LATCHED)
    with Process("assistant_node", namespace, "--params-file", str(file)):
        rig.matched()
        rig.live_second(10)
        rig.live_second(10)
        both = rig.until(lambda: told and len(told[-1].watches) == 2 and told[-1], "the watches")
        assert {w.id: (w.severity, w.urgent) for w in both.watches} == {
            "light": ("critical", True),
            "dark": ("info", False),
        }
        assert not rig.responses  # that the model accepts them is not said
        rig.live_second(220)
        alert = rig.until(lambda: rig.alerts, "the alert")[0]
        assert (alert.watch_id, alert.severity, alert.urgent) == ("light", "critical", True)
