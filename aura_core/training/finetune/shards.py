"""All samples of a run, read from disk one at a time: a run folder of the data engine, or shards by
a pattern.

A run folder is read as `aura_core.data.store` reads it: every shard must be done and whole, and
`media_root` says where the clips lie. A pattern takes the shards that it names; where they lie in a
stage's folder of the data engine, that stage must be finished too, and its clips are found in the
same way.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from aura_core.data import STAGES
from aura_core.data.store import StageFolder, media_root
from aura_core.errors import InputError
from aura_core.training.finetune.records import Record, parse
from aura_core.training.finetune.supervision import Supervision


class Shards:
    """The records of `source` (a run folder, or a pattern of shards): `len`, and by index.

    Every line is read and checked once, when this is made, and so is that every clip is there.
    Raises `InputError` naming file and line. `once`: only as many as it takes to supervise every
    second once, see `supervision`.
    """

    def __init__(self, source: str, once: bool = False) -> None:
        self._lines: list[tuple[Path, int, int]] = []  # file, line number, offset in bytes
        self._media: dict[Path, Path | None] = {}  # of each folder with shards
        self._supervision = Supervision(once)
        content = hashlib.sha256()
        clips: dict[str, str] = {}  # each clip, and the first record that needs it
        paths = self._found(source)
        for path in paths:
            offset = 0
            for number, line in enumerate(_lines(path), start=1):
                if line.strip():
                    content.update(line.strip())
                    record = parse(line, path, number, self._media[path.parent])
                    clips.setdefault(record.clip, record.where)
                    self._supervision.add(len(self._lines), record)
                    self._lines.append((path, number, offset))
                offset += len(line)
        self._chosen = self._supervision.chosen(len(self._lines))
        if len(self._chosen) < len(self._lines):
            content.update(repr(self._chosen).encode())
        self.digest = content.hexdigest()[:16]  # of all records in order, wherever they lie
        if not self._lines:
            what = "no file of this name" if not paths else "there is no record in it"
            raise InputError(
                f"{source}: {what}; expected a run of `aura data`, or JSON lines, one sample each"
            )
        _all_there(source, clips)

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> Record:
        path, number, offset = self._lines[self._chosen[index]]
        try:
            with path.open("rb") as file:
                file.seek(offset)
                line = file.readline()
        except OSError as e:
            raise InputError(f"{path}:{number}: cannot be read any more: {e.strerror}") from e
        return self._supervision.of(parse(line, path, number, self._media[path.parent]))

    def __iter__(self) -> Iterator[Record]:
        return (self[i] for i in range(len(self)))

    def _found(self, source: str) -> list[Path]:
        """The shards of `source`; where the clips of their folders lie is noted."""
        if Path(source).is_dir():
            stage = _stage_of(Path(source)) or StageFolder(Path(source), STAGES[-1])
            self._media[stage.path] = media_root(stage.run, stage.stage)
            return [stage.shard(i) for i in range(len(stage.all_done()))]
        # What a killed run of the data engine left half-written (`store.temporary_of`) has its
        # shard's ending.
        found = [
            Path(p)
            for p in sorted(glob.glob(source, recursive=True))
            if ".part-" not in Path(p).name
        ]
        for folder in {p.parent for p in found}:
            stage = _stage_of(folder)
            self._media[folder] = None
            if stage is not None:
                _finished(stage)
                self._media[folder] = media_root(stage.run, stage.stage)
        return found


def _stage_of(folder: Path) -> StageFolder | None:
    """The data engine's stage whose folder this is; None where it is no such."""
    name = folder.resolve().name
    ours = name in STAGES and (folder / "manifest.json").is_file()
    return StageFolder(folder.resolve().parent, name) if ours else None


def _finished(stage: StageFolder) -> None:
    """Raises `InputError` unless every shard of the stage is done. Their bytes may have been edited
    since."""
    count = stage.manifest()["shards"]
    there = sum(stage.shard(i).with_suffix(".done").is_file() for i in range(count))
    if there < count:
        raise InputError(
            f"{stage.path}: {there} of {count} shards are done; run `aura data {stage.stage}` again"
        )


def _all_there(source: str, clips: dict[str, str]) -> None:
    """Raises `InputError` when clips are missing. URLs are opened when it is their turn."""
    missing = [
        c for c in clips if not c.startswith("sim:") and "://" not in c and not Path(c).exists()
    ]
    if missing:
        first = f"{missing[0]} ({clips[missing[0]]})"
        raise InputError(
            f"{source}: {len(missing)} of {len(clips)} clips are missing, the first is {first}"
        )


def _lines(path: Path) -> Sequence[bytes]:
    try:
        return path.read_bytes().splitlines(keepends=True)
    except OSError as e:
        raise InputError(f"{path}: cannot be read: {e.strerror}") from e
