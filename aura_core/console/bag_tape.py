"""A rosbag2 recording as events and frames of the console, without ROS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore

from aura_core.console import protocol as p
from aura_core.console.film import Film, Shot, pixels, stamp_of
from aura_core.console.tape import Tape
from aura_core.console.topics import Topics
from aura_core.errors import InputError, one_line
from aura_core.replay.bag import DAMAGE, open_bag
from aura_core.replay.topics import COMPRESSED, IMAGE, STRING
from aura_core.stream.attribution import standing_kind
from aura_core.stream.sampling import StampClock

_IMAGES = (IMAGE, COMPRESSED)
_OURS = {  # the method of `Topics` for each type of message
    "aura_ros/msg/Heartbeat": "heartbeat",
    "aura_ros/msg/Response": "response",
    "aura_ros/msg/Alert": "alert",
    "aura_ros/msg/Asked": "asked",
    "aura_ros/msg/Watches": "watches",
    "aura_ros/msg/Note": "note",
    "aura_ros/msg/Transcript": "transcript",
}


class BagFilm(Film):
    """The images of a bag. `places` has, for each camera, its connection, and the bag time of the
    image with a stamp."""

    def __init__(
        self,
        path: Path,
        reader: Reader,
        shots: Mapping[str, Sequence[Shot]],
        places: Mapping[str, tuple[Connection, Mapping[int, int]]],
    ) -> None:
        super().__init__(shots)
        self._path, self._reader, self._places = path, reader, places
        self._store = get_typestore(Stores.ROS2_HUMBLE)
        self._lock = threading.Lock()  # the reader is for one thread at a time

    @classmethod
    def of_stamps(cls, path: Path) -> BagFilm:
        """The images of a bag with one camera, whose times are their stamps: of a run that has seen
        the bag."""
        tape = read_bag(path)
        film = tape.film
        assert isinstance(film, cls)
        if len(film.shots) != 1:
            film.close()
            raise InputError(f"{path}: it has {len(film.shots)} cameras, and a run has one")
        ((name, shots),) = film.shots.items()
        timed = sorted((Shot(s.stamp_ns / 1e6, s.stamp_ns) for s in shots), key=lambda s: s.at_ms)
        places = {"": film._places[name]}
        return cls(path, film._reader, {"": timed}, places)

    def _read(self, camera: str, stamp_ns: int) -> bytes:
        connection, bag_times = self._places[camera]
        begin_ns = bag_times[stamp_ns]
        with self._lock:
            try:
                for _, _, data in self._reader.messages([connection], begin_ns, begin_ns + 1):
                    message = self._store.deserialize_cdr(data, connection.msgtype)
                    return pixels(message, connection.msgtype == COMPRESSED)
            except DAMAGE as e:
                raise InputError(
                    f"{self._path}: the image at {begin_ns} ns is damaged: {one_line(e)}"
                ) from e
        raise InputError(f"{self._path}: the image at {begin_ns} ns is gone")

    def close(self) -> None:
        """See `Film`."""
        with self._lock:
            if self._reader.is_open:
                self._reader.close()


def read_bag(path: Path) -> Tape:
    """Read a bag. Its times are those at which it was recorded.

    Raises `InputError` when it is no readable bag, or has neither images nor messages of the
    assistant.
    """
    reader = open_bag(path)
    try:
        return _Read(path, reader).tape()
    except BaseException:
        reader.close()
        raise


class _Read:
    """One pass over a bag."""

    def __init__(self, path: Path, reader: Reader) -> None:
        self._path, self._reader = path, reader
        self._store = get_typestore(Stores.ROS2_HUMBLE)
        self._topics = Topics()
        self._unknown: list[str] = []  # topics without the definition of their messages
        self._ours = [c for c in reader.connections if c.msgtype in _OURS and self._learn(c)]
        told = any(c.msgtype == "aura_ros/msg/Asked" and c.msgcount for c in self._ours)
        self._heard = [] if told else [c for c in reader.connections if _is_text(c)]
        self._images = [c for c in reader.connections if c.msgtype in _IMAGES and c.msgcount]

    def tape(self) -> Tape:
        """All of it."""
        if not self._images and not self._ours:
            raise InputError(f"{self._path}: there are no images in it, and no decisions")
        events: list[tuple[float, p.Event]] = []
        shots: dict[int, list[Shot]] = {c.id: [] for c in self._images}
        times: dict[int, dict[int, int]] = {c.id: {} for c in self._images}
        clocks = {c.id: StampClock() for c in self._images}
        for connection, bag_ns, data in self._messages():
            if connection.msgtype in _IMAGES:
                stamp = clocks[connection.id].of(stamp_of(data) or bag_ns, bag_ns)
                shots[connection.id].append(Shot(bag_ns / 1e6, stamp))
                times[connection.id][stamp] = bag_ns
            else:
                events += [
                    (bag_ns / 1e6, event) for event in self._events(connection, bag_ns, data)
                ]
        last_ms = max((at for at, _ in events), default=0.0)
        events += [(last_ms, event) for event in self._topics.late(last_ms + 1e6)]
        events.sort(key=lambda one: one[0])
        cameras = self._cameras(events)
        film = BagFilm(
            self._path,
            self._reader,
            {name: shots[c.id] for name, c in cameras.items() if c is not None},
            {name: (c, times[c.id]) for name, c in cameras.items() if c is not None},
        )
        listed = tuple(p.Camera(name, name or self._path.name) for name in cameras)
        return Tape(self._path.name, listed, events, film, self._notice(events))

    def _messages(self) -> Iterator[tuple[Connection, int, bytes]]:
        messages = self._reader.messages([*self._ours, *self._heard, *self._images])
        while True:
            try:
                message = next(messages, None)
            except DAMAGE as e:
                raise InputError(
                    f"{self._path}: the bag is damaged or incomplete: {one_line(e)}"
                ) from e
            if message is None:
                return
            yield message

    def _events(self, connection: Connection, bag_ns: int, data: bytes) -> list[p.Event]:
        try:
            message = self._store.deserialize_cdr(data, connection.msgtype)
            if connection.msgtype != STRING:
                method: Callable[[Any, float], list[p.Event]] = getattr(
                    self._topics, _OURS[connection.msgtype]
                )
                return method(message, bag_ns / 1e6)
        except DAMAGE as e:
            raise InputError(
                f"{self._path}: the message of {connection.topic} at {bag_ns} ns is damaged"
            ) from e
        watch = standing_kind(message.data) is not None
        return [p.Asked(f"bag-{bag_ns}", "", message.data, "asr/text", watch, bag_ns / 1e6)]

    def _learn(self, connection: Connection) -> bool:
        """Learn the definition of a message from the bag; whether it has one."""
        try:
            self._store.register(get_types_from_msg(connection.msgdef.data, connection.msgtype))
        except (*DAMAGE, TypesysError):
            self._unknown.append(connection.topic)
            return False
        return True

    def _cameras(self, events: Sequence[tuple[float, p.Event]]) -> dict[str, Connection | None]:
        """The cameras by name, each with the topic of its images, raw ones before compressed ones.

        A camera has the name that the assistant gives it, and without one that of its topic.
        """
        names = list(dict.fromkeys(e.camera for _, e in events if isinstance(e, p.Second)))
        images = sorted(self._images, key=lambda c: c.msgtype == COMPRESSED)
        if not names:
            bases = dict.fromkeys(_base(c.topic) for c in images)
            names = [""] if len(bases) == 1 else list(bases)
        found: dict[str, Connection | None] = {}
        for name in names:
            fitting = [c for c in images if not name or f"/{name}/" in f"/{c.topic.strip('/')}/"]
            found[name] = fitting[0] if fitting else None
        return found

    def _notice(self, events: Sequence[tuple[float, p.Event]]) -> str:
        if self._unknown:
            return f"the bag does not hold the definitions of {', '.join(self._unknown)}"
        if not any(isinstance(event, p.Second) for _, event in events):
            return (
                "the bag holds no decisions: aura replay BAG --out run.jsonl makes them, and"
                " --frames BAG shows them here"
            )
        return "" if self._images else "the bag holds no images"


def _is_text(connection: Connection) -> bool:
    topic = f"/{connection.topic.strip('/')}"
    return connection.msgtype == STRING and topic.endswith("/asr/text")


def _base(topic: str) -> str:
    """The name of the camera of a topic: that of its folder."""
    parts = [part for part in topic.strip("/").split("/") if part != "compressed"]
    return "/".join(parts[:-1]) or parts[-1]
