"""Finds scenes from the pictures alone: a cut is a second that differs from the one before."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from aura_core.data.schema import Scene
from aura_core.data.settings import SynthesizeConfig
from aura_core.data.video import FPS

SIDE = 32  # pixels: frames are shrunk to this, which removes noise and small motion


def differences(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return the mean absolute difference of each second to the one before, in grey levels.

    The result is float64 (seconds,); the first value is 0.
    """
    small = [
        cv2.resize(cv2.cvtColor(i, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for i in images
    ]
    seconds = (
        np.asarray(small[: len(small) // FPS * FPS], np.float64)
        .reshape(-1, FPS, SIDE, SIDE)
        .mean(axis=1)
    )
    out = np.zeros(len(seconds))
    out[1:] = np.abs(np.diff(seconds, axis=0)).mean(axis=(1, 2))
    return out


def cut(images: Sequence[NDArray[np.uint8]], config: SynthesizeConfig) -> list[Scene]:
    """Return scenes of at least `min_scene_s` and at most `max_scene_s` that cover the clip.

    A clip shorter than that is one scene.
    """
    change = differences(images)
    seconds = len(change)
    starts = [0]
    for chunk in range(1, seconds):
        since = chunk - starts[-1]
        if (
            since >= config.min_scene_s
            and seconds - chunk >= config.min_scene_s
            and change[chunk] >= config.scene_cut
        ):
            starts.append(chunk)
    scenes = []
    for first, stop in zip(starts, [*starts[1:], seconds], strict=True):
        parts = -(-(stop - first) // config.max_scene_s)
        edges = [first + round(i * (stop - first) / parts) for i in range(parts + 1)]
        scenes += [Scene(a, b, "") for a, b in itertools.pairwise(edges)]
    return scenes
