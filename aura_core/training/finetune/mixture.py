"""Several sources of samples in one run, each with a weight.

A weight says how often each record of a source comes in an epoch, on average: with 1 once, with
0.25 in every fourth epoch, with 2 twice. Over the epochs all records of a source come equally
often: they are taken in a random order, and in another one when all were taken.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain

import numpy as np
from numpy.typing import NDArray

from aura_core.training.finetune.offline import OfflineRecord
from aura_core.training.finetune.records import Record
from aura_core.training.finetune.settings import DataSettings
from aura_core.training.finetune.shards import Shards


def open_data(data: DataSettings, once: bool, seed: int) -> Shards | Mixture:
    """Open the samples to train on: those of `data.train`, and those of `data.mix`.

    `once` is for samples of streams, see `Shards`. Raises `InputError`.
    """
    train = Shards(data.train, once)
    if not data.mix:
        return train
    more = [(Shards(m.path, once), m.weight) for _, m in sorted(data.mix.items())]
    return Mixture([(train, 1.0), *more], seed)


class Mixture:
    """The entries of one epoch after another, by index: entry i of epoch e is e * len + i.

    Iteration gives every record of every source once, for the checks before a run.

    Attributes:
        counts: entries of each source in an epoch.
        digest: hash of all records and weights.
        rejected: records of all sources by why a review rejected them.
    """

    def __init__(self, sources: Sequence[tuple[Shards, float]], seed: int) -> None:
        self._sources = [shards for shards, _ in sources]
        self._seed = seed
        self.counts = [max(1, round(weight * len(shards))) for shards, weight in sources]
        self._ends = list(accumulate(self.counts))
        told = [(shards.digest, weight) for shards, weight in sources]
        self.rejected = sum((shards.rejected for shards in self._sources), Counter[str]())
        self.digest = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
        self._orders: dict[tuple[int, int], NDArray[np.int64]] = {}  # by source and turn

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Record | OfflineRecord:
        source, record = self.place(index)
        return self._sources[source][record]

    def __iter__(self) -> Iterator[Record | OfflineRecord]:
        return chain.from_iterable(self._sources)

    def by_entry(self, values: Sequence[int]) -> Callable[[int], int]:
        """Return what gives the value of an entry: `values` has one for each record, in the order
        of iteration."""
        firsts = [0, *accumulate(len(shards) for shards in self._sources)]

        def of(index: int) -> int:
            source, record = self.place(index)
            return values[firsts[source] + record]

        return of

    def window_of(self, index: int) -> tuple[str, int]:
        """See `Shards.window_of`."""
        source, record = self.place(index)
        return self._sources[source].window_of(record)

    def place(self, index: int) -> tuple[int, int]:
        """Return the source of an entry, and the index of its record there."""
        epoch, entry = divmod(index, len(self))
        source = next(i for i, end in enumerate(self._ends) if entry < end)
        count, records = self.counts[source], len(self._sources[source])
        nth = epoch * count + entry - (self._ends[source] - count)
        turn, at = divmod(nth, records)
        return source, int(self._order(source, turn)[at])

    def _order(self, source: int, turn: int) -> NDArray[np.int64]:
        """Return the order of a source's records when they are taken for the `turn`-th time."""
        if (source, turn) not in self._orders:
            if len(self._orders) > 3 * len(self._sources):
                self._orders.clear()
            rng = np.random.default_rng([self._seed, source, turn])
            self._orders[source, turn] = rng.permutation(len(self._sources[source]))
        return self._orders[source, turn]
