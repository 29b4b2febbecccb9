"""All samples of a run, read from disk one at a time.

The source is a run folder of the data engine, or a pattern of shards. A run folder is read as
`aura_core.data.store` reads it: every shard must be done and undamaged, and `media_root` says where
the clips are. A pattern names single shards. If they are in a stage's folder of the data engine,
that stage must be finished too, and its clips are found in the same way.
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
    """The records of `source` (a run folder, or a pattern of shards), with `len` and by index.

    The constructor reads and checks every line once, and checks that every clip exists. Raises
    `InputError` that names file and line.

    Args:
        once: take only as many records as are needed to supervise every second once, see
            `supervision`.
    """

    def __init__(self, source: str, once: bool = False) -> None:
        self._lines: list[tuple[Path, int, int]] = []  # file, line number, offset in bytes
        self._media: dict[Path, Path | None] = {}  # by folder with shards: where its clips are
        self._supervision = Supervision(once)
        content = hashlib.sha256()
        clips: dict[str, str] = {}  # by clip: the first record that needs it
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
        """Return the shards of `source`, and note where the clips of their folders are."""
        if Path(source).is_dir():
            stage = _stage_of(Path(source)) or StageFolder(Path(source), STAGES[-1])
            self._media[stage.path] = media_root(stage.run, stage.stage)
            return [stage.shard(i) for i in range(len(stage.all_done()))]
        # Half-written files of a killed run (`store.temporary_of`) have the suffix of a shard.
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
    """Return the data engine's stage to which this folder belongs, or None."""
    name = folder.resolve().name
    ours = name in STAGES and (folder / "manifest.json").is_file()
    return StageFolder(folder.resolve().parent, name) if ours else None


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


def _all_there(source: str, clips: dict[str, str]) -> None:
    """Raise `InputError` when clips are missing. URLs are not checked here."""
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
