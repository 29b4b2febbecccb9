"""Write frames and questions to a rosbag2 recording, for `aura record` and the tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
from rosbags.typesys import Stores, get_typestore

from aura_core.errors import InputError
from aura_core.replay import recorded
from aura_core.replay.topics import COMPRESSED, IMAGE, STRING
from aura_core.types import NS, Frame, Query

Storage = Literal["sqlite3", "mcap"]
Compression = Literal["raw", "png", "jpeg"]
_PLUGINS = {"sqlite3": StoragePlugin.SQLITE3, "mcap": StoragePlugin.MCAP}


def write_bag(
    path: str | Path,
    events: Iterable[Frame | Query],
    storage: Storage = "mcap",
    images: Compression = "raw",
    image_topic: str | None = None,
    text_topic: str = f"/{recorded.TEXT}",
) -> int:
    """Write `events` to a new bag folder. Bag time and header stamp are the event's stamp.

    Args:
        path: folder to create.
        events: frames and questions; each needs a stamp of at least 0 ns.
        storage: file format.
        images: `raw` writes Image messages; `png` (lossless) and `jpeg` (smaller) write
            CompressedImage messages.
        image_topic: None: `/image_raw`, or `/image_raw/compressed`.
        text_topic: topic of the questions.

    Returns:
        The number of frames.

    Raises:
        InputError: `path` exists or cannot be written, or a stamp is missing or negative.
    """
    path = Path(path)
    kind = IMAGE if images == "raw" else COMPRESSED
    topic = image_topic or f"/{recorded.IMAGE if images == 'raw' else recorded.COMPRESSED}"
    store = get_typestore(Stores.ROS2_HUMBLE)
    written = 0
    try:
        with Writer(path, version=8, storage_plugin=_PLUGINS[storage]) as bag:
            video = bag.add_connection(topic, kind, typestore=store)
            text = bag.add_connection(text_topic, STRING, typestore=store)
            for event in events:
                stamp = event.stamp_ns
                if stamp is None or stamp < 0:
                    raise InputError(
                        f"{path}: a bag needs stamps that are not negative, not {stamp}"
                    )
                if isinstance(event, Query):
                    message = store.types[STRING](data=event.text)
                    bag.write(text, stamp, store.serialize_cdr(message, STRING))
                else:
                    message = _image(store.types, event, images)
                    bag.write(video, stamp, store.serialize_cdr(message, kind))
                    written += 1
    except WriterError as e:
        raise InputError(f"{path}: cannot write the bag: {e}") from e
    except OSError as e:
        raise InputError(f"{path}: cannot write the bag: {e.strerror}") from e
    return written


def _image(types: dict[str, type], frame: Frame, images: Compression) -> object:
    """A sensor_msgs Image or CompressedImage of an RGB uint8 (height, width, 3) frame."""
    sec, nanosec = divmod(frame.stamp_ns, NS)
    stamp = types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")
    height, width = frame.image.shape[:2]
    if images == "raw":
        data = np.ascontiguousarray(frame.image).reshape(-1)
        return types[IMAGE](
            header=header,
            height=height,
            width=width,
            encoding="rgb8",
            is_bigendian=0,
            step=3 * width,
            data=data,
        )
    ok, data = cv2.imencode(f".{images}", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
    if not ok:
        raise InputError(f"a frame of {width}x{height} pixels cannot be written as {images}")
    return types[COMPRESSED](
        header=header, format=f"rgb8; {images} compressed bgr8", data=data.reshape(-1)
    )
