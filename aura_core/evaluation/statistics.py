"""Values with their sample size and 95% interval: nothing is reported without them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Z = 1.959964  # two-sided 95%


@dataclass(frozen=True)
class Measured:
    """A figure: `n` is what it is a share of (or minutes, for a rate)."""

    value: float
    n: float
    ci95: tuple[float, float]

    def as_json(self) -> dict[str, object]:
        """{value, n, ci95}; a figure that nothing was measured for is null."""

        def number(x: float) -> float | None:
            return None if math.isnan(x) else round(x, 4)

        return {
            "value": number(self.value),
            "n": round(self.n, 2),
            "ci95": [number(c) for c in self.ci95],
        }


NOTHING = Measured(math.nan, 0, (math.nan, math.nan))


def proportion(hits: int, n: int) -> Measured:
    """Share with the Wilson score interval."""
    if n == 0:
        return NOTHING
    p, z2 = hits / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Measured(p, n, (max(0.0, middle - half), min(1.0, middle + half)))


def rate(count: int, minutes: float) -> Measured:
    """Events a minute with the Poisson interval (Garwood's, by the Wilson-Hilferty
    approximation)."""
    if minutes <= 0:
        return NOTHING

    def bound(k: float, z: float) -> float:
        return k * (1 - 1 / (9 * k) + z / (3 * math.sqrt(k))) ** 3 if k > 0 else 0.0

    return Measured(
        count / minutes, minutes, (bound(count, -Z) / minutes, bound(count + 1, Z) / minutes)
    )


def bootstrap(
    items: Sequence[T], figure: Callable[[Sequence[T]], float], n: float, draws: int = 1000
) -> Measured:
    """`figure` of `items`, with the percentile interval over resampled items (seeded)."""
    rng = np.random.default_rng(0)
    values = []
    for _ in range(draws):
        value = figure([items[int(i)] for i in rng.integers(0, len(items), len(items))])
        if not math.isnan(value):
            values.append(value)
    if not values:
        return NOTHING
    low, high = np.percentile(values, [2.5, 97.5])
    return Measured(figure(items), n, (float(low), float(high)))


def bootstrap_sums(
    tallies: Sequence[Sequence[float]],
    figure: Callable[[NDArray[np.float64]], float],
    n: float,
    draws: int = 1000,
) -> Measured:
    """`bootstrap` of a figure that is a function of sums over the items, and much faster.

    Args:
        tallies: one row an item, as long as the array that `figure` takes: float64 (columns,).
        n: what the figure is a share of.
    """
    if not tallies:
        return NOTHING
    rows = np.asarray(tallies, np.float64)
    items = len(rows)
    weights = np.random.default_rng(0).multinomial(items, np.full(items, 1 / items), size=draws)
    values = [v for sums in weights @ rows if not math.isnan(v := figure(sums))]
    low, high = np.percentile(values, [2.5, 97.5]) if values else (math.nan, math.nan)
    return Measured(figure(rows.sum(axis=0)), n, (float(low), float(high)))


def mean_by_item(values: Sequence[Sequence[float]]) -> Measured:
    """Mean of all values, each item's given together: the interval resamples items. Items without
    values are no part of it; `n` is the number of values."""
    rows = [[sum(of), len(of)] for of in values if of]
    return bootstrap_sums(rows, lambda sums: float(sums[0] / sums[1]), sum(n for _, n in rows))
