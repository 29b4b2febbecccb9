"""Every metric against figures that were computed by hand."""

from __future__ import annotations

import math

import pytest

from aura_core.evaluation.metrics import (
    Count,
    Slot,
    assign,
    decay,
    event_count,
    joint_f1,
    match,
    merge,
    nested_chain,
    score_slot,
    score_slots,
    total,
    window_count,
)
from aura_core.evaluation.records import Spoken
from aura_core.evaluation.statistics import (
    bootstrap,
    bootstrap_sums,
    mean_by_item,
    proportion,
    wilson,
)


def words(*at: float | tuple[float, float], text: str = "x") -> list[Spoken]:
    return [
        Spoken(a, text) if isinstance(a, float | int) else Spoken(a[0], text, end_s=a[1])
        for a in at
    ]


def good(slot, phase, said):
    return 1.0


def test_f1_and_sw_f1_of_counts():
    c = Count(3, 2, 1)
    assert c.f1 == pytest.approx(6 / 9)
    assert c.sw_f1 == pytest.approx(6 / (6 + 0.4 + 2))
    assert total([c, Count(1, 0, 0)]) == Count(4, 2, 1)
    assert math.isnan(Count().f1) and math.isnan(Count().sw_f1)
    # ten false positives count as much as one missed event
    assert Count(5, 10, 0).sw_f1 == Count(5, 0, 1).sw_f1


def test_decay_is_linear_from_the_peak_to_the_end():
    assert [decay(t, 10, 20) for t in (3, 10, 12.5, 20, 30)] == [1.0, 1.0, 0.75, 0.0, 0.0]
    assert decay(5, 5, 5) == 1.0 and decay(6, 5, 5) == 0.0


def test_a_slot_with_acknowledgment_and_answer():
    slot = Slot(10, 20, 60)
    s = score_slot(slot, words(12, 30), good)
    # ack: 0.2 * (1 - 2/10); core: 0.8 * (1 - 10/40)
    assert s.ack == pytest.approx(0.16) and s.core == pytest.approx(0.6) and s.core_at_s == 30
    assert s.count == Count(pytest.approx(0.76), 0, 0)


def test_what_lowers_a_slot():
    slot = Slot(10, 20, 60)
    assert score_slot(slot, [], good).count == Count(0, 0, 1)
    # an acknowledgment is no answer
    assert score_slot(slot, words(10), good).count == Count(0.2, 0, 1)
    assert score_slot(
        slot, words(12, 20), lambda s, phase, w: None if phase == "early" else 1.0
    ).count == Count(0.8, 1, 0)  # given away early
    assert score_slot(slot, words(20), lambda *_: 0.49).count == Count(0, 1, 1)  # wrong
    assert score_slot(slot, words(20), lambda *_: 0.5).count == Count(pytest.approx(0.4), 0, 0)
    # runs on into the next slot
    assert score_slot(slot, words((20, 61)), good).count == Count(0.8, 1, 0)
    assert score_slot(Slot(10, 20, 60, hard=False), words((20, 61)), good).count == Count(0.8, 0, 0)
    assert score_slot(Slot(20, 20, 60, ack_weight=0.0), words(20), good).count == Count(1.0, 0, 0)


def test_an_interrupted_slot_owes_nothing():
    slot = Slot(10, 20, 60, interrupted=True)
    assert score_slot(slot, [], good).count == Count(0, 0, 0)
    assert score_slot(slot, words(20), good).count == Count(0, 0, 0)
    assert score_slot(slot, words((20, 70)), good).count == Count(0, 1, 0)


def test_ia_qtf1_over_slots_with_words_outside():
    slots = [Slot(0, 0, 10), Slot(10, 12, 20), Slot(20, 22, 30)]
    scores, count = score_slots(slots, words(0, 17, 40), good)
    assert [s.count.tp for s in scores] == [0.8, pytest.approx(0.8 * 3 / 8), 0]
    assert (count.fp, count.fn) == (1, 1)
    assert count.f1 == pytest.approx(2 * 1.1 / (2 * 1.1 + 2))


def test_of_overlapping_slots_the_later_one_takes_the_words():
    outer, inner = Slot(0, 30, 60), Slot(10, 12, 30)
    of_slot, outside = assign([outer, inner], words(5, 10, 29, 30, 60))
    assert [[w.at_s for w in s] for s in of_slot] == [[5, 30], [10, 29]]
    assert [w.at_s for w in outside] == [60]


def test_nested_chain_needs_both_answers_in_order():
    outer, inner = (
        score_slot(Slot(0, 30, 60), words(30), good),
        score_slot(Slot(10, 12, 30), words(21), good),
    )
    assert nested_chain(inner, outer) == pytest.approx(math.sqrt(0.8 * 0.8 * 0.5))
    assert nested_chain(inner, score_slot(Slot(0, 30, 60), [], good)) == 0
    late = score_slot(Slot(10, 12, 90), words(50), good)
    assert nested_chain(late, outer) == 0


def test_words_within_two_seconds_are_one_utterance():
    merged = merge([Spoken(5, "c"), Spoken(1, "a"), Spoken(3, "b"), Spoken(7.1, "d")])
    assert [(m.at_s, m.text) for m in merged] == [(1, "a b c"), (7.1, "d")]


def test_matching_takes_the_closest_pair_first_and_each_only_once():
    assert match([10, 12], [11.5], 3) == [(1, 0)]
    # 13 is nearest to 12.5, so 10 is left for 9 although 11 is nearer to nothing else
    assert match([10, 13], [9, 12.5, 30], 3) == [(0, 0), (1, 1)]
    assert match([10], [13.1], 3) == [] and match([10], [13.0], 3) == [(0, 0)]


def test_event_f1_and_joint_f1():
    c = event_count([1, 10, 20], [2, 11, 40, 50], 3)
    assert c == Count(2, 1, 2) and c.f1 == pytest.approx(4 / 7)
    # of the two in time one is right: P = 1/3, R = 1/4, F1 = 2/7
    assert joint_f1(1, 3, 4) == pytest.approx(2 / 7)
    assert math.isnan(joint_f1(0, 0, 0))


def test_window_counts():
    said = [(9.9, True), (10, False), (12, True), (12, True), (20, False), (30, True)]
    # windows: right at 12; wrong at 20; nothing. Outside: 9.9 and 30. Two right answers in a window
    # are one hit.
    assert window_count(said, [(10, 12), (19, 21), (40, 41)]) == Count(1, 2, 2)


def test_bootstrap_of_sums_is_seeded_and_brackets_the_value():
    rows = [[1.0, 1.0], [0.0, 1.0]] * 20
    m = bootstrap_sums(rows, lambda s: s[0] / s[1], 40)
    assert m == bootstrap_sums(rows, lambda s: s[0] / s[1], 40)
    assert m.value == 0.5 and m.n == 40
    assert m.ci95 == (pytest.approx(0.35, abs=0.03), pytest.approx(0.65, abs=0.03))
    assert bootstrap_sums([], lambda s: 1.0, 0).n == 0


def test_a_mean_is_drawn_by_item():
    """Twenty equal values of one item are one observation.

    Regression: they were resampled one by one, and the interval was 0.35 to 0.65.
    """
    m = mean_by_item([[0.0] * 20, [], [1.0] * 20])
    assert (m.value, m.n, m.ci95) == (0.5, 40, (0.0, 1.0))
    assert mean_by_item([[0.0, 1.0, 1.0, 1.0]]).ci95 == wilson(0.75, 1)
    assert mean_by_item([[], []]).n == mean_by_item([]).n == 0


def test_items_that_are_all_right_or_all_wrong_have_an_interval():
    """Regression: the bootstrap of three wrong items was 0.000 .. 0.000."""
    assert mean_by_item([[0.0]] * 3).ci95 == proportion(0, 3).ci95
    assert bootstrap([1.0] * 3, lambda of: sum(of) / 3, 3).ci95 == proportion(3, 3).ci95
    # seconds are no share: nothing is known of their spread
    assert all(math.isnan(c) for c in mean_by_item([[0.0]] * 3, share=False).ci95)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.95])
@pytest.mark.parametrize("n", [3, 10, 40])
def test_an_interval_holds_the_true_share_about_as_often_as_it_says(p, n):
    """The sum over what may be drawn, each with its probability; 0.95 is nominal."""
    held = 0.0
    for k in range(n + 1):
        low, high = mean_by_item([[1.0]] * k + [[0.0]] * (n - k)).ci95
        held += math.comb(n, k) * p**k * (1 - p) ** (n - k) * (low <= p <= high)
    assert held > 0.9
