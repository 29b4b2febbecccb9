"""A stage's folder: shards that are whole or not there, and a manifest that says what they were
made of.

    RUN/<stage>/manifest.json           settings and input; other settings on the same folder are refused
    RUN/<stage>/shard-00000.jsonl       records                                   the same bytes for the same input,
    RUN/<stage>/shard-00000.rejected    rejections                                however often the run was killed
    RUN/<stage>/shard-00000.done        hashes of both, counts, costs: written last; without it the shard is redone

Each file is written beside its place, synced and renamed.
"""  # noqa: E501

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aura_core.data.costs import LOST
from aura_core.data.records import build, from_line, to_line
from aura_core.data.schema import Rejection
from aura_core.errors import InputError

T = TypeVar("T")
_TEMPORARY = ".part-"


@dataclass(frozen=True)
class Done:
    """What a finished shard holds. `seconds` is wall time; `failures`: items lost to a server that
    gave up."""

    input_sha256: str
    sha256: str
    rejected_sha256: str
    items: int
    records: int
    failures: int
    seconds: float
    reasons: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    # other files that belong to it, and their bytes
    files: dict[str, int] = field(default_factory=dict)
    fault: str = ""  # why the last request that brought nothing did not

    @property
    def lost(self) -> int:
        """Requests to the MLLM that brought nothing."""
        return int(sum(self.cost.get(k, 0) for k in LOST))


class StageFolder:
    """`run`/`stage`. The constructor touches nothing."""

    def __init__(self, run: Path, stage: str) -> None:
        self.run, self.stage, self.path = run, stage, run / stage

    # ---- what it is made of --------------------------------------------------------------------

    def claim(
        self, settings: dict[str, Any], source: dict[str, str], shards: int, media: str
    ) -> None:
        """Make the folder, or check that it was made of the same. A folder in which no shard is
        finished may be made anew. Raises `InputError` naming what differs."""
        manifest = {
            "stage": self.stage,
            "version": 1,
            "settings": settings,
            "input": source,
            "shards": shards,
        }
        manifest = json.loads(json.dumps(manifest | {"media": media}))  # as it will be read back
        path = self.path / "manifest.json"
        self.path.mkdir(parents=True, exist_ok=True)
        if not path.exists() or not any(self.path.glob("shard-*.done")):
            write(path, (json.dumps(manifest, indent=2) + "\n").encode())
            return
        for key, old, new in _differences(self.manifest(), manifest, ""):
            raise InputError(
                f"{self.path}: made with {key} = {old!r}, now it is {new!r}; take another --out"
            )

    def manifest(self) -> dict[str, Any]:
        """Raises `InputError` when the stage was never begun or its manifest is damaged."""
        path = self.path / "manifest.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as e:
            raise InputError(
                f"{self.path}: nothing there; run `aura data {self.stage}` first"
            ) from e
        except (OSError, ValueError) as e:
            raise InputError(
                f"{path}: damaged ({e}); delete the folder {self.path} and run again"
            ) from e
        if not isinstance(data, dict) or type(data.get("shards")) is not int:
            raise InputError(f"{path}: not a manifest; delete the folder {self.path} and run again")
        return data

    def fingerprint(self) -> dict[str, str]:
        """What a later stage remembers of this one."""
        known = {k: v for k, v in self.manifest().items() if k != "media"}
        return {
            "stage": self.stage,
            "sha256": hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest(),
        }

    def lock(self) -> Lock:
        """Held while a run writes here."""
        return Lock(self.path / ".lock")

    def sweep(self) -> None:
        """Remove what a killed run left half-written."""
        for path in self.path.rglob(f"*{_TEMPORARY}*"):
            path.unlink(missing_ok=True)

    # ---- shards ----------------------------------------------------------------------------------

    def shard(self, index: int) -> Path:
        """Path of a shard's records."""
        return self.path / f"shard-{index:05d}.jsonl"

    def save(
        self, index: int, records: Sequence[Any], rejections: Sequence[Rejection], done: Done
    ) -> Done:
        """Write a whole shard; `done` with the hashes filled in."""
        hashes = []
        for path, items in ((self.shard(index), records), (self._rejected(index), rejections)):
            try:
                data = "".join(to_line(r) + "\n" for r in items).encode()
            except UnicodeEncodeError as e:
                raise InputError(
                    f"{path}: a record holds text that is not UTF-8:"
                    f" {e.object[max(0, e.start - 40) : e.end]!r}"
                ) from e
            write(path, data)
            hashes.append(hashlib.sha256(data).hexdigest())
        done = Done(**{**asdict(done), "sha256": hashes[0], "rejected_sha256": hashes[1]})
        write(self._done(index), (json.dumps(asdict(done)) + "\n").encode())
        return done

    def drop(self, index: int) -> None:
        """Forget a shard: it will be made again."""
        for path in (self._done(index), self.shard(index), self._rejected(index)):
            path.unlink(missing_ok=True)

    def done(self, index: int) -> Done | None:
        """None when the shard was never finished. Raises `InputError` when what is there is not
        what was written."""
        path = self._done(index)
        if not path.exists():
            if self.shard(index).exists():
                raise InputError(f"{self.shard(index)}: half-written")
            return None
        try:
            done = Done(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as e:
            raise InputError(f"{path}: damaged") from e
        for part, sha in (
            (self.shard(index), done.sha256),
            (self._rejected(index), done.rejected_sha256),
        ):
            if not part.exists() or sha256_of(part) != sha:
                raise InputError(f"{part}: {'damaged' if part.exists() else 'missing'}")
        for name, size in done.files.items():
            file = self.run / name
            if not file.exists() or file.stat().st_size != size:
                raise InputError(f"{file}: {'damaged' if file.exists() else 'missing'}")
        return done

    def all_done(self) -> list[Done]:
        """Every shard. Raises `InputError` when the stage is not finished."""
        shards = self.manifest()["shards"]
        out = []
        for index in range(shards):
            done = self.done(index)
            if done is None:
                raise InputError(
                    f"{self.path}: {index} of {shards} shards are there; run `aura data"
                    f" {self.stage}` again"
                )
            out.append(done)
        return out

    def read(self, index: int, cls: type[T]) -> Iterator[T]:
        """The records of one shard."""
        yield from read_lines(self.shard(index), cls)

    def rejected(self, index: int) -> Iterator[Rejection]:
        """What one shard left out."""
        yield from read_lines(self._rejected(index), Rejection)

    def _rejected(self, index: int) -> Path:
        return self.shard(index).with_suffix(".rejected")

    def _done(self, index: int) -> Path:
        return self.shard(index).with_suffix(".done")


class Lock:
    """Two runs never write one folder: the second is refused. The lock goes with its process,
    however that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Lock:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            self._file.close()
            raise InputError(
                f"{self._path.parent}: another run is writing here; wait for it or end it"
            ) from e
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_lines(path: Path, cls: type[T]) -> Iterator[T]:
    """Records of a file. Raises `InputError` naming file, line and field."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                yield from_line(cls, line, f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: cannot be read: {e}") from e


def read_samples(run: Path, stage: str = "verify") -> Iterator[Any]:
    """All samples of a finished run, in order: what a trainer reads. Clips lie below
    `media_root(run, stage)`."""
    from aura_core.data.schema import Sample

    folder = StageFolder(run, stage)
    for index in range(len(folder.all_done())):
        yield from folder.read(index, Sample)


def media_root(run: Path, stage: str = "verify") -> Path:
    """The folder that `Clip.video` is relative to."""
    return Path(os.path.normpath(run / str(StageFolder(run, stage).manifest().get("media", "."))))


def write(path: Path, data: bytes) -> None:
    """Write `path` whole or not at all: beside it, synced, then renamed."""
    temporary = temporary_of(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        commit(temporary, path)
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror}") from e


def temporary_of(path: Path) -> Path:
    """Where `path` is made before it is renamed; `StageFolder.sweep` removes it when that never
    happens."""
    return path.with_name(
        f"{path.stem}{_TEMPORARY}{os.getpid()}-{threading.get_ident()}{path.suffix}"
    )


def commit(temporary: Path, path: Path) -> None:
    """Rename a synced file into its place, durably."""
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _differences(old: Any, new: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new} - {"media"}):
            yield from _differences(old.get(key), new.get(key), f"{where}.{key}" if where else key)
    elif old != new:
        yield where, old, new


__all__ = ["Done", "StageFolder", "build", "media_root", "read_lines", "read_samples", "write"]
