"""The seconds that a sample shows, read from its clip at 2 FPS.

A reader keeps a clip open and goes on where it stands, so several samples of one clip decode each
second once when they come in the order of time (`order.in_runs`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from aura_core.config import SamplingConfig
from aura_core.errors import InputError
from aura_core.sources import open_source
from aura_core.stream.sampling import ChunkSampler
from aura_core.training.finetune.records import Record
from aura_core.types import Chunk, Frame

SEEK_S = 10  # from so many seconds on it is quicker to seek than to go on; see `data.video`


def clip_chunks(record: Record) -> list[Chunk]:
    """Return the chunks that the record's window shows, from its clip at 2 FPS.

    Of a long video, only the part from the nearest key frame before the window to the window's end
    is decoded. Raises `InputError` that names the record.
    """
    with closing(_Reader(record.clip, float(record.stop))) as reader:
        return _chunks(reader, record)


class ClipReaders:
    """Reads samples like `clip_chunks`, and keeps open what was read last.

    The result is the same in any order of the samples. Each clip that is open holds the seconds of
    its newest sample, 1.8 MB each at 640x480.

    Args:
        most: clips that are open at the same time; one that is read in two places counts twice.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: list[_Reader] = []  # the one that was read last at the end

    def chunks(self, record: Record) -> list[Chunk]:
        """Return the chunks that the record's window shows. Raises `InputError` as `clip_chunks`.

        A simulated world depends on how long it lasts, so each sample has its own.
        """
        if not Path(record.clip).is_file():
            return clip_chunks(record)
        # several runs of one long clip may be under way
        fitting = [r for r in self._open if r.clip == record.clip and r.goes_on_to(record.first)]
        if fitting:
            reader = max(fitting, key=lambda r: r.first)
            self._open.remove(reader)
        else:
            reader = _Reader(record.clip, None)
            if len(self._open) >= self._most:
                self._open.pop(0).close()
        try:
            chunks = _chunks(reader, record)
        except InputError:
            reader.close()
            raise
        self._open.append(reader)
        return chunks

    def close(self) -> None:
        """Close all clips."""
        for reader in self._open:
            reader.close()
        self._open.clear()


def _chunks(reader: _Reader, record: Record) -> list[Chunk]:
    try:
        seen = reader.seen(record.first, record.stop)
    except InputError as e:
        raise InputError(f"{record.where}: {e}") from e
    missing = [i for i in range(record.first, record.stop) if i not in seen]
    if missing:
        raise InputError(f"{record.where}: {record.clip} shows nothing in second {missing[0]}")
    return [seen[i] for i in range(record.first, record.stop)]


class _Reader:
    """One clip. `duration_s`: where it ends for this reader, in seconds; None: its own end."""

    def __init__(self, clip: str, duration_s: float | None) -> None:
        self.clip, self._duration_s = clip, duration_s
        self._frames: Iterator[Frame] | None = None
        self._seen: dict[int, Chunk] = {}
        self.first = self._stop = 0  # chunks from `first` on are kept, those below `_stop` are read

    def goes_on_to(self, first: int) -> bool:
        """Whether a window that begins in this second needs no new beginning."""
        return self._frames is not None and self.first <= first <= self._stop + SEEK_S

    def seen(self, first: int, stop: int) -> dict[int, Chunk]:
        """Return the chunks from `first` to `stop` - 1, and maybe further ones, by their index.

        Chunks that the clip does not show are missing. Raises `InputError`.
        """
        if not self.goes_on_to(first):
            self._begin(first)
        self.first = first
        for index in [i for i in self._seen if i < first]:
            del self._seen[index]
        assert self._frames is not None
        while self._stop < stop:
            frame = next(self._frames, None)
            closed = self._sampling.flush() if frame is None else self._sampling.push(frame)
            if closed is not None:
                self._stop = closed.index + 1
                if closed.index >= first:
                    self._seen[closed.index] = closed
            if frame is None:
                break
        return self._seen

    def close(self) -> None:
        """Close the clip. The reader can go on afterwards, with the clip opened anew."""
        if self._frames is not None:
            self._frames = None
            self._source.close()

    def _begin(self, first: int) -> None:
        self.close()
        self._source = open_source(self.clip, fps=2.0, duration_s=self._duration_s)
        self._sampling, self._seen, self._stop = ChunkSampler(SamplingConfig()), {}, 0
        self._frames = iter(self._source)
        if self._source.live:
            raise InputError(f"{self.clip}: a live source is no clip")
        if begun := self._source.begin_at(first):
            self._sampling.begin_at(begun)
            self._stop = begun
