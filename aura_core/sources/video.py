"""Video files through PyAV (FFmpeg), on disk or a web server. Stamps are the frames' own times."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from aura_core.errors import InputError
from aura_core.sources.address import shown as _shown
from aura_core.sources.base import FrameSource
from aura_core.stream.sampling import Slots
from aura_core.types import NS, Frame

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 10.0


class VideoSource(FrameSource):
    """One video stream.

    Stamps begin at 0. A frame's stamp is its presentation time, so a video with a variable frame
    rate keeps its pace. The codec needs all frames to be decoded, but only those that `fps` asks
    for are converted to RGB. Live streams are another source: `network.py`.

    Raises `InputError` when the video cannot be opened or has no video stream.
    """

    def __init__(self, url: str, fps: float | None = 2.0, tolerance_s: float = 0.05) -> None:
        self.url = url
        self._slots = Slots(fps, tolerance_s)
        timeout = (OPEN_TIMEOUT_S, READ_TIMEOUT_S) if "://" in url else None
        # FFmpeg's own lines say less than our one error line. The level must be None: with any
        # other one its decoder threads call into Python at each error, and a video that is closed
        # before its end can wait for them for ever.
        av.logging.set_level(None)
        try:
            self._container = av.open(url, timeout=timeout)
        except av.FFmpegError as e:
            raise InputError(f"{_shown(url)}: cannot open the video: {e.strerror}") from e
        if not self._container.streams.video:
            self._container.close()
            raise InputError(f"{_shown(url)}: there is no video stream in it")
        self._stream = self._container.streams.video[0]
        # Threads by frame are known to hang beside torch when the video is closed before its end.
        self._stream.thread_type = "SLICE"
        context = self._stream.codec_context
        rate = self._stream.average_rate
        shown_rate = f"{float(rate):.3g} FPS" if rate else "unknown rate"
        self.description = (
            f"{_shown(url)}: {context.width}x{context.height} {context.name}, {shown_rate}"
        )

    def close(self) -> None:
        self._container.close()

    def frames(self) -> Iterator[Frame]:
        first: int | None = None
        newest, shown = -1, False
        for picture in self._decoded():
            ns = self._time_ns(picture)
            if ns is None:  # the frame has no time: one frame period after the last
                ns = newest + self._frame_ns() if first is not None else 0
            first = ns if first is None else first
            newest = ns
            stamp = ns - first
            if self._slots.wants(stamp):
                try:
                    image = _upright(picture)
                except av.FFmpegError:
                    # The frame cannot be converted. Its slot stays free for the next one.
                    self.skipped += 1
                    continue
                self._slots.took(stamp)
                shown = True
                yield Frame(image, stamp)
        if not shown:
            raise InputError(f"{_shown(self.url)}: not one frame of the video could be decoded")

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Decoded pictures; damaged ones are counted in `skipped` and left out."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.ExitError as e:
                raise InputError(f"{_shown(self.url)}: no data for {READ_TIMEOUT_S:g} s") from e
            except av.FFmpegError:
                self.skipped += 1  # a file that is cut off: the frames before this are good
                return
            if packet is None:
                return
            try:
                pictures = packet.decode()
            except av.FFmpegError:
                self.skipped += 1
                continue
            for picture in pictures:
                if picture.is_corrupt:
                    self.skipped += 1
                else:
                    yield picture

    def _time_ns(self, picture: av.VideoFrame) -> int | None:
        base = picture.time_base or self._stream.time_base
        return (
            None
            if picture.pts is None or base is None
            else round(Fraction(picture.pts) * base * NS)
        )

    def _frame_ns(self) -> int:
        return round(NS / (self._stream.average_rate or 25))


def _upright(picture: av.VideoFrame) -> np.ndarray:
    """RGB uint8 (height, width, 3), rotated as the file's display matrix says.

    Phones store videos on their side.
    """
    image = picture.to_ndarray(format="rgb24")
    turns = round(picture.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
