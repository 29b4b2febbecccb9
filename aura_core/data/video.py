"""Clips on disk: H.264 at two frames a second. Slot k is shown at k / 2 seconds.

The same pictures give the same bytes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from aura_core.data.locks import Locks
from aura_core.errors import InputError

FPS = 2
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
        known = {"threads": "1", "g": "20", "x264-params": "mbtree=0"}
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
    """A cache of the newest decoded clips: at most `limit` bytes of pixels, but always one clip.

    It may be used from any thread. Two threads that want the same clip decode it once.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.bytes = limit, 0
        self._clips: OrderedDict[Path, tuple[Image, ...]] = OrderedDict()
        self._lock, self._decoding = threading.Lock(), Locks()

    def get(self, path: Path) -> tuple[Image, ...]:
        """See `read_clip`."""
        with self._decoding.of(path):
            with self._lock:
                if path in self._clips:
                    self._clips.move_to_end(path)
                    return self._clips[path]
            images = _decoded(path)
            with self._lock:
                self._clips[path] = images
                self.bytes += _bytes(images)
                while self.bytes > self.limit and len(self._clips) > 1:
                    self.bytes -= _bytes(self._clips.popitem(last=False)[1])
        return images


CACHE = ClipCache(1 << 30)  # a clip of 600 s at 640x480 is 1.1 GB


def read_clip(path: Path) -> tuple[Image, ...]:
    """Return all pictures of a prepared clip, RGB uint8 (height, width, 3); they are cached.

    Raises `InputError` when the clip is damaged.
    """
    return CACHE.get(path)


def _bytes(images: tuple[Image, ...]) -> int:
    return sum(i.nbytes for i in images)


def _decoded(path: Path) -> tuple[Image, ...]:
    images: list[Image] = []
    try:
        with av.open(str(path)) as container:
            for picture in container.decode(video=0):
                if picture.time != len(images) / FPS:
                    raise InputError(
                        f"{path}: not a prepared clip: picture {len(images)} is at {picture.time} s"
                    )
                images.append(picture.to_ndarray(format="rgb24"))
    except (av.FFmpegError, IndexError) as e:
        raise InputError(
            f"{path}: cannot be decoded: {e}; delete it and run `aura data prepare` again"
        ) from e
    return tuple(images)


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
