"""Metrics of streaming benchmarks, for times and words. Times are seconds of video.

Sources: IA-QTF1 and NCCS from OmniInteract (arXiv 2605.26485); SW-F1 from Streaming Harness (arXiv
2606.08615); greedy matching, merging and joint F1 from OmniPro (arXiv 2605.18577).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from aura_core.evaluation.records import Spoken, Word

ACK_WEIGHT = 0.2
LEAST_QUALITY = 0.5
MERGE_S = 2.0
MATCH_S = 3.0


@dataclass(frozen=True)
class Count:
    """True positives (they may be fractions), false positives and misses. Counts can be added."""

    tp: float = 0.0
    fp: float = 0.0
    fn: float = 0.0

    def __add__(self, other: Count) -> Count:
        return Count(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); NaN when nothing was due and nothing was said."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def sw_f1(self) -> float:
        """2 TP / (2 TP + 0.2 FP + 2 FN): a miss counts ten times as much as a false positive.

        Source: Streaming Harness (arXiv 2606.08615).
        """
        return _ratio(2 * self.tp, 2 * self.tp + 0.2 * self.fp + 2 * self.fn)


def total(counts: Sequence[Count]) -> Count:
    """Return the sum of counts."""
    return sum(counts, Count())


# ---- interaction-aware quality-timeliness F1 (IA-QTF1) ------------------------------------------


@dataclass(frozen=True)
class Slot:
    """A time span in which one answer is due.

    Words from `start_s` until before `due_s` are early: an acknowledgment, or content that cannot
    be known yet. Words from `due_s` until before `end_s` are the core. With `hard`, words that
    continue after `end_s` are a false positive. With `interrupted`, the user interrupts the answer,
    so no core is due.
    """

    start_s: float
    due_s: float
    end_s: float
    truth: str = ""
    ack_weight: float = ACK_WEIGHT
    hard: bool = True
    interrupted: bool = False


Phase = Literal["early", "core"]
Quality = Callable[[Slot, Phase, Sequence[Spoken]], float | None]
"""Quality of a phase's words in [0, 1]; None for early words that give content away."""
Trigger = Callable[[Slot], str]
"""The first words of a core that answer, as its quality was judged; "" where that is unknown."""


@dataclass(frozen=True)
class SlotScore:
    """The score of one slot: its counts, the parts of its true positive, and its words."""

    slot: Slot
    count: Count
    ack: float
    core: float
    said: tuple[Spoken, ...]
    core_at_s: float | None = None  # time of the first core words

    @property
    def spill_s(self) -> float:
        """Seconds by which the words go on after the slot's end."""
        return max((s.until_s - self.slot.end_s for s in self.said), default=0.0)


def decay(at_s: float, peak_s: float, end_s: float) -> float:
    """Return the timeliness: 1 until `peak_s`, then falling linearly to 0 at `end_s`."""
    if at_s <= peak_s:
        return 1.0
    return 0.0 if at_s >= end_s else 1.0 - (at_s - peak_s) / (end_s - peak_s)


def assign(
    slots: Sequence[Slot], said: Sequence[Spoken]
) -> tuple[list[list[Spoken]], list[Spoken]]:
    """Return the words of each slot, and the words outside all slots.

    Where slots overlap, the one that began last gets the words.
    """
    of_slot: list[list[Spoken]] = [[] for _ in slots]
    outside = []
    for words in sorted(said, key=lambda s: (s.at_s, s.until_s)):
        inside = [k for k, s in enumerate(slots) if s.start_s <= words.at_s < s.end_s]
        if inside:
            of_slot[max(inside, key=lambda k: (slots[k].start_s, k))].append(words)
        else:
            outside.append(words)
    return of_slot, outside


def phases(slot: Slot, said: Sequence[Spoken]) -> tuple[list[Spoken], list[Spoken]]:
    """Return the early words of a slot and its core.

    Words that begin before the due time and end after it are cut there, if the times of the single
    words are known; else they are early.
    """
    early, core = [], []
    for s in said:
        crosses = s.at_s < slot.due_s < s.until_s
        before = [w for w in s.words if w.at_s < slot.due_s]
        after = [w for w in s.words if w.at_s >= slot.due_s]
        if crosses and (joined(before) or joined(after)):
            early += [_part(s, before)] if joined(before) else []
            core += [_part(s, after)] if joined(after) else []
        elif s.at_s < slot.due_s:
            early.append(s)
        else:
            core.append(s)
    return sorted(early, key=_order), sorted(core, key=_order)


def _part(s: Spoken, words: Sequence[Word]) -> Spoken:
    first, last = words[0], words[-1]
    return Spoken(first.at_s, joined(words), s.question, s.asked, last.end_s, tuple(words))


def _order(s: Spoken) -> tuple[float, float]:
    return s.at_s, s.until_s


def joined(parts: Sequence[Spoken | Word]) -> str:
    """Return the texts as one; Chinese characters have no spaces between them."""
    texts = [p.text for p in parts if p.text]
    return _gap(texts).join(texts).strip()


def _gap(texts: Sequence[str]) -> str:
    return "" if any("\u4e00" <= c <= "\u9fff" for text in texts for c in text) else " "


def heard_at_s(parts: Sequence[Spoken], phrase: str) -> float | None:
    """Return when `phrase` begins in what was said.

    None if it is not in it, or if the times of the words there are unknown.
    """
    phrase = phrase.strip().strip("\"'“”‘’")
    texts = [p.text for p in parts if p.text]
    times: list[float | None] = []
    for p in parts:
        if p.text:
            times += ([None] * len(_gap(texts)) if times else []) + _times(p)
    text = _gap(texts).join(texts)
    at = text.find(phrase)
    at = text.lower().find(phrase.lower()) if at < 0 else at
    if not phrase or at < 0:
        return None
    return next((t for t in times[at : at + len(phrase)] if t is not None), None)


def _times(s: Spoken) -> list[float | None]:
    """Return when each character was heard, as far as the single words are found in the text."""
    words = [w for w in s.words if w.text]
    gap = _gap([w.text for w in words])
    built = gap.join(w.text for w in words)
    of: list[float | None] = []
    for w in words:
        of += ([None] * len(gap) if of else []) + [w.at_s] * len(w.text)
    times: list[float | None] = [None] * len(s.text)
    at = s.text.find(built.strip())
    if words and at >= 0:
        # white space before the first word is not in the text, but the times are counted from it
        times[at : at + len(of)] = of[: len(s.text) - at]
    return times


def score_slot(
    slot: Slot, said: Sequence[Spoken], quality: Quality, trigger: Trigger = lambda slot: ""
) -> SlotScore:
    """Return the score of one slot, by IA-QTF1 (OmniInteract, arXiv 2605.26485).

    TP = w * q_ack * T_ack + (1 - w) * q_core * T_core, where T is the `decay` of the first words of
    that phase. False positives are: early words that give content away; a core with a quality below
    0.5, which adds nothing to TP; and words after a hard end. A slot whose core adds nothing is a
    miss, unless it was interrupted.

    The core counts from its `trigger` on, if the times of its words are known; else from its first
    words, or from the due time if those go on from before it.
    """
    early, core = phases(slot, said)
    ack = earned = 0.0
    fp = 0
    core_at_s = None
    if early:
        q = quality(slot, "early", early)
        fp += q is None
        ack = slot.ack_weight * (q or 0.0) * decay(early[0].at_s, slot.start_s, slot.due_s)
    if core and not slot.interrupted:
        q = quality(slot, "core", core) or 0.0
        heard_s = heard_at_s(core, trigger(slot)) if q > 0 else None
        first = core[0]
        core_at_s = slot.due_s if first not in said else first.at_s  # a part begins when it is due
        core_at_s = core_at_s if heard_s is None else heard_s
        if q < LEAST_QUALITY:
            fp += 1
        else:
            at_s = max(core_at_s, slot.due_s)
            earned = (1 - slot.ack_weight) * q * decay(at_s, slot.due_s, slot.end_s)
    if said and (slot.hard or slot.interrupted):
        fp += max(s.until_s for s in said) > slot.end_s
    fn = 0 if slot.interrupted else int(earned <= 0)
    count = Count(min(1.0, ack + earned), fp, fn)
    return SlotScore(slot, count, ack, earned, tuple(said), core_at_s)


def score_slots(
    slots: Sequence[Slot],
    said: Sequence[Spoken],
    quality: Quality,
    trigger: Trigger = lambda slot: "",
) -> tuple[list[SlotScore], Count]:
    """Return every slot's score, and their sum, whose `f1` is IA-QTF1.

    Words outside all slots are false positives in the sum.
    """
    of_slot, outside = assign(slots, said)
    scores = [
        score_slot(slot, words, quality, trigger)
        for slot, words in zip(slots, of_slot, strict=True)
    ]
    return scores, total([s.count for s in scores]) + Count(fp=len(outside))


def nested_chain(inner: SlotScore, outer: SlotScore) -> float:
    """Return NCCS of a nested pair: sqrt(core_outer * core_inner).

    It is 0 unless both were answered, the inner question first. Source: OmniInteract (arXiv
    2605.26485).
    """
    if inner.core <= 0 or outer.core <= 0 or inner.core_at_s is None or outer.core_at_s is None:
        return 0.0
    return math.sqrt(inner.core * outer.core) if inner.core_at_s <= outer.core_at_s else 0.0


# ---- events -------------------------------------------------------------------------------------


def merge(said: Sequence[Spoken], gap_s: float = MERGE_S) -> list[Spoken]:
    """Join words that follow the words before within `gap_s`, to one utterance.

    Its time is that of its first words.
    """
    out: list[Spoken] = []
    last_s = -math.inf
    for words in sorted(said, key=lambda s: s.at_s):
        if words.at_s - last_s <= gap_s:
            first = out[-1]
            out[-1] = Spoken(
                first.at_s, f"{first.text} {words.text}", first.question, first.asked, words.end_s
            )
        else:
            out.append(words)
        last_s = words.at_s
    return out


def match(
    times_s: Sequence[float], due_s: Sequence[float], tolerance_s: float = MATCH_S
) -> list[tuple[int, int]]:
    """Return one-to-one pairs (index of time, index of due) within the tolerance, closest first."""
    near = sorted(
        (abs(t - d), i, j)
        for i, t in enumerate(times_s)
        for j, d in enumerate(due_s)
        if abs(t - d) <= tolerance_s
    )
    pairs: list[tuple[int, int]] = []
    for _, i, j in near:
        if all(i != a and j != b for a, b in pairs):
            pairs.append((i, j))
    return sorted(pairs, key=lambda p: p[1])


def event_count(
    times_s: Sequence[float], due_s: Sequence[float], tolerance_s: float = MATCH_S
) -> Count:
    """Return counts whose `f1` is the event (time) F1."""
    hits = len(match(times_s, due_s, tolerance_s))
    return Count(hits, len(times_s) - hits, len(due_s) - hits)


def joint_f1(right: float, said: float, due: float) -> float:
    """Return the F1 of events that were announced in time and correctly: 2 right / (said + due)."""
    return _ratio(2 * right, said + due)


def window_count(
    said: Sequence[tuple[float, bool]], windows: Sequence[tuple[float, float]]
) -> Count:
    """Return counts for `Count.sw_f1`.

    TP is a window with a right answer in it, FN a window without one, and FP are words outside all
    windows.

    Args:
        said: (time, right) of all words. `right` refers to the window that contains them.
        windows: (start, end) of each window, ends included.
    """
    hits = sum(any(right and a <= t <= b for t, right in said) for a, b in windows)
    outside = sum(not any(a <= t <= b for a, b in windows) for t, _ in said)
    return Count(hits, outside, len(windows) - hits)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan
