"""Figures of the benchmark: measured values, and what is told of them. Needs no ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Figure:
    """Values that were measured under one name."""

    part: str
    name: str
    unit: str
    values: tuple[float, ...]  # infinite: it never came
    goal: str = ""  # in words

    def summary(self) -> dict[str, Any]:
        """Percentiles and spread of the values that came, and how many came and never came.

        None where none came.
        """
        came = [v for v in self.values if np.isfinite(v)]
        keys = ("p50", "p95", "min", "max")
        told: dict[str, Any] = dict.fromkeys(keys)
        if came:
            numbers = np.percentile(came, (50, 95, 0, 100)).round(3)
            told = dict(zip(keys, numbers.tolist(), strict=True))
        counts = {"n": len(came), "never": len(self.values) - len(came)}
        about = {"part": self.part, "name": self.name, "unit": self.unit}
        return {**about, **counts, **told, "goal": self.goal}


def of(
    part: str,
    unit: str,
    rows: Sequence[Mapping[str, float]],
    names: Mapping[str, str],
    goals: Mapping[str, str],
) -> list[Figure]:
    """A figure for each key of `names`, with its values from all rows."""
    return [
        Figure(part, name, unit, tuple(row[key] for row in rows), goals.get(key, ""))
        for key, name in names.items()
    ]
