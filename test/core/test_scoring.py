"""Scoring by hand-made cases, and the intervals against published values."""

from __future__ import annotations

import math

import pytest

from aura_core.evaluation.scoring import Said, score
from aura_core.evaluation.sim import event_f1, figures
from aura_core.evaluation.statistics import bootstrap, proportion, rate
from aura_core.sim.episode import Ask, Due, Episode
from aura_core.sim.world import World
from aura_core.types import Kind

WORLD = World.generate(0, 40)
ASKS = (
    Ask("p", 3, "tell me when a red cube appears", Kind.PROACTIVE, "okay"),
    Ask("m", 5, "tell me every time something leaves", Kind.MULTI_RESPONSE, "okay"),
    Ask("r", 20, "what is there?", Kind.REAL_TIME, "nothing"),
)
DUES = (
    Due(10, "a red cube appeared", ("p",)),
    Due(15, "x left", ("m",)),
    Due(30, "y left", ("m",)),
)
EPISODE = Episode(WORLD, ASKS, DUES)
ASKED = [Said(a.chunk, a.answer, a.text) for a in ASKS]


def scored(*said: Said):
    return score(EPISODE, sorted([*ASKED, *said], key=lambda s: s.chunk), 40)


def test_the_perfect_assistant():
    s = scored(*(Said(d.chunk, d.text, None) for d in DUES))
    assert (
        all(a.right for a in s.asked)
        and all(m.delay == 0 for m in s.matched)
        and not s.false_alarms
    )
    assert (s.silent_right, s.silent) == (34, 34)
    f = figures([s])
    assert (
        f["realtime.exact_match"].value
        == f["proactive.recall"].value
        == f["multi.event_f1"].value
        == 1.0
    )
    assert f["proactive.false_alarms_per_min"].value == 0.0


def test_silence_misses_everything():
    s = score(EPISODE, [], 40)
    assert [a.text for a in s.asked] == [None] * 3 and [m.delay for m in s.matched] == [None] * 3
    assert (s.silent_right, s.silent) == (34, 40)
    assert figures([s])["multi.event_f1"].value == 0.0


@pytest.mark.parametrize(
    ("chunk", "in_time", "alarms"),
    [(9, True, 0), (11, True, 0), (8, False, 1), (12, False, 1), (15, True, 0)],
)
def test_one_second_of_tolerance(chunk, in_time, alarms):
    s = scored(Said(chunk, "a red cube appeared", None))
    hit = s.matched[1] if chunk == 15 else s.matched[0]
    assert hit.in_time is in_time and len(s.false_alarms) == alarms


def test_one_utterance_answers_one_event():
    s = scored(Said(10, "a", None), Said(11, "b", None))
    assert s.matched[0].text == "a" and [f.text for f in s.false_alarms] == ["b"]


def test_a_late_answer_is_named_and_still_a_false_alarm():
    s = scored(Said(18, "x left", None))
    assert s.matched[1].delay == 3 and not s.matched[1].in_time and len(s.false_alarms) == 1


def test_multi_response_f1_counts_misses_and_alarms():
    s = scored(Said(15, "x left", None), Said(25, "z left", None))
    assert event_f1([s]) == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))


def test_an_alarm_before_the_multi_question_is_not_its_own():
    s = scored(Said(1, "z", None), Said(15, "x left", None), Said(30, "y left", None))
    assert len(s.false_alarms) == 1 and event_f1([s]) == 1.0


def test_a_question_that_slipped_by_a_second_is_found_by_its_words():
    shifted = [Said(s.chunk + 1, s.text, s.question) for s in ASKED]
    assert all(a.right for a in score(EPISODE, shifted, 40).asked)


def test_wilson_interval():
    m = proportion(8, 10)  # Wilson score interval of 8/10: 0.490 .. 0.943
    assert m.value == 0.8 and m.ci95 == (
        pytest.approx(0.4902, abs=1e-4),
        pytest.approx(0.9433, abs=1e-4),
    )
    assert math.isnan(proportion(0, 0).value) and proportion(0, 0).as_json()["value"] is None


def test_poisson_interval():
    low, high = rate(3, 1.0).ci95  # exact (Garwood): 0.619 .. 8.767
    assert low == pytest.approx(0.619, abs=0.02) and high == pytest.approx(8.767, abs=0.02)
    assert rate(0, 10.0).ci95 == (0.0, pytest.approx(0.369, abs=0.01))  # 3.689 / 10


def test_bootstrap_is_seeded_and_brackets_the_value():
    items = [0.0, 1.0] * 20
    a = bootstrap(items, lambda x: sum(x) / len(x), 40)
    assert (
        a == bootstrap(items, lambda x: sum(x) / len(x), 40)
        and a.ci95[0] < 0.5 == a.value < a.ci95[1]
    )
