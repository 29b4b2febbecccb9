"""Samples on disk, as training, export, statistics and review read them.

A source is a run folder of the data engine, the folder of one of its stages, or a pattern of
shards. Of a run folder the last stage is read, or the offline samples where there is no other.
Decisions of a review (`reviews.py`) are respected: rejected samples are left out.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aura_core.data import STAGES
from aura_core.data.offline import STAGE as OFFLINE
from aura_core.data.offline import Offline
from aura_core.data.records import from_line
from aura_core.data.reviews import NAME as DECISIONS
from aura_core.data.reviews import Reviews, sha256_of_line
from aura_core.data.schema import Sample
from aura_core.data.store import StageFolder, media_root
from aura_core.errors import InputError

KINDS = {"Sample": Sample, "Offline": Offline}


@dataclass(frozen=True)
class Shard:
    """A file of samples. `media` is the folder that their paths are relative to; None: unknown."""

    path: Path
    media: Path | None


@dataclass(frozen=True)
class Line:
    """One sample: its shard, the number of its line, and the line as it is, without its end."""

    shard: Shard
    number: int
    raw: bytes
    sample: Sample | Offline

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.shard.path}:{self.number}"

    @property
    def sha256(self) -> str:
        """The hash by which decisions know the sample."""
        return sha256_of_line(self.raw)


def shards_of(source: str) -> list[Shard]:
    """Return the shards of a source, in order.

    Every stage that is read must be finished. Raises `InputError`.
    """
    if Path(source).is_dir():
        stage = stage_of(Path(source)) or _last(Path(source))
        media = media_root(stage.run, stage.stage)
        return [Shard(stage.shard(i), media) for i in range(len(stage.all_done()))]
    # Half-written files of a killed run (`store.temporary_of`) have the suffix of a shard.
    found = [
        Path(p)
        for p in sorted(glob.glob(source, recursive=True))
        if ".part-" not in Path(p).name and Path(p).name != DECISIONS
    ]
    media_of: dict[Path, Path | None] = {}
    for folder in {p.parent for p in found}:
        stage = stage_of(folder)
        media_of[folder] = None
        if stage is not None:
            _finished(stage)
            media_of[folder] = media_root(stage.run, stage.stage)
    return [Shard(p, media_of[p.parent]) for p in found]


def lines_of(source: str, reviewed: bool = True) -> Iterator[Line]:
    """Yield the samples of a source.

    `reviewed`: without those that a review rejected. Raises `InputError` that names file, line and
    field, and for a source without any shard.
    """
    shards = shards_of(source)
    if not shards:
        raise InputError(f"{source}: no file of this name; expected a run of `aura data`")
    reviews = {folder: Reviews.read(folder) for folder in {s.path.parent for s in shards}}
    for shard in shards:
        for number, raw in enumerate(read_lines(shard.path), 1):
            if not raw.strip():
                continue
            sample = parse(raw, f"{shard.path}:{number}")
            line = Line(shard, number, raw.strip(), sample)
            if not (reviewed and reviews[shard.path.parent].rejects(sample.id, line.raw)):
                yield line


def parse(raw: bytes, where: str) -> Sample | Offline:
    """Return the sample of a line, of either kind. Raises `InputError`."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as e:
        raise InputError(f"{where}: not UTF-8: {e.reason}") from e
    # records.to_line writes the type first
    kind = Offline if text.startswith('{"type":"Offline"') else Sample
    return from_line(kind, text, where)


def read_lines(path: Path) -> list[bytes]:
    """Return the lines of a shard, with their ends. Raises `InputError`."""
    try:
        return path.read_bytes().splitlines(keepends=True)
    except OSError as e:
        raise InputError(f"{path}: cannot be read: {e.strerror}") from e


def stage_of(folder: Path) -> StageFolder | None:
    """Return the data engine's stage to which this folder belongs, or None."""
    name = folder.resolve().name
    ours = name in (*STAGES, OFFLINE) and (folder / "manifest.json").is_file()
    return StageFolder(folder.resolve().parent, name) if ours else None


def _last(run: Path) -> StageFolder:
    """Return the stage of a run whose samples are meant: the last one, or offline samples."""
    last = StageFolder(run, STAGES[-1])
    offline = StageFolder(run, OFFLINE)
    begun = any((run / name / "manifest.json").is_file() for name in STAGES[1:])
    return offline if not begun and (offline.path / "manifest.json").is_file() else last


def _finished(stage: StageFolder) -> None:
    """Raise `InputError` unless every shard of the stage is done.

    Their contents are not checked, because a user may have edited them.
    """
    count = stage.manifest()["shards"]
    there = sum(stage.shard(i).with_suffix(".done").is_file() for i in range(count))
    if there < count:
        raise InputError(
            f"{stage.path}: {there} of {count} shards are done; run `aura data {stage.stage}` again"
        )
