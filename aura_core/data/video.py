"""Clips on disk: H.264 at two frames a second. Slot k is shown at k / 2 seconds.

The same pictures give the same bytes. A part of a clip is decoded from the nearest key frame.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from aura_core.data.locks import Locks
from aura_core.errors import InputError

FPS = 2
KEY_SLOTS = 20  # most slots from one key frame to the next
Image = NDArray[np.uint8]


class ClipWriter:
    """Encodes RGB uint8 (height, width, 3) pictures of one size.

    x264 uses one thread, so that the bytes do not depend on the number of cores.
    """

    def __init__(self, path: Path, size: tuple[int, int], crf: int) -> None:
        self.path = path
        self._out = av.open(str(path), "w", format="mp4")
        self._stream = self._out.add_stream("libx264", rate=FPS)
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = "yuv420p"
        # The macroblock tree of x264 reads uninitialised memory, so that bytes would differ from
        # run to run.
        known = {"threads": "1", "g": str(KEY_SLOTS), "x264-params": "mbtree=0"}
        self._stream.options = {"crf": str(crf), "preset": "veryfast", **known}
        self.frames = 0
        self._open = True

    def add(self, image: Image) -> None:
        """Add the picture of the next slot."""
        picture = av.VideoFrame.from_ndarray(image, format="rgb24")
        picture.pts, picture.time_base = self.frames, Fraction(1, FPS)
        self._out.mux(self._stream.encode(picture))
        self.frames += 1

    def close(self) -> None:
        """Finish the file. It may be called twice."""
        if self._open:
            self._open = False
            self._out.mux(self._stream.encode())
            self._out.close()


def fitted(height: int, width: int, max_pixels: int) -> tuple[int, int]:
    """Return (height, width) scaled down to at most `max_pixels`, both even, as H.264 needs."""
    scale = min(1.0, (max_pixels / (height * width)) ** 0.5)
    return max(2, int(height * scale) // 2 * 2), max(2, int(width * scale) // 2 * 2)


def resized(image: Image, size: tuple[int, int]) -> Image:
    """Return `image` at `size` (height, width), resampled by area."""
    if image.shape[:2] == size:
        return image
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)


class ClipCache:
    """A cache of the newest decoded pictures: at most `limit` bytes of pixels.

    It may be used from any thread. Two threads that want pictures of the same clip decode each of
    them once.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.bytes = limit, 0
        self._images: OrderedDict[tuple[Path, int], Image] = OrderedDict()
        self._lock, self._decoding = threading.Lock(), Locks()

    def get(self, path: Path, slots: Iterable[int]) -> dict[int, Image]:
        """Return the pictures of these slots of a prepared clip, RGB uint8 (height, width, 3).

        Raises `InputError` when the clip is damaged or has no such slot.
        """
        wanted, found = sorted(set(slots)), {}
        with self._decoding.of(path):
            with self._lock:
                for slot in wanted:
                    if (path, slot) in self._images:
                        self._images.move_to_end((path, slot))
                        found[slot] = self._images[path, slot]
            for slot, image in decoded(path, [s for s in wanted if s not in found]):
                found[slot] = image
                self._keep((path, slot), image)
        return {slot: found[slot] for slot in wanted}

    def _keep(self, key: tuple[Path, int], image: Image) -> None:
        with self._lock:
            self._images[key] = image
            self.bytes += image.nbytes
            while self.bytes > self.limit:
                self.bytes -= self._images.popitem(last=False)[1].nbytes


CACHE = ClipCache(1 << 30)


def read_slots(path: Path, slots: Iterable[int]) -> dict[int, Image]:
    """Return pictures of a prepared clip by slot; they are cached. See `ClipCache.get`."""
    return CACHE.get(path, slots)


def pictures_of(path: Path) -> Iterator[Image]:
    """Yield all pictures of a prepared clip, RGB uint8 (height, width, 3), in order.

    Raises `InputError` when the clip is damaged.
    """
    with _Clip(path) as clip:
        for number, (slot, picture) in enumerate(clip.pictures()):
            if slot != number:
                raise clip.fault(f"not a prepared clip: picture {number} is at {slot / FPS:g} s")
            yield picture.to_ndarray(format="rgb24")


def read_clip(path: Path) -> tuple[Image, ...]:
    """Return `pictures_of` at once: ten minutes of 640x480 are 1.1 GB."""
    return tuple(pictures_of(path))


def decoded(path: Path, slots: Iterable[int]) -> Iterator[tuple[int, Image]]:
    """Yield the pictures of these slots, which must grow, each with its slot.

    Each stretch of them is decoded from the nearest key frame before it, and only what is asked
    for becomes RGB. Raises `InputError` when the clip is damaged or has no such slot.
    """
    wanted = list(slots)
    if not wanted:
        return
    with _Clip(path) as clip:
        pictures, at = clip.pictures(), -1
        for slot in wanted:
            if slot - at > KEY_SLOTS:
                pictures = clip.before(slot)
            at, picture = next((p for p in pictures if p[0] >= slot), (-1, None))
            if picture is None or at != slot:
                raise clip.fault(f"it has no picture for {slot / FPS:g} s")
            yield slot, picture.to_ndarray(format="rgb24")


class _Clip:
    """An open clip."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> _Clip:
        try:
            self._container: InputContainer = av.open(str(self._path))
            self._stream = self._container.streams.video[0]
        except (av.FFmpegError, IndexError) as e:
            raise self.fault(f"cannot be decoded: {e}") from e
        # threads by frame are known to hang beside torch when a video is closed before its end
        self._stream.thread_type = "SLICE"
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def fault(self, what: str) -> InputError:
        """Return the error of this clip."""
        return InputError(f"{self._path}: {what}; delete it and run `aura data prepare` again")

    def pictures(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield the pictures from here on, each with its slot."""
        try:
            for picture in self._container.decode(self._stream):
                slot = -1.0 if picture.time is None else picture.time * FPS
                if slot < 0 or slot != int(slot):
                    raise self.fault(f"not a prepared clip: a picture is at {picture.time} s")
                yield int(slot), picture
        except av.FFmpegError as e:
            raise self.fault(f"cannot be decoded: {e}") from e

    def before(self, slot: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Go to the nearest key frame that is not behind `slot`, and yield `pictures` from it on.

        A file's index names key frames by the time of decoding, which is earlier than that of
        showing. So the first try may end behind `slot`.
        """
        base = self._stream.time_base or Fraction(1, FPS)
        for target in itertools.count(slot, -KEY_SLOTS):
            try:
                at = max(0, target)
                self._container.seek(round(Fraction(at, FPS) / base), stream=self._stream)
            except av.FFmpegError as e:
                raise self.fault(f"cannot be decoded: {e}") from e
            pictures = self.pictures()
            first = next(pictures, None)
            if first is not None and first[0] <= slot:
                return itertools.chain([first], pictures)
            if at == 0:
                break
        raise self.fault(f"it has no picture for {slot / FPS:g} s")


def jpeg(image: Image, longest: int, quality: int) -> bytes:
    """Return the picture as JPEG, its longer side at most `longest` pixels."""
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    if scale < 1.0:
        image = resized(image, (max(1, round(height * scale)), max(1, round(width * scale))))
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    assert ok
    return data.tobytes()
