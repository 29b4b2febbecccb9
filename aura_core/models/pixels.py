"""Resize frames and normalise their colours. The model family arranges the result as its encoder
wants it."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray


def resize(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """`frame` uint8 (H, W, 3) scaled to (height, width, 3).

    Area average when shrinking, cubic when growing.
    """
    import cv2

    if frame.shape[:2] == (height, width):
        return frame
    shrink = height * width < frame.shape[0] * frame.shape[1]
    return cv2.resize(
        frame, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
    )


def normalised(
    frames: NDArray[np.uint8], mean: tuple[float, float, float], std: tuple[float, float, float]
) -> NDArray[np.float32]:
    """(byte / 255 - mean) / std of each colour: uint8 (T, H, W, 3) to float32 planes (T, 3, H, W).

    A table per colour instead of arithmetic on each pixel, and planes at once. This gives the same
    bits in a quarter of the time.
    """
    planes = np.ascontiguousarray(frames.transpose(0, 3, 1, 2))
    out = np.empty(planes.shape, np.float32)
    for colour, table in enumerate(_tables(mean, std)):
        # "clip" writes to `out` without a buffer
        np.take(table, planes[:, colour], out=out[:, colour], mode="clip")
    return out


@functools.cache
def _tables(
    mean: tuple[float, float, float], std: tuple[float, float, float]
) -> NDArray[np.float32]:
    """The normalised value of each byte, float32 (3, 256)."""
    values = np.arange(256, dtype=np.float32)[:, None] / 255.0
    return np.ascontiguousarray(
        ((values - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)).T
    )
