"""Each loss against its formula, written out token by token."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aura_core.errors import ConfigError  # noqa: E402
from aura_core.training.loss import (  # noqa: E402
    LOSSES,
    Supervised,
    balanced_loss,
    first_of_turn,
    loss_of,
    plain_loss,
    weighting,
)

# Logits and losses are float64 here; the weights are float32, each rounded by 2^-25 of its size.
ROUNDING = 2**-24
# And their sums, which are divisors: up to 80 of them are added in float32.
SUMS = 80 * 2**-24


def batch(seed=0, rows=4, vocabulary=7):
    """Return (logits, supervised, answers) of random turns.

    Silent turns have one token, and answers have one to four.
    """
    rng = np.random.default_rng(seed)
    row, turn, silent, hard, event, answers = [], [], [], [], [], []
    for r in range(rows):
        spoken = rng.random(9) < 0.35 if r else np.zeros(9, bool)  # the first row says nothing
        answers.append(int(spoken.sum()))
        for t, speaks in enumerate(spoken):
            n = int(rng.integers(1, 5)) if speaks else 1
            row += [r] * n
            turn += [t] * n
            silent += [not speaks] * n
            hard += [not speaks and rng.random() < 0.3] * n
            event += [i == 0 and rng.random() < 0.3 for i in range(n)]
    logits = torch.from_numpy(rng.normal(size=(len(row), vocabulary)))
    target = torch.from_numpy(rng.integers(0, vocabulary, len(row)))
    flags = (torch.tensor(f) for f in (silent, hard, event))
    return (
        logits,
        Supervised(torch.tensor(row), target, *flags, torch.tensor(turn)),
        torch.tensor(answers),
    )


def log_p(logits, s, i):
    p = [math.exp(float(v)) for v in logits[i]]
    return math.log(p[int(s.target[i])] / sum(p))


def paper(logits, s, rows):
    """Return L = -(1/sum m_t) sum m_t w_t log p(y_t) (AURA, arXiv 2604.04184).

    m_t is 1 on silent turns and the last answer; w_t is 1/N_silent on silence, else 1.
    """
    total, count = 0.0, 0
    for i in range(len(s.target)):
        mine = [j for j in range(len(s.target)) if s.row[j] == s.row[i]]
        if s.silent[i]:
            m, w = 1, 1 / sum(bool(s.silent[j]) for j in mine)
        else:
            m, w = int(s.turn[i] == max(int(s.turn[j]) for j in mine if not s.silent[j])), 1.0
        total -= m * w * log_p(logits, s, i)
        count += m
    return total / count


def harness(logits, s):
    """Return the weighted mean of the Streaming Harness (arXiv 2606.08615).

    The weights are: first silence 1, repeated silence 0.8, first token of a response 1.5, other 1.
    """
    quiet = {(int(r), int(t)) for r, t, q in zip(s.row, s.turn, s.silent, strict=True) if q}
    total = weight = 0.0
    for i in range(len(s.target)):
        here, before = ((int(s.row[i]), int(s.turn[i]) - d) for d in (0, 1))
        if s.silent[i]:
            w = 0.8 if before in quiet else 1.0
        else:
            w = 1.0 if i and here == (int(s.row[i - 1]), int(s.turn[i - 1])) else 1.5
        total -= w * log_p(logits, s, i)
        weight += w
    return total / weight


@pytest.mark.parametrize("seed", range(5))
def test_each_loss_equals_its_formula(seed):
    logits, s, answers = batch(seed)
    rows = len(answers)
    assert float(loss_of("balanced", logits, s, rows, answers)) == pytest.approx(
        paper(logits, s, rows), rel=ROUNDING
    )
    assert float(loss_of("harness", logits, s, rows, answers)) == pytest.approx(
        harness(logits, s), rel=SUMS
    )
    mean = -sum(log_p(logits, s, i) for i in range(len(s.target))) / len(s.target)
    assert float(loss_of("plain", logits, s, rows, answers)) == pytest.approx(mean, rel=ROUNDING)


def test_the_names_give_what_the_functions_of_the_embedded_recipe_give():
    logits, s, answers = batch()
    assert torch.equal(
        loss_of("balanced_all", logits, s, 4, answers), balanced_loss(logits, s, 4, answers)
    )
    assert float(loss_of("plain", logits, s, 4, answers)) == pytest.approx(
        float(plain_loss(logits, s)), rel=ROUNDING
    )


def test_all_silence_of_a_sequence_weighs_as_much_as_one_word():
    _, s, answers = batch(3)
    w, total = weighting("balanced", s, 4, answers)
    for row in range(4):
        assert float(w[(s.row == row) & s.silent].sum()) == pytest.approx(1.0)
    assert float(total) == float((w > 0).sum())


def test_earlier_answers_teach_nothing():
    """The evidence of earlier answers may have left the window.

    A model that is trained on them would learn to invent answers.
    """
    _, s, answers = batch(3)
    w, _ = weighting("balanced", s, 4, answers)
    last = {
        int(r): max(int(t) for t in s.turn[(s.row == r) & ~s.silent])
        for r in s.row[~s.silent].unique()
    }
    earlier = torch.tensor(
        [not q and int(t) < last[int(r)] for r, t, q in zip(s.row, s.turn, s.silent, strict=True)]
    )
    assert earlier.any() and not w[earlier].any()


def test_parts_of_a_batch_add_up():
    """The sums and divisors of two halves give the loss of the whole."""
    logits, s, answers = batch(1)
    for name in LOSSES:
        top = bottom = 0.0
        for rows in ((0, 1), (2, 3)):
            mine = (s.row == rows[0]) | (s.row == rows[1])
            part = Supervised(
                s.row[mine] - rows[0],
                *(v[mine] for v in (s.target, s.silent, s.hard, s.event, s.turn)),
            )
            w, total = weighting(name, part, 2, answers[list(rows)])
            losses = torch.nn.functional.cross_entropy(logits[mine], part.target, reduction="none")
            top, bottom = top + float((w * losses).sum()), bottom + float(total)
        assert top / bottom == pytest.approx(
            float(loss_of(name, logits, s, 4, answers)), rel=SUMS
        ), name


def test_the_first_token_of_a_turn():
    one = torch.zeros(5, dtype=torch.bool)
    s = Supervised(
        torch.tensor([0, 0, 0, 1, 1]),
        torch.zeros(5).long(),
        one,
        one,
        one,
        torch.tensor([0, 1, 1, 1, 2]),
    )
    assert first_of_turn(s).tolist() == [True, True, False, True, True]


def test_an_unknown_name_and_missing_turns_are_refused():
    _, s, answers = batch()
    with pytest.raises(ConfigError, match="balanced, balanced_all, plain, harness, not 'focal'"):
        weighting("focal", s, 4, answers)
    bare = Supervised(s.row, s.target, s.silent, s.hard, s.event)
    assert float(weighting("balanced_all", bare, 4, answers)[1]) == len(s.row)
    with pytest.raises(ConfigError, match="turn"):
        weighting("balanced", bare, 4, answers)


@pytest.mark.parametrize("name", LOSSES)
def test_what_must_not_be_supervised_is_as_if_it_were_not_there(name):
    """Such tokens have no weight, and are in no divisor.

    `balanced` keeps all silence, and leaves out such answers alone.
    """
    logits, s, _ = batch(2)
    turns = s.row * 9 + s.turn
    kept = torch.from_numpy(np.random.default_rng(0).random(int(turns.max()) + 1) < 0.6)[turns]
    answers = torch.tensor(
        [len(s.turn[(s.row == r) & kept & ~s.silent].unique()) for r in range(4)]
    )
    masked = Supervised(s.row, s.target, s.silent, s.hard, s.event, s.turn, kept)
    loss = loss_of(name, logits, masked, 4, answers)
    if name == "balanced":
        w, _ = weighting(name, s, 4, answers)
        left = kept | s.silent
        assert bool((w[~left] > 0).any())
        losses = torch.nn.functional.cross_entropy(logits, s.target, reduction="none")
        expected = (w * losses)[left].sum() / (w[left] > 0).sum()
        assert float(loss) == pytest.approx(float(expected), rel=SUMS)
        return
    if name == "harness":  # silence also counts as repeated after a silence that is only context
        w, _ = weighting(name, s, 4, answers)
        losses = torch.nn.functional.cross_entropy(logits, s.target, reduction="none")
        expected = (w * losses)[kept].sum() / w[kept].sum()
    else:
        left = Supervised(*(v[kept] for v in (s.row, s.target, s.silent, s.hard, s.event, s.turn)))
        expected = loss_of(name, logits[kept], left, 4, answers)
    assert float(loss) == pytest.approx(float(expected), rel=SUMS)
    assert float(loss) != pytest.approx(float(loss_of(name, logits, s, 4, answers)), abs=1e-3)
