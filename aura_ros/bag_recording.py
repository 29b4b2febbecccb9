"""A recording of the console as a bag: the frames that it shows, and the assistant's messages.

It is written by the library that reads bags here, so neither `ros2 bag` nor ROS's own storage is
needed. Every second is committed: what a crash leaves can be read up to there. As with `ros2 bag`,
a bag that was not finished has no `metadata.yaml`.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rclpy.serialization import serialize_message
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from aura_core.console.recording import new_folder, waiting_each
from aura_core.errors import InputError, one_line
from aura_ros import msg
from aura_ros.definitions import definition, type_name

COMMIT_S = 1.0  # so much is lost by a crash
_FAILURES = (OSError, sqlite3.Error, WriterError)
Message = Any | bytes | Callable[[], Any]  # a message, a serialized one, or what makes one


class BagRecording:
    """A bag that is being written. `take` stores, and a thread writes.

    When it cannot be written any more (a full disk), `failed` says why and `complain` is called;
    what is there stays.

    Args:
        folder: in which the bag is made.
        topics: the classes of the messages, by topic.
        complain: gets one line when the recording ends by an error; called on its thread.
        cameras: how many topics have frames.

    Raises:
        InputError: it cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        topics: Mapping[str, Any],
        complain: Callable[[str], None],
        cameras: int = 1,
    ) -> None:
        self.failed = ""
        self.dropped = 0  # frames that could not be written in time
        self._complain, self._topics = complain, topics
        self.name, self.place = new_folder(folder, time.time())
        self._messages: deque[tuple[str, int, Message]] = deque()
        most = waiting_each(cameras)
        self._frames: defaultdict[str, deque[tuple[str, int, Message]]] = defaultdict(
            lambda: deque(maxlen=most)
        )
        self._changed = threading.Condition()
        self._ending = False
        begun = threading.Event()
        self._thread = threading.Thread(
            target=self._main, args=(begun,), name="recording", daemon=True
        )
        self._thread.start()
        begun.wait()
        if self.failed:
            raise InputError(self.failed)

    def take(self, topic: str, message: Message, at_ns: int, frame: bool = False) -> None:
        """Store a message that came at `at_ns`. Returns at once; from any thread.

        Of frames, the newest ones are kept of each topic where it is too slow; other messages wait.
        """
        with self._changed:
            if self._ending or self.failed:
                return
            if frame:
                waiting = self._frames[topic]
                self.dropped += len(waiting) == waiting.maxlen
            else:
                waiting = self._messages
            waiting.append((topic, at_ns, message))
            self._changed.notify()

    def finish(self) -> None:
        """End it."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join()

    # ---- on its own thread: the file is for one thread -----------------------------------------

    def _main(self, begun: threading.Event) -> None:
        writer = Writer(self.place, version=9, storage_plugin=StoragePlugin.SQLITE3)
        try:
            writer.open()
            connections = self._connect(writer)
            begun.set()
            self._write(writer, connections)
            writer.close()
        except _FAILURES as e:
            self.failed = f"{self.place}: the recording has ended: {one_line(e)}"
            with self._changed:
                self._messages.clear()
                self._frames.clear()
            if begun.is_set():
                self._complain(self.failed)
            begun.set()
            _release(writer)

    def _connect(self, writer: Writer) -> dict[str, Connection]:
        store = get_typestore(Stores.ROS2_HUMBLE)
        for name in dir(msg):
            cls = getattr(msg, name)
            if isinstance(cls, type) and cls.__module__.startswith("aura_ros."):
                store.register(get_types_from_msg(definition(cls), type_name(cls)))
        made = {
            topic: writer.add_connection(topic, type_name(cls), typestore=store)
            for topic, cls in self._topics.items()
        }
        _commit(writer)
        return made

    def _write(self, writer: Writer, connections: Mapping[str, Connection]) -> None:
        committed_s = time.monotonic()
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._messages or self._frames or self._ending, COMMIT_S
                )
                frames = [one for some in self._frames.values() for one in some]
                waiting = sorted([*self._messages, *frames], key=lambda m: m[1])
                self._messages.clear()
                self._frames.clear()
                ending = self._ending
            for topic, at_ns, message in waiting:
                if (data := _serialized(message)) is not None:
                    writer.write(connections[topic], at_ns, data)
            if time.monotonic() - committed_s >= COMMIT_S:
                _commit(writer)
                committed_s = time.monotonic()
            if ending and not waiting:
                return


def _serialized(message: Message) -> bytes | None:
    """A message as bytes; None for a frame that cannot be read, which is told elsewhere."""
    try:
        made = message() if callable(message) else message
    except InputError:
        return None
    return made if isinstance(made, bytes) else serialize_message(made)


def _commit(writer: Writer) -> None:
    """Let the file hold what was written so far."""
    storage = writer.storage
    assert isinstance(storage, Sqlite3Writer)
    storage.conn.commit()


def _release(writer: Writer) -> None:
    """Close the file of a writer that has failed; what was committed stays."""
    storage, writer.storage = writer.storage, None
    if isinstance(storage, Sqlite3Writer):
        try:
            storage.conn.close()
        except sqlite3.Error:  # the disk is full: nothing more can be done
            return
