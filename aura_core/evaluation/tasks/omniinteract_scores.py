"""OmniInteract's scores: IA-QTF1, NCCS (see `evaluation/metrics.py`), and interruptions.

An item's `truth` has its `slots`, the `scene` that they form, and its `subset`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aura_core.evaluation.judge import Judge
from aura_core.evaluation.metrics import (
    Count,
    Phase,
    Slot,
    SlotScore,
    joined,
    nested_chain,
    score_slots,
    total,
)
from aura_core.evaluation.records import Item, Outcome, Prediction, Scores, Spoken
from aura_core.evaluation.statistics import Measured, bootstrap_sums, mean_by_item, proportion

ONE_ANSWER = ("realtime", "proactive", "nested")  # kinds of the subsets with one answer a question


@dataclass(frozen=True)
class _Tally:
    """The counts of one item, which is resampled as a whole.

    The slots of one video are not independent of each other. `outside` are words outside all slots.
    They count in the figure of everything alone, as in the authors' tables: it is unknown to which
    slot they belong.
    """

    subset: str
    slots: list[tuple[str, str, SlotScore]]  # kind, role (outer, inner or "") and score
    outside: int
    chains: list[float]  # NCCS of each nested pair
    missed_outer: list[bool]  # of each nested pair
    # quality of what was said before the user interrupted; None: silence
    interrupted: list[float | None]

    def count(self, of: Callable[[str, str], bool] = lambda kind, role: True) -> Count:
        """Return the sum over the slots of which `of(kind, role)` is true."""
        return total([s.count for kind, role, s in self.slots if of(kind, role)])


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], judge: Judge) -> Scores:
    """Return IA-QTF1 in total, by subset and by kind, NCCS, and figures of interruptions.

    They are those of the authors' `paper_metrics`.
    """
    outcomes: list[Outcome] = []
    tallies: list[_Tally] = []
    for item in items:
        if (p := predictions.get(item.id)) is not None:
            tally, of = _score(item, p, judge)
            tallies.append(tally)
            outcomes += of
    if not tallies:
        return Scores({}, (), judge.description)
    kinds = dict.fromkeys(kind for t in tallies for kind, _, _ in t.slots)
    figures = {}
    for kind in kinds:
        figures[f"IA-QTF1 {kind}"] = _f1(tallies, lambda k, role, of=kind: k == of)
    for role in ("outer", "inner"):
        if "nested" in kinds:
            figures[f"IA-QTF1 nested, {role}"] = _f1(tallies, lambda k, r, of=role: r == of)
    if any(kind in ONE_ANSWER for kind in kinds):
        figures["IA-QTF1 1Q1A global"] = _f1(tallies, lambda kind, role: kind in ONE_ANSWER)
    for subset in dict.fromkeys(t.subset for t in tallies):
        of_subset = [t for t in tallies if t.subset == subset]
        figures[f"IA-QTF1 subset {subset}"] = _f1(of_subset, lambda kind, role: True)
    whole = [t.count() + Count(fp=t.outside) for t in tallies]
    figures["IA-QTF1"] = _f1_of(whole, len(outcomes))
    figures["TP of a slot"] = mean_by_item([[s.count.tp for _, _, s in t.slots] for t in tallies])
    if pairs := [m for t in tallies for m in t.missed_outer]:
        figures["NCCS"] = mean_by_item([t.chains for t in tallies])
        figures["nested: missed outer"] = proportion(sum(pairs), len(pairs))
    return Scores(figures | _interruptions(tallies), tuple(outcomes), judge.description)


def _interruptions(tallies: Sequence[_Tally]) -> dict[str, Measured]:
    """Return NOR, PAQ, CSM-SR and CSM-AS, over the slots in which the user interrupts."""
    figures = {}
    if broken_into := [q for t in tallies for q in t.interrupted]:
        figures["interrupted: silent"] = proportion(broken_into.count(None), len(broken_into))
    grades = [[q for q in t.interrupted if q is not None] for t in tallies]
    if any(grades):
        figures["interrupted: quality"] = mean_by_item(grades)
        spills = [
            [max(0.0, s.spill_s) for _, _, s in t.slots if s.slot.interrupted and s.said]
            for t in tallies
        ]
        every = [x for of in spills for x in of]
        figures["interrupted: goes on (CSM-SR)"] = proportion(sum(x > 0 for x in every), len(every))
        figures["interrupted: seconds over (CSM-AS)"] = mean_by_item(spills, share=False)
    return figures


def _score(item: Item, p: Prediction, judge: Judge) -> tuple[_Tally, list[Outcome]]:
    quality = SlotJudge(item, judge)
    scores, whole = score_slots(item.truth["slots"], p.said, quality, quality.trigger)
    kinds = _kinds(item)
    outcomes = [
        Outcome(item.id, str(k), kind, s.count.tp, joined(s.said), s.slot.truth, s.slot.due_s)
        for k, (kind, s) in enumerate(zip(kinds, scores, strict=True))
    ]
    nested = item.truth["scene"] == "nested"
    pairs = list(zip(scores[::2], scores[1::2], strict=True)) if nested else []
    outside = round(whole.fp - total([s.count for s in scores]).fp)
    tally = _Tally(
        item.truth["subset"],
        list(zip(kinds, item.truth["roles"], scores, strict=True)),
        outside,
        [nested_chain(inner, outer) for outer, inner in pairs],
        [outer.core <= 0 for outer, _ in pairs],
        [_before_interruption(item, s, judge) for s in scores if s.slot.interrupted],
    )
    return tally, outcomes


def _f1(tallies: Sequence[_Tally], of: Callable[[str, str], bool]) -> Measured:
    n = sum(of(kind, role) for t in tallies for kind, role, _ in t.slots)
    concerned = [t for t in tallies if any(of(kind, role) for kind, role, _ in t.slots)]
    return _f1_of([t.count(of) for t in concerned], n)


def _f1_of(counts: Sequence[Count], n: int) -> Measured:
    return bootstrap_sums([[c.tp, c.fp, c.fn] for c in counts], lambda s: Count(*s).f1, n)


def _kinds(item: Item) -> list[str]:
    """Return the kind of each slot: realtime, proactive, nested or 1qna."""
    scene, slots = item.truth["scene"], item.truth["slots"]
    if scene != "multi_turn":
        return ["nested" if scene == "nested" else "1qna"] * len(slots)
    return [q.group for q in item.questions]


class SlotJudge:
    """The judge as a `metrics.Quality` for the slots of one item.

    It keeps the words of each core that answer (`metrics.Trigger`).
    """

    def __init__(self, item: Item, judge: Judge) -> None:
        self.slots, self.judge = item.truth["slots"], judge
        self.questions = _questions(item)
        self._phrases: dict[int, str] = {}

    def __call__(self, slot: Slot, phase: Phase, said: Sequence[Spoken]) -> float | None:
        """Return the quality of a phase's words."""
        k, words = self._place(slot), joined(said)
        if phase == "early":
            grade = self.judge.grade("acknowledgment", self.questions[k], slot.truth, words)
            return None if grade.flag else grade.score
        later = "\n".join(f"- {s.truth}" for s in self.slots[k + 1 :])
        grade = self.judge.grade("core", self.questions[k], slot.truth, words, later)
        self._phrases[k] = grade.phrase
        return grade.score

    def trigger(self, slot: Slot) -> str:
        """Return the first words of the slot's core that answer, or ""."""
        return self._phrases.get(self._place(slot), "")

    def _place(self, slot: Slot) -> int:
        return next(k for k, s in enumerate(self.slots) if s is slot)


def _questions(item: Item) -> list[str]:
    """Return the text of each slot's question."""
    texts = {q.at_s: q.shown for q in item.questions}
    first = item.questions[0].shown
    return [texts.get(s.start_s, first) for s in item.truth["slots"]]


def _before_interruption(item: Item, s: SlotScore, judge: Judge) -> float | None:
    if not s.said:
        return None
    k = item.truth["slots"].index(s.slot)
    return judge.grade("interrupted", _questions(item)[k], s.slot.truth, joined(s.said)).score
