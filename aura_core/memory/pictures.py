"""Keyframes of notes: an image as JPEG, scaled down, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError

QUALITY = 85


def jpeg(image: NDArray[np.uint8], width: int, quality: int = QUALITY) -> bytes:
    """An RGB image, uint8 (height, width, 3), as JPEG of at most `width` pixels a row.

    Raises `InputError` for what is no such image.
    """
    import cv2

    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(f"a keyframe must be uint8 (height, width, 3), not {image.shape}")
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if image.shape[1] > width:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        bgr = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise InputError(f"a keyframe of {image.shape} cannot be encoded")
    return data.tobytes()


def decoded(data: bytes) -> NDArray[np.uint8] | None:
    """The RGB image, uint8 (height, width, 3), of a JPEG; None where it is damaged."""
    import cv2

    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    return None if bgr is None else np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
