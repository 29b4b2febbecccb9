"""A model that is continued follows a teacher on what it could do before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from aura_core.training.tiny import model as tiny  # noqa: E402
from aura_core.training.tiny.batches import CONTINUED, Drawer, on  # noqa: E402
from aura_core.training.tiny.checkpoint import known  # noqa: E402
from aura_core.training.tiny.forward import logits_of  # noqa: E402
from aura_core.training.tiny.language import followed  # noqa: E402
from aura_core.training.tiny.store import CHUNKS  # noqa: E402
from aura_core.training.tiny.teacher import (  # noqa: E402
    Teacher,
    conversations_of,
    divergence,
    open_teacher,
)


@pytest.fixture(scope="module")
def model():
    return tiny.build_model(3)[0]


@pytest.fixture(scope="module")
def batch():
    """One with branches, and sequences of several lengths."""
    drawn = Drawer(tiny.codec(tiny.build_tokenizer()), 1000, CONTINUED)
    batches = drawn(np.random.default_rng(5), np.arange(8), 0.0)
    return on(next(b for b in batches if b["branch"].any(1).all() and len(b["ids"]) > 1), "cpu")


@pytest.fixture(scope="module")
def bank():
    return torch.randn(8 * CHUNKS, 12, 384, generator=torch.Generator().manual_seed(1))


def test_conversations_without_their_branches_have_the_same_logits(model, batch, bank) -> None:
    mine, alone = conversations_of(batch)
    assert alone.ids.shape[1] < batch.ids.shape[1] and 0 < int(mine.sum()) < len(mine)
    with torch.no_grad():
        whole, short = logits_of(model, batch, bank)[0], logits_of(model, alone, bank)[0]
    assert torch.allclose(whole[mine], short, atol=1e-4)


def test_a_model_that_is_its_own_teacher_is_not_moved(model, batch, bank) -> None:
    model.requires_grad_(False)
    logits = logits_of(model, batch, bank)[0].requires_grad_(True)
    none = torch.zeros(logits.shape[1], dtype=torch.bool)
    apart = followed(Teacher(model, none), batch, bank, logits, "balanced_all")
    apart.backward()
    assert abs(apart.item()) < 1e-5 and float(logits.grad.abs().max()) < 1e-5


def test_a_teacher_counts_only_where_it_is_right() -> None:
    logits = torch.zeros(2, 3)
    taught = torch.tensor([[4.0, 0.0, float("-inf")], [0.0, 0.0, 4.0]])
    p = taught[0, :2].softmax(-1)
    wanted = float((p * (p.log() - torch.tensor(1 / 3).log())).sum())
    right, both = torch.tensor([0, 0]), torch.tensor([0, 2])
    weight = torch.tensor([2.0, 1.0])
    assert float(divergence(logits, taught, right, weight)) == pytest.approx(2 * wanted, rel=1e-5)
    assert float(divergence(logits, taught, both, weight)) > 2 * wanted + 0.1
    assert float(divergence(logits, taught, torch.tensor([1, 0]), weight)) == 0.0


def test_words_that_the_teacher_never_learned_move_nothing() -> None:
    logits = torch.tensor([[0.0, 1.0, -200.0]], requires_grad=True)
    taught = torch.tensor([[0.0, 1.0, float("-inf")]])
    apart = divergence(logits, taught, torch.tensor([1]), torch.ones(1))
    apart.backward()
    assert bool(torch.isfinite(logits.grad).all()) and abs(apart.item()) < 1e-6


def test_a_teacher_of_fewer_words_is_opened(tmp_path: Path) -> None:
    small, tokenizer = tiny.build_model(0)
    tiny.save(small, tokenizer, tmp_path)
    words = {**known(tmp_path), "brand-new": len(tokenizer)}
    teacher = open_teacher(tmp_path, words)
    assert not teacher._unknown[list(known(tmp_path).values())].any()
    assert bool(teacher._unknown[len(tokenizer)])
