"""The frames of a recording, by camera and stamp: of a folder, of a bag, or of any source.

A frame is read when it is wanted. What is kept in memory are the times of the frames.
"""

from __future__ import annotations

import struct
import tempfile
import threading
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.errors import InputError
from aura_core.memory.pictures import jpeg
from aura_core.types import NS

WIDTH = 1280  # most pixels in a row
_FPS = 2.0  # frames a second of a source that is read to its end
_MOST_JPEG = 1_000_000  # bytes of a JPEG that is shown as it was recorded


@dataclass(frozen=True)
class Shot:
    """A frame: when it was seen, in milliseconds of the recording's clock, and its stamp."""

    at_ms: float
    stamp_ns: int


class Film:
    """The base: no frames. `shots` has those of each camera, in the order of their times."""

    def __init__(self, shots: Mapping[str, Sequence[Shot]] | None = None) -> None:
        self.shots = {name: list(some) for name, some in (shots or {}).items()}
        self._stamps = {
            name: sorted(shot.stamp_ns for shot in some) for name, some in self.shots.items()
        }

    def at(self, camera: str, at_ms: float) -> Shot | None:
        """The newest frame at a time; None before the first."""
        shots = self.shots.get(camera, [])
        place = bisect_right(shots, at_ms, key=lambda shot: shot.at_ms)
        return shots[place - 1] if place else None

    def picture(self, camera: str, stamp_ns: int) -> bytes | None:
        """The JPEG of the frame with this stamp; where there is none, of the newest before it. None
        where there is none either. From any thread.

        Raises `InputError` when it cannot be read.
        """
        stamps = self._stamps.get(camera, [])
        place = bisect_right(stamps, stamp_ns)
        return self._read(camera, stamps[place - 1]) if place else None

    def _read(self, camera: str, stamp_ns: int) -> bytes:
        raise NotImplementedError

    def close(self) -> None:
        """Release the files."""


class FolderFilm(Film):
    """JPEG files, by camera and stamp."""

    def __init__(self, shots: Mapping[str, Sequence[Shot]], folders: Mapping[str, Path]) -> None:
        super().__init__(shots)
        self._folders = dict(folders)

    def _read(self, camera: str, stamp_ns: int) -> bytes:
        path = self._folders[camera] / f"{stamp_ns}.jpg"
        try:
            return path.read_bytes()
        except OSError as e:
            raise InputError(f"{path}: cannot be read: {e.strerror}") from e


class SourceFilm(Film):
    """The frames of a source, which is read to its end: two a second, as JPEGs in a file without a
    name. Their times are their stamps."""

    def __init__(self, spec: str) -> None:
        from aura_core.sources import open_source

        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._lock = threading.Lock()
        self._places: dict[int, tuple[int, int]] = {}  # offset and length, by stamp
        with open_source(spec, _FPS) as source:
            if source.live:
                raise InputError(f"{spec}: a live source has no past; name a bag or a file")
            for frame in source:
                data = jpeg(frame.image, WIDTH)
                self._places[frame.stamp_ns] = self._file.tell(), len(data)
                self._file.write(data)
        super().__init__({"": [Shot(stamp / 1e6, stamp) for stamp in self._places]})

    def _read(self, camera: str, stamp_ns: int) -> bytes:
        offset, length = self._places[stamp_ns]
        with self._lock:
            self._file.seek(offset)
            return self._file.read(length)

    def close(self) -> None:
        """See `Film`."""
        self._file.close()


def stamp_of(cdr: bytes) -> int:
    """The stamp of a serialized message (CDR) that begins with a header, in nanoseconds.

    Raises `InputError` for one that is too short.
    """
    if len(cdr) < 12:
        raise InputError("a message is damaged: it ends within its header")
    sec, nanosec = struct.unpack_from("<iI" if cdr[1] & 1 else ">iI", cdr, 4)
    return int(sec) * NS + int(nanosec)


def pixels(message: Any, compressed: bool) -> bytes:
    """The JPEG of a message of sensor_msgs. Raises `InputError`."""
    from aura_core.sources.encodings import decode_compressed, decode_raw, refuse_format

    if not compressed:
        m = message
        big_endian = bool(m.is_bigendian)
        return jpeg(decode_raw(m.encoding, m.height, m.width, m.step, m.data, big_endian), WIDTH)
    if refused := refuse_format(message.format):
        raise InputError(refused)
    data = bytes(message.data)
    if data[:3] == b"\xff\xd8\xff" and len(data) <= _MOST_JPEG:
        return data
    return jpeg(decode_compressed(data, message.format), WIDTH)
