"""Checks of the samples before the first training step, instead of hours later.

They find samples that were made for another checkpoint, or that are longer than a row.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice

from aura_core.data.structure import digest, open_codec, pieces_of
from aura_core.errors import ConfigError, InputError
from aura_core.sources import open_source
from aura_core.stream.prompt import PromptCodec
from aura_core.training.finetune.dataset import stand_in
from aura_core.training.finetune.mixture import Mixture
from aura_core.training.finetune.offline import OfflineRecord, length
from aura_core.training.finetune.opening import Opened
from aura_core.training.finetune.records import Record
from aura_core.training.finetune.shards import Shards

SAMPLES = 8  # in each folder of shards, the ids of so many samples are computed again


def check(
    shards: Shards | Mixture, opened: Opened, model: str, tokens: int, count: int | None = None
) -> list[int]:
    """Check the first `count` samples (None: all), and return their numbers of tokens.

    Args:
        model: the recipe's name of the checkpoint that is `opened`.
        tokens: most tokens of a row.

    Raises `InputError` when samples were structured for another tokenizer or chat template, and
    `ConfigError` when one has more than `tokens` tokens.
    """
    # The data engine used the checkpoint as it was published. Training may have added a silent
    # token to it since.
    published = open_codec(model) if opened.added else opened.codec
    seen: Counter[str] = Counter()
    # by clip: size of its frames, from the record, else from the first frame
    sizes: dict[str, tuple[int, int]] = {}
    lengths: list[int] = []
    longest, where = 0, ""
    for record in islice(shards, count):
        folder = record.where.rpartition("/")[0]
        if isinstance(record, OfflineRecord):
            n = length(record, opened.codec, opened.backend.family)
        else:
            if record.ids_sha256 is not None and seen[folder] < SAMPLES:
                seen[folder] += 1
                _check_ids(record, published, model)
            if record.clip not in sizes:
                sizes[record.clip] = record.size or _size_of(record)
            n = _length(record, sizes[record.clip], opened)
        lengths.append(n)
        longest, where = max((longest, where), (n, record.where))
    if long := sum(n > tokens for n in lengths):
        raise ConfigError(
            f"{long} of {len(lengths)} samples are longer than batch.tokens ({tokens}), the"
            f" longest, {where}, has {longest} tokens: raise batch.tokens, lower max_pixels, or"
            " make windows shorter in the data engine"
        )
    return lengths


def _check_ids(record: Record, codec: PromptCodec, model: str) -> None:
    if digest(pieces_of(record, codec, codec.chat.chunk.stand_in))[1] != record.ids_sha256:
        raise InputError(
            f"{record.where}: was structured for another tokenizer or chat template than that of"
            f" {model}; set structure.checkpoint to {model} in the data engine's --config, then"
            " structure and verify again (--out)"
        )


def _length(record: Record, size: tuple[int, int], opened: Opened) -> int:
    """Return the number of tokens of a record whose clip has frames of `size` (height, width)."""
    family = opened.backend.family
    try:
        seen = stand_in(family.grids(*family.frame_size(*size)))
    except ValueError as e:
        raise InputError(f"{record.where}: {e}") from e
    return sum(len(p) for p in pieces_of(record, opened.codec, lambda _: seen))


def _size_of(record: Record) -> tuple[int, int]:
    try:
        with open_source(record.clip, fps=2.0, duration_s=1.0) as source:
            frame = next(iter(source), None)
    except InputError as e:
        raise InputError(f"{record.where}: {e}") from e
    if frame is None:
        raise InputError(f"{record.where}: {record.clip}: there is no frame in it")
    return frame.image.shape[0], frame.image.shape[1]
