"""Frames to vision patches, in numpy.

Equal to the checkpoint's own slow image processor on frames of the target size (tested), and
independent of torchvision, which has no CPU build next to CPU torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PixelSpec:
    """How a checkpoint wants its frames. `min_pixels` and `max_pixels` bound one resized frame;
    `fixed` (height, width) is the only size where it was trained at one."""

    patch: int
    merge: int
    temporal: int
    min_pixels: int
    max_pixels: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fixed: tuple[int, int] | None = None

    @property
    def factor(self) -> int:
        """Side in pixels of one merged visual token."""
        return self.patch * self.merge


def target_size(height: int, width: int, spec: PixelSpec) -> tuple[int, int]:
    """Nearest (height, width) in multiples of `spec.factor` within the pixel bounds, aspect kept.

    The rule of the Qwen2-VL family's image processor ("smart resize").
    """
    f = spec.factor
    if min(height, width) < 1:
        raise ValueError(f"a frame of {width}x{height} pixels has no area")
    if max(height, width) / min(height, width) > 200:
        raise ValueError(f"a frame of {width}x{height} pixels is too narrow for the vision encoder")
    if spec.fixed is not None:
        return spec.fixed
    h, w = max(f, round(height / f) * f), max(f, round(width / f) * f)
    if h * w > spec.max_pixels:
        beta = math.sqrt(height * width / spec.max_pixels)
        h, w = max(f, math.floor(height / beta / f) * f), max(f, math.floor(width / beta / f) * f)
    elif h * w < spec.min_pixels:
        beta = math.sqrt(spec.min_pixels / (height * width))
        h, w = math.ceil(height * beta / f) * f, math.ceil(width * beta / f) * f
    return h, w


def resize(frame: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """`frame` (H, W, 3) scaled to (height, width, 3): area average when shrinking, cubic when
    growing."""
    import cv2

    if frame.shape[:2] == (height, width):
        return frame
    shrink = height * width < frame.shape[0] * frame.shape[1]
    return cv2.resize(
        frame, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
    )


def patchify(
    frames: NDArray[np.uint8], spec: PixelSpec
) -> tuple[NDArray[np.float32], tuple[int, int, int]]:
    """Resized frames to the vision encoder's input.

    Args:
        frames: uint8 (T, H, W, 3), T a multiple of `spec.temporal`, H and W multiples of
        `spec.factor`.

    Returns:
        float32 patches (t*h*w, 3*temporal*patch*patch) in merge order, and the grid (t, h, w) in
        patches.
    """
    t, height, width, _ = frames.shape
    p, m, k = spec.patch, spec.merge, spec.temporal
    grid = (t // k, height // p, width // p)
    # One table a channel instead of arithmetic on each pixel, and planes before patches: the same
    # bits in a quarter of the time.
    tables = _tables(spec.mean, spec.std)
    planes = np.ascontiguousarray(frames.transpose(0, 3, 1, 2))
    x = np.empty(planes.shape, np.float32)
    for channel, table in enumerate(tables):
        # "clip" writes to `out` without a buffer
        np.take(table, planes[:, channel], out=x[:, channel], mode="clip")
    x = x.reshape(grid[0], k, 3, grid[1] // m, m, p, grid[2] // m, m, p)
    x = x.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8)  # t, h, w, merge_h, merge_w, channel, frame, y, x
    return np.ascontiguousarray(x).reshape(math.prod(grid), 3 * k * p * p), grid


@cache
def _tables(
    mean: tuple[float, float, float], std: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Normalised value of each byte, float32 (3, 256)."""
    values = np.arange(256, dtype=np.float32)[:, None] / 255.0
    return np.ascontiguousarray(
        ((values - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)).T
    )
