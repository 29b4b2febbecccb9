"""Video files through PyAV (FFmpeg), on disk or a web server. Stamps are the frames' own times."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError
from aura_core.sources.address import shown as _shown
from aura_core.sources.base import FrameSource
from aura_core.sources.upright import upright
from aura_core.stream.sampling import Slots
from aura_core.types import NS, Frame

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 10.0
CUT_NS = 2 * NS  # what is missing of a video that was cut off
INDEX_BYTES = 8192  # an index at the end of a small file


class VideoSource(FrameSource):
    """One video stream.

    Stamps begin at 0. A frame's stamp is its presentation time, so a video with a variable frame
    rate keeps its pace. The codec needs all frames to be decoded, but only those that `fps` asks
    for are converted to RGB. Live streams are another source: `network.py`.

    Raises `InputError` when the video cannot be opened or has no video stream.
    """

    def __init__(
        self,
        url: str,
        fps: float | None = 2.0,
        tolerance_s: float = 0.05,
        hold_s: float | None = None,
    ) -> None:
        self.url = url
        self._slots = Slots(fps, tolerance_s, hold_s)
        # FFmpeg's own lines say less than our one error line. The level must be None: with any
        # other one its decoder threads call into Python at each error, and a video that is closed
        # before its end can wait for them for ever.
        av.logging.set_level(None)
        self._open()
        self._first: int | None = None  # time of the first picture [ns]
        self._begin = 0  # the first slot that is wanted
        self._sought = False  # whether what comes before it was left out
        self._packets, self._position = 0, 0  # read so far; where the newest one ended [bytes]
        context = self._stream.codec_context
        rate = self._stream.average_rate
        shown_rate = f"{float(rate):.3g} FPS" if rate else "unknown rate"
        self.description = (
            f"{_shown(url)}: {context.width}x{context.height} {context.name}, {shown_rate}"
        )

    def _open(self) -> None:
        timeout = (OPEN_TIMEOUT_S, READ_TIMEOUT_S) if "://" in self.url else None
        name = self.url if "://" in self.url else f"file:{self.url}"
        try:
            self._container = av.open(name, timeout=timeout)
        except av.FFmpegError as e:
            raise InputError(f"{_shown(self.url)}: cannot open the video: {e.strerror}") from e
        self._stream = self._chosen()
        # Threads by frame are known to hang beside torch when the video is closed before its end.
        self._stream.thread_type = "SLICE"

    def _chosen(self) -> av.VideoStream:
        """The stream that a player shows: not a preview of one picture before the film, and not
        the cover of a song."""
        streams = list(self._container.streams.video)
        moving = [s for s in streams if av.stream.Disposition.attached_pic not in s.disposition]
        if not moving:
            self._container.close()
            why = (
                "no video in it, only an attached picture (a cover)"
                if streams
                else "no video stream in it"
            )
            raise InputError(f"{_shown(self.url)}: there is {why}")
        # FFmpeg's own choice prefers many pictures, but it counts only the first ones.
        films = [s for s in moving if s.frames > 1] or moving
        best = self._container.streams.best("video")
        return best if best in films else films[0]

    def close(self) -> None:
        self._container.close()

    def begin_at(self, second: int) -> int:
        """See `FrameSource.begin_at`. What comes before is not decoded, but for the part behind the
        nearest key frame."""
        if not self._slots.period_ns:
            return 0  # every frame is taken: there are no slots to begin with
        self._begin = second * NS // self._slots.period_ns
        self._slots.begin(self._begin)
        return second

    def frames(self) -> Iterator[Frame]:
        """See `FrameSource`. A picture stands until the next one: a slot without a picture of its
        own gets the one before it, with the stamp of the slot's beginning."""
        standing: _Picture | None = None
        shown = False
        for stamp, picture in self._timed():
            coming = _Picture(picture, self._stream.sample_aspect_ratio, stamp)
            if self._begin and self._slots.slot_of(stamp) < self._begin:
                standing = coming
                continue
            if standing is not None:
                yield from self._held(standing, stamp)
            if self._slots.wants(stamp):
                try:
                    image = coming.image()
                except av.FFmpegError:
                    # The frame cannot be converted. Its slot stays free for the next one.
                    self.skipped += 1
                    continue
                self._slots.took(stamp)
                shown = True
                yield Frame(image, stamp)
            standing = coming
        if not shown and (standing is None or not self._begin):
            raise InputError(f"{_shown(self.url)}: not one frame of the video could be decoded")
        if standing is not None and (end := self._end_ns()) is not None:
            yield from self._held(standing, end)
        if self.url.startswith(("http://", "https://")) and standing is not None:
            self._check_whole(standing.stamp_ns)

    def _check_whole(self, newest_ns: int) -> None:
        """Raise `InputError` where a web server went away before the end of the video, or where
        what ended has no end (live segments)."""
        length = self._container.duration
        if length is None:
            raise InputError(f"{_shown(self.url)}: the stream ended")
        if not self._read_whole and newest_ns + CUT_NS < length * 1000:
            raise InputError(
                f"{_shown(self.url)}: the connection broke off at {newest_ns / NS:.0f} of"
                f" {length / 1e6:.0f} s"
            )

    @property
    def _read_whole(self) -> bool:
        """Whether the file was read to its end: every picture that it declares, or every byte."""
        if self._stream.frames and not self._sought:
            return self._packets >= self._stream.frames
        size = self._container.size
        return size <= 0 or size - self._position <= max(INDEX_BYTES, size // 20)

    def _held(self, standing: _Picture, until_ns: int) -> Iterator[Frame]:
        for stamp in self._slots.empty(until_ns, standing.stamp_ns):
            try:
                image = standing.image()
            except av.FFmpegError:
                self.skipped += 1
                return
            self._slots.took(stamp)
            yield Frame(image, stamp)

    def _timed(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decoded pictures with their stamps."""
        newest = -1
        for picture in self._wanted():
            ns = self._time_ns(picture)
            if ns is None:  # the frame has no time: one frame period after the last
                ns = newest + self._frame_ns() if self._first is not None else 0
            self._first = ns if self._first is None else self._first
            newest = ns
            yield ns - self._first, picture

    def _end_ns(self) -> int | None:
        """When the last picture of a file ends; None where that is not known (Matroska).

        A file that was cut off holds fewer pictures than it says, and ends with the last of them.
        """
        s = self._stream
        if s.duration is None or s.time_base is None or self._first is None:
            return None
        if self.skipped or not s.frames or not self._read_whole:
            return None
        return round(Fraction((s.start_time or 0) + s.duration) * s.time_base * NS) - self._first

    def _wanted(self) -> Iterator[av.VideoFrame]:
        """The first picture, which says when the video begins, then those from the nearest key
        frame on that is in an earlier slot than the first one wanted."""
        pictures = self._decoded()
        if self._begin and (first := next(pictures, None)) is not None:
            yield first
            pictures = self._from_key_frame(first, pictures)
        yield from pictures

    def _from_key_frame(
        self, first: av.VideoFrame, following: Iterator[av.VideoFrame]
    ) -> Iterator[av.VideoFrame]:
        start_ns, base = self._time_ns(first), first.time_base or self._stream.time_base
        if start_ns is None or base is None:
            return following
        begin_ns, back_ns = self._begin * self._slots.period_ns, self._slots.period_ns
        while back_ns < begin_ns:
            at = round(Fraction(start_ns + begin_ns - back_ns, NS) / base)
            try:
                self._container.seek(at, stream=self._stream)
            except av.FFmpegError:
                break
            self._sought = True
            pictures = self._decoded()
            key = next(pictures, None)
            ns = None if key is None else self._time_ns(key)
            good = key is not None and key.key_frame and ns is not None
            if good and self._slots.slot_of(ns - start_ns) < self._begin:
                return itertools.chain([key], pictures)
            # An index may name key frames by the time of decoding, or only roughly.
            back_ns *= 4
        if not self._sought:
            return following
        # no key frame could be found: a stream without an index (MPEG-TS) with few of them
        self._container.close()
        self._open()
        return self._decoded()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Decoded pictures; damaged ones are counted in `skipped` and left out."""
        packets = self._container.demux()  # all streams: the last packet may be of the sound
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
            self._position = max(self._position, (packet.pos or 0) + packet.size)
            if packet.stream is not self._stream and packet.stream.index != self._stream.index:
                continue
            self._packets += packet.size > 0
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


class _Picture:
    """A decoded picture, converted at most once."""

    def __init__(
        self, picture: av.VideoFrame, pixel_aspect: Fraction | None, stamp_ns: int
    ) -> None:
        self.stamp_ns = stamp_ns
        self._picture, self._aspect = picture, pixel_aspect
        self._image: NDArray[np.uint8] | None = None

    def image(self) -> NDArray[np.uint8]:
        """RGB uint8 (height, width, 3). Raises `av.FFmpegError`."""
        if self._image is None:
            self._image = upright(self._picture, self._aspect)
        return self._image
