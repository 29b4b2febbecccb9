"""A folder of pictures as a source, and the simulator as a source. Their stamps are exact."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from aura_core.errors import InputError
from aura_core.sources.base import FrameSource
from aura_core.sources.encodings import decode_compressed
from aura_core.types import NS, Frame

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
EARLY_S = 0.05  # how early a frame may come and still count for its slot, see `SamplingConfig`


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Sort key that puts `frame2` before `frame10`."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(p)) if p.isdecimal() else (1, p.casefold()) for p in parts]


class FolderSource(FrameSource):
    """Every picture of a folder, in the natural order of the names.

    `fps` pictures a second (2 by default); the first has stamp 0. Raises `InputError` when the
    folder cannot be read or has no pictures.
    """

    def __init__(self, folder: Path, fps: float | None = None) -> None:
        try:
            names = [
                p
                for p in folder.iterdir()
                if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")
            ]
        except OSError as e:
            raise InputError(f"{folder}: cannot read the folder: {e.strerror}") from e
        self.paths = sorted(names, key=lambda p: (natural_key(p.name), p.name))
        if not self.paths:
            raise InputError(
                f"{folder}: no images in this folder (looked for {', '.join(SUFFIXES)})"
            )
        self.fps = fps or 2.0
        self.description = f"{len(self.paths)} images of {folder} at {self.fps:g} FPS"
        self._begin = 0  # index of the first picture to read

    def begin_at(self, second: int) -> int:
        """See `FrameSource.begin_at`."""
        self._begin = _index(second, self.fps)
        return second

    def frames(self) -> Iterator[Frame]:
        for i, path in enumerate(self.paths[self._begin :], self._begin):
            try:
                image = decode_compressed(path.read_bytes())
            except OSError as e:
                raise InputError(f"{path}: cannot read the image: {e.strerror}") from e
            except InputError as e:
                raise InputError(f"{path}: {e}") from e
            yield Frame(image, round(i * NS / self.fps))


class SimSource(FrameSource):
    """The simulated room of one seed: `fps` frames a second (2 by default), from stamp 0."""

    def __init__(
        self, seed: int, seconds: int = 60, fps: float | None = None, width: int | None = None
    ) -> None:
        from aura_core.sim.render import WIDTH, Camera
        from aura_core.sim.world import World

        self.world = World.generate(seed, seconds)
        self.fps = fps or 2.0
        self.seconds = seconds
        self._camera = Camera(self.world, width or WIDTH)
        self.description = f"simulated room, seed {seed}, {seconds} s at {self.fps:g} FPS"
        self._begin = 0  # index of the first frame to make

    def begin_at(self, second: int) -> int:
        """See `FrameSource.begin_at`."""
        self._begin = _index(second, self.fps)
        return second

    def frames(self) -> Iterator[Frame]:
        for i in range(self._begin, round(self.seconds * self.fps)):
            yield Frame(self._camera.frame(i / self.fps), round(i * NS / self.fps))


def _index(second: int, fps: float) -> int:
    """The first frame of a second, or of the tolerance before it: a frame may be a little early."""
    return max(0, math.ceil((second - EARLY_S) * fps))
