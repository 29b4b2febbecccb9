"""Offline samples as training reads them: from a line, and as the pieces of a prompt.

The form of the prompt is that of `aura_core.data.offline`. All answers of a sample are supervised
in every loss: to a loss they are one turn, the last non-silent one, because the rules about earlier
turns are for streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from aura_core.config import SamplingConfig
from aura_core.data.offline import Medium, Offline, pieces_of
from aura_core.data.pictures import read_picture
from aura_core.data.records import build
from aura_core.errors import InputError
from aura_core.models.backend import Piece, Seen, seen
from aura_core.models.families import Family
from aura_core.models.families.base import Pixels
from aura_core.sources import open_source
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.sampling import ChunkSampler
from aura_core.types import NS, Chunk, Frame


@dataclass(frozen=True)
class OfflineRecord:
    """An offline sample of a shard.

    `clips` are its files, by index of the medium, and `where` its file and line.
    """

    sample: Offline
    clips: tuple[str, ...]
    where: str
    evidence: ClassVar[None] = None  # as in a record that the data engine did not write

    @property
    def id(self) -> str:
        """The name of the sample."""
        return self.sample.id


@dataclass(frozen=True)
class Built:
    """The parts of an example.

    `supervised` has a tuple for each token of an answer: its position, the token, and what
    `dataset.Example` says of it: turn, silent, hard, event, asked, kept.
    """

    pieces: list[Piece]
    looks: list[Pixels]
    supervised: list[tuple[int, int, int, bool, bool, bool, bool, bool]]
    answers: int


def parse(data: dict[str, Any], where: str, media: Path) -> OfflineRecord:
    """Return the record of a line's JSON, without its `type` and `version`.

    `media`: folder that its files are relative to. Raises `InputError`.
    """
    sample = build(Offline, data, where)
    return OfflineRecord(sample, tuple(str(media / m.path) for m in sample.media), where)


def length(record: OfflineRecord, codec: PromptCodec, family: Family) -> int:
    """Return the number of tokens. No file is opened. Raises `InputError`."""

    def stand_ins(index: int) -> list[Seen]:
        medium = record.sample.media[index]
        try:
            grids = family.grids(*family.frame_size(medium.height, medium.width))
        except ValueError as e:
            raise InputError(f"{record.where}: {medium.path}: {e}") from e
        return [seen([None] * len(grids), grids)] * max(1, len(medium.chunks))

    try:
        rounds = pieces_of(record.sample, codec, stand_ins)
    except InputError as e:
        raise InputError(f"{record.where}: {e}") from e
    return sum(sum(len(p) for p in pieces) + len(codec.assistant(ids)) for pieces, ids in rounds)


def built(record: OfflineRecord, codec: PromptCodec, family: Family) -> Built:
    """Read the files of a record, and build its prompt. Raises `InputError` that names it."""
    looks: list[Pixels] = []

    def shown(index: int) -> list[Seen]:
        found = [_look(c, family, record) for c in _chunks(record, index)]
        looks.extend(found)
        return [seen([None] * len(look.grids), look.grids) for look in found]

    try:
        rounds = pieces_of(record.sample, codec, shown)
    except InputError as e:
        raise InputError(f"{record.where}: {e}") from e
    pieces: list[Piece] = []
    supervised: list[tuple[int, int, int, bool, bool, bool, bool, bool]] = []
    length = 0
    for before, ids in rounds:
        answer = codec.assistant(ids)
        pieces += [*before, answer]
        length += sum(len(p) for p in before)
        for i, target in enumerate((*ids, codec.chat.end_id)):
            supervised.append((length - 1 + i, target, 0, False, False, False, True, True))
        length += len(answer)
    return Built(pieces, looks, supervised, len(rounds))


def _look(chunk: Chunk, family: Family, record: OfflineRecord) -> Pixels:
    try:
        return family.look(chunk)
    except InputError as e:
        raise InputError(f"{record.where}: {e}") from e


def _chunks(record: OfflineRecord, index: int) -> Sequence[Chunk]:
    medium, path = record.sample.media[index], record.clips[index]
    if not medium.chunks:
        return [_picture(path, record.where)]
    return _video(path, medium, record.where)


def _picture(path: str, where: str) -> Chunk:
    """Return a chunk that shows a picture, upright, in both of its frames."""
    try:
        image = read_picture(Path(path))
    except InputError as e:
        raise InputError(f"{where}: {e}") from e
    frames = (Frame(image, 0), Frame(image, NS // 2))
    return Chunk(0, frames, 0, NS)


def _video(path: str, medium: Medium, where: str) -> list[Chunk]:
    sampling, wanted = ChunkSampler(SamplingConfig()), set(medium.chunks)
    found: dict[int, Chunk] = {}
    try:
        with open_source(path, fps=2.0, duration_s=float(max(wanted) + 1)) as source:
            for frame in source:
                closed = sampling.push(frame)
                if closed is not None and closed.index in wanted:
                    found[closed.index] = closed
    except InputError as e:
        raise InputError(f"{where}: {e}") from e
    last = sampling.flush()
    if last is not None and last.index in wanted:
        found[last.index] = last
    missing = sorted(wanted - found.keys())
    if missing:
        raise InputError(f"{where}: {path} shows nothing in second {missing[0]}")
    return [found[i] for i in medium.chunks]
