"""Figures with sample size and 95% interval. No figure is reported without them.

The percentile bootstrap draws items with replacement. Where all draws give the same figure (all
items right, all wrong, or one item alone) it says nothing about other items: its interval would be
one point. There the interval of a figure from 0 to 1 is Wilson's for a share of as many items. A
mean of values from 0 to 1 varies no more than a share does, so that interval is wide enough. A
figure that has other units has no interval there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Z = 1.959964  # two-sided 95%
DRAWS = 1000  # of a bootstrap, unless it says another number


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
    return NOTHING if n == 0 else Measured(hits / n, n, wilson(hits / n, n))


def wilson(p: float, n: float) -> tuple[float, float]:
    """Return the Wilson score interval of a share `p` of `n` samples."""
    z2 = Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


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


def percentiles(
    values: Sequence[float], value: float, items: int, share: bool
) -> tuple[float, float]:
    """Return the interval of a figure from its bootstrapped `values`; see the module.

    Args:
        value: the figure of all items.
        items: number of items that were drawn from.
        share: whether the figure is from 0 to 1.
    """
    low, high = (float(v) for v in np.percentile(values, [2.5, 97.5]))
    if max(values) > min(values):
        return low, high
    return wilson(value, items) if share else (math.nan, math.nan)


def bootstrap(
    items: Sequence[T],
    figure: Callable[[Sequence[T]], float],
    n: float,
    draws: int | None = None,
    share: bool = True,
) -> Measured:
    """Return `figure` of `items`, with the percentile interval over resampled items.

    The random generator has a fixed seed. `share`: whether the figure is from 0 to 1.
    """
    rng = np.random.default_rng(0)
    values = []
    for _ in range(draws or DRAWS):
        value = figure([items[int(i)] for i in rng.integers(0, len(items), len(items))])
        if not math.isnan(value):
            values.append(value)
    if not values:
        return NOTHING
    value = figure(items)
    return Measured(value, n, percentiles(values, value, len(items), share))


def bootstrap_sums(
    tallies: Sequence[Sequence[float]],
    figure: Callable[[NDArray[np.float64]], float],
    n: float,
    draws: int | None = None,
    share: bool = True,
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
    weights = np.random.default_rng(0).multinomial(
        items, np.full(items, 1 / items), size=draws or DRAWS
    )
    values = [v for sums in weights @ rows if not math.isnan(v := float(figure(sums)))]
    value = float(figure(rows.sum(axis=0)))
    if not values:
        return Measured(value, n, (math.nan, math.nan))
    return Measured(value, n, percentiles(values, value, items, share))


def mean_by_item(values: Sequence[Sequence[float]], share: bool = True) -> Measured:
    """Return the mean of all values, which are given item by item; the interval resamples items.

    Items without values do not count. `n` is the number of values. `share`: whether the values are
    from 0 to 1.
    """
    rows = [[sum(of), len(of)] for of in values if of]
    n = sum(n for _, n in rows)
    return bootstrap_sums(rows, lambda sums: float(sums[0] / sums[1]), n, share=share)
