"""Packing: several examples in one row without padding. Each attends only to itself.

Positions are the examples' own, so they restart in the row. The attention separates the examples:
by a block-diagonal 4-D mask for SDPA, and by the examples' lengths for FlashAttention. Loss and
gradients equal those of unpacked examples (tested).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

import numpy as np
import torch

from aura_core.errors import ConfigError
from aura_core.training.finetune.dataset import Example
from aura_core.training.loss import Supervised

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Row:
    """`len(lengths)` examples one after another: L tokens, N of them supervised.

    - `ids`, int64 (L,); `positions`, int64 (*axes, L); `visual`, bool (L,).
    - `pixels`: the vision encoder's inputs of all chunks, by name; empty where nothing is shown.
    - `at`, int64 (N,): positions in the row. `asked`, bool (N,).
    - `answers`, int64 (examples,). `supervised.row` is the example of a token.
    - `lengths`: number of tokens of each example.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    visual: torch.Tensor
    pixels: dict[str, torch.Tensor]
    at: torch.Tensor
    asked: torch.Tensor
    answers: torch.Tensor
    supervised: Supervised
    lengths: tuple[int, ...]

    def to(self, device: torch.device) -> Self:
        """Return the row on a device."""

        def move(value: Any) -> Any:
            if isinstance(value, Supervised):
                return Supervised(*(move(getattr(value, f.name)) for f in fields(value)))
            if isinstance(value, dict):
                return {k: move(v) for k, v in value.items()}
            return value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value

        return type(self)(*(move(getattr(self, f.name)) for f in fields(self)))


def row_of(examples: list[Example]) -> Row:
    """Join examples to one row."""
    lengths = tuple(len(e.ids) for e in examples)
    starts = np.cumsum((0, *lengths[:-1]))
    seeing = [e for e in examples if e.pixels]

    def joined(name: str) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([getattr(e, name) for e in examples], axis=-1))

    row = torch.repeat_interleave(
        torch.arange(len(examples)), torch.tensor([len(e.at) for e in examples])
    )
    supervised = Supervised(
        row, *(joined(n) for n in ("target", "silent", "hard", "event", "turn", "kept"))
    )
    return Row(
        joined("ids"),
        joined("positions"),
        joined("visual"),
        {
            k: torch.from_numpy(np.concatenate([e.pixels[k] for e in seeing]))
            for k in (seeing[0].pixels if seeing else ())
        },
        torch.from_numpy(np.concatenate([e.at + s for e, s in zip(examples, starts, strict=True)])),
        joined("asked"),
        torch.tensor([e.answers for e in examples]),
        supervised,
        lengths,
    )


def pack(examples: Iterable[Example], tokens: int) -> Iterator[Row]:
    """Yield rows of at most `tokens` tokens. An example that does not fit begins the next row.

    Raises `ConfigError` for an example that is longer than a row. It is not cut, because that would
    change what it teaches.
    """

    def size(example: Example) -> int:
        n = len(example.ids)
        if n > tokens:
            raise ConfigError(
                f"sample {example.id} has {n} tokens: batch.tokens ({tokens}) must be at least as"
                " many"
            )
        return n

    return map(row_of, grouped(examples, size, tokens))


def grouped(items: Iterable[T], size: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Yield runs of items whose sizes add up to at most `most`. No item is larger than that."""
    waiting: list[T] = []
    used = 0
    for item in items:
        n = size(item)
        if waiting and used + n > most:
            yield waiting
            waiting, used = [], 0
        waiting.append(item)
        used += n
    if waiting:
        yield waiting


def block_mask(lengths: tuple[int, ...], device: torch.device) -> torch.Tensor | None:
    """Return a bool (1, 1, L, L), True where a token may attend.

    None for a single example: its causal mask needs no memory.
    """
    if len(lengths) == 1:
        return None
    owner = torch.repeat_interleave(
        torch.arange(len(lengths), device=device), torch.tensor(lengths, device=device)
    )
    return ((owner[:, None] == owner[None, :]).tril())[None, None]


def attention_of(kind: str, lengths: tuple[int, ...], device: torch.device) -> dict[str, Any]:
    """Return the arguments that make a text model keep the examples apart.

    `kind` is the model's attention by its name in transformers.
    """
    if kind == "flash_attention_2":
        ends = torch.tensor((0, *np.cumsum(lengths)), dtype=torch.int32, device=device)
        longest = max(lengths)
        return {
            "cu_seq_lens_q": ends,
            "cu_seq_lens_k": ends,
            "max_length_q": longest,
            "max_length_k": longest,
        }
    return {"attention_mask": block_mask(lengths, device)}
