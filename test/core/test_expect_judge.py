"""The judge: who meets what, what is forbidden, what is a false alarm, and why."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.replay.expect import Content, Expectations, Rule
from aura_core.replay.judge import AskedAt, Run, Spoken, State, assign, fits, judge

FALL = "Warn me if the person falls."


def alert(at_s: float, text: str = "The person fell.", *to: str) -> Spoken:
    return Spoken(at_s, text, True, to or (FALL,))


def answer(at_s: float, text: str, to: str = "What is there?") -> Spoken:
    return Spoken(at_s, text, False, (to,))


def run_of(*said: Spoken, end_s: float = 30.0, problems: tuple[str, ...] = ()) -> Run:
    return Run(said, (AskedAt(0.0, FALL), AskedAt(2.0, "What is there?")), end_s, problems)


def rules(*given_: Rule) -> tuple[Rule, ...]:
    return given_


def fall(
    from_s: float = 10.0, until_s: float = 14.0, *words: str, where: str = "expect[0]"
) -> Rule:
    return Rule(where, "alert", FALL, from_s, until_s, Content(words or ("fell",)))


def one(rule: Rule, *said: Spoken, **more: float):
    """The result of a single expectation."""
    return judge(Expectations((rule,), most_false_alarms=None), run_of(*said, **more)).results[0]


def test_met_with_its_words_and_time():
    result = one(fall(), alert(3.0), alert(12.5))
    assert (result.state, result.spoken) == (State.MET, alert(12.5))


@pytest.mark.parametrize("at_s", [10.0, 14.0])
def test_both_ends_belong_to_the_window(at_s):
    assert one(fall(), alert(at_s)).ok


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([], "nothing was said in the window"),
        ([alert(14.5)], "'The person fell.' at 14.5 s is 0.5 s too late"),
        ([alert(7.0)], "'The person fell.' at 7 s is 3 s too early"),
        ([alert(2.0), alert(16.0)], "'The person fell.' at 16 s is 2 s too late"),
        ([alert(12.0, "A cat.")], "'A cat.' at 12 s lacks the word 'fell'"),
        ([answer(12.0, "He fell.")], "nothing was said in the window"),
        ([alert(12.0, "He fell.", "Tell me about cats")], "nothing was said in the window"),
    ],
)
def test_a_miss_tells_what_comes_nearest(said, reason):
    result = one(fall(), *said)
    assert (result.state, result.reason) == (State.MISSED, reason)


def test_the_question_is_compared_by_its_words():
    rule = Rule("expect[0]", "alert", "warn me if the person FALLS", 10, 14)
    assert one(rule, alert(12.0)).ok


def test_words_meet_one_expectation_only():
    both = fall(10, 14, where="expect[0]"), fall(9, 15, where="expect[1]")
    verdict = judge(Expectations(both), run_of(alert(12.0)))
    first, second, alarms = verdict.results
    assert first.ok and second.state is State.MISSED and alarms.ok
    assert second.reason == "'The person fell.' at 12 s meets expect[0] already"


def test_as_many_expectations_as_possible_are_met():
    """The first could take either words; the second can take only the earlier ones."""
    both = fall(10, 20, where="expect[0]"), fall(10, 12, where="expect[1]")
    verdict = judge(Expectations(both), run_of(alert(11.0), alert(18.0)))
    assert verdict.ok
    assert [r.spoken.at_s for r in verdict.results[:2]] == [18.0, 11.0]


def test_alerts_without_an_expectation_are_false_alarms_and_answers_are_not():
    said = [alert(12.0), alert(20.0, "A cat."), alert(21.0, "A dog."), answer(2.0, "A cup.")]
    for most, state in ((0, State.FALSE_ALARM), (1, State.FALSE_ALARM), (2, State.MET)):
        verdict = judge(Expectations((fall(),), most_false_alarms=most), run_of(*said))
        assert verdict.results[-1].state is state
        assert [s.text for s in verdict.false_alarms] == ["A cat.", "A dog."]
    verdict = judge(Expectations((fall(),), most_false_alarms=1), run_of(*said))
    assert verdict.results[-1].reason == (
        "2 alerts meet no expectation: 'A cat.' at 20 s, 'A dog.' at 21 s"
    )
    assert str(verdict) == "1 of 2 expectations met: 1 false alarm"
    assert judge(Expectations((fall(),), most_false_alarms=None), run_of(*said)).ok


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (Rule("forbidden[0]", content=Content(("fell",))), True),  # though it is expected
        (Rule("forbidden[0]", content=Content((), "fell|cup")), True),
        (Rule("forbidden[0]", content=Content(("cup",))), True),
        (Rule("forbidden[0]", "alert", content=Content(("cup",))), False),
        (Rule("forbidden[0]", "answer", content=Content(("fell",))), False),
        (Rule("forbidden[0]", None, "any", 13.0, 20.0), False),
        (Rule("forbidden[0]", None, "any", 12.0, 20.0), True),
        (Rule("forbidden[0]", content=Content(("fire",))), False),
    ],
)
def test_forbidden_words_are_looked_for_in_everything(rule, found):
    said = alert(12.0), answer(2.0, "A cup.")
    verdict = judge(Expectations((fall(),), (rule,)), run_of(*said))
    assert verdict.results[0].ok
    assert verdict.results[1].state is (State.FORBIDDEN if found else State.MET)


def test_a_window_behind_the_end_of_the_bag_is_named():
    rule = Rule("forbidden[0]", None, "any", 40.0, 50.0, Content(("fire",)))
    verdict = judge(Expectations((fall(31, 35),), (rule,)), run_of())
    assert [r.state for r in verdict.results[:2]] == [State.INVALID] * 2
    assert verdict.results[0].reason == (
        "the window begins at 31 s, behind the end of the bag at 30 s"
    )


def test_a_question_that_nobody_asked_is_named():
    typo = Rule("expect[0]", "answer", "What is their?")
    result = one(typo)
    assert (result.state, result.reason) == (
        State.INVALID,
        "this question was not asked; did you mean 'What is there?'?",
    )
    assert one(Rule("expect[0]", "answer", "Zzz")).reason == (
        "this question was not asked, neither in the bag nor under ask; asked were"
        f" '{FALL}', 'What is there?'"
    )
    never = Expectations((), (Rule("forbidden[0]", "alert", "Zzz"),))
    assert judge(never, run_of()).results[0].state is State.INVALID


def test_problems_of_the_replay_fail_it():
    verdict = judge(Expectations(), run_of(problems=("chunk 3 is lost: no memory",)))
    assert [r.state for r in verdict.results] == [State.MET, State.INVALID]
    assert verdict.results[1].reason == "chunk 3 is lost: no memory"


choices = st.lists(st.lists(st.integers(0, 5), unique=True, max_size=4).map(sorted), max_size=5)


def every_assignment(options):
    """All assignments, as tuples with a thing or None for each taker."""
    if not options:
        yield ()
        return
    for rest in every_assignment(options[:-1]):
        yield (*rest, None)
        for thing in options[-1]:
            if thing not in rest:
                yield (*rest, thing)


@given(choices)
def test_the_assignment_is_the_one_that_the_docstring_names(options):
    def rank(a):
        served = [i for i, thing in enumerate(a) if thing is not None]
        return (-len(served), served, [options[i].index(a[i]) for i in served])

    best = min(every_assignment(options), key=rank)
    assert assign(options) == {i: thing for i, thing in enumerate(best) if thing is not None}


def test_a_long_chain_is_assigned():
    """Each taker must move for the next one; regression for recursion and for cubic time."""
    options = [[i, i + 1] for i in range(1500)] + [[0]]
    assert len(assign(options)) == 1501


times = st.integers(0, 20).map(float)
spoken = st.builds(
    Spoken,
    times,
    st.sampled_from(["a cup", "a cat", "a cup and a cat"]),
    st.booleans(),
    st.sampled_from([(), ("q",), ("w",), ("q", "w")]),
)
ruled = st.builds(
    lambda kind, to, a, b, words: Rule("r", kind, to, min(a, b), max(a, b), Content(words)),
    st.sampled_from(["answer", "alert"]),
    st.sampled_from(["any", "q", "w"]),
    times,
    times,
    st.sampled_from([(), ("cup",), ("cat",)]),
)
RUN_ASKED = (AskedAt(0.0, "q"), AskedAt(0.0, "w"))


@given(st.lists(ruled, max_size=4), st.lists(spoken, max_size=5), st.randoms())
def test_the_verdict_is_sound_and_does_not_depend_on_the_order_of_the_words(wanted, said, random):
    expectations = Expectations(tuple(wanted), most_false_alarms=1)
    verdict = judge(expectations, Run(tuple(said), RUN_ASKED, 20.0))
    met = [r for r in verdict.results[:-1] if r.ok]
    assert all(fits(r.rule, r.spoken) for r in met)
    used = [r.spoken for r in met]
    assert all(used.count(s) <= said.count(s) for s in used)
    alarms = sum(s.alert for s in said) - sum(s.alert for s in used)
    assert len(verdict.false_alarms) == alarms
    shuffled = list(said)
    random.shuffle(shuffled)
    assert judge(expectations, Run(tuple(shuffled), RUN_ASKED, 20.0)) == verdict


@given(st.lists(ruled, max_size=3), st.lists(spoken, max_size=4))
def test_the_number_of_met_expectations_does_not_depend_on_their_order(wanted, said):
    run = Run(tuple(said), RUN_ASKED, 20.0)
    counts = {
        sum(r.ok for r in judge(Expectations(tuple(p), most_false_alarms=None), run).results)
        for p in permutations(wanted)
    }
    assert len(counts) == 1


@given(st.lists(ruled, max_size=4), st.lists(spoken, max_size=5), spoken)
def test_one_more_word_never_unmeets_an_expectation(wanted, said, more):
    expectations = Expectations(tuple(wanted), most_false_alarms=None)
    before = judge(expectations, Run(tuple(said), RUN_ASKED, 20.0))
    after = judge(expectations, Run((*said, more), RUN_ASKED, 20.0))
    assert all(b.ok <= a.ok for b, a in zip(before.results, after.results, strict=True))
