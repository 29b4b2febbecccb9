"""Samples of a run to Parquet or WebDataset, and back into a run folder.

What a review rejected is left out. Files are copied; with `media="none"` they stay where they are,
and the samples name them by their whole path. The way back gives the same samples, but for the
names of their files.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aura_core.data import STAGES
from aura_core.data.exchange import parquet, webdataset
from aura_core.data.exchange.rows import Row, file_of, media_of, moved, row_of, safe_name
from aura_core.data.exchange.webdataset import Group, key_of
from aura_core.data.offline import STAGE as OFFLINE
from aura_core.data.offline import Offline
from aura_core.data.records import to_line
from aura_core.data.samples import Line, lines_of, parse
from aura_core.data.schema import Sample
from aura_core.data.store import Done, StageFolder
from aura_core.errors import ConfigError, InputError

FORMATS = ("parquet", "webdataset")
MEDIA = ("copy", "none")
SHARD = 1000  # samples of a shard that is written back


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    samples: int
    files: int
    bytes: int  # of the files


def export(source: str, out: Path, to: str, media: str = "copy") -> Exported:
    """Write the samples of a source (see `samples.lines_of`) into the folder `out`.

    Args:
        to: one of `FORMATS`.
        media: copy, or none: the samples name their files on this machine.

    Raises `ConfigError` and `InputError`; a folder that is not empty is refused.
    """
    _one_of("--to", to, FORMATS)
    _one_of("--media", media, MEDIA)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: is there already; name a new folder")
    copies = _Copies(out / "media", media == "copy")
    if to == "parquet":
        samples = parquet.write_rows((_row(line, copies) for line in lines_of(source)), out)
    else:
        samples = webdataset.write_groups(_groups(lines_of(source), copies), out)
    if not samples:
        raise InputError(f"{source}: there is no sample to export")
    return Exported(samples, len(copies.known), copies.bytes)


def restore(place: Path, out: Path) -> dict[str, int]:
    """Write the samples of an export into a run folder; returns how many there are of each stage.

    Samples of streams become the last stage of the data engine, offline ones the folder `offline`.
    Raises `InputError`.
    """
    if any(place.glob("*.tar")):
        found = webdataset.read_groups(place, out / "media")
        names = _InMedia()
    else:
        found = parquet.read_records(place)
        names = _InMedia(place, out / "media")
    kept: dict[str, list[Sample | Offline]] = {STAGES[-1]: [], OFFLINE: []}
    for where, record in found:
        sample = parse(record.encode(), where)
        kept[STAGES[-1] if isinstance(sample, Sample) else OFFLINE].append(moved(sample, names))
    if not any(kept.values()):
        raise InputError(f"{place}: there is no sample in it")
    for stage, samples in kept.items():
        if samples:
            _write_stage(StageFolder(out, stage), samples)
    return {stage: len(samples) for stage, samples in kept.items() if samples}


class _Copies:
    """Copies the files of samples, each once."""

    def __init__(self, folder: Path, copy: bool) -> None:
        self._folder, self.copy = folder, copy
        self.known: dict[Path, str] = {}  # by file: its new name
        self.bytes = 0

    def name(self, line: Line, old: str) -> str:
        """Copy a file of a sample, and return its new name. Raises `InputError`."""
        path = file_of(line, old)
        if path not in self.known:
            self.known[path] = f"media/{safe_name(path)}" if self.copy else str(path.resolve())
            if self.copy:
                self.bytes += path.stat().st_size
                self._folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, self._folder / safe_name(path))
        return self.known[path]


def _row(line: Line, copies: _Copies) -> Row:
    return row_of(moved(line.sample, lambda name: copies.name(line, name)))


def _groups(lines: Iterable[Line], copies: _Copies) -> Iterator[Group]:
    """Yield the samples of a clip together. They stand together in a shard."""
    waiting: list[Line] = []
    used: Counter[str] = Counter()
    for line in lines:
        if waiting and _group_of(waiting[0]) != _group_of(line):
            yield _group(waiting, copies, used)
            waiting = []
        waiting.append(line)
    if waiting:
        yield _group(waiting, copies, used)


def _group_of(line: Line) -> str:
    return line.sample.clip.id if isinstance(line.sample, Sample) else line.sample.id


def _group(lines: list[Line], copies: _Copies, used: Counter[str]) -> Group:
    name = _group_of(lines[0])
    used[name] += 1  # a clip whose samples are not all together has several groups
    key = key_of(name if used[name] == 1 else f"{name} {used[name]}")
    files: dict[str, Path] = {}
    names: dict[str, str] = {}
    if copies.copy:
        for line in lines:
            for old in media_of(line.sample):
                if old not in names:
                    path = file_of(line, old)
                    names[old] = f"{key}.{len(names)}{path.suffix.lower()}"
                    files[names[old]] = path
                    copies.known[path] = names[old]
                    copies.bytes += path.stat().st_size
    records = []
    for line in lines:
        renamed = moved(line.sample, lambda n, of=line: names.get(n) or copies.name(of, n))
        records.append(to_line(renamed))
    return Group(key, tuple(records), files)


class _InMedia:
    """The names of an export's files in the run folder that it is written back to.

    Args:
        place: the export, whose files are copied; None: they are in `media` already.
        media: the folder in the run.
    """

    def __init__(self, place: Path | None = None, media: Path = Path()) -> None:
        self._place, self._media = place, media
        self._copied: set[str] = set()

    def __call__(self, name: str) -> str:
        if Path(name).is_absolute():  # the export has no copies
            return name
        base = Path(name).name
        if self._place is not None and base not in self._copied:
            path = self._place / "media" / base
            if not path.is_file():
                raise InputError(f"{path}: there is no such file")
            self._media.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, self._media / base)
            self._copied.add(base)
        return f"media/{base}"


def _write_stage(folder: StageFolder, samples: list[Sample | Offline]) -> None:
    shards = [samples[i : i + SHARD] for i in range(0, len(samples), SHARD)]
    known = hashlib.sha256("".join(to_line(s) for s in samples).encode()).hexdigest()
    with folder.lock():
        folder.claim({"import": "export"}, {"samples": known}, len(shards), ".")
        for index, part in enumerate(shards):
            folder.save(index, part, (), Done("", "", "", len(part), len(part), 0, 0.0))


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not '{value}'")
