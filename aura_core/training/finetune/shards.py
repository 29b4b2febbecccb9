"""All samples of a run, read from disk one at a time.

The source is a run folder of the data engine, or a pattern of shards. A run folder is read as
`aura_core.data.store` reads it: every shard must be done and undamaged, and `media_root` says where
the clips are. A pattern names single shards. If they are in a stage's folder of the data engine,
that stage must be finished too, and its clips are found in the same way. Records that a review
rejected are left out (`aura_core.data.reviews`).
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from aura_core.data.reviews import Reviews
from aura_core.data.samples import read_lines, shards_of
from aura_core.errors import InputError
from aura_core.training.finetune.offline import OfflineRecord
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
        self._windows: list[tuple[str, int]] = []  # of each line: clip, and first second
        self._supervision = Supervision(once)
        content = hashlib.sha256()
        clips: dict[str, str] = {}  # by clip: the first record that needs it
        self.rejected: Counter[str] = Counter()  # records by why a review rejected them
        found = shards_of(source)
        self._media = {s.path.parent: s.media for s in found}
        reviews = {folder: Reviews.read(folder) for folder in self._media}
        for path in (s.path for s in found):
            offset = 0
            for number, line in enumerate(read_lines(path), start=1):
                if line.strip():
                    record = parse(line, path, number, self._media[path.parent])
                    rejection = reviews[path.parent].rejection(record.id, line)
                    if rejection is not None:
                        self.rejected[rejection.why] += 1
                    else:
                        content.update(line.strip())
                        for clip in record.clips:
                            clips.setdefault(clip, record.where)
                        self._supervision.add(len(self._lines), record)
                        self._lines.append((path, number, offset))
                        self._windows.append(_window(record))
                offset += len(line)
        self._chosen = self._supervision.chosen(len(self._lines))
        if len(self._chosen) < len(self._lines):
            content.update(repr(self._chosen).encode())
        self.digest = content.hexdigest()[:16]  # of all records in order, wherever they lie
        if not self._lines:
            what = "no file of this name"
            if found:
                what = "there is no record in it"
            if self.rejected:
                what = f"a review rejected all {self.rejected.total()} records"
            raise InputError(
                f"{source}: {what}; expected a run of `aura data`, or JSON lines, one sample each"
            )
        _all_there(source, clips)

    def __len__(self) -> int:
        return len(self._chosen)

    def by_entry(self, values: Sequence[int]) -> Callable[[int], int]:
        """Return what gives the value of an entry of any epoch, see `Mixture.by_entry`."""
        return lambda index: values[index % len(values)]

    def window_of(self, index: int) -> tuple[str, int]:
        """Return the clip of an entry of any epoch, and the first second that it shows.

        An offline sample has a clip to itself.
        """
        return self._windows[self._chosen[index % len(self)]]

    def __getitem__(self, index: int) -> Record | OfflineRecord:
        """Return the record of an entry of any epoch. Raises `InputError`."""
        path, number, offset = self._lines[self._chosen[index % len(self)]]
        try:
            with path.open("rb") as file:
                file.seek(offset)
                line = file.readline()
        except OSError as e:
            raise InputError(f"{path}:{number}: cannot be read any more: {e.strerror}") from e
        return self._supervision.of(parse(line, path, number, self._media[path.parent]))

    def __iter__(self) -> Iterator[Record | OfflineRecord]:
        return (self[i] for i in range(len(self)))


def _window(record: Record | OfflineRecord) -> tuple[str, int]:
    if isinstance(record, OfflineRecord):
        return record.where, 0
    return sys.intern(record.clip), record.first


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
