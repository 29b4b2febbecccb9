"""Whether the pictures of a stream can be used: do they come, and are they black or frozen?"""

from __future__ import annotations

import time
import zlib

import numpy as np

from aura_core.types import NS, Chunk, Frame

# A covered lens or a dark room at night, with the noise of a sensor: mean and standard deviation of
# a black picture, of 255.
BLACK_MEAN, BLACK_STD = 16.0, 8.0


class View:
    """Look at every chunk that a stream takes.

    Attributes:
        undecodable: frames that could not be decoded, since the start.
        black: the newest picture shows nothing.
        frozen_s: for how long, by the stamps, the pictures have been the same to the bit. A sensor
            always has noise, so this is a driver that has hung. A picture that stands
            (`sampling.hold_s`) is one picture, and does not count.
    """

    def __init__(self) -> None:
        self.undecodable, self.black, self.frozen_s = 0, False, 0.0
        self._newest: Frame | None = None
        self._digest, self._since_ns = 0, 0
        self._failing_s: float | None = None  # since when no frame can be decoded

    def look(self, chunk: Chunk | None, undecodable: int) -> None:
        """Take the next chunk; None where none of its frames could be decoded."""
        self.undecodable += undecodable
        if chunk is not None:
            self._failing_s = None
            for frame in chunk.frames:
                self._see(frame)
        elif self._failing_s is None:
            self._failing_s = time.monotonic()

    def quiet_s(self, arrived_s: float | None) -> float | None:
        """Seconds since the newest frame came that can be used.

        `arrived_s` is when the newest frame came, by the steady clock; None: none has come. While
        frames come that cannot be decoded, it is the time since the newest that could be.
        """
        if arrived_s is None:
            return None
        used_s = arrived_s
        if self._failing_s is not None:
            newest_ns = self._newest.arrived_ns if self._newest else None
            used_s = self._failing_s if newest_ns is None else newest_ns / NS
        return time.monotonic() - used_s

    def _see(self, frame: Frame) -> None:
        if self._newest is not None and frame.image is self._newest.image:
            return
        some = frame.image[::8, ::8]
        self.black = float(some.mean()) < BLACK_MEAN and float(some.std()) < BLACK_STD
        digest = zlib.crc32(np.ascontiguousarray(frame.image))
        if self._newest is None or digest != self._digest or frame.stamp_ns < self._since_ns:
            self._digest, self._since_ns = digest, frame.stamp_ns
        self._newest = frame
        self.frozen_s = (frame.stamp_ns - self._since_ns) / NS
