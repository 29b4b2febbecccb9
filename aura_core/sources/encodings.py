"""Camera encodings to RGB: pure functions, used by the bag reader and the ROS nodes.

Encoding names are those of sensor_msgs/Image (`rgb8`, `bayer_rggb8`, `yuv422_yuy2`, ...).
"""

from __future__ import annotations

import array
import struct
from io import BytesIO
from typing import NamedTuple
from xml.etree.ElementTree import ParseError

import cv2
import imagesize
import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError, shown

RGB = NDArray[np.uint8]
Buffer = bytes | bytearray | memoryview | NDArray[np.uint8] | array.array


class _Layout(NamedTuple):
    channels: int  # bytes per pixel, of the first plane where chroma is a second plane
    convert: int | None  # cv2 colour conversion code; None: it is RGB already
    # A plane of interleaved chroma follows: half as many rows, with the same step.
    chroma_plane: bool = False


_LAYOUTS: dict[str, _Layout] = {
    "rgb8": _Layout(3, None),
    "bgr8": _Layout(3, cv2.COLOR_BGR2RGB),
    "8UC3": _Layout(3, cv2.COLOR_BGR2RGB),  # unnamed channels: OpenCV's order, as cv_bridge has it
    "rgba8": _Layout(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Layout(4, cv2.COLOR_BGRA2RGB),
    "8UC4": _Layout(4, cv2.COLOR_BGRA2RGB),
    "mono8": _Layout(1, cv2.COLOR_GRAY2RGB),
    "8UC1": _Layout(1, cv2.COLOR_GRAY2RGB),
    "mono16": _Layout(2, cv2.COLOR_GRAY2RGB),
    "nv12": _Layout(1, cv2.COLOR_YUV2RGB_NV12, chroma_plane=True),
    "nv21": _Layout(1, cv2.COLOR_YUV2RGB_NV21, chroma_plane=True),
    "yuv422_yuy2": _Layout(2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": _Layout(2, cv2.COLOR_YUV2RGB_YUY2),
    "yuv422": _Layout(2, cv2.COLOR_YUV2RGB_UYVY),  # sensor_msgs: "yuv422" is UYVY
    "uyvy": _Layout(2, cv2.COLOR_YUV2RGB_UYVY),
    "bayer_rggb8": _Layout(1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr8": _Layout(1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg8": _Layout(1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg8": _Layout(1, cv2.COLOR_BayerGRBG2RGB),
}
SUPPORTED = tuple(_LAYOUTS)
_DEEP = ("rgb16", "bgr16", "rgba16", "bgra16")  # PNG holds these; OpenCV keeps the upper bytes
MOST_PIXELS = 64_000_000  # of a compressed image: twice the pixels of an 8K camera
# What the library that reads the size raises on malformed headers.
MALFORMED = (ValueError, TypeError, LookupError, ArithmeticError, struct.error, ParseError)
# In these, two pixels of a row share one chroma value.
_SHARED_CHROMA = ("yuv422_yuy2", "yuyv", "yuv422", "uyvy", "nv12", "nv21")


def decode_raw(
    encoding: str, height: int, width: int, step: int, data: Buffer, big_endian: bool = False
) -> RGB:
    """Pixels of one raw image, as RGB uint8 (height, width, 3).

    Args:
        encoding: a name of `SUPPORTED`.
        height: in pixels, at least 1.
        width: in pixels, at least 1.
        step: bytes from one row to the next, padding included; 0 means no padding.
        data: at least `step * height` bytes; half as many more for `nv12` and `nv21`. The padding
            of the last row may be missing.
        big_endian: byte order of `mono16`. Its upper byte is kept (65,535 becomes 255), as
            cv_bridge scales it.

    Returns:
        RGB pixels. An `rgb8` image without padding is a read-only view of `data`, not a copy.

    Raises:
        InputError: the encoding is unknown, or the sizes contradict each other.
    """
    layout = _LAYOUTS.get(encoding)
    if layout is None:
        raise InputError(
            f"image encoding {shown(encoding)} is not supported; supported are"
            f" {', '.join(SUPPORTED)}"
        )
    if height < 1 or width < 1:
        raise InputError(f"an image of {width}x{height} pixels has no content")
    row = width * layout.channels
    step = step or row
    if step < row:
        raise InputError(
            f"image step {step} is shorter than a row of {width} pixels of {encoding} ({row} bytes)"
        )
    if encoding in _SHARED_CHROMA and width % 2:
        raise InputError(f"a {encoding} image has an even width, not {width}")
    if layout.chroma_plane and height % 2:
        raise InputError(f"a {encoding} image has an even height, not {height}")
    flat = np.frombuffer(data, np.uint8)
    rows = height * 3 // 2 if layout.chroma_plane else height
    needed = step * (rows - 1) + row
    if flat.size < needed:
        raise InputError(
            f"image data has {flat.size} bytes; {width}x{height} {encoding} with step {step} needs"
            f" {needed}"
        )
    if flat.size < step * rows:  # last row without its padding, which may be of any size
        whole = flat[: step * (rows - 1)].reshape(rows - 1, step)[:, :row]
        pixels = np.vstack([whole, flat[step * (rows - 1) :][:row]])
    else:
        pixels = np.ascontiguousarray(flat[: step * rows].reshape(rows, step)[:, :row])
    pixels = pixels.reshape(rows, width, layout.channels)
    if encoding == "mono16":
        pixels = np.ascontiguousarray(pixels[..., :1] if big_endian else pixels[..., 1:])
    if layout.convert is None:
        pixels.flags.writeable = False
        return pixels
    return np.asarray(cv2.cvtColor(pixels, layout.convert), np.uint8)


def refuse_format(format: str) -> str:
    """Why compressed images of this `CompressedImage.format` cannot be used; "" when they can.

    image_transport writes "ORIGINAL; CODEC compressed STORED" or "ORIGINAL; CODEC compressed", with
    names of encodings. Depth images ("16UC1; png compressed", "32FC1; compressedDepth") hold
    distances: as pictures they would be nearly black.
    """
    encoding = _stored(format)
    if "compressedDepth" not in format and encoding in ("", *SUPPORTED, *_DEEP):
        return ""
    if "compressedDepth" in format or encoding.endswith("C1"):
        why = "it holds depth, or other measured values, and no picture"
    else:
        why = f"its encoding must be one of {', '.join((*SUPPORTED, *_DEEP))}"
    return f"compressed image format {shown(format)} is not supported: {why}"


def _stored(format: str) -> str:
    """The encoding of the picture in a compressed image; "" where the format does not say it."""
    original, separator, codec = format.partition(";")
    words = codec.split()
    return (words[2] if len(words) > 2 else original).strip() if separator else ""


def decode_compressed(data: Buffer, format: str = "") -> RGB:
    """Pixels of one JPEG or PNG image, as RGB uint8 (height, width, 3).

    Other formats that OpenCV reads work too, where `imagesize` reads their size. `format` is
    `CompressedImage.format`, where there is one.

    Raises `InputError` when the bytes are no such image, when `refuse_format` refuses the format,
    and when the image has more than `MOST_PIXELS`. Its own header tells that, before it is decoded:
    a small file can hold a picture that fills the memory.
    """
    if refused := refuse_format(format):
        raise InputError(refused)
    flat = np.frombuffer(data, np.uint8)
    width, height = _size(flat)
    if width < 1 or height < 1:
        raise InputError(_undecodable(flat))
    if width * height > MOST_PIXELS:
        raise InputError(
            f"a compressed image of {width}x{height} pixels is too large; at most"
            f" {MOST_PIXELS / 1e6:.0f} million pixels are decoded"
        )
    mosaic = _stored(format).startswith("bayer_")
    read = cv2.IMREAD_GRAYSCALE if mosaic else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(flat, read)
    except cv2.error:  # some formats raise where a size in them cannot be
        image = None
    if image is None:
        raise InputError(_undecodable(flat))
    if mosaic:
        return decode_raw(_stored(format), *image.shape, 0, image.reshape(-1))
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _size(data: RGB) -> tuple[int, int]:
    """Width and height of a compressed image, from its header; (-1, -1) where it tells none."""
    try:
        width, height = imagesize.get(BytesIO(data))
    except MALFORMED:
        return -1, -1
    return int(width), int(height)


def _undecodable(data: RGB) -> str:
    return f"compressed image of {data.size} bytes cannot be decoded (expected JPEG or PNG)"
