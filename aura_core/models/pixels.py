"""Resize frames. The model family turns the pixels into the encoder's input."""

from __future__ import annotations

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
