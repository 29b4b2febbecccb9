"""Samples to steps: how many there are, and the rows of each.

`batch.rows` fills a fixed number of rows with as many samples as fit. `batch.samples` takes a fixed
number of samples and makes as many rows of them as they need. Both follow the order of the samples
exactly, so the number of steps of some epochs is known before the first one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from aura_core.errors import ConfigError
from aura_core.training.finetune.dataset import Example
from aura_core.training.finetune.order import Arrange, Order
from aura_core.training.finetune.packing import Row, grouped, pack
from aura_core.training.finetune.settings import ROWS, BatchSettings


def share(batch: BatchSettings, processes: int) -> int | None:
    """Return how many samples of a step each process takes; None where `batch.rows` says it.

    Raises `ConfigError` when they cannot be shared equally.
    """
    if batch.samples is None:
        return None
    each, rest = divmod(batch.samples, processes)
    if rest:
        raise ConfigError(
            f"batch.samples ({batch.samples}) cannot be shared equally by {processes} processes:"
            f" take {max(1, each) * processes} or {(each + 1) * processes}"
        )
    return each


def batches(
    examples: Iterable[Example], batch: BatchSettings, each: int | None
) -> Iterator[list[Row]]:
    """Yield the rows of each step, for endless examples of one process.

    Args:
        each: from `share`.

    Raises `ConfigError` for an example that is longer than a row.
    """
    examples = iter(examples)
    if each is None:
        rows = pack(examples, batch.tokens)
        while True:
            yield list(islice(rows, batch.rows or ROWS))
    while True:
        yield list(pack(islice(examples, each), batch.tokens))


def steps_of(
    epochs: float,
    size: int,
    tokens_of: Callable[[int], int],
    batch: BatchSettings,
    arrange: Arrange,
    processes: int,
) -> int:
    """Return the fewest steps in which every process has used `epochs` times its samples.

    Args:
        epochs: passes over all samples; a part of one is rounded up to whole samples.
        size: entries of an epoch.
        tokens_of: tokens of an entry, by its index in `Order`.
        arrange: the order of the samples.
    """
    most = 0
    for rank in range(processes):
        order = Order(size, arrange, 0, rank, processes)
        count = max(1, round(epochs * order.per_epoch))
        each = share(batch, processes)
        if each is not None:
            steps = -(-count // each)
        else:
            sizes = map(tokens_of, islice(order, count))
            rows = sum(1 for _ in grouped(sizes, int, batch.tokens))
            steps = -(-rows // (batch.rows or ROWS))
        most = max(most, steps)
    return most
