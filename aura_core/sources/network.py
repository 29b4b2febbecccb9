"""Live network streams through PyAV (FFmpeg): RTSP, MJPEG over HTTP, RTMP and others.

A thread reads a stream without pause and holds its newest picture. Who is slow to take pictures
misses some, and is never behind the camera.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import av
import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError
from aura_core.sources.address import shown
from aura_core.sources.base import FrameSource
from aura_core.sources.upright import upright
from aura_core.sources.video import VideoSource
from aura_core.stream.sampling import Slots
from aura_core.types import NS, Frame

LIVE_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt", "mms")
WEB_SCHEMES = ("http", "https")
# Formats of many small files. Their pictures come in bursts of seconds, so the newest one alone is
# not a stream: they are read at the pace of their own times, like a file.
SEGMENTED = ("hls", "dash")
OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0  # a stream without a picture for so long is broken

Held = av.Packet | av.VideoFrame


def open_url(
    url: str, fps: float | None = 2.0, tolerance_s: float = 0.05, hold_s: float | None = None
) -> FrameSource:
    """Open a live stream, or a video file at an address.

    A web server has both. What comes from it is live if it is MJPEG in parts
    (`multipart/x-mixed-replace`), or has no known duration.

    Raises `InputError` when it cannot be opened or has no video stream.
    """
    scheme = url.partition("://")[0].lower()
    if scheme not in LIVE_SCHEMES + WEB_SCHEMES:
        return VideoSource(url, fps, tolerance_s, hold_s)
    container = _connect(url)
    if scheme in WEB_SCHEMES and not _is_live(container):
        container.close()
        return VideoSource(url, fps, tolerance_s, hold_s)
    return NetworkSource(url, container, fps, tolerance_s)


class NetworkSource(FrameSource):
    """The newest picture of a live stream.

    A stamp is the time of the monotonic clock at which the picture had arrived. Pictures are
    sampled by `Slots` as they are taken. Where each picture can be decoded by itself (MJPEG), only
    those that are taken are decoded. Other codecs need all of them, so the machine must decode the
    stream at least as fast as it comes.

    `received` counts the pictures that arrived. Iterating raises `InputError` when the stream ends,
    or brings no picture for `READ_TIMEOUT_S`. The newest picture is given before.

    Args:
        url: the address that `container` was opened from.
        container: closed by `close`.
        fps: most frames a second; None: every picture, if it is taken in time.
        tolerance_s: see `Slots`.
    """

    live = True

    def __init__(
        self,
        url: str,
        container: av.container.InputContainer,
        fps: float | None = 2.0,
        tolerance_s: float = 0.05,
    ) -> None:
        self.url, self.received = url, 0
        self._container = container
        self._opened_ns = time.monotonic_ns()
        self._slots = Slots(fps, tolerance_s)
        if not container.streams.video:
            container.close()
            raise InputError(f"{shown(url)}: there is no video stream in it")
        self._stream = container.streams.video[0]
        # Threads by frame are known to hang beside torch when the video is closed before its end.
        self._stream.thread_type = "SLICE"
        self._pixel_aspect = self._stream.sample_aspect_ratio
        context = self._stream.codec_context
        self._each_by_itself = context.codec.intra_only
        rate = self._stream.average_rate
        shown_rate = f"{float(rate):.3g} FPS" if rate else "unknown rate"
        self.description = (
            f"{shown(url)}: {context.width}x{context.height} {context.name}, {shown_rate}, live"
        )
        self._changed = threading.Condition()  # guards what follows
        self._newest: tuple[int, Held] | None = None  # its arrival, and the picture; None: taken
        self._end = ""  # why no more pictures come
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._main, name="network source", daemon=True)
        self._thread.start()  # at once: what nobody reads waits in buffers, and grows old there

    def close(self) -> None:
        """End the thread and the connection.

        A read of a stream that hangs cannot be interrupted from outside; it ends by its time-out.
        So this can take up to `READ_TIMEOUT_S`.
        """
        self._closing.set()
        self._thread.join(READ_TIMEOUT_S + 1.0)
        if not self._thread.is_alive():  # FFmpeg allows no close during a read
            self._container.close()

    def frames(self) -> Iterator[Frame]:
        while (taken := self._take()) is not None:
            arrived_ns, held = taken
            if not self._slots.wants(arrived_ns):
                continue
            image = self._image(held)
            if image is not None:
                self._slots.took(arrived_ns)
                yield Frame(image, arrived_ns)
        if not self._closing.is_set():
            raise InputError(f"{shown(self.url)}: {self._end}")

    def _take(self) -> tuple[int, Held] | None:
        """Wait for a picture that was not taken yet. None: no more come."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._end)
            taken, self._newest = self._newest, None
            return taken

    def _image(self, held: Held) -> NDArray[np.uint8] | None:
        """RGB uint8 (height, width, 3); None, and counted, where it cannot be decoded."""
        try:
            if isinstance(held, av.VideoFrame):
                return upright(held, self._pixel_aspect)
            for picture in held.decode():
                if not picture.is_corrupt:
                    return upright(picture, self._pixel_aspect)
        except av.FFmpegError:
            pass  # counted below. Its slot stays free for the next one
        self._skip()
        return None

    def _main(self) -> None:
        end = "the thread that reads the stream ended by a bug; its traceback is printed"
        try:
            end = self._receive()
        finally:
            with self._changed:
                self._end = end
                self._changed.notify_all()

    def _receive(self) -> str:
        """Hold each picture until the next one arrives. Returns why the stream ended."""
        packets = self._container.demux()  # all streams: sound alone must not count as a picture
        newest_ns = time.monotonic_ns()
        while not self._closing.is_set():
            packet = None
            try:
                packet = next(packets)
            except StopIteration:
                return "the stream ended"
            except av.error.ExitError:  # PyAV's time-out
                return _no_data()
            except av.error.InvalidDataError:
                # A damaged part of a multipart stream: the next part is found again.
                self._skip()
                packets = self._container.demux()
            except av.FFmpegError as e:
                return f"the stream ended: {e.strerror}"
            now_ns = time.monotonic_ns()
            if packet is not None and packet.stream is self._stream:
                newest_ns = now_ns
                self._hold(packet, self._arrival_ns(packet, now_ns))
            elif now_ns - newest_ns > READ_TIMEOUT_S * NS:
                return _no_data()
        return "it was closed"

    def _hold(self, packet: av.Packet, arrived_ns: int) -> None:
        pictures: list[Held] = []
        if packet.is_corrupt:  # cut off
            self._skip()
        elif self._each_by_itself:
            pictures = [packet] if packet.size else []  # an empty one ends the stream
        else:
            try:
                pictures = [p for p in packet.decode() if not p.is_corrupt]
            except av.FFmpegError:
                self._skip()
        if pictures:
            with self._changed:
                self.received += len(pictures)
                self._newest = arrived_ns, pictures[-1]
                self._changed.notify_all()

    def _arrival_ns(self, packet: av.Packet, now_ns: int) -> int:
        """Monotonic time at which a packet, which was got from FFmpeg at `now_ns`, had arrived.

        FFmpeg reads up to a second of a stream to open it, and hands those packets out at once.
        Their presentation times are the wall clock at which they were read, see `_connect`. Later
        packets are handed out when they arrive, and the times of some formats are coarse.
        """
        if packet.pts is None or packet.time_base is None:
            return now_ns
        age_ns = time.time_ns() - round(packet.pts * packet.time_base * NS)
        return now_ns - age_ns if now_ns - age_ns < self._opened_ns else now_ns

    def _skip(self) -> None:
        with self._changed:
            self.skipped += 1


def _connect(url: str) -> av.container.InputContainer:
    # fpsprobesize: the frame rate is not worth the second of pictures that measuring it takes.
    options = {"fpsprobesize": "0", "use_wallclock_as_timestamps": "1"}
    if url.lower().startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    av.logging.set_level(None)  # see VideoSource
    start = time.monotonic()
    try:
        return av.open(url, options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S))
    except av.FFmpegError as e:
        # A protocol may turn the time-out into an error of its own, such as "Invalid data".
        late = time.monotonic() - start >= OPEN_TIMEOUT_S
        reason = f"no answer for {OPEN_TIMEOUT_S:g} s" if late else e.strerror
        raise InputError(f"{shown(url)}: cannot open the video: {reason}") from e


def _is_live(container: av.container.InputContainer) -> bool:
    name = container.format.name
    return name == "mpjpeg" or (
        container.duration is None and not any(s in name.split(",") for s in SEGMENTED)
    )


def _no_data() -> str:
    return f"no data for {READ_TIMEOUT_S:g} s"
