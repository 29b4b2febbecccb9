"""OmniInteract's scores: IA-QTF1, NCCS (see `evaluation/metrics.py`), and interruptions.

An item's `truth` has its `slots`, the `scene` that they form, and its `subset`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aura_core.evaluation.judge import Judge
from aura_core.evaluation.metrics import (
    Count,
    Phase,
    Quality,
    Slot,
    SlotScore,
    nested_chain,
    score_slots,
)
from aura_core.evaluation.records import Item, Outcome, Prediction, Scores, Spoken
from aura_core.evaluation.statistics import Measured, bootstrap_sums, mean_by_item, proportion


@dataclass(frozen=True)
class _Tally:
    """The counts of one item, which is resampled as a whole.

    The slots of one video are not independent of each other. `whole` includes the words outside all
    slots as false positives. So does the count of a kind, if the item has slots of that kind only.
    Among slots of several kinds, the kind of those words is unknown.
    """

    subset: str
    whole: Count
    kinds: dict[str, Count]
    slots: list[tuple[str, float]]  # kind and true positive of each
    chains: list[float]  # NCCS of each nested pair
    # quality of what was said before the user interrupted; None: silence
    interrupted: list[float | None]


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return IA-QTF1 in total, by subset and by kind, NCCS, and figures of interruptions."""
    outcomes: list[Outcome] = []
    tallies: list[_Tally] = []
    for item in items:
        if (p := predictions.get(item.id)) is not None:
            tally, of = _score(item, p, judge)
            tallies.append(tally)
            outcomes += of
    if not tallies:
        return Scores({}, (), judge.description)
    figures = {}
    for kind in dict.fromkeys(kind for t in tallies for kind in t.kinds):
        n = sum(k == kind for t in tallies for k, _ in t.slots)
        figures[f"IA-QTF1 {kind}"] = _f1([t.kinds[kind] for t in tallies if kind in t.kinds], n)
    for subset in dict.fromkeys(t.subset for t in tallies):
        of_subset = [t for t in tallies if t.subset == subset]
        n = sum(len(t.slots) for t in of_subset)
        figures[f"IA-QTF1 subset {subset}"] = _f1([t.whole for t in of_subset], n)
    figures["IA-QTF1"] = _f1([t.whole for t in tallies], len(outcomes))
    figures["TP of a slot"] = mean_by_item([[tp for _, tp in t.slots] for t in tallies])
    if any(t.chains for t in tallies):
        figures["NCCS"] = mean_by_item([t.chains for t in tallies])
    if broken_into := [q for t in tallies for q in t.interrupted]:
        figures["interrupted: silent"] = proportion(broken_into.count(None), len(broken_into))
    grades = [[q for q in t.interrupted if q is not None] for t in tallies]
    if any(grades):
        figures["interrupted: quality"] = mean_by_item(grades)
    return Scores(figures, tuple(outcomes), judge.description)


def _score(item: Item, p: Prediction, judge: Judge) -> tuple[_Tally, list[Outcome]]:
    scores, whole = score_slots(item.truth["slots"], p.said, quality_of(item, judge))
    kinds = _kinds(item)
    outcomes = []
    counts: dict[str, Count] = {}
    for k, (kind, s) in enumerate(zip(kinds, scores, strict=True)):
        words = " ".join(w.text for w in s.said)
        outcomes.append(
            Outcome(item.id, str(k), kind, s.count.tp, words, s.slot.truth, s.slot.due_s)
        )
        counts[kind] = counts.get(kind, Count()) + s.count
    nested = item.truth["scene"] == "nested"
    tally = _Tally(
        item.truth["subset"],
        whole,
        {kinds[0]: whole} if len(counts) == 1 else counts,
        [(kind, s.count.tp) for kind, s in zip(kinds, scores, strict=True)],
        (
            [nested_chain(scores[k + 1], scores[k]) for k in range(0, len(scores), 2)]
            if nested
            else []
        ),
        [_before_interruption(item, s, judge) for s in scores if s.slot.interrupted],
    )
    return tally, outcomes


def _f1(counts: Sequence[Count], n: int) -> Measured:
    return bootstrap_sums([[c.tp, c.fp, c.fn] for c in counts], lambda s: Count(*s).f1, n)


def _kinds(item: Item) -> list[str]:
    """Return the kind of each slot: realtime, proactive, nested or 1qna."""
    scene, slots = item.truth["scene"], item.truth["slots"]
    if scene != "multi_turn":
        return ["nested" if scene == "nested" else "1qna"] * len(slots)
    return [q.group for q in item.questions]


def quality_of(item: Item, judge: Judge) -> Quality:
    """Return the judge as a `metrics.Quality` for the slots of one item."""
    slots = item.truth["slots"]
    by_start = {(s.start_s, s.due_s): q for s, q in zip(slots, _questions(item), strict=True)}

    def quality(slot: Slot, phase: Phase, said: Sequence[Spoken]) -> float | None:
        words = " ".join(s.text for s in said)
        question = by_start[slot.start_s, slot.due_s]
        if phase == "early":
            grade = judge.grade("acknowledgment", question, slot.truth, words)
            return None if grade.flag else grade.score
        later = "\n".join(f"- {s.truth}" for s in slots if s.due_s > slot.due_s)
        return judge.grade("core", question, slot.truth, words, later).score

    return quality


def _questions(item: Item) -> list[str]:
    """Return the text of each slot's question."""
    texts = {q.at_s: q.shown for q in item.questions}
    first = item.questions[0].shown
    return [texts.get(s.start_s, first) for s in item.truth["slots"]]


def _before_interruption(item: Item, s: SlotScore, judge: Judge) -> float | None:
    if not s.said:
        return None
    k = item.truth["slots"].index(s.slot)
    words = " ".join(w.text for w in s.said)
    return judge.grade("interrupted", _questions(item)[k], s.slot.truth, words).score
