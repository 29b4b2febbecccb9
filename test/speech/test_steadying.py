"""How much sound a device holds after it has stuttered."""

from __future__ import annotations

import pytest

from aura_core.speech.steadying import MOST_S, STUTTERS, WITHIN_S, Steadying


def times(steadying: Steadying, at: list[float]) -> Steadying:
    for t in at:
        steadying.stuttered(t)
    return steadying


def test_stutters_in_a_short_while_want_more_and_rare_ones_do_not() -> None:
    assert times(Steadying(), [0.0, 4.0, WITHIN_S]).wants_more()
    assert not times(Steadying(), [0.0, 4.0, WITHIN_S + 0.1]).wants_more()
    assert not times(Steadying(), [0.0] * (STUTTERS - 1)).wants_more()


@pytest.mark.parametrize("held", [0.002, 0.03, 0.1, 0.5])
def test_it_ends_at_the_most_and_each_step_asks_for_stutters_again(held: float) -> None:
    steadying, chosen = Steadying(), []
    while times(steadying, [1.0] * STUTTERS).wants_more():
        chosen.append(steadying.more(held))
        assert not steadying.wants_more()
        held = chosen[-1]
    assert chosen == sorted(set(chosen)) and chosen[-1] == MOST_S
    assert steadying.chosen_s == MOST_S


def test_what_the_user_has_set_stays() -> None:
    steadying = times(Steadying(0.01), [1.0] * 9)
    assert not steadying.wants_more()
    assert (steadying.latency_s, steadying.chosen_s) == (0.01, 0.0)
