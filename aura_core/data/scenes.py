"""Finds scenes from the pictures alone: a cut is a second that differs from the one before."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from aura_core.data.schema import Scene
from aura_core.data.settings import SynthesizeConfig
from aura_core.data.video import FPS

SIDE = 32  # pixels: frames are shrunk to this, which removes noise and small motion


def differences(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return the mean absolute difference of each second to the one before, in grey levels.

    The result is float64 (seconds,); the first value is 0. Only shrunken pictures are kept.
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


def cut(images: Iterable[NDArray[np.uint8]], config: SynthesizeConfig) -> list[Scene]:
    """Return scenes of at least `min_scene_s` and at most `max_scene_s` that cover the clip.

    A clip shorter than that is one scene.
    """
    change = differences(images)
    seconds = len(change)
    if not seconds:
        return []
    starts = [0]
    for chunk in range(1, seconds):
        since = chunk - starts[-1]
        if (
            since >= config.min_scene_s
            and seconds - chunk >= config.min_scene_s
            and change[chunk] >= config.scene_cut
        ):
            starts.append(chunk)
    stops = [*starts[1:], seconds]
    return [
        part
        for first, stop in zip(starts, stops, strict=True)
        for part in _parts(Scene(first, stop, ""), config.max_scene_s)
    ]


def fitted(scenes: Sequence[Scene], config: SynthesizeConfig) -> list[Scene]:
    """Return an author's scenes with the settings' limits.

    A scene shorter than `min_scene_s` joins the one before (the first one: the one after), and one
    longer than `max_scene_s` is cut into equal parts.
    """
    joined: list[Scene] = []
    for s in scenes:
        if (
            joined
            and min(s.stop - s.first, joined[-1].stop - joined[-1].first) < config.min_scene_s
        ):
            last = joined.pop()
            told = " ".join(t for t in (last.summary, s.summary) if t)
            joined.append(Scene(last.first, s.stop, told))
        else:
            joined.append(s)
    return [part for s in joined for part in _parts(s, config.max_scene_s)]


def _parts(scene: Scene, longest: int) -> Iterator[Scene]:
    """Yield the scene in equal parts of at most `longest` seconds."""
    length = scene.stop - scene.first
    parts = -(-length // longest)
    edges = [scene.first + round(i * length / parts) for i in range(parts + 1)]
    for first, stop in itertools.pairwise(edges):
        yield Scene(first, stop, scene.summary)
