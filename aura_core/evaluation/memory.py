"""`aura eval memory`: what is remembered of long days, by lag and kind, and what it costs.

Every figure has its n and a 95 % interval (`statistics.py`). Answers are compared word for word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from aura_core.evaluation.memory_oracle import facts
from aura_core.evaluation.memory_run import MEMORY, Answered, Played, rss_slope
from aura_core.evaluation.statistics import Measured, mean_by_item, proportion
from aura_core.memory.notes import Note
from aura_core.memory.store import Stats
from aura_core.sim.day import HOUR_S, Day
from aura_core.sim.memory import MemoryTalk
from aura_core.types import NS

WINDOW = "window"
EDGE_CHUNKS = 2  # a note may tell what happened so long before or after its block


@dataclass(frozen=True)
class Cost:
    """What memory costs, of one or several days.

    Attributes:
        step_ms: median time of a silent step in the first and the last hour [ms].
        critical_tokens: mean tokens that the decision of a silent step waits for.
        background_tokens: a second, by what they are for: shadow, notes.
        first_hour: background tokens of the first hour of the first day, in all.
        rss_slope_kb: growth of the resident memory [kB an hour], in the second half.
        text_bytes: of the notes, an hour.
        index_bytes: all that the file holds beside texts and pictures, an hour.
        picture_bytes: keyframes and thumbnails, an hour.
        without: critical tokens of a silent step without memory, and background tokens of the same
            hour with the same questions; None: not measured.
    """

    step_ms: tuple[float, float]
    critical_tokens: float
    background_tokens: dict[str, float]
    first_hour: int
    rss_slope_kb: float
    text_bytes: float
    index_bytes: float
    picture_bytes: float
    without: tuple[float, int] | None = None

    def as_json(self) -> dict[str, object]:
        """The figures, with the ratios that matter."""
        first, last = self.step_ms
        out: dict[str, object] = {
            "step_p50_ms": {"first_hour": _round(first), "last_hour": _round(last)},
            "last_over_first": _round(last / first) if first else None,
            "critical_tokens_per_silent_step": _round(self.critical_tokens),
            "background_tokens_per_s": {k: _round(v) for k, v in self.background_tokens.items()},
            "rss_slope_kb_per_h": _round(self.rss_slope_kb),
            "text_bytes_per_h": _round(self.text_bytes),
            "index_bytes_per_h": _round(self.index_bytes),
            "picture_bytes_per_h": _round(self.picture_bytes),
        }
        if self.without is not None:
            critical, ahead = self.without
            out["without_memory"] = {
                "critical_tokens_per_silent_step": _round(critical),
                "background_tokens_of_the_first_hour": ahead,
            }
            out["background_tokens_of_the_first_hour"] = self.first_hour
            out["background_over_without"] = _round(self.first_hour / ahead) if ahead else None
        return out


@dataclass(frozen=True)
class MemoryReport:
    """Figures over all days, and every question with its answers."""

    figures: dict[str, Measured]
    answered: tuple[Answered, ...]
    hours: float
    days: int
    wall_s: float
    cost: Cost | None = None
    restart: dict[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The figures as {group: {figure: ...}}, and the questions."""
        out: dict[str, object] = {}
        for key, value in self.figures.items():
            group, name = key.split(".", 1)
            section = out.setdefault(group, {})
            assert isinstance(section, dict)
            section[name] = value.as_json()
        out |= {"hours": self.hours, "days": self.days, "wall_s": round(self.wall_s, 1)}
        if self.cost is not None:
            out["cost"] = self.cost.as_json()
        if self.restart:
            out["restart"] = self.restart
        out["questions"] = [a.as_json() for a in self.answered]
        return out


def figures(answered: Sequence[Answered]) -> dict[str, Measured]:
    """All figures of the answers.

    `exact.60s` and the like: exact match at a lag, of questions about what happened; `window.60s`,
    `prefix.60s`, `recall.60s`: the same in other ways (`memory_others.py`). `refused`: questions
    about what never happened that were answered so. `over_window.60s`: exact match less that of the
    window only, question by question. `found.60s`: the notes that the answer needs
    are among those put before the question (recall@5).
    """
    happened = [a for a in answered if a.asked.lag_s is not None]
    never = [a for a in answered if a.asked.lag_s is None]
    ways = [w for w in dict.fromkeys(w for a in answered for w in a.said) if w != MEMORY]
    out: dict[str, Measured] = {}
    for way in (MEMORY, *ways):
        group = "exact" if way == MEMORY else way
        for lag_s, of in _by(happened, lambda a: a.asked.lag_s):
            out[f"{group}.{_lag(lag_s)}"] = _right(of, way)
            if way == WINDOW:
                out[f"over_window.{_lag(lag_s)}"] = _gain(of)
        if happened:
            out[f"{group}.all"] = _right(happened, way)
        if never:
            out[f"{group}.refused"] = _right(never, way)
    for lag_s, of in _by(happened, lambda a: a.asked.lag_s):
        out[f"found.{_lag(lag_s)}"] = _found(of)
    if happened:
        out["found.all"] = _found(happened)
    for kind, of in _by(happened, lambda a: a.asked.asked.kind):
        out[f"kind.{kind}"] = _right(of)
        out[f"kind.{kind}.found"] = _found(of)
    for language, of in _by(happened, lambda a: a.asked.language):
        out[f"language.{language}"] = _right(of)
    for unseen, of in _by(happened, lambda a: a.asked.asked.unseen):
        out[f"phrasing.{'unseen' if unseen else 'seen'}"] = _right(of)
    if answered:
        out["gate.opened"] = proportion(sum(a.opened for a in answered), len(answered))
    return out


def note_figures(day: Day, written: Sequence[Note]) -> Counter[str]:
    """How many facts the notes tell, how many of them are true, and how many events there were.

    Counted over the notes in which a model has written what it saw. A fact is true when such an
    event happened in the note's block, or within `EDGE_CHUNKS` of it; an event is told once.
    """
    talk = MemoryTalk(day.language)
    known, separator = facts(day.language), talk.words.separator.strip()
    left: dict[str, list[int]] = {}
    for event in day.world.events:
        left.setdefault(talk.fact(event), []).append(event.chunk)
    out: Counter[str] = Counter(events=len(day.world.events))
    for note in sorted(written, key=lambda n: n.begin_ns):
        first, end = note.begin_ns // NS - EDGE_CHUNKS, note.end_ns // NS + EDGE_CHUNKS
        for fact in (part.strip() for part in note.text.split(separator)):
            if not fact:
                continue
            out["facts"] += 1
            out["strange"] += fact not in known
            chunks = left.get(fact, [])
            near = [c for c in chunks if first <= c < end]
            if near:
                out["true"] += 1
                chunks.remove(near[0])
    return out


def cost(played: Sequence[Played], stored: Sequence[Stats], without: Played | None) -> Cost:
    """What memory cost in these days.

    Args:
        played: the days.
        stored: what their files hold.
        without: the first hour of the first day played without memory.
    """
    text, pictures = (sum(s.text_bytes for s in stored), sum(s.picture_bytes for s in stored))
    seconds = sum(p.day.seconds for p in played)
    hours = seconds / HOUR_S
    steps = [s for p in played for s in p.steps]
    hour = min(HOUR_S, *(p.day.seconds for p in played))
    first = [ms for p in played for c, ms, _ in p.steps if c < hour]
    last = [ms for p in played for c, ms, _ in p.steps if c >= p.day.seconds - hour]
    alone = None
    if without is not None and without.steps:
        alone = (
            float(np.mean([t for _, _, t in without.steps])),
            sum(without.first_hour.values()),
        )
    return Cost(
        (float(np.median(first)), float(np.median(last))),
        float(np.mean([t for _, _, t in steps])),
        {k: sum(p.background[k] for p in played) / seconds for k in ("shadow", "notes")},
        sum(played[0].first_hour.values()),
        float(np.mean([rss_slope(p.rss) for p in played])),
        text / hours,
        (sum(s.file_bytes for s in stored) - text - pictures) / hours,
        pictures / hours,
        alone,
    )


def notes_measured(counts: Iterable[Counter[str]]) -> dict[str, Measured]:
    """Precision and recall of the facts in notes."""
    total: Counter[str] = Counter()
    for of in counts:
        total.update(of)
    return {
        "notes.precision": proportion(total["true"], total["facts"]),
        "notes.recall": proportion(total["true"], total["events"]),
        "notes.strange": proportion(total["strange"], total["facts"]),
    }


def _by(
    answered: Sequence[Answered], key: Callable[[Answered], object]
) -> list[tuple[object, list[Answered]]]:
    groups: dict[object, list[Answered]] = {}
    for a in answered:
        groups.setdefault(key(a), []).append(a)
    return sorted(groups.items(), key=lambda item: str(item[0]).zfill(9))


def _lag(lag_s: object) -> str:
    """ "60s", "10min", "11h"."""
    assert isinstance(lag_s, float)
    for unit_s, name in ((HOUR_S, "h"), (60, "min")):
        if lag_s >= unit_s:
            return f"{lag_s / unit_s:g}{name}"
    return f"{lag_s:g}s"


def _right(of: Sequence[Answered], way: str = MEMORY) -> Measured:
    return proportion(sum(a.right(way) for a in of), len(of))


def _gain(of: Sequence[Answered]) -> Measured:
    gains = [[float(a.right()) - float(a.right(WINDOW))] for a in of]
    return mean_by_item(gains, share=False)


def _found(of: Sequence[Answered]) -> Measured:
    known = [a.found for a in of if a.found is not None]
    return proportion(sum(known), len(known))


def _round(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 3)
