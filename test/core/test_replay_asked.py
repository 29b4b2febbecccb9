"""A bag with aura/asked is replayed with every question that was accepted, from wherever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from aura_core.config import AssistantConfig, StandingConfig
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.bag import Bag
from aura_core.replay.lockstep import Lockstep, drive
from aura_core.replay.topics import ASKED, IMAGE, STRING
from aura_core.stream.engine import StreamEngine
from aura_core.types import NS, Kind, Query, Severity

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = (ROOT / "msg" / "Asked.msg").read_text()
EACH = "tell me every time it gets brighter"


def write(path: Path, asked: list[dict[str, object]], seconds: int = 6, camera: str = "") -> None:
    """A bag with images of two greys, a question on asr/text, and `asked` at second 1."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg(DEFINITION, ASKED))
    types = store.types
    time = types["builtin_interfaces/msg/Time"]
    header = types["std_msgs/msg/Header"]
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        images = bag.add_connection(f"{camera}/image_raw", IMAGE, typestore=store)
        spoken = bag.add_connection("/asr/text", STRING, typestore=store)
        told = bag.add_connection("/aura/asked", ASKED, typestore=store)
        for half in range(2 * seconds):
            at = 1_000 * NS + half * NS // 2
            if half == 2:
                message = types[STRING](data="how bright is it?")
                bag.write(spoken, at - 1, store.serialize_cdr(message, STRING))
                for fields in asked:
                    default = {
                        "header": header(stamp=time(sec=0, nanosec=0), frame_id=""),
                        "query_id": "",
                        "text": "",
                        "kind": "real-time",
                        "source": "asr/text",
                        "limit": 0,
                        "cooldown_s": -1.0,
                        "urgent": False,
                        "severity": "info",
                        "quiet": False,
                        "camera": "",
                    }
                    message = types[ASKED](**(default | fields))
                    bag.write(told, at - 1, store.serialize_cdr(message, ASKED))
            pixels = np.full((4, 4, 3), 20 if half < 8 else 200, np.uint8)
            image = types[IMAGE](
                header=header(stamp=time(sec=at // NS, nanosec=at % NS), frame_id="c"),
                height=4,
                width=4,
                encoding="rgb8",
                is_bigendian=0,
                step=12,
                data=pixels.reshape(-1),
            )
            bag.write(images, at, store.serialize_cdr(image, IMAGE))


WATCH = {
    "query_id": "9x-q2",
    "text": EACH,
    "kind": "multi-response",
    "source": "aura/ask",
    "limit": 3,
    "cooldown_s": 1.5,
    "urgent": True,
    "severity": "critical",
}


def questions(path: Path, **topics: str) -> list[Query]:
    with Bag(path, **topics) as bag:
        return [e for e in bag.events() if isinstance(e, Query)]


def test_the_questions_of_every_source_are_replayed_with_their_settings(tmp_path: Path) -> None:
    write(tmp_path / "bag", [{"query_id": "9x-q1", "text": "how bright is it?"}, WATCH])
    first, watch = questions(tmp_path / "bag")
    assert (first.id, first.text, first.kind) == ("9x-q1", "how bright is it?", Kind.REAL_TIME)
    assert watch == Query(
        EACH, "9x-q2", 1_001 * NS - 1, Kind.MULTI_RESPONSE, 3, 1.5, True, Severity.CRITICAL
    )


def test_without_messages_on_it_the_spoken_questions_are_replayed(tmp_path: Path) -> None:
    write(tmp_path / "bag", [])
    assert [q.text for q in questions(tmp_path / "bag")] == ["how bright is it?"]


def test_the_topic_can_be_chosen(tmp_path: Path) -> None:
    write(tmp_path / "bag", [WATCH])
    assert [q.text for q in questions(tmp_path / "bag", text_topic="/asr/text")] == [
        "how bright is it?"
    ]
    assert [q.id for q in questions(tmp_path / "bag", text_topic="/aura/asked")] == ["9x-q2"]


@pytest.mark.parametrize(("camera", "heard"), [("front", ["9x-q2"]), ("back", [])])
def test_questions_to_another_camera_are_left_out(
    tmp_path: Path, camera: str, heard: list[str]
) -> None:
    write(tmp_path / "bag", [WATCH | {"camera": "front"}], camera=f"/{camera}")
    assert [q.id for q in questions(tmp_path / "bag")] == heard


def test_a_watch_of_the_parameters_is_begun_once(tmp_path: Path) -> None:
    told = WATCH | {"query_id": "light", "source": "parameters", "limit": 0, "cooldown_s": -1.0}
    write(tmp_path / "bag", [told])
    watches = {"light": StandingConfig(text=EACH, severity="critical")}
    engine = StreamEngine(ScriptedBackend(), AssistantConfig(watches=watches))
    with Bag(tmp_path / "bag") as bag:
        steps = list(drive(Lockstep(engine), bag.events()))
    (watch,) = engine.conversation.watches.list()
    assert (watch.id, watch.severity) == ("light", Severity.CRITICAL)
    alerts = [w.query_id for s in steps if s.response for w in s.response.watches]
    assert alerts == ["light"]
