"""`aura bench data times`: how many standing questions pass stage 2 when their author errs.

Simulated rooms are asked about "every time ..." by `data/erring.py`. Each draft is verified twice:
as it was before times were put right (`repair_s: 0`), and with the settings' own `repair_s`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from aura_core.data.erring import ErringOracle, Errors
from aura_core.data.expected_checks import checks_of_a_time
from aura_core.data.outcome import Outcome
from aura_core.data.schema import Clip, Question, Scene
from aura_core.data.settings import SynthesizeConfig
from aura_core.data.synthesize import verified
from aura_core.evaluation.statistics import proportion
from aura_core.sim.episode import Plan
from aura_core.types import Kind

FIRST_SEED = 20_000
MANY = 11  # questions with so many answers or more are one row
# four requests to be told every time, early in the clip, and nothing else
PLAN = Plan(min_gap=10_000, max_gap=10_001, proactive=(0, 0), multi=(4, 4), triggers=1.0, early=0.3)


@dataclass
class _Row:
    """Questions with the same number of answers. All but `written` are by `repair_s`.

    `answers`: of the questions that were kept. `right`: of these, how many have the true time;
    `near`: at most a second off.
    """

    written: int = 0
    kept: Counter[int] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    right: Counter[int] = field(default_factory=Counter)
    near: Counter[int] = field(default_factory=Counter)
    times: Counter[int] = field(default_factory=Counter)
    checks: Counter[int] = field(default_factory=Counter)

    def add(self, repair_s: int, off: list[int] | None, out: Outcome) -> None:
        """Count the outcome of one question. `off`: how far each of its times is from the true one;
        None: it was rejected."""
        self.kept[repair_s] += off is not None
        self.answers[repair_s] += len(off or ())
        self.right[repair_s] += sum(s == 0 for s in off or ())
        self.near[repair_s] += sum(s <= 1 for s in off or ())
        self.times[repair_s] += out.counts["times checked"]
        self.checks[repair_s] += out.counts["checks of times"]


def measure(
    rooms: int,
    seconds: int,
    errors: Errors,
    on_room: Callable[[], None],
    seed: int = 0,
    repair_s: int = SynthesizeConfig.repair_s,
) -> dict[str, Any]:
    """Verify the questions about `rooms` rooms of `seconds` seconds each, twice.

    Returns {"repair_s": [0, r], "rows": [...], "all": row}. A row has {answers, written} and, for
    each of the two as a list, shares as {value, n, ci95} (Wilson's interval): `kept` of the
    questions; of the times of these, `right` and `near` (at most a second off); and
    `checks_per_time`. Beside the rows, `expected_checks_per_time` is what `aura data price` takes.
    """
    author, usual = ErringOracle(seed, errors, PLAN), SynthesizeConfig(repair_s=repair_s)
    configs = [replace(usual, repair_s=0), usual]
    rows: dict[int, _Row] = {}
    for room in range(FIRST_SEED, FIRST_SEED + rooms):
        clip = Clip(f"room-{room}", f"sim:{room}", "", 0.0, seconds, 0, 0, 0, 0)
        scene = Scene(0, seconds, "")
        drafts = author.questions(clip, scene)
        for draft in drafts:
            if draft.kind is Kind.REAL_TIME or not draft.answers:
                continue
            row = rows.setdefault(min(MANY, len(draft.answers)), _Row())
            row.written += 1
            for config in configs:
                out = Outcome()
                question = verified(draft, clip, scene, author, config, out)
                row.add(config.repair_s, _off(author.true_times(clip, draft), question), out)
        on_room()
    repairs = [c.repair_s for c in configs]
    told = [{"answers": n} | _figures(rows[n], repairs) for n in sorted(rows)]
    expected = [round(checks_of_a_time(True, r, errors.off), 2) for r in repairs]
    out = {"repair_s": repairs, "expected_checks_per_time": expected, "rows": told}
    return out | {"all": _figures(_sum(rows.values()), repairs)}


def _off(true: list[int], question: Question | None) -> list[int] | None:
    if question is None:
        return None
    return [abs(a.chunk - t) for a, t in zip(question.answers, true, strict=True)]


def _figures(row: _Row, repairs: list[int]) -> dict[str, Any]:
    return {
        "written": row.written,
        "kept": [proportion(row.kept[r], row.written).as_json() for r in repairs],
        "right": [proportion(row.right[r], row.answers[r]).as_json() for r in repairs],
        "near": [proportion(row.near[r], row.answers[r]).as_json() for r in repairs],
        "checks_per_time": [round(row.checks[r] / max(1, row.times[r]), 2) for r in repairs],
    }


def _sum(rows: Iterable[_Row]) -> _Row:
    total = _Row()
    for row in rows:
        total.written += row.written
        for name in ("kept", "answers", "right", "near", "times", "checks"):
            getattr(total, name).update(getattr(row, name))
    return total
