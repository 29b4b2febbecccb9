"""WebDataset: tar files whose members belong together by the name up to the first dot.

    CLIP.json        {"samples": [...]}, all samples of one clip, or one offline sample
    CLIP.0.mp4       its files; the samples name them so

A clip is there once, however many samples it has. The tar files are written with Python's own
`tarfile`, without times and owners: the same samples give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aura_core.data.exchange.rows import safe
from aura_core.data.store import commit, temporary_of
from aura_core.errors import InputError, one_line

MOST_BYTES = 1_000_000_000  # of the files in a tar file, if one group has no more
_MEMBER = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")


@dataclass(frozen=True)
class Group:
    """What belongs together: samples as lines of JSON, and their files by the member's name."""

    key: str
    records: tuple[str, ...]
    files: dict[str, Path]


def key_of(name: str) -> str:
    """Return the key of a group: readable, without dots, different for different names."""
    return f"{safe(name)}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def write_groups(groups: Iterable[Group], out: Path, most: int = MOST_BYTES) -> int:
    """Write `shard-00000.tar`, ..., and return the number of samples. Raises `InputError`."""
    out.mkdir(parents=True, exist_ok=True)
    total = shard = 0
    waiting: list[Group] = []
    used = 0
    for group in groups:
        size = sum(f.stat().st_size for f in group.files.values())
        if waiting and used + size > most:
            _write(out / f"shard-{shard:05d}.tar", waiting)
            waiting, used, shard = [], 0, shard + 1
        waiting.append(group)
        used, total = used + size, total + len(group.records)
    if waiting:
        _write(out / f"shard-{shard:05d}.tar", waiting)
    return total


def read_groups(place: Path, media: Path) -> Iterator[tuple[str, str]]:
    """Yield the records of all tar files below `place`, and write their files into `media`.

    Each record comes with the tar file and member that it is in. Raises `InputError`.
    """
    found = sorted(place.glob("*.tar"))
    if not found:
        raise InputError(f"{place}: no *.tar there")
    media.mkdir(parents=True, exist_ok=True)
    for path in found:
        try:
            with tarfile.open(path, "r:") as tar:
                for member in tar:
                    # names are not paths: nothing is written outside `media`
                    if not member.isfile() or not _MEMBER.fullmatch(member.name):
                        raise InputError(f"{path}: a member that is no file of ours: {member.name}")
                    content = tar.extractfile(member)
                    assert content is not None
                    if member.name.endswith(".json"):
                        yield from _records(f"{path}: {member.name}", content.read())
                    else:
                        (media / member.name).write_bytes(content.read())
        except (OSError, tarfile.TarError) as e:
            raise InputError(f"{path}: cannot be read: {one_line(e)}") from e


def _records(where: str, data: bytes) -> Iterator[tuple[str, str]]:
    try:
        samples = json.loads(data)["samples"]
        assert isinstance(samples, list)
    except (ValueError, KeyError, TypeError, AssertionError) as e:
        raise InputError(f"{where}: expected an object with 'samples'") from e
    for sample in samples:
        yield where, json.dumps(sample, ensure_ascii=False, separators=(",", ":"))


def _write(path: Path, groups: Iterable[Group]) -> None:
    temporary = temporary_of(path)
    try:
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
            for group in groups:
                data = json.dumps({"samples": [json.loads(r) for r in group.records]}).encode()
                _add(tar, f"{group.key}.json", io.BytesIO(data), len(data))
                for name, file in group.files.items():
                    with file.open("rb") as content:
                        _add(tar, name, content, file.stat().st_size)
        commit(temporary, path)
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {one_line(e)}") from e
    finally:
        temporary.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, name: str, content: io.BufferedIOBase, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    tar.addfile(info, content)
