"""Frames, messages and whole bags for the tests of replay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from aura_core.types import Frame, Query

MS = 1_000_000
S = 1_000_000_000
START = 1_700_000_000 * S
IMAGE, COMPRESSED, STRING = (
    "sensor_msgs/msg/Image",
    "sensor_msgs/msg/CompressedImage",
    "std_msgs/msg/String",
)
STORE = get_typestore(Stores.ROS2_HUMBLE)
T = STORE.types


def frame(ms: int, level: int = 0) -> Frame:
    return Frame(np.full((4, 6, 3), level, np.uint8), START + ms * MS)


def clip(seconds: int = 6) -> list[Frame]:
    rng = np.random.default_rng(1)
    return [
        Frame(rng.integers(0, 256, (12, 16, 3), np.uint8), START + k * 500 * MS)
        for k in range(2 * seconds)
    ]


def image(stamp_ns: int, encoding: str = "rgb8", level: int = 9, step: int = 6) -> object:
    stamp = T["builtin_interfaces/msg/Time"](*divmod(stamp_ns, S))
    header = T["std_msgs/msg/Header"](stamp, "camera")
    return T[IMAGE](header, 2, 2, encoding, 0, step, np.full(2 * step, level, np.uint8))


def compressed(stamp_ns: int, data: bytes, format: str = "jpeg") -> object:
    stamp = T["builtin_interfaces/msg/Time"](*divmod(stamp_ns, S))
    return T[COMPRESSED](
        T["std_msgs/msg/Header"](stamp, "c"), format, np.frombuffer(data, np.uint8)
    )


def raw_bag(
    path: Path, messages: list[tuple[str, str, int, object]], empty: list[tuple[str, str]] = ()
) -> Path:
    """A bag of (topic, type, bag time, message).

    Topics in `empty` are declared and have no messages.
    """
    with Writer(path, version=8, storage_plugin=StoragePlugin.SQLITE3) as bag:
        made = {}
        for topic, kind in [*((t, k) for t, k, _, _ in messages), *empty]:
            if topic not in made:
                made[topic] = bag.add_connection(topic, kind, typestore=STORE)
        for topic, kind, ns, message in messages:
            bag.write(made[topic], ns, STORE.serialize_cdr(message, kind))
    return path


def same(events: list[Frame | Query], expected: list[Frame | Query]) -> None:
    assert [type(e) for e in events] == [type(e) for e in expected]
    for got, want in zip(events, expected, strict=True):
        assert got.stamp_ns == want.stamp_ns
        if isinstance(got, Frame):
            np.testing.assert_array_equal(got.image, want.image)
        else:
            assert got.text == want.text
