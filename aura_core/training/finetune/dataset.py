"""Records to model inputs, with the checkpoint's tokenizer and pixels.

The engine's own window and prompt code makes the tokens. An `Example` is what the engine's cache
would hold at the end of the record's window, with the inputs of its vision encoder. All turns in
the window have targets. `kept` says which may be supervised; the loss leaves out or weighs the
others (`loss.weighting`).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from aura_core.data.structure import turn_of
from aura_core.errors import AuraError, InputError
from aura_core.models.backend import Piece, Seen, Tokens, Video, seen
from aura_core.models.families import Family
from aura_core.models.families.base import Pixels
from aura_core.orphans import end_with
from aura_core.stream.prompt import PromptCodec
from aura_core.training.finetune import offline
from aura_core.training.finetune.clips import ClipReaders, clip_chunks
from aura_core.training.finetune.mixture import Mixture
from aura_core.training.finetune.offline import Built, OfflineRecord
from aura_core.training.finetune.records import Record
from aura_core.training.finetune.shards import Shards
from aura_core.types import Chunk


@dataclass(frozen=True, eq=False)
class Example:
    """One sequence of L tokens that shows C chunks.

    - `ids`, int64 (L,): 0 at visual tokens.
    - `positions`, int64 (*axes, L): see `PositionTrack.axes`.
    - `visual`, bool (L,).
    - `pixels`: the vision encoder's inputs of all chunks, see `families.base.Pixels`; empty where
      nothing is shown.

    Supervision, of N tokens in order:

    - `at`, int64 (N,): the position whose logits predict the token.
    - `target`, `turn`, int64 (N,), and `silent`, `hard`, `event`, `kept`, bool (N,): see
      `loss.Supervised`.
    - `asked`, bool (N,): a question was asked in the token's turn.
    - `answers`: number of answers that may be supervised.
    """

    id: str
    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    visual: NDArray[np.bool_]
    pixels: dict[str, NDArray[Any]]
    at: NDArray[np.int64]
    target: NDArray[np.int64]
    turn: NDArray[np.int64]
    silent: NDArray[np.bool_]
    hard: NDArray[np.bool_]
    event: NDArray[np.bool_]
    asked: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    answers: int


class Examples(Dataset[Example]):
    """The records of `shards` as examples, by index.

    Args:
        clips: how many clips each process keeps open, so that samples of one clip decode the
            seconds that they share once; 0: each sample opens its clip.
    """

    def __init__(
        self, shards: Shards | Mixture, codec: PromptCodec, family: Family, clips: int = 0
    ) -> None:
        self.shards, self.codec, self.family = shards, codec, family
        self.readers = ClipReaders(clips) if clips else None

    def __len__(self) -> int:
        return len(self.shards)

    def __getitem__(self, index: int) -> Example:
        record, chunks = self.shards[index], None
        if self.readers is not None and isinstance(record, Record):
            chunks = self.readers.chunks(record)
        return build(record, self.codec, self.family, chunks)

    def close(self) -> None:
        """Close the clips that this process has open.

        A process that is forked later must not inherit them: their decoders' threads are not in it,
        and it would wait for them.
        """
        if self.readers is not None:
            self.readers.close()


class Ahead(Dataset["Example | AuraError"]):
    """Examples for the worker processes of a DataLoader.

    An error that a user can correct is returned in place of the example, and `raised` raises it. If
    it was raised in a worker, PyTorch would add the worker's traceback to its message.
    """

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Example | AuraError:
        try:
            return self._examples[index]
        except AuraError as e:
            return e


def raised(examples: Iterable[Example | AuraError]) -> Iterator[Example]:
    """Yield the examples of `Ahead`, up to the first error, which is raised as an `InputError`."""
    for example in examples:
        if isinstance(example, AuraError):
            raise InputError(f"{example}; put it right and go on with --resume")
        yield example


def loader(examples: Dataset[Any], order: Iterable[int], workers: int) -> DataLoader[Any]:
    """Return a loader of the examples, one by one and in this order.

    Its processes end when this one has ended, however it ended. PyTorch's own watch is kept only
    while a worker waits for its next index: one that decodes a long clip, or waits to hand over an
    example, would stay.

    Decoders that this process has used and dropped are freed first, and workers free none that they
    inherit: a decoder waits for its threads then, and these are not in a worker.
    """
    gc.collect()
    return DataLoader(
        examples,
        batch_size=None,
        sampler=order,
        num_workers=workers,
        # its own generator, so that it does not change the run's random state
        generator=torch.Generator().manual_seed(0),
        collate_fn=_same,
        worker_init_fn=partial(_ends_with, os.getpid()),
    )


def _same(value: Any) -> Any:
    return value


def _ends_with(parent: int, _worker: int) -> None:
    gc.freeze()
    end_with(parent)


def build(
    record: Record | OfflineRecord,
    codec: PromptCodec,
    family: Family,
    chunks: Sequence[Chunk] | None = None,
) -> Example:
    """Return the example of one record.

    Args:
        chunks: those of its window; None: they are read from its clip, as those of an offline
            sample always are.

    Raises `InputError` that names the record.
    """
    if isinstance(record, OfflineRecord):
        return _example(record.id, offline.built(record, codec, family), family)
    chunks = clip_chunks(record) if chunks is None else chunks
    return _example(record.id, _built(record, codec, family, chunks), family)


def _built(record: Record, codec: PromptCodec, family: Family, chunks: Sequence[Chunk]) -> Built:
    """Return the parts of the example of a window."""
    said = {t.chunk: t for t in record.turns}
    after_words = {t.chunk + 1 for t in record.turns}
    pieces: list[Piece] = [codec.head(codec.prefix(record.history))]
    looks: list[Pixels] = []
    supervised: list[tuple[int, int, int, bool, bool, bool, bool, bool]] = []
    length = len(pieces[0])
    for turn, chunk in enumerate(chunks):
        look = _look(chunk, family, record.where)
        looks.append(look)
        text = said.get(chunk.index)
        user, ids = turn_of(codec, stand_in(look.grids), text)
        pieces += [*user, codec.assistant(ids)]
        length += sum(len(p) for p in user)
        event = chunk.index in record.events
        hard = ids is None and (event or chunk.index in after_words)
        asked = text is not None and text.question is not None
        kept = chunk.index >= record.since and (ids is None or said[chunk.index].taught)
        for i, target in enumerate(codec.silence if ids is None else (*ids, codec.chat.end_id)):
            flags = (ids is None, hard, event and i == 0, asked, kept)
            supervised.append((length - 1 + i, target, turn, *flags))
        length += len(pieces[-1])
    answers = sum(
        t.answer is not None and t.taught and t.chunk >= record.since for t in record.turns
    )
    return Built(pieces, looks, supervised, answers)


def _example(id: str, built: Built, family: Family) -> Example:
    pieces, looks = built.pieces, built.looks
    columns = list(zip(*built.supervised, strict=True))
    numbers = [np.asarray(c, np.int64) for c in columns[:3]]
    flags = [np.asarray(c, np.bool_) for c in columns[3:]]
    names = looks[0].arrays if looks else ()  # an offline sample may show nothing
    return Example(
        id,
        np.concatenate(
            [np.asarray(p.ids if isinstance(p, Tokens) else [0] * len(p), np.int64) for p in pieces]
        ),
        family.positions().extend(pieces),
        np.concatenate([np.full(len(p), isinstance(p, Video)) for p in pieces]),
        {k: np.concatenate([look.arrays[k] for look in looks]) for k in names},
        *numbers,
        *flags,
        built.answers,
    )


def stand_in(grids: Sequence[tuple[int, int]]) -> Seen:
    """Return a chunk with visual tokens of these (rows, columns), and without features."""
    return seen([None] * len(grids), grids)


def _look(chunk: Chunk, family: Family, where: str) -> Pixels:
    try:
        return family.look(chunk)
    except InputError as e:
        raise InputError(f"{where}: {e}") from e
