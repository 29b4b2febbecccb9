"""Which topics of a bag hold the camera's images and the questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rosbags.interfaces import Connection

from aura_core.errors import InputError
from aura_core.replay import recorded

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
STRING = "std_msgs/msg/String"
ASKED = "aura_ros/msg/Asked"
_LISTED = 12


@dataclass(frozen=True)
class Choice:
    """The topics that are replayed; `text_topic` is None when the bag has no questions."""

    image_topic: str
    image_type: str
    text_topic: str | None
    images: int
    connections: tuple[Connection, ...]


def choose(
    path: Path, connections: Sequence[Connection], image: str | None, text: str | None
) -> Choice:
    """Choose the topics of the images and of the questions.

    Args:
        path: the bag, for messages.
        connections: the connections of the bag.
        image: name of the image topic. None: the only image topic with messages, or the only one of
            them called `image_raw` or `image_raw/compressed`; raw comes before compressed.
        text: name of the topic with questions. None: the topic of type aura_ros/Asked, where the
            bag has one with messages (it holds the questions of every source), else the String
            topic that ends in `asr/text`. Other String topics (such as `/robot_description`) must
            be named.

    Raises:
        InputError: there is no such topic, or the choice is not clear. The message lists what the
            bag has.
    """
    cameras = [c for c in connections if c.msgtype in (IMAGE, COMPRESSED)]
    camera = (
        _named(path, connections, cameras, image, "image")
        if image
        else _camera(path, connections, cameras)
    )
    strings = [c for c in connections if c.msgtype in (STRING, ASKED)]
    asked = _named(path, connections, strings, text, "text") if text else None
    if asked is None:
        told = [c for c in strings if c.msgtype == ASKED and c.msgcount]
        heard = [c for c in strings if f"/{c.topic.strip('/')}".endswith(f"/{recorded.TEXT}")]
        heard = told or heard
        if len({c.topic for c in heard}) > 1:
            raise InputError(
                f"{path}: several topics with questions ({_list(heard)}); choose one with"
                " --text-topic"
            )
        asked = heard[0] if heard else None
    chosen = [c for c in connections if (c.topic, c.msgtype) == (camera.topic, camera.msgtype)]
    images = sum(c.msgcount for c in chosen)
    if asked is not None:
        chosen += [c for c in connections if (c.topic, c.msgtype) == (asked.topic, asked.msgtype)]
    return Choice(
        camera.topic, camera.msgtype, asked.topic if asked else None, images, tuple(chosen)
    )


def _named(
    path: Path,
    connections: Sequence[Connection],
    fitting: Sequence[Connection],
    name: str,
    what: str,
) -> Connection:
    match = next((c for c in fitting if c.topic.strip("/") == name.strip("/")), None)
    if match is not None:
        if what == "image" and match.msgcount == 0:
            raise InputError(f"{path}: there are no messages on the image topic {match.topic}")
        return match
    other = next((c for c in connections if c.topic.strip("/") == name.strip("/")), None)
    if other is not None:
        raise InputError(
            f"{path}: topic {other.topic} is {other.msgtype}, which is no {what} topic"
        )
    raise InputError(f"{path}: there is no topic {name}; the bag has {_list(connections)}")


def _camera(
    path: Path, connections: Sequence[Connection], cameras: Sequence[Connection]
) -> Connection:
    filled = [c for c in cameras if c.msgcount]
    if not filled:
        raise InputError(f"{path}: there are no images in it; the bag has {_list(connections)}")
    for ending in ("", f"/{recorded.IMAGE}", f"/{recorded.COMPRESSED}"):
        found = [c for c in filled if f"/{c.topic.strip('/')}".endswith(ending)]
        if len({c.topic for c in found}) == 1:
            return found[0]
    raise InputError(
        f"{path}: several image topics ({_list(filled)}); choose one with --image-topic"
    )


def _list(connections: Sequence[Connection]) -> str:
    names = sorted({f"{c.topic} ({c.msgtype})" for c in connections})
    if not names:
        return "no topics"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
