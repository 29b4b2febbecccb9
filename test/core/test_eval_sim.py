"""The simulator's standing questions by IA-QTF1, SW-F1 and time error, computed by hand.

Figures are reported only for what is asked.
"""

from __future__ import annotations

import numpy as np
import pytest

from aura_core.evaluation.metrics import Count
from aura_core.evaluation.scoring import Said, score
from aura_core.evaluation.sim import evaluate, figures
from aura_core.evaluation.standing import multi_count, multi_slots, window_counts
from aura_core.models.scripted import Moment, ScriptedBackend
from aura_core.sim.episode import Ask, Due, Episode
from aura_core.sim.world import World
from aura_core.types import Kind

WORLD = World.generate(0, 40)
MULTI = Ask("m", 5, "tell me every time something leaves", Kind.MULTI_RESPONSE, "okay")
ONCE = Ask("p", 3, "tell me when a red cube appears", Kind.PROACTIVE, "okay")
DUES = (
    Due(10, "a red cube appeared", ("p",)),
    Due(15, "x left", ("m",)),
    Due(25, "y left", ("m",)),
)
ACK = Said(5, "okay", MULTI.text)


def scored(*said: Said, asks=(ONCE, MULTI), dues=DUES):
    return score(Episode(WORLD, asks, dues), sorted(said, key=lambda s: s.chunk), 40)


def unasked(chunk: int, text: str) -> Said:
    return Said(chunk, text, None)


def test_everything_in_time():
    s = scored(
        ACK, unasked(10, "a red cube appeared"), unasked(15, "x left"), unasked(25, "y left")
    )
    assert multi_slots(s) == 2 and multi_count(s) == Count(2.0, 0, 0)
    assert window_counts(s) == Count(3, 0, 0)


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ([ACK], Count(0.2, 0, 2)),  # an acknowledgment alone
        ([unasked(15, "x left"), unasked(25, "y left")], Count(1.8, 0, 0)),  # no acknowledgment
        # early is on time
        ([ACK, unasked(14, "x left"), unasked(26, "y left")], Count(1.0 + 59 / 60, 0, 0)),
        # late: decays over 60 s
        ([ACK, unasked(15, "x left"), unasked(28, "y left")], Count(1.0 + 57 / 60, 0, 0)),
        ([ACK, unasked(15, "z left"), unasked(25, "y left")], Count(1.2, 1, 1)),  # wrong words
        # half of the slot's words are right
        ([ACK, unasked(15, "x left"), unasked(18, "z left")], Count(0.6, 0, 1)),
        # given away
        (
            [ACK, unasked(8, "z left"), unasked(15, "x left"), unasked(25, "y left")],
            Count(1.8, 1, 0),
        ),
        # not its own
        (
            [unasked(4, "z left"), ACK, unasked(15, "x left"), unasked(25, "y left")],
            Count(2.0, 0, 0),
        ),
    ],
)
def test_ia_qtf1_counts(said, count):
    got = multi_count(scored(*said))
    assert (got.tp, got.fp, got.fn) == (pytest.approx(count.tp), count.fp, count.fn)


def test_a_question_that_nothing_answers_costs_its_false_alarms_only():
    s = scored(ACK, unasked(20, "x left"), asks=(MULTI,), dues=())
    assert multi_slots(s) == 0 and multi_count(s) == Count(0, 1, 0)


def test_of_two_repeated_questions_the_first_pays_for_a_false_alarm():
    other = Ask("n", 6, "tell me every time something comes", Kind.MULTI_RESPONSE, "okay")
    s = scored(
        ACK, unasked(15, "x left"), unasked(30, "z left"), asks=(MULTI, other), dues=DUES[1:2]
    )
    assert multi_count(s) == Count(pytest.approx(0.2 + 0.8 * 0.5), 0, 0)


def test_sw_f1_counts():
    s = scored(
        unasked(10, "a blue cube appeared"),
        unasked(16, "x left"),
        unasked(24, "y left"),
        unasked(35, "z"),
    )
    assert window_counts(s) == Count(2, 1, 1)


def test_figures_and_what_is_not_asked_is_not_reported():
    s = scored(
        ACK, unasked(11, "a red cube appeared"), unasked(15, "x left"), unasked(28, "y left")
    )
    f = figures([s])
    assert f["proactive.time_error_s"].value == 1.0 and f["proactive.time_error_s"].n == 1
    assert f["multi.time_error_s"].value == 1.5 and f["multi.slot_tp"].value == pytest.approx(
        (2 - 3 / 60) / 2
    )
    assert f["multi.ia_qtf1"].value == 1.0 and f["multi.ia_qtf1"].n == 2
    assert (
        f["standing.sw_f1"].value == pytest.approx(4 / (4 + 0.2 + 2)) and f["standing.sw_f1"].n == 3
    )
    assert np.isnan(
        f["multi.time_error_s"].ci95
    ).all()  # whole episodes are drawn, and there is one
    more = figures([s, scored(ACK, unasked(15, "x left"), unasked(25, "y left"))])[
        "multi.time_error_s"
    ]
    assert (more.value, more.n, more.ci95) == (0.75, 4, (0.0, 1.5))
    absent = {
        "past.exact_match",
        "realtime.unseen_paraphrase",
        "realtime.zh",
        "realtime.seen_paraphrase",
        "realtime.en",
    }
    assert not absent & set(f)
    none = figures([scored(asks=(), dues=())])
    assert not {
        "multi.ia_qtf1",
        "standing.sw_f1",
        "proactive.time_error_s",
        "multi.time_error_s",
    } & set(none)


def test_questions_about_the_past_in_other_words_and_in_chinese():
    now = Kind.REAL_TIME
    asks = (
        Ask("a", 1, "what is there?", now, "nothing"),
        Ask("b", 4, "pray tell, what is there?", now, "nothing", unseen=True),
        Ask("c", 7, "有什么?", now, "没有", language="zh"),
        Ask("d", 10, "what did the hand take?", now, "a cup", "took", evidence=6),
    )
    said = [Said(a.chunk, a.answer if a.id in "acd" else "a cup", a.text) for a in asks]
    f = figures([scored(*said, asks=asks, dues=())])
    values = {k: (f[k].value, f[k].n) for k in f if k.startswith(("past", "realtime")) and f[k].n}
    assert values == {
        "realtime.exact_match": (pytest.approx(2 / 3), 3),
        "realtime.": (pytest.approx(2 / 3), 3),
        "past.exact_match": (1.0, 1),
        "realtime.unseen_paraphrase": (0.0, 1),
        "realtime.seen_paraphrase": (1.0, 2),
        "realtime.zh": (1.0, 1),
        "realtime.en": (0.5, 2),
    }


def test_with_memory_the_same_is_asked_and_earlier_episodes_are_remembered() -> None:
    seen: list[str] = []

    def script(moment: Moment) -> str | None:
        seen.append(moment.words)
        if "Write a note" in moment.question:
            return "the lamp is on"
        return "yes" if moment.question else None

    with_memory = evaluate(ScriptedBackend(script), [900_001, 900_002], seconds=35, memory=True)
    assert any("Your memory:" in words and "the lamp is on" in words for words in seen)
    without = evaluate(ScriptedBackend(script), [900_001, 900_002], seconds=35)
    assert with_memory.steps == without.steps
    assert [m.n for m in with_memory.figures.values()] == [m.n for m in without.figures.values()]
