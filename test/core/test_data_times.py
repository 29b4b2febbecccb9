"""Times that are a little off are put right; others reject their question."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from data_rig import clip

from aura_core.bench.data_times import PLAN, measure
from aura_core.data.author import Draft
from aura_core.data.erring import ErringOracle, Errors
from aura_core.data.outcome import Outcome
from aura_core.data.schema import Answer, Question, Scene
from aura_core.data.survival import count, survival
from aura_core.data.times import first_visible, in_order, settled
from aura_core.types import Kind

SECONDS = 30


class Viewer:
    """Sees answer k in the seconds `shown[k]`, and counts how often it is asked."""

    knows_all = True

    def __init__(self, *shown: range) -> None:
        self.shown, self.asked = shown, 0

    def visible(self, clip, question, answer, chunk) -> bool:
        self.asked += 1
        return chunk in self.shown[int(answer.text)]


def question(kind: Kind, chunk: int, *claimed: int) -> Question:
    answers = tuple(Answer(c, str(k), c) for k, c in enumerate(claimed))
    words = "" if kind is Kind.REAL_TIME else "okay"
    return Question("q", kind, chunk, "what?", answers, words, 1, "what?")


def put_right(viewer: Viewer, q: Question, repair_s: int = 2) -> tuple[list[int] | None, Outcome]:
    """Return the corrected times, and what was counted and rejected."""
    out = Outcome()
    found = settled(q, clip(SECONDS), Scene(0, SECONDS, ""), viewer, repair_s, out)
    return (None if found is None else [a.chunk for a in found.answers]), out


@pytest.mark.parametrize("stays", [1, 2, 20])
@pytest.mark.parametrize("claimed", range(8, 13))
def test_the_first_second_that_shows_the_evidence_is_found(claimed, stays):
    viewer = Viewer(range(10, 10 + stays))
    times, out = put_right(viewer, question(Kind.PROACTIVE, 3, claimed))
    assert times == [10] and out.rejections == []
    assert out.counts["times put right"] == (claimed != 10)
    assert out.counts["checks of times"] == viewer.asked <= 6


@pytest.mark.parametrize(
    ("claimed", "reason"), [(7, "not visible at its time"), (13, "visible before its time")]
)
def test_a_time_that_is_further_off_rejects_its_question(claimed, reason):
    times, out = put_right(Viewer(range(10, 30)), question(Kind.PROACTIVE, 3, claimed))
    assert times is None and [r.reason for r in out.rejections] == [reason]
    assert out.counts["times refused"] == 1


def test_without_repair_only_the_claimed_second_counts():
    for claimed in (9, 11):
        assert put_right(Viewer(range(10, 30)), question(Kind.PROACTIVE, 3, claimed), 0)[0] is None
    viewer = Viewer(range(10, 30))
    assert put_right(viewer, question(Kind.PROACTIVE, 3, 10), 0)[0] == [10] and viewer.asked == 2


def test_each_time_of_several_is_put_right_and_none_takes_anothers_event():
    viewer = Viewer(range(10, 12), range(12, 14), range(20, 22))
    times, _ = put_right(viewer, question(Kind.MULTI_RESPONSE, 3, 11, 12, 19))
    assert times == [10, 12, 20]
    # both events look the same; the claim at 13 means the one at 12
    same = range(12, 13), range(14, 15)
    viewer = Viewer(*[(*same[0], *same[1])] * 2)
    assert put_right(viewer, question(Kind.MULTI_RESPONSE, 3, 13, 14))[0] == [12, 14]


def test_a_second_claim_of_one_event_rejects_the_question():
    viewer = Viewer(range(10, 30), range(10, 30))
    times, out = put_right(viewer, question(Kind.MULTI_RESPONSE, 3, 10, 11))
    assert times is None and [r.reason for r in out.rejections] == ["visible before its time"]


def test_a_real_time_question_moves_with_its_answer_inside_its_scene():
    scene, out = Scene(8, 12, ""), Outcome()
    for claimed, shown, moved in ((9, 10, 10), (10, 9, 9), (11, 12, None), (8, 7, None)):
        viewer = Viewer(range(shown, shown + 1))
        q = question(Kind.REAL_TIME, claimed, claimed)
        found = settled(q, clip(SECONDS), scene, viewer, 2, out)
        assert (None if found is None else (found.chunk, found.answers[0].chunk)) == (
            None if moved is None else (moved, moved)
        )


@pytest.mark.parametrize("repair_s", [0, 1, 2, 3])
def test_any_pattern_has_a_consistent_time_or_none_and_few_checks(repair_s):
    first, last = 10 - repair_s, 10 + repair_s
    window = range(first - 1, last + 1)
    for bits in itertools.product((False, True), repeat=len(window)):
        truth, asked = dict(zip(window, bits, strict=True)), set()

        def seen(second: int, truth=truth, asked=asked) -> bool:
            asked.add(second)
            return truth[second]

        found = first_visible(seen, 10, first, last)
        right = [t for t in range(first, last + 1) if truth[t] and not truth[t - 1]]
        assert found in right if right else found is None
        assert len(asked) <= 2 * repair_s + 2


def draft(*claimed: int) -> Draft:
    answers = tuple(Answer(c, "x", c) for c in claimed)
    return Draft("d", Kind.MULTI_RESPONSE, 5, "tell me", answers, "okay", 1)


@pytest.mark.parametrize(
    ("claimed", "ordered"),
    [
        ((5, 9), (6, 9)),  # with its question
        ((8, 8, 8), (8, 9, 10)),
        ((9, 8), (9, 10)),
        ((12, 30), (12, 29)),  # after the end
        ((2, 9), (2, 9)),  # too far off
        ((12, 9), (12, 9)),
        ((29, 30), (29, 30)),
    ],
)
def test_claims_that_coincide_are_put_in_order(claimed, ordered):
    assert tuple(a.chunk for a in in_order(draft(*claimed), SECONDS, 2).answers) == ordered
    asked = replace(draft(7), kind=Kind.REAL_TIME)
    assert in_order(asked, SECONDS, 2) == asked


# ---- an author that errs -------------------------------------------------------------------------


def test_the_erring_oracle_moves_the_share_of_times_that_it_is_told():
    author, room = ErringOracle(0, Errors(off=0.3), PLAN), clip(300)
    rooms = [replace(room, id=f"{s}", source=f"sim:{s}") for s in range(1000, 1020)]
    moves = [
        claimed.chunk - true
        for r in rooms
        for d in author.questions(r, Scene(0, 300, ""))
        if d.kind is not Kind.REAL_TIME
        for claimed, true in zip(d.answers, author.true_times(r, d), strict=True)
    ]
    assert set(moves) == {-1, 0, 1} and len(moves) > 200
    off = sum(m != 0 for m in moves) / len(moves)
    assert abs(off - 0.3) < 4 * (0.3 * 0.7 / len(moves)) ** 0.5
    again = ErringOracle(0, Errors(off=0.3), PLAN)
    assert author.questions(rooms[0], Scene(0, 300, "")) == again.questions(
        rooms[0], Scene(0, 300, "")
    )


def test_putting_times_right_keeps_what_one_wrong_time_would_reject():
    figures = measure(12, 120, Errors(off=0.3), lambda: None)
    before, after = figures["all"]["kept"]
    assert figures["repair_s"] == [0, 2] and figures["all"]["written"] > 30
    assert before["ci95"][1] < after["ci95"][0]
    assert [r["value"] for r in figures["all"]["right"]] == [1.0, 1.0]
    few, many = figures["rows"][0], figures["rows"][-1]
    assert few["answers"] < many["answers"] and few["kept"][0]["value"] > many["kept"][0]["value"]
    honest = measure(4, 120, Errors(off=0.0), lambda: None)["all"]
    assert [k["value"] for k in honest["kept"]] == [1.0, 1.0]
    assert honest["checks_per_time"] == [2.0, 2.0]


def test_survival_is_told_by_number_of_answers():
    out = Outcome()
    for answers, kept in ((1, True), (1, False), (1, True), (10, False)):
        count(out, answers, kept)
    one, ten = survival(out.counts)
    assert (one["answers"], one["written"], one["kept"]) == (1, 3, 2)
    assert one["share"] == pytest.approx(2 / 3, abs=1e-4) and one["ci95"][0] < 0.6 < one["ci95"][1]
    assert (ten["answers"], ten["written"], ten["kept"], ten["share"]) == (10, 1, 0, 0.0)
