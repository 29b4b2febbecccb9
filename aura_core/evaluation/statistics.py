"""Figures with sample size and 95% interval. No figure is reported without them."""

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
    """A figure. `n` is the number of samples, or the minutes of a rate."""

    value: float
    n: float
    ci95: tuple[float, float]

    def as_json(self) -> dict[str, object]:
        """Return {value, n, ci95}; null for a figure without samples."""

        def number(x: float) -> float | None:
            return None if math.isnan(x) else round(x, 4)

        return {
            "value": number(self.value),
            "n": round(self.n, 2),
            "ci95": [number(c) for c in self.ci95],
        }


NOTHING = Measured(math.nan, 0, (math.nan, math.nan))


def proportion(hits: int, n: int) -> Measured:
    """Return a share with the Wilson score interval."""
    if n == 0:
        return NOTHING
    p, z2 = hits / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Measured(p, n, (max(0.0, middle - half), min(1.0, middle + half)))


def rate(count: int, minutes: float) -> Measured:
    """Return events a minute with a Poisson interval.

    The interval is Garwood's, in the Wilson-Hilferty approximation.
    """
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
    """Return `figure` of `items`, with the percentile interval over resampled items.

    The random generator has a fixed seed.
    """
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
    """Return `bootstrap` of a figure that is a function of sums over the items, much faster.

    Args:
        tallies: one row for each item, of the same length as the array that `figure` takes, float64
            (columns,).
        n: number of samples of the figure.
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
    """Return the mean of all values, which are given item by item; the interval resamples items.

    Items without values do not count. `n` is the number of values.
    """
    rows = [[sum(of), len(of)] for of in values if of]
    return bootstrap_sums(rows, lambda sums: float(sums[0] / sums[1]), sum(n for _, n in rows))
