"""The reward of a conversation: right second, right words, no false alarm."""

from __future__ import annotations

import pytest

from aura_core.evaluation.scoring import Said
from aura_core.sim.episode import NOTHING, Due, Episode
from aura_core.training.preference.reward import WORTH, worth


@pytest.fixture(scope="module")
def episode():
    """Nothing is asked; words are due in second 10, and again in second 20."""
    plain = Episode.generate(1000, 30, NOTHING)
    dues = (Due(10, "the cat came in", ("s1",)), Due(20, "the door opened", ("s1",)))
    return Episode(plain.world, (), dues)


def words(chunk, text="the cat came in"):
    return Said(chunk, text, None)


def test_right_words_in_the_right_second_are_worth_one(episode) -> None:
    assert worth(episode, [words(10)], 13) == 1.0


def test_a_second_early_or_late_is_worth_less_but_more_than_nothing(episode) -> None:
    early, late = worth(episode, [words(9)], 13), worth(episode, [words(11)], 13)
    assert early == late == pytest.approx(1.0 - WORTH.off_by_one)


def test_other_words_are_worth_less_than_the_true_ones_and_more_than_silence(episode) -> None:
    other = worth(episode, [words(10, "the cat went out")], 13)
    assert worth(episode, [], 13) < other < worth(episode, [words(10)], 13)


def test_an_event_is_missed_once_it_cannot_be_told_in_time_any_more(episode) -> None:
    assert worth(episode, [], 10) == worth(episode, [], 11) == 0.0
    assert worth(episode, [], 12) == -WORTH.missed


def test_a_false_alarm_costs(episode) -> None:
    assert worth(episode, [words(5)], 8) == -WORTH.alarm
    twice = worth(episode, [words(10), words(11)], 13)
    assert twice == 1.0 - WORTH.alarm


def test_late_words_are_a_miss_and_a_false_alarm(episode) -> None:
    assert worth(episode, [words(13)], 16) == -WORTH.missed - WORTH.alarm


def test_only_the_turn_that_differs_makes_the_difference(episode) -> None:
    """What was said before is in both conversations."""
    before = [words(3), words(10)]
    told = worth(episode, [*before, words(20, "the door opened")], 23)
    assert told - worth(episode, before, 23) == 1.0 + WORTH.missed
