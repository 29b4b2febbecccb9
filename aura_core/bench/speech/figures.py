"""Figures with their n and their spread, as the report of `aura bench voice` has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from aura_core.evaluation.statistics import proportion, rate

Figure = dict[str, Any]


def percentiles(values: Iterable[float]) -> Figure:
    """Median and 95th percentile of milliseconds, and their number; null without any."""
    all_values = list(values)
    if not all_values:
        return {"p50": None, "p95": None, "n": 0}
    p50, p95 = np.percentile(all_values, (50, 95))
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1), "n": len(all_values)}


def share(hits: int, n: int) -> Figure:
    """A share, with its Wilson interval."""
    return proportion(hits, n).as_json() | {"hits": hits}


def count(events: int, minutes: float) -> Figure:
    """A number of events in some minutes, with the Poisson interval of this number."""
    low, high = rate(events, minutes).ci95
    return {
        "value": events,
        "minutes": round(minutes, 2),
        "ci95": [round(low * minutes, 2), round(high * minutes, 2)],
    }
