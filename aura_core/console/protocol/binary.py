"""Pictures and sound, both ways."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from aura_core.errors import InputError

# Binary messages, both ways: a header of 16 bytes in network byte order, then the content.
#   kind    uint8   what it is, see below
#   camera  uint8   its place in `Hello.cameras`
#   zero    uint16
#   id      uint32  of the command that asked for it; 0: nobody did
#   stamp   int64   of the frame, in nanoseconds; from a page: by the page's clock, only for order
HEADER = struct.Struct("!BBHIq")
LIVE = 1  # server -> page: the newest frame of a camera, JPEG
FOUND = 2  # server -> page: the frame that `Picture` asked for, JPEG
SOUND = 3  # page -> server: signed 16-bit little-endian samples, one channel
SEEN = 4  # page -> server: a frame of the page's camera, JPEG


@dataclass(frozen=True)
class Binary:
    """A binary message."""

    kind: int
    camera: int
    stamp_ns: int
    content: bytes
    id: int = 0

    def encode(self) -> bytes:
        """The message as bytes."""
        head = HEADER.pack(self.kind, self.camera, 0, self.id, self.stamp_ns)
        return head + self.content


def parse_binary(data: bytes) -> Binary:
    """A binary message from a page. Raises `InputError`."""
    if len(data) <= HEADER.size:
        raise InputError(f"a binary message has {len(data)} bytes; its header alone has 16")
    kind, camera, _, number, stamp_ns = HEADER.unpack_from(data)
    if kind not in (SOUND, SEEN):
        raise InputError(f"a binary message of a page is of kind 3 (sound) or 4 (seen), not {kind}")
    return Binary(kind, camera, stamp_ns, data[HEADER.size :], number)
