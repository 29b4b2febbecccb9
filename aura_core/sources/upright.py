"""A decoded picture as a player shows it: turned or mirrored, with square pixels, as RGB."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

MOST_STRETCH = 8  # a pixel aspect above this is a damaged header


def upright(picture: av.VideoFrame, pixel_aspect: Fraction | None = None) -> NDArray[np.uint8]:
    """RGB uint8 (height, width, 3) of a picture.

    Args:
        picture: a decoded picture; its display matrix tells how it is turned (phones store videos
            on their side) or mirrored (front cameras).
        pixel_aspect: width of a pixel divided by its height (anamorphic video); None: 1. The
            picture gets square pixels by being stretched, never shrunk.

    Raises `av.FFmpegError` when the picture cannot be converted.
    """
    image = picture.to_ndarray(format="rgb24")
    matrix = picture.side_data.get("DISPLAYMATRIX")
    image = turned(square(image, pixel_aspect), None if matrix is None else bytes(matrix))
    return np.ascontiguousarray(image)


def square(image: NDArray[np.uint8], pixel_aspect: Fraction | None) -> NDArray[np.uint8]:
    """The image with square pixels."""
    if not pixel_aspect or pixel_aspect == 1:
        return image
    if not Fraction(1, MOST_STRETCH) <= pixel_aspect <= MOST_STRETCH:
        return image
    height, width = image.shape[:2]
    if pixel_aspect > 1:
        width = round(width * pixel_aspect)
    else:
        height = round(height / pixel_aspect)
    return np.asarray(cv2.resize(image, (width, height)), np.uint8)


def turned(image: NDArray[np.uint8], matrix: bytes | None) -> NDArray[np.uint8]:
    """The image after a display matrix: nine int32 of the machine's byte order (FFmpeg's
    `AV_FRAME_DATA_DISPLAYMATRIX`, ISO/IEC 14496-12 8.5.2). It maps a pixel at (x, y) to
    (a x + c y, b x + d y). Only quarter turns and mirrors are done, which is what cameras write; an
    angle between them becomes the nearest."""
    if matrix is None or len(matrix) < 36:
        return image
    a, b, _, c, d = np.frombuffer(matrix[:20], np.int32).tolist()
    if abs(a) + abs(d) < abs(b) + abs(c):  # rows become columns
        image, a, d = np.swapaxes(image, 0, 1), c, b
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return image
