"""The videos and pictures that files of other projects name, on this machine."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cached_property
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from aura_core.data.exchange.entries import BadEntry
from aura_core.data.prepare import Source, id_of
from aura_core.errors import one_line

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".flv")
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)  # EXIF: values that swap width and height


class Media:
    """Finds files below `folder`, and collects the videos as sources of clips.

    A name is a path, relative to `folder` or not, or a file's name or stem anywhere below it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sources: dict[str, Source] = {}  # by name
        self._faults: dict[str, str] = {}  # by name of a video: why it cannot be used

    def video(self, where: str, name: str) -> str:
        """Return the name of a video as a source. Raises `BadEntry` when it is not there."""
        path = self._found(where, "video", name)
        below = os.path.relpath(path, self.folder)
        known = path.name if below.startswith("..") else Path(below).as_posix()
        if known not in self._sources:
            size = path.stat().st_size
            self._sources[known] = Source(id_of(known), known, str(path.resolve()), size, 0)
        elif self._sources[known].place != str(path.resolve()):
            raise BadEntry(where, "video", "has the same name as another file", name)
        return known

    def image(self, where: str, name: str) -> tuple[Path, int, int]:
        """Return a picture's path, and its width and height in pixels. Raises `BadEntry`."""
        path = self._found(where, "image", name)
        try:
            with Image.open(path) as picture:
                width, height = picture.size
                turned = picture.getexif().get(_ORIENTATION) in _TURNED
        except (OSError, UnidentifiedImageError, ValueError) as e:
            raise BadEntry(where, "image", "cannot be read", name, one_line(e)) from e
        return (path, height, width) if turned else (path, width, height)

    @property
    def sources(self) -> list[Source]:
        """The videos, in order of name."""
        return [self._sources[name] for name in sorted(self._sources)]

    def keep(self, names: Collection[str]) -> None:
        """Forget the sources with other names: nothing is made of them."""
        self._sources = {name: s for name, s in self._sources.items() if name in names}

    def refuse(self, id: str, why: str) -> str:
        """Note that a source cannot be used. Returns its name."""
        name = next(s.name for s in self._sources.values() if s.id == id)
        self._faults[name] = why
        return name

    def fault(self, name: str) -> str:
        """Why a video cannot be used; "" when nothing is known against it."""
        return self._faults.get(name, "")

    def _found(self, where: str, field: str, name: str) -> Path:
        given = Path(name)
        for path in (self.folder / given, given):
            if path.is_file():
                return path
        found = self._index.get(given.name) or self._index.get(given.stem, ())
        if not found:
            raise BadEntry(where, field, "names no file that is there", name, str(self.folder))
        if len(found) > 1:
            told = ", ".join(str(p) for p in found[:2])
            raise BadEntry(where, field, "names several files", name, told)
        return found[0]

    @cached_property
    def _index(self) -> dict[str, list[Path]]:
        """Files below the folder: all by their name, and videos by their stem too."""
        index: dict[str, list[Path]] = {}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                index.setdefault(path.name, []).append(path)
                if path.suffix.lower() in VIDEO_SUFFIXES and path.stem != path.name:
                    index.setdefault(path.stem, []).append(path)
        return index
