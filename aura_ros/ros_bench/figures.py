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
    values: tuple[float, ...]
    goal: str = ""  # in words

    def summary(self) -> dict[str, Any]:
        """The number of values, their percentiles and their spread; None where there are none."""
        keys = ("p50", "p95", "min", "max")
        if self.values:
            numbers = np.percentile(self.values, (50, 95, 0, 100))
            told: dict[str, Any] = {
                k: round(float(v), 3) for k, v in zip(keys, numbers, strict=True)
            }
        else:
            told = dict.fromkeys(keys)
        about = {"part": self.part, "name": self.name, "unit": self.unit}
        return {**about, "n": len(self.values), **told, "goal": self.goal}


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
