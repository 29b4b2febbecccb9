"""Standing questions of a simulated episode, scored with metrics of public benchmarks.

One chunk is one second. The simulator's tolerance holds: words up to a second before their event
are on time. Text is compared word for word, so quality is the share of exactly right words.
"""

from __future__ import annotations

from collections.abc import Sequence

from aura_core.evaluation.metrics import (
    ACK_WEIGHT,
    Count,
    Phase,
    Quality,
    Slot,
    score_slots,
    window_count,
)
from aura_core.evaluation.records import Spoken
from aura_core.evaluation.scoring import TOLERANCE, EpisodeScore, Matched
from aura_core.sim.episode import Ask
from aura_core.types import Kind

TAIL_S = 60.0  # length of the last slot, as in OmniInteract


def multi_slots(score: EpisodeScore) -> int:
    """Return the number of slots of all multi-response questions: events that they waited for."""
    return sum(len(_due(score, ask)) for ask in _multi(score))


def multi_count(score: EpisodeScore) -> Count:
    """Return counts whose `f1` is IA-QTF1 of the episode's multi-response questions.

    A slot begins at its event and ends at the question's next event. The first slot begins at the
    question, which leaves time for the acknowledgment. False alarms while a multi-response question
    is open count for the first such question.
    """
    count = Count()
    alarms = [Spoken(f.chunk, f.text) for f in score.false_alarms]  # includes late answers
    for ask in _multi(score):
        due = _due(score, ask)
        open_alarms = [a for a in alarms if a.at_s > ask.chunk]
        alarms = [a for a in alarms if a not in open_alarms]
        acknowledged = [
            Spoken(ask.chunk, x.text)
            for x in score.asked
            if x.ask is ask and x.text is not None and due
        ]
        told = [Spoken(max(m.due.chunk, _chunk(m)), m.text or "") for m in due if m.in_time]
        count += score_slots(_slots(ask, due), [*acknowledged, *told, *open_alarms], _quality(ask))[
            1
        ]
    return count


def window_counts(score: EpisodeScore) -> Count:
    """Return counts whose `sw_f1` is SW-F1 of all standing questions, with windows of +-1 s."""
    windows = [(m.due.chunk - TOLERANCE, m.due.chunk + TOLERANCE) for m in score.matched]
    told = [(_chunk(m), m.text == m.due.text) for m in score.matched if m.in_time]
    return window_count([*told, *((f.chunk, False) for f in score.false_alarms)], windows)


def delays_s(matched: Sequence[Matched]) -> list[float]:
    """Return the distance of each announced event from its announcement, in seconds."""
    return [float(abs(m.delay)) for m in matched if m.delay is not None]


def _multi(score: EpisodeScore) -> list[Ask]:
    return [
        a for a in score.episode.asks if a.kind is Kind.MULTI_RESPONSE and a.chunk < score.seconds
    ]


def _due(score: EpisodeScore, ask: Ask) -> list[Matched]:
    return sorted((m for m in score.matched if ask.id in m.due.ask_ids), key=lambda m: m.due.chunk)


def _chunk(matched: Matched) -> int:
    """Return the chunk in which an event was announced."""
    assert matched.delay is not None
    return matched.due.chunk + matched.delay


def _slots(ask: Ask, due: Sequence[Matched]) -> list[Slot]:
    at_s = [float(m.due.chunk) for m in due]
    ends = [*at_s[1:], *(t + TAIL_S for t in at_s[-1:])]
    return [
        Slot(
            float(ask.chunk) if k == 0 else t,
            t,
            end,
            m.due.text,
            0.0 if k else ACK_WEIGHT,
            hard=False,
        )
        for k, (t, end, m) in enumerate(zip(at_s, ends, due, strict=True))
    ]


def _quality(ask: Ask) -> Quality:
    def quality(slot: Slot, phase: Phase, said: Sequence[Spoken]) -> float | None:
        if phase == "early":
            return 1.0 if all(s.text == ask.answer for s in said) else None
        return sum(s.text == slot.truth for s in said) / len(said)

    return quality
