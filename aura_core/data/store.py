"""The folder of a stage: complete shards, and a manifest that says what they were made from.

    RUN/<stage>/manifest.json           settings and input; others on the same folder are refused
    RUN/<stage>/shard-00000.jsonl       records
    RUN/<stage>/shard-00000.rejected    rejections
    RUN/<stage>/shard-00000.done        hashes of both, counts, costs

`.done` is written last; a shard without it is made again. The same input gives the same records and
rejections, byte for byte, however often the run was killed. Each file is written under a temporary
name, synced and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aura_core.data.costs import LOST
from aura_core.data.folder_lock import Lock
from aura_core.data.records import build, from_line, to_line
from aura_core.data.schema import Rejection
from aura_core.errors import InputError

T = TypeVar("T")
_TEMPORARY = ".part-"


@dataclass(frozen=True)
class Done:
    """What a finished shard holds.

    `seconds` is wall time. `failures` counts items that were lost because a server gave up.
    """

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
    # other files that belong to the shard: path relative to the run, and size in bytes
    files: dict[str, int] = field(default_factory=dict)
    fault: str = ""  # why the last request that brought nothing did not

    @property
    def lost(self) -> int:
        """Requests to the MLLM that brought nothing."""
        return int(sum(self.cost.get(k, 0) for k in LOST))


class StageFolder:
    """The folder `run`/`stage`. The constructor does not touch the disk."""

    def __init__(self, run: Path, stage: str) -> None:
        self.run, self.stage, self.path = run, stage, run / stage

    # ---- manifest ------------------------------------------------------------------------------

    def claim(
        self, settings: dict[str, Any], source: dict[str, str], shards: int, media: str
    ) -> None:
        """Create the folder, or check that it was made from the same settings and input.

        A folder without a finished shard takes new settings. Raises `InputError` that names what
        differs.
        """
        manifest = {
            "stage": self.stage,
            "version": 1,
            "settings": settings,
            "input": source,
            "shards": shards,
        }
        manifest = json.loads(json.dumps(manifest | {"media": media}))  # tuples become lists
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
        """Return the manifest.

        Raises `InputError` when the stage was never begun, or when the manifest is damaged.
        """
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
        """Return what a later stage stores about this one, to notice changes."""
        known = {k: v for k, v in self.manifest().items() if k != "media"}
        return {
            "stage": self.stage,
            "sha256": hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest(),
        }

    def lock(self) -> Lock:
        """Return the lock that a run holds while it writes here."""
        return Lock(self.path)

    def sweep(self) -> None:
        """Remove half-written files of a killed run."""
        for path in self.path.rglob(f"*{_TEMPORARY}*"):
            path.unlink(missing_ok=True)

    # ---- shards ----------------------------------------------------------------------------------

    def shard(self, index: int) -> Path:
        """Return the path of a shard's records."""
        return self.path / f"shard-{index:05d}.jsonl"

    def save(
        self, index: int, records: Sequence[Any], rejections: Sequence[Rejection], done: Done
    ) -> Done:
        """Write a whole shard, and return `done` with the hashes filled in. Raises `InputError`."""
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
        """Return what a finished shard holds, or None when it was never finished.

        Raises `InputError` when the files are not as they were written.
        """
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
        """Return what every shard holds. Raises `InputError` when the stage is not finished."""
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
        """Yield the records of one shard. Raises `InputError`."""
        yield from read_lines(self.shard(index), cls)

    def rejected(self, index: int) -> Iterator[Rejection]:
        """Yield what one shard left out. Raises `InputError`."""
        yield from read_lines(self._rejected(index), Rejection)

    def _rejected(self, index: int) -> Path:
        return self.shard(index).with_suffix(".rejected")

    def _done(self, index: int) -> Path:
        return self.shard(index).with_suffix(".done")


def read_lines(path: Path, cls: type[T]) -> Iterator[T]:
    """Yield the records of a file. Raises `InputError` that names file, line and field."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                yield from_line(cls, line, f"{path}:{number}")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: cannot be read: {e}") from e


def read_samples(run: Path, stage: str = "verify") -> Iterator[Any]:
    """Yield all samples of a finished run, in order, for training.

    The clips are below `media_root(run, stage)`.
    """
    from aura_core.data.schema import Sample

    folder = StageFolder(run, stage)
    for index in range(len(folder.all_done())):
        yield from folder.read(index, Sample)


def media_root(run: Path, stage: str = "verify") -> Path:
    """Return the folder that `Clip.video` is relative to."""
    return Path(os.path.normpath(run / str(StageFolder(run, stage).manifest().get("media", "."))))


def write(path: Path, data: bytes) -> None:
    """Write a file completely or not at all: temporary name, sync, rename. Raises `InputError`."""
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
    """Return the name under which `path` is written before it is renamed.

    `StageFolder.sweep` removes such files after a crash.
    """
    return path.with_name(
        f"{path.stem}{_TEMPORARY}{os.getpid()}-{threading.get_ident()}{path.suffix}"
    )


def commit(temporary: Path, path: Path) -> None:
    """Rename a synced file to its final name, and sync the folder."""
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _differences(old: Any, new: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new} - {"media"}):
            yield from _differences(old.get(key), new.get(key), f"{where}.{key}" if where else key)
    elif old != new:
        yield where, old, new


__all__ = ["Done", "StageFolder", "build", "media_root", "read_lines", "read_samples", "write"]
