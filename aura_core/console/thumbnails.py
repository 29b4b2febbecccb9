"""The pictures that the console keeps: the frame of each second, small, and the evidence of alerts.

    model's thread ── put ──► raw frames ── encoder's thread ──► JPEGs ◄── get ── commands

A JPEG takes a millisecond or two, so it is never made on the model's thread. Both kinds are bounded
in bytes: the oldest picture goes first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from aura_core.console import protocol as p
from aura_core.console.robot import Image, Seen
from aura_core.console.state import Frames
from aura_core.errors import InputError
from aura_core.memory.pictures import jpeg
from aura_core.sources.encodings import decode_compressed

SMALL, LARGE = 320, 1280  # most pixels in a row: of a second's picture, and of evidence
QUALITY = 75
SECONDS_MB, EVIDENCE_MB = 24, 24
SECONDS_MB_EACH = 6  # of each camera that a page shows, where that is more: ten minutes of seconds
WAITING = 32  # frames that wait for the encoder; more cameras share them, but
WAITING_EACH = 4  # so many of each may always wait; of more, the camera's oldest is left out
MOST_JPEG = 1_000_000  # bytes of a JPEG that is sent on as it came

Key = tuple[str, int]  # camera and stamp


@dataclass
class _Shelf:
    """JPEGs by camera and stamp, oldest first, bounded in bytes."""

    most_bytes: int
    held: OrderedDict[Key, bytes] = field(default_factory=OrderedDict)
    bytes: int = 0

    def put(self, key: Key, picture: bytes) -> None:
        self.bytes += len(picture) - len(self.held.pop(key, b""))
        self.held[key] = picture
        while self.bytes > self.most_bytes and len(self.held) > 1:
            self.bytes -= len(self.held.popitem(last=False)[1])

    def keep(self, stays: Callable[[Key], bool]) -> None:
        for key in [key for key in self.held if not stays(key)]:
            self.bytes -= len(self.held.pop(key))


class Thumbnails:
    """Keeps pictures; `put` and `get` may be called from any thread.

    Args:
        cameras: how many there are.
        seconds_bytes, evidence_bytes: most bytes of each kind; None: by the number of cameras.

    `unreadable` counts those that were no picture.
    """

    def __init__(
        self,
        cameras: int = 1,
        seconds_bytes: int | None = None,
        evidence_bytes: int = EVIDENCE_MB * 10**6,
    ) -> None:
        self._waiting_each = max(WAITING_EACH, WAITING // max(1, cameras))
        if seconds_bytes is None:
            shown = min(cameras, p.MOST_SHOWN)
            seconds_bytes = max(SECONDS_MB, SECONDS_MB_EACH * shown) * 10**6
        self._changed = threading.Condition()
        self._waiting: OrderedDict[tuple[str, Key], Seen] = OrderedDict()
        self._shelves = {"second": _Shelf(seconds_bytes), "evidence": _Shelf(evidence_bytes)}
        self._closed = False
        self._thread: threading.Thread | None = None
        self.unreadable = 0

    def open(self) -> None:
        """Begin to encode."""
        self._thread = threading.Thread(target=self._main, name="console pictures", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End, and forget all pictures."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self.keep({})

    def put(self, seen: Seen) -> None:
        """Keep a frame of role "second" or "evidence". It is encoded later."""
        with self._changed:
            self._waiting[(seen.role, (seen.camera, seen.stamp_ns))] = seen
            own = [name for name in self._waiting if name[1][0] == seen.camera]
            if len(own) > self._waiting_each:
                del self._waiting[own[0]]
            self._changed.notify_all()

    def get(self, camera: str, stamp_ns: int) -> bytes | None:
        """The JPEG of a frame, the large one where there are two; None: it is not kept."""
        key = (camera, stamp_ns)
        for role in ("evidence", "second"):
            with self._changed:
                found = self._shelves[role].held.get(key)
                waiting = self._waiting.get((role, key))
            if found is None and waiting is not None:
                found = self._encode(waiting)
            if found is not None:
                return found
        return None

    def keep(self, frames: Mapping[str, Frames]) -> None:
        """Forget all pictures but those of these frames, by camera."""

        def stays(key: Key) -> bool:
            own = frames.get(key[0])
            return own is not None and (key[1] in own.stamps or key[1] > own.newest_ns)

        with self._changed:
            for name in [name for name in self._waiting if not stays(name[1])]:
                del self._waiting[name]
            for shelf in self._shelves.values():
                shelf.keep(stays)

    def _main(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                name, seen = next(iter(self._waiting.items()))
            picture = self._encode(seen)
            with self._changed:
                wanted = self._waiting.get(name) is seen  # not forgotten meanwhile
                if wanted:
                    del self._waiting[name]
                if picture is not None and wanted:
                    self._shelves[seen.role].put(name[1], picture)

    def _encode(self, seen: Seen) -> bytes | None:
        try:
            return smaller(seen.image, SMALL if seen.role == "second" else LARGE)
        except InputError:
            self.unreadable += 1
            return None


def smaller(image: Image, width: int) -> bytes:
    """The JPEG of a frame, of at most `width` pixels in a row. Raises `InputError`."""
    if isinstance(image, np.ndarray):
        return jpeg(image, width, QUALITY)
    return jpeg(decode_compressed(image), width, QUALITY)


def live(image: Image) -> bytes:
    """The JPEG of a frame for a page that shows it now; one that is small enough stays as it is.

    Raises `InputError`.
    """
    if isinstance(image, bytes) and len(image) <= MOST_JPEG:
        return image
    return smaller(image, LARGE)
