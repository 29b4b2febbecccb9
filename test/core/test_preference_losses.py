"""DPO and GRPO against their formulas, written out in plain floats, and against numbers by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aura_core.training.preference.dpo import dpo_losses  # noqa: E402
from aura_core.training.preference.grpo import advantages, grpo_loss  # noqa: E402
from aura_core.training.preference.pairs import (  # noqa: E402
    MOST,
    SILENT,
    SPEAK,
    WORDS,
    Pair,
    balanced,
    pairs_of,
)
from aura_core.training.preference.rollouts import Choice, Output  # noqa: E402

# Everything is float64; sums of a hundred numbers differ by some 1e-14 of their size.
EXACT = 1e-12


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_dpo_by_hand() -> None:
    """beta = 0.5, log ratios +0.5 and -1.0: -log sigmoid(0.5 * 1.5) = log(1 + e^-0.75)."""
    loss = dpo_losses(t(-1.0), t(-2.0), t(-1.5), t(-1.0), 0.5)
    assert float(loss) == pytest.approx(0.386871, abs=1e-6)
    nothing_learned = dpo_losses(t(-3.0), t(-0.2), t(-3.0), t(-0.2), 0.1)
    assert float(nothing_learned) == pytest.approx(math.log(2.0), rel=EXACT)


def test_dpo_equals_its_formula() -> None:
    rng = np.random.default_rng(1)
    w, worse, rw, rl = rng.normal(-4.0, 3.0, (4, 7))
    wanted = [
        -math.log(1 / (1 + math.exp(-0.3 * ((a - c) - (b - d)))))
        for a, b, c, d in zip(w, worse, rw, rl, strict=True)
    ]
    losses = dpo_losses(*(torch.from_numpy(x) for x in (w, worse, rw, rl)), 0.3)
    assert losses.tolist() == pytest.approx(wanted, rel=EXACT)


def test_the_gradient_of_dpo_is_that_of_the_paper() -> None:
    """beta * sigmoid(-beta * gained), up for the better turn and down for the worse one."""
    w, worse = t(-1.0).requires_grad_(), t(-2.0).requires_grad_()
    dpo_losses(w, worse, t(-1.5), t(-1.0), 0.5).sum().backward()
    size = 0.5 / (1 + math.exp(0.75))
    assert float(w.grad) == pytest.approx(-size, rel=EXACT)
    assert float(worse.grad) == pytest.approx(size, rel=EXACT)


def test_advantages_by_hand() -> None:
    """One of four is worth 1: mean 1/4, std sqrt(3)/4."""
    a = advantages(t(1.0, 0.0), t(1.0, 3.0))
    assert a.tolist() == pytest.approx([math.sqrt(3.0), -1 / math.sqrt(3.0)], rel=EXACT)


def test_a_turn_that_was_not_sampled_changes_no_advantage() -> None:
    with_it = advantages(t(1.0, 0.0, -50.0), t(1.0, 3.0, 0.0))
    assert with_it[:2].tolist() == advantages(t(1.0, 0.0), t(1.0, 3.0)).tolist()


def test_equal_rewards_give_no_advantage_whatever_the_rounding() -> None:
    """Regression of its kind: a third is no binary number, so the mean differs from its parts."""
    a = advantages(torch.full((3,), 1 / 3), torch.tensor([5.0, 5.0, 6.0]))
    assert a.tolist() == [0.0, 0.0, 0.0]


def paper(turns, rewards, eps, beta):
    """Equations 3 and 4 over G turns, each a list of (log pi, log old, log ref) of its tokens."""
    mean = sum(rewards) / len(rewards)
    std = math.sqrt(sum((r - mean) ** 2 for r in rewards) / len(rewards))
    j = 0.0
    for turn, reward in zip(turns, rewards, strict=True):
        a = (reward - mean) / std
        inner = 0.0
        for pi, old, ref in turn:
            r = math.exp(pi - old)
            d = math.exp(ref - pi) - (ref - pi) - 1
            inner += min(r * a, min(max(r, 1 - eps), 1 + eps) * a) - beta * d
        j += inner / len(turn)
    return j / len(turns)


def test_grpo_equals_its_formula_turn_by_turn() -> None:
    rng = np.random.default_rng(2)
    lengths, counts, rewards = (1, 4, 2), (5, 2, 1), (0.0, 1.0, -1.0)
    turns = [[tuple(rng.normal(-1.0, 0.4, 3)) for _ in range(n)] for n in lengths]
    sampled = [turns[i] for i, n in enumerate(counts) for _ in range(n)]
    given = [rewards[i] for i, n in enumerate(counts) for _ in range(n)]
    wanted = paper(sampled, given, 0.2, 0.5)
    pi, old, ref = (t(*(token[k] for turn in turns for token in turn)) for k in range(3))
    owner = torch.tensor([i for i, n in enumerate(lengths) for _ in range(n)])
    count = t(*map(float, counts))
    a = advantages(t(*rewards), count)
    loss = grpo_loss(pi, old, ref, owner, a, count / count.sum(), 0.2, 0.5)
    assert float(loss) == pytest.approx(-wanted, rel=EXACT)


def test_grpo_by_hand() -> None:
    """Silence (7 of 8, worth 0) and a word (worth 1), pi = old = ref: each ratio is 1, D is 0.

    J is the mean advantage, 0. Its gradient is share * A: of the word 1/8 * sqrt(7).
    """
    pi = t(math.log(0.875), math.log(0.125)).requires_grad_()
    count = t(7.0, 1.0)
    a = advantages(t(0.0, 1.0), count)
    before = pi.detach()
    loss = grpo_loss(pi, before, before, torch.tensor([0, 1]), a, count / 8, 0.2, 0.04)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.0, abs=EXACT)
    assert pi.grad.tolist() == pytest.approx([math.sqrt(7.0) / 8, -math.sqrt(7.0) / 8], rel=EXACT)


def test_a_clipped_ratio_teaches_nothing_more() -> None:
    """r = 1.5 with A > 0 is beyond 1.2; with A < 0 the minimum is the unclipped one."""
    for a, learns in ((1.0, False), (-1.0, True)):
        pi = t(math.log(0.6)).requires_grad_()
        old = t(math.log(0.4))
        owner, share = torch.tensor([0]), t(1.0)
        grpo_loss(pi, old, old, owner, t(a), share, 0.2, 0.0).backward()
        assert (float(pi.grad) != 0.0) == learns


def output(ids, reward, log_p=-1.0):
    return Output(ids, True, reward, 0, log_p)


def test_pairs_are_of_one_prefix_and_go_by_the_reward() -> None:
    choice = Choice(3, 40, 0.5, (output((), -1.0), output((5,), 1.0), output((6,), -0.2)))
    assert pairs_of(choice, 0.5, 5.0) == [Pair(1, 0, SPEAK), Pair(1, 2, WORDS)]
    alarm = Choice(3, 40, 0.5, (output((), 0.0), output((5,), -1.0)))
    assert pairs_of(alarm, 0.5, 5.0) == [Pair(0, 1, SILENT)]
    late = Choice(3, 40, 0.5, (output((), 0.7), output((5,), 1.0)))
    assert pairs_of(late, 0.5, 5.0) == []


def test_what_the_model_knows_already_is_no_pair() -> None:
    for log_p, pairs in ((-0.1, 0), (-5.0, 1), (math.nan, 1)):
        choice = Choice(3, 40, 0.5, (output((), -1.0, -5.2), output((5,), 1.0, log_p)))
        assert len(pairs_of(choice, 0.5, 5.0)) == pairs, log_p


def test_speaking_and_silence_weigh_the_same_together() -> None:
    kinds = [SPEAK] * 2 + [SILENT] * 6 + [WORDS]
    weights = balanced(kinds)
    assert sum(weights[:2]) == pytest.approx(sum(weights[2:8])) == pytest.approx(4.0)
    assert weights[8] == 1.0
    assert max(balanced([SPEAK] + [SILENT] * 100)) == MOST
    assert balanced([SILENT] * 3) == [1.0] * 3
