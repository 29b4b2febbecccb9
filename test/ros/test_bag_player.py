"""bag_player_node: a recording comes out as it was recorded, and loops do no harm."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aura_ros.msg import Asked, Watches
from rclpy.serialization import deserialize_message, serialize_message
from rig import DECIDED, Process, Rig
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from aura_core.replay.bag import Bag
from aura_core.replay.topics import ASKED, IMAGE
from aura_core.replay.writer import write_bag
from aura_core.types import NS, Frame, Query
from aura_ros import qos
from aura_ros.conversions import header, to_ns

pytestmark = pytest.mark.scenario

Rigs = Callable[[], tuple[str, Rig]]
START = 1_700_000_000 * NS
WATCH = "tell me every time the brightness changes"


def clip(seconds: int, fps: int = 4) -> list[Frame]:
    """Noise, in which the brightness changes each second."""
    rng = np.random.default_rng(3)
    return [
        Frame(
            rng.integers(0, 20, (8, 8, 3), np.uint8) + 200 * (k // fps % 2),
            START + k * NS // fps,
        )
        for k in range(seconds * fps)
    ]


def asked(text: str, after_s: float) -> Query:
    return Query(text, stamp_ns=START + round(after_s * NS))


def in_order(*events: Frame | Query) -> list[Frame | Query]:
    return sorted(events, key=lambda e: (e.stamp_ns, isinstance(e, Frame)))


def hear(rig: Rig, kind: Any, topic: str, profile: Any = qos.EVENTS) -> list[Any]:
    into: list[Any] = []
    rig.node.create_subscription(kind, topic, into.append, profile)
    return into


def player(namespace: str, bag: Path, *pairs: str) -> Process:
    args = [word for pair in (f"bag:={bag}", *pairs) for word in ("-p", pair)]
    return Process("bag_player_node", namespace, *args)


@pytest.mark.parametrize(("storage", "images"), [("sqlite3", "raw"), ("mcap", "png")])
def test_every_message_comes_as_it_was_recorded(
    rigs: Rigs, tmp_path: Path, storage: Any, images: Any
) -> None:
    events = in_order(*clip(4), asked("how bright?", 1.1), asked("每当看到猫时告诉我", 2.6))
    write_bag(tmp_path / "bag", events, storage, images)
    namespace, rig = rigs()
    texts = hear(rig, String, "asr/text")
    times = hear(rig, Clock, "/clock", qos.CLOCK)
    raw = images == "raw"
    shown = hear(
        rig,
        Image if raw else CompressedImage,
        "image_raw" if raw else "image_raw/compressed",
        qos.CAMERA,
    )
    with player(namespace, tmp_path / "bag", "rate:=8.0") as process:
        rig.until(lambda: not process.running, "the end of the player")
        code, output = process.wait()
    rig.until(lambda: len(shown) == 16, "the images")
    assert code == 0 and ": the end" in output and "Traceback" not in output
    assert [m.data for m in texts] == ["how bright?", "每当看到猫时告诉我"]
    assert [to_ns(m.header.stamp) for m in shown] == [f.stamp_ns for f in clip(4)]
    with Bag(tmp_path / "bag") as bag:
        recorded = [m for _, m in bag.messages() if isinstance(m, bytes)]
    assert shown == [deserialize_message(m, type(shown[0])) for m in recorded]
    told = [to_ns(t.clock) for t in times]
    assert told == sorted(told)
    assert told[0] >= START and told[-1] <= clip(4)[-1].stamp_ns


def test_the_questions_of_aura_asked_are_asked_aloud(
    rigs: Rigs, tmp_path: Path, repository: Path
) -> None:
    store = get_typestore(Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg((repository / "msg" / "Asked.msg").read_text(), ASKED))
    rows = [("what?", "aura/ask", "real-time"), ("mine", "parameters", "multi-response")]
    with Writer(tmp_path / "bag", version=8, storage_plugin=StoragePlugin.MCAP) as bag:
        topic = bag.add_connection("/aura/asked", ASKED, typestore=store)
        video = bag.add_connection("/image_raw", IMAGE, typestore=store)
        picture = Image(header=header(START, "c"), height=1, width=1, step=3, encoding="rgb8")
        picture.data.frombytes(bytes(3))
        bag.write(video, START, serialize_message(picture))
        for k, (text, source, kind) in enumerate(rows, 1):
            msg = Asked(text=text, source=source, kind=kind, severity="info")
            bag.write(topic, START + k, serialize_message(msg))  # as ROS itself writes it
    namespace, rig = rigs()
    texts = hear(rig, String, "asr/text")
    rig.watch_images()
    with player(namespace, tmp_path / "bag") as process:
        rig.until(lambda: not process.running, "the end of the player")
        assert process.wait()[0] == 0
    rig.until(lambda: texts, "the question")
    assert [m.data for m in texts] == ["what?"]  # a node asks those of its parameters itself


def test_a_loop_goes_on_and_asks_each_watch_once(rigs: Rigs, tmp_path: Path) -> None:
    """Each round the stamps go back, and so does /clock; seconds are counted on."""
    events = in_order(*clip(6), asked(WATCH, 0.1), asked("how bright?", 3.1))
    write_bag(tmp_path / "bag", events)
    namespace, rig = rigs()
    watches: list[Watches] = hear(rig, Watches, "aura/watches", qos.LATCHED)
    args = ("-p", "model.path:=scripted", "-p", "use_sim_time:=true")
    with Process("assistant_node", namespace, *args) as assistant:
        rig.met("assistant_node")
        with player(namespace, tmp_path / "bag", "rate:=3.0", "loop:=true") as process:
            rig.until(lambda: len(rig.final("You asked: how bright?")) == 3, "three rounds")
            process.end_cleanly()
        output = assistant.end_cleanly()
    decided = [h for h in rig.heartbeats if h.state in DECIDED]
    chunks = [h.chunk for h in decided]
    stamps = [to_ns(h.header.stamp) for h in decided]
    assert chunks == sorted(chunks) and chunks[-1] > 12
    assert stamps != sorted(stamps)
    assert "the clock of the stamps jumped" in output
    (watch,) = [w for w in watches[-1].watches if w.open]
    assert watch.text == WATCH
    assert {a.watch_id for a in rig.alerts} == {watch.id}
    assert [a.index for a in rig.alerts] == list(range(len(rig.alerts)))
    # the assistant's own time is that of the bag
    assert all(START <= to_ns(m.header.stamp) <= START + 6 * NS for m in watches if m.watches)


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        (["bag:=/nope"], "/nope: there is no such bag"),
        ([], "parameter bag is empty"),
        (["bag:=/nope", "rate:=0.0"], "rate"),
    ],
)
def test_what_cannot_be_played_ends_with_one_line(pairs: Sequence[str], says: str) -> None:
    args = [word for pair in pairs for word in ("-p", pair)]
    with Process("bag_player_node", "/nobody", *args) as process:
        code, output = process.wait()
    assert code == 1 and says in output and "Traceback" not in output


def test_a_bag_that_is_damaged_behind_its_beginning_ends_the_node_with_code_1(
    rigs: Rigs, tmp_path: Path
) -> None:
    write_bag(tmp_path / "bag", clip(3), "sqlite3")
    file = tmp_path / "bag" / "bag.db3"
    with sqlite3.connect(file) as db:
        db.execute("UPDATE messages SET data = x'00010000ff' WHERE id = 6")
    namespace, rig = rigs()
    shown = hear(rig, Image, "image_raw", qos.CAMERA)
    with player(namespace, tmp_path / "bag", "rate:=10.0") as process:
        rig.until(lambda: not process.running, "the end of the player")
        code, output = process.wait()
    assert code == 1 and "is damaged" in output and "Traceback" not in output
    assert len(shown) <= 5
