"""In which order samples come, epoch after epoch.

Without a setting, each epoch is a random permutation. Samples of one long clip then come far apart,
and each decodes its window anew.

In runs (`data.run`), samples of one clip that follow each other in time come close together, and
one process reads them, so that the seconds they share are decoded once. An epoch still has every
sample once. What is random: where a clip is cut into runs, the order of the runs, and which runs
are mixed. What is not: within a run samples come in the order of time, and so do the
`data.runs_at_once` runs that are under way at the same time, which neighbours in the order belong
to. So a step sees fewer clips than a step of a random order: at most `runs_at_once`, each with
samples that look alike, and its gradient is noisier at the same number of samples. With as many
samples in a step as there are runs, each step has one sample of each.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, zip_longest

import numpy as np
from torch.utils.data import Sampler

from aura_core.errors import ConfigError, InputError
from aura_core.training.finetune.settings import RUNS, DataSettings

Arrange = Callable[[int], Sequence[int]]  # a permutation of the entries of this epoch
Place = Callable[[int], tuple[str, int]]  # of an entry of any epoch: its clip, and first second


def at_random(length: int, seed: int) -> Arrange:
    """Return a random order of `length` entries for each epoch."""
    return lambda epoch: np.random.default_rng([seed, epoch]).permutation(length).tolist()


def in_runs(length: int, seed: int, run: int, at_once: int, place: Place) -> Arrange:
    """Return an order in runs for each epoch, see the module.

    Args:
        run: most samples of a run.
        at_once: runs that are under way at the same time; position i of the order belongs to run
            i % `at_once` of them, up to the end of the epoch, where some have ended.
    """

    def arranged(epoch: int) -> list[int]:
        rng = np.random.default_rng([seed, epoch])
        clips: dict[str, list[tuple[int, int]]] = {}
        for entry in rng.permutation(length).tolist():  # so that equal seconds come in any order
            clip, first = place(epoch * length + entry)
            clips.setdefault(clip, []).append((first, entry))
        runs: list[list[int]] = []
        for samples in clips.values():
            entries = [entry for _, entry in sorted(samples, key=lambda s: s[0])]
            # not at the same places in each epoch, and a clip that is one run is not cut
            cut = int(rng.integers(1, run + 1)) if len(entries) > run else run
            bounds = [0, *range(cut, len(entries), run), len(entries)]
            runs += [entries[a:b] for a, b in pairwise(bounds)]
        # the next run goes where the fewest samples are, so that all end at nearly the same time
        lines: list[list[int]] = [[] for _ in range(at_once)]
        shortest = [(0, i) for i in range(at_once)]
        for i in rng.permutation(len(runs)).tolist():
            _, at = heapq.heappop(shortest)
            lines[at] += runs[i]
            heapq.heappush(shortest, (len(lines[at]), at))
        return [entry for row in zip_longest(*lines) for entry in row if entry is not None]

    return arranged


def arranged(data: DataSettings, length: int, seed: int, place: Place, processes: int) -> Arrange:
    """Return the order that the settings say, for a run on so many processes.

    Raises `ConfigError` where the runs cannot be shared by the processes that decode.
    """
    if data.run is None:
        return at_random(length, seed)
    at_once, readers = data.runs_at_once or RUNS, processes * max(1, data.workers)
    if at_once % readers:
        raise ConfigError(
            f"data.runs_at_once ({at_once}) cannot be shared equally by {readers} processes that"
            f" decode (data.workers on each of {processes}): take"
            f" {max(1, at_once // readers) * readers} or {(at_once // readers + 1) * readers}"
        )
    return in_runs(length, seed, data.run, at_once, place)


def clips_of(data: DataSettings, processes: int) -> int:
    """Return how many clips each process that decodes keeps open."""
    if data.run is None:
        return 0
    return (data.runs_at_once or RUNS) // (processes * max(1, data.workers))


class Order(Sampler[int]):
    """An endless sampler of `length` entries an epoch: entry i of epoch e is e * `length` + i.

    Process `rank` of `world` takes every `world`-th entry. The first `skip` entries are left out,
    so that a resumed run continues where it stopped. Raises InputError if there are fewer samples
    than processes.
    """

    def __init__(
        self, length: int, arrange: Arrange, skip: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        if length < world:
            raise InputError(f"{length} samples cannot be shared by {world} processes")
        self._length, self._arrange, self._skip = length, arrange, skip
        self._rank, self._world = rank, world
        self.per_epoch = length // world  # each epoch leaves out another remainder

    def __iter__(self) -> Iterator[int]:
        epoch, first = divmod(self._skip, self.per_epoch)
        while True:
            order = self._arrange(epoch)
            mine = order[self._rank : self.per_epoch * self._world : self._world]
            yield from (epoch * self._length + i for i in mine[first:])
            epoch, first = epoch + 1, 0
