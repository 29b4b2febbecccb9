"""What waits to be sent to one page: bounded, whatever the page does.

Events wait in their order and are never left out. Of pictures, the newest of each camera waits; of
words that grow, the newest; and of a state that is told each second, the newest. A page that does
not read is closed with a reason when too much waits. It connects again, and gets a snapshot.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

MOST_WAITING = 4000  # messages
MOST_BYTES = 8 * 1024 * 1024  # of waiting messages and pictures


class Outgoing:
    """The messages to one page. All of it is called on the server's loop."""

    def __init__(self, most: int = MOST_WAITING, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        # by a name that a newer message of the same kind has too, or by its number
        self._texts: OrderedDict[object, str | bytes] = OrderedDict()
        self._pictures: OrderedDict[int, bytes] = OrderedDict()  # newest, by camera
        self._count, self._bytes = 0, 0
        self._changed = asyncio.Event()
        self.overflowed = False
        self.closed = False

    def put(self, message: str | bytes, newest_of: object = None) -> None:
        """Send a message after all that wait.

        `newest_of`: a name; a message with this name that still waits is left out, and this one
        takes the place at the end.
        """
        if self.closed or self.overflowed:
            return
        if newest_of is None:
            self._count += 1
            name: object = self._count
        else:
            name = ("newest", newest_of)
            self._bytes -= len(self._texts.pop(name, ""))
        self._texts[name] = message
        self._grew(len(message))

    def put_picture(self, camera: int, message: bytes) -> None:
        """Send the newest picture of a camera; one that still waits is left out."""
        if self.closed or self.overflowed:
            return
        self._bytes -= len(self._pictures.pop(camera, b""))
        self._pictures[camera] = message
        self._grew(len(message))

    def _grew(self, size: int) -> None:
        self._bytes += size
        if len(self._texts) > self._most or self._bytes > self._most_bytes:
            self.overflowed = True
            self._drop()
        self._changed.set()

    def close(self) -> None:
        """Send what waits, and then nothing more."""
        self.closed = True
        self._changed.set()

    def _drop(self) -> None:
        self._texts.clear()
        self._pictures.clear()
        self._bytes = 0

    async def next(self) -> str | bytes | None:
        """The next message, when there is one; None: it is closed, or too much has waited.

        Texts go before pictures.
        """
        while True:
            if self.overflowed:
                return None
            if self._texts:
                _, message = self._texts.popitem(last=False)
            elif self._pictures:
                _, message = self._pictures.popitem(last=False)
            elif self.closed:
                return None
            else:
                self._changed.clear()
                await self._changed.wait()
                continue
            self._bytes -= len(message)
            return message
