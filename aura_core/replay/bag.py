"""rosbag2 recordings (sqlite3 and mcap) as frames and questions, without ROS.

The types of the images and of `asr/text` have never changed, so their definitions come from the
library and not from the bag. So a bag without definitions (older sqlite3 bags), or with broken ones
of other types, can be read too. `aura/asked` is read with the bag's own definition.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore

from aura_core.errors import InputError, one_line
from aura_core.plain import refuse_bomb
from aura_core.replay.asked import asked_query
from aura_core.replay.topics import ASKED, COMPRESSED, IMAGE, STRING, Choice, choose
from aura_core.sources.encodings import decode_compressed, decode_raw, refuse_format
from aura_core.stream.sampling import Slots, StampClock
from aura_core.types import NS, Frame, Query

# What the reading library raises on damaged files. Found by cutting good files off and by flipping
# their bytes.
DAMAGE = (
    ReaderError,
    SerdeError,
    apsw.Error,
    OSError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
)


Recorded = bytes | Query  # an image as it was recorded, or a question


@dataclass
class _Image:
    """An image message, its stamp and its bag time; it is decoded at most once."""

    message: Any
    stamp_ns: int
    bag_ns: int
    frame: Frame | None = None
    broken: bool = False


class Bag:
    """An open recording. Iterate `events()`, then close it; or use it as a context manager.

    `skipped` counts compressed images that could not be decoded, `stuck` images whose stamp stood
    still.

    Args:
        path: rosbag2 folder, or a single `.mcap` or `.db3` file.
        image_topic, text_topic: topics of the camera and of the questions; None: see
            `topics.choose`.
        fps: frames a second to decode, chosen by the sampling rule (`Slots`); None: all.
        tolerance_s: how early a frame may be and still count for its slot, in seconds.
        hold_s: how long a picture stands where no next one comes, in seconds; None: until the next.

    Raises:
        InputError: the path is no readable bag, or the bag lacks the topic.
    """

    def __init__(
        self,
        path: str | Path,
        image_topic: str | None = None,
        text_topic: str | None = None,
        fps: float | None = 2.0,
        tolerance_s: float = 0.05,
        hold_s: float | None = None,
    ) -> None:
        self.path = Path(path)
        self.skipped, self._why = 0, ""
        self._slots, self._clock = Slots(fps, tolerance_s, hold_s), StampClock()
        self._store = get_typestore(Stores.ROS2_HUMBLE)
        self._reader = open_bag(self.path)
        try:
            self.topics = choose(self.path, self._reader.connections, image_topic, text_topic)
        except InputError:
            self.close()
            raise
        self._learn()
        t = self.topics
        heard = f"questions of {t.text_topic}" if t.text_topic else "no questions"
        self.description = (
            f"{self.path}: {t.images} images of {t.image_topic} ({t.image_type}), {heard}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        if self._reader.is_open:
            self._reader.close()

    def events(self) -> Iterator[Frame | Query]:
        """Frames and questions in the order of the bag; at equal times questions come first.

        A frame's stamp is its header stamp, or its bag time where that is zero or stands still. A
        picture stands until the next one: half seconds without a frame get the one before. A
        question has only a bag time. It is moved into the frames' clock by the difference between
        the two times of the newest frame. A question before the first frame has no stamp and joins
        the first chunk.

        Raises `InputError` when a message is damaged, or when no image can be decoded.
        """
        standing: _Image | None = None  # the newest image
        asked: list[Query] = []  # since that image
        images = 0
        for connection, bag_ns, data in self._in_order():
            message = self._read(connection, bag_ns, data)
            if connection.topic == self.topics.text_topic:
                stamp = standing.stamp_ns + bag_ns - standing.bag_ns if standing else None
                if (question := self._question(connection, message)) is not None:
                    asked.append(replace(question, stamp_ns=stamp))
                continue
            stamp = message.header.stamp.sec * NS + message.header.stamp.nanosec or bag_ns
            coming = _Image(message, self._clock.of(stamp, bag_ns), bag_ns)
            for query in asked:
                yield from self._held(standing, query.stamp_ns, bag_ns)
                yield query
            asked.clear()
            yield from self._held(standing, coming.stamp_ns, bag_ns)
            images += 1
            if self._slots.wants(coming.stamp_ns, bag_ns):
                frame = self._frame(coming)
                if frame is None:
                    continue
                self._slots.took(coming.stamp_ns, bag_ns)
                yield frame
            standing = coming
        yield from asked
        if images == self.skipped:
            raise InputError(
                f"{self.path}: not one of the {images} images of {self.topics.image_topic} can be"
                f" decoded{f': {self._why}' if self._why else ''}"
            )

    def messages(self) -> Iterator[tuple[int, Recorded]]:
        """The messages as they were recorded, each with its bag time in nanoseconds, in the order
        of `events`.

        An image is its serialized message (CDR), whose picture is not decoded. The watches that
        the parameters of a node begin are left out: they are no one's words.
        Raises `InputError` when a message is damaged.
        """
        for connection, bag_ns, data in self._in_order():
            message = self._read(connection, bag_ns, data)
            if connection.topic != self.topics.text_topic:
                yield bag_ns, bytes(data)
                continue
            question = self._question(connection, message)
            if question is not None and getattr(message, "source", "") != "parameters":
                yield bag_ns, question

    def _question(self, connection: Connection, message: Any) -> Query | None:
        """The question of a message, without a stamp; None where it is for another camera."""
        if connection.msgtype == STRING:
            return Query(message.data)
        camera = getattr(message, "camera", "")
        # each camera has its own topic
        ours = not camera or f"/{camera}/" in f"/{self.topics.image_topic.lstrip('/')}"
        return asked_query(message) if ours else None

    @property
    def stuck(self) -> int:
        """Images whose stamp stood still."""
        return self._clock.stuck

    def _held(self, standing: _Image | None, until_ns: int | None, bag_ns: int) -> Iterator[Frame]:
        """The picture that stands, for each half second without a frame before `until_ns`."""
        if standing is None or until_ns is None:
            return
        for stamp in self._slots.empty(until_ns, standing.stamp_ns, bag_ns):
            if (frame := self._frame(standing)) is None:
                return
            held = replace(
                frame, stamp_ns=stamp, arrived_ns=standing.bag_ns + stamp - standing.stamp_ns
            )
            self._slots.took(stamp, held.arrived_ns)
            yield held

    def _frame(self, image: _Image) -> Frame | None:
        if image.frame is None and not image.broken:
            image.frame = self._decoded(image)
            image.broken = image.frame is None
        return image.frame

    def _decoded(self, image: _Image) -> Frame | None:
        m = image.message
        try:
            if self.topics.image_type != COMPRESSED:
                big_endian = bool(m.is_bigendian)
                pixels = decode_raw(m.encoding, m.height, m.width, m.step, m.data, big_endian)
            elif refused := refuse_format(m.format):
                raise InputError(refused)
            else:
                try:
                    pixels = decode_compressed(m.data, m.format)
                except InputError as e:
                    self.skipped += 1
                    self._why = str(e)
                    return None
        except InputError as e:
            raise InputError(
                f"{self.path}: {self.topics.image_topic} at {image.bag_ns} ns: {e}"
            ) from e
        return Frame(pixels, image.stamp_ns, image.bag_ns)

    def _in_order(self) -> Iterator[tuple[Connection, int, bytes]]:
        """Messages of the chosen topics by bag time, questions before images of the same time."""
        held: list[tuple[Connection, int, bytes]] = []
        for message in self._messages():
            if held and message[1] != held[0][1]:
                yield from _questions_first(held)
                held = []
            held.append(message)
        yield from _questions_first(held)

    def _messages(self) -> Iterator[tuple[Connection, int, bytes]]:
        messages = self._reader.messages(self.topics.connections)
        while True:
            try:
                message = next(messages, None)
            except DAMAGE as e:
                raise _damaged(self.path, e) from e
            if message is None:
                return
            yield message

    def _learn(self) -> None:
        """Learn the definition of `aura/asked` from the bag."""
        for connection in self.topics.connections:
            if connection.msgtype != ASKED:
                continue
            try:
                self._store.register(get_types_from_msg(connection.msgdef.data, ASKED))
            except (*DAMAGE, TypesysError) as e:
                self.close()
                raise InputError(
                    f"{self.path}: {connection.topic}: the bag does not hold the definition of"
                    f" {ASKED}; choose another topic with --text-topic"
                ) from e

    def _read(self, connection: Connection, bag_ns: int, data: bytes) -> Any:
        try:
            return self._store.deserialize_cdr(data, connection.msgtype)
        except DAMAGE as e:
            raise InputError(
                f"{self.path}: the message of {connection.topic} at {bag_ns} ns is damaged"
            ) from e


def open_bag(path: Path) -> Reader:
    """A rosbag2 folder, or a single `.mcap` or `.db3` file, opened. Raises `InputError`."""
    if not path.exists():
        raise InputError(
            f"{path}: there is no such bag (a rosbag2 folder, an .mcap or a .db3 file)"
        )
    target = path
    if path.is_dir() and not (path / "metadata.yaml").exists():
        # A recorder that was killed leaves no metadata; a single data file can be read without it.
        files = sorted([*path.glob("*.mcap"), *path.glob("*.db3")])
        if len(files) != 1:
            raise InputError(
                f"{path}: not a rosbag2 folder: it has no metadata.yaml, and {len(files)} data"
                " files"
            )
        target = files[0]
    elif path.is_file() and path.suffix not in (".mcap", ".db3"):
        raise InputError(f"{path}: not a rosbag2 recording (a folder, an .mcap or a .db3 file)")
    roll_back(target)
    try:
        if target.is_dir():
            refuse_bomb((target / "metadata.yaml").read_text(encoding="utf-8"))
        with warnings.catch_warnings(action="ignore"):  # of the YAML library: it reads on
            reader = Reader(target)
            reader.open()
    except DAMAGE as e:
        raise _damaged(path, e) from e
    for connection in reader.connections:  # the metadata may hold anything in these places
        named = isinstance(connection.topic, str) and isinstance(connection.msgtype, str)
        if not named or not isinstance(connection.msgcount, int):
            reader.close()
            raise InputError(f"{path}: the bag is damaged: a topic of its metadata is not one")
    return reader


def roll_back(target: Path) -> None:
    """Take back what a recorder that was killed has written by halves, as its journal says.

    The reader opens the file as one that never changes, and would see the half.
    """
    files = target.glob("*.db3") if target.is_dir() else [target]
    for file in files:
        if file.with_name(f"{file.name}-journal").exists():
            try:
                opened = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
                try:
                    opened.execute("BEGIN IMMEDIATE; ROLLBACK")
                finally:
                    opened.close()
            except apsw.Error as e:
                raise _damaged(file, e) from e


def _questions_first(
    messages: list[tuple[Connection, int, bytes]],
) -> list[tuple[Connection, int, bytes]]:
    return sorted(messages, key=lambda m: m[0].msgtype in (IMAGE, COMPRESSED))


def _damaged(path: Path, error: BaseException) -> InputError:
    return InputError(f"{path}: the bag is damaged or incomplete: {one_line(error)}")


__all__ = ["Bag", "Choice", "Recorded"]
