"""How many standing questions pass stage 2, by their number of answers.

A question with one wrong time is rejected as a whole, so the more answers it has, the fewer of its
kind are left. The shares say whether the author's times are good enough for multi-response data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aura_core.data.outcome import Outcome
from aura_core.evaluation.statistics import proportion

_WRITTEN, _KEPT = "standing with {} answers", "standing with {} answers kept"
_COUNT = re.compile(r"standing with (\d+) answers")


def count(out: Outcome, answers: int, kept: bool) -> None:
    """Count a standing question that its author wrote with this number of answers."""
    out.counts[_WRITTEN.format(answers)] += 1
    out.counts[_KEPT.format(answers)] += kept


def survival(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return, for each number of answers: {answers, written, kept, share, ci95}.

    Args:
        counts: those of the stage. The interval is Wilson's, 95%.
    """
    numbers = sorted(int(m[1]) for name in counts if (m := _COUNT.fullmatch(name)))
    rows = []
    for n in numbers:
        written, kept = counts[_WRITTEN.format(n)], counts.get(_KEPT.format(n), 0)
        share = proportion(kept, written).as_json()
        row = {"answers": n, "written": written, "kept": kept}
        rows.append(row | {"share": share["value"], "ci95": share["ci95"]})
    return rows
