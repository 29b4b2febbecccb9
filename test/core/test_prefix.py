"""The text that stays of chunks that left the window: AURA's rules one by one, and together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aura_core.stream.prefix import MAX_ANSWERS, Prefix, QAGroup, Round


def fold(groups: tuple[QAGroup, ...], *args: object) -> tuple[QAGroup, ...]:
    return Prefix(groups=groups).after(*args).groups


def asked(query_id: str, answer: str | None = None, answer_id: str | None = None) -> Round:
    return Round(
        query_id, f"question {query_id}", (answer_id or query_id) if answer else None, answer
    )


def unasked(query_id: str, answer: str) -> Round:
    return Round(None, None, query_id, answer)


SILENT = Round(None, None, None, None)


def test_silent_rounds_leave_nothing():
    assert fold((), [SILENT, SILENT], 10) == ()


def test_a_question_and_its_answers_form_a_group():
    groups = fold((), [asked("a", "one"), SILENT, unasked("a", "two"), asked("b", "three")], 10)
    assert groups == (
        QAGroup("a", "question a", ("one", "two")),
        QAGroup("b", "question b", ("three",)),
    )


def test_answers_join_a_group_that_left_long_ago():
    before = fold((), [asked("a", "one"), asked("b", "two")], 10)
    assert fold(before, [unasked("a", "three")], 10)[0].answers == ("one", "three")


def test_a_group_keeps_its_first_and_its_newest_answers():
    groups = fold((), [asked("a", "0"), *(unasked("a", str(k)) for k in range(1, 9))], 10)
    assert groups[0].answers == ("0", "6", "7", "8") and len(groups[0].answers) == MAX_ANSWERS


def test_an_answer_to_a_forgotten_question_joins_the_newest_group():
    groups = fold((), [asked("a", "one"), asked("b", "two"), unasked("zzz", "three")], 10)
    assert [g.answers for g in groups] == [("one",), ("two", "three")]
    assert fold((), [unasked("zzz", "alone")], 10) == ()


def test_an_unanswered_question_goes_unless_it_is_still_open():
    assert fold((), [asked("a")], 10) == ()
    assert fold((), [asked("a")], 10, {"a"}) == (QAGroup("a", "question a", ()),)
    kept = fold((), [asked("a")], 10, {"a"})
    assert fold(kept, [SILENT], 10) == ()  # closed meanwhile, without an answer


def test_the_oldest_group_goes_first_but_open_ones_stay_longest():
    rounds = [asked(q, "x") for q in "abcd"]
    assert [g.query_id for g in fold((), rounds, 2)] == ["c", "d"]
    assert [g.query_id for g in fold((), rounds, 2, {"a"})] == ["a", "d"]
    assert [g.query_id for g in fold((), rounds, 2, set("abc"))] == ["b", "c"]
    assert fold((), rounds, 0, set("abcd")) == ()


def test_an_answer_finds_the_newest_question_of_an_id_that_was_used_again():
    groups = fold((), [asked("door", "old"), asked("door", "new"), unasked("door", "newer")], 10)
    assert [g.answers for g in groups] == [("old",), ("new", "newer")]


ids = st.sampled_from("abcdef")
rounds = st.lists(
    st.builds(asked, ids, st.none() | st.sampled_from("xyz"), st.none() | ids)
    | st.builds(unasked, ids, st.just("u")),
    max_size=30,
)


@given(rounds, st.integers(0, 5), st.frozensets(ids))
def test_what_holds_of_any_rounds(rounds, limit, still_open):
    groups = fold((), rounds, limit, still_open)
    assert len(groups) <= limit
    assert all(len(g.answers) <= MAX_ANSWERS for g in groups)
    assert all(g.answers or g.query_id in still_open for g in groups)
    everything = fold((), rounds, 10**6, still_open)
    assert [g for g in everything if g in groups] == list(groups) or len(set(everything)) < len(
        everything
    )
    gone = len(everything) - len(groups)
    closed = sum(g.query_id not in still_open for g in everything)
    assert sum(g.query_id not in still_open for g in groups) == max(0, closed - gone)


@given(rounds, st.integers(0, 30), st.frozensets(ids))
def test_folding_in_two_parts_with_room_is_folding_at_once(rounds, cut, still_open):
    """Where the window is cut must not change the text, as long as no question is parted from its
    answer."""
    rounds = [
        r
        for r in rounds
        if r.question is None or (r.answer is not None and r.answer_id == r.question_id)
    ]
    first = fold((), rounds[:cut], 100, still_open)
    assert fold(first, rounds[cut:], 100, still_open) == fold((), rounds, 100, still_open)
