"""Ablations: both arms get the same batches, and nothing but the loss differs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from aura_core.config import GenerationConfig, ModelConfig  # noqa: E402
from aura_core.errors import ConfigError  # noqa: E402
from aura_core.models import load  # noqa: E402
from aura_core.stream.prompt import PromptCodec  # noqa: E402
from aura_core.training.tiny import ablation  # noqa: E402
from aura_core.training.tiny.language import WIDTH  # noqa: E402
from aura_core.training.tiny.store import CHUNKS, HELD  # noqa: E402
from aura_core.training.tiny.targets import TOKENS  # noqa: E402


@pytest.fixture
def seen():
    """The towers whose features were made, in order."""
    return []


@pytest.fixture
def small(monkeypatch, seen):
    """Four rooms of noise instead of rendered ones, and episodes of six seconds with short answers:
    a model that was hardly trained never ends one."""

    def noise(visual, budget):
        seen.append(float(sum(p.sum() for p in visual.parameters())))
        rng = torch.Generator().manual_seed(0)
        chunks = (HELD + budget.worlds) * CHUNKS
        return 0.3 * torch.randn((chunks, TOKENS, 2 * WIDTH), generator=rng).half()

    monkeypatch.setattr(ablation, "features", noise)
    played = ablation.evaluate

    def short(backend, seeds, config):
        brief = replace(config, generation=GenerationConfig(max_new_tokens=4))
        return played(backend, seeds, brief, seconds=6)

    monkeypatch.setattr(ablation, "evaluate", short)
    return ablation.Budget(steps=2, tokens=600, worlds=4, episodes=1)


@pytest.mark.slow
def test_both_arms_of_an_ablation_spend_the_same_budget(small, tmp_path):
    told = ablation.ablate("loss", "aura_tiny", tmp_path, small)
    arms = told["arms"]
    assert list(arms) == ["plain", "balanced"]
    assert arms["plain"]["tokens"] == arms["balanced"]["tokens"] > 0
    assert arms["plain"]["loss"] != arms["balanced"]["loss"]
    assert {"proactive", "realtime", "multi"} <= arms["plain"]["sim"].keys()
    json.dumps(told)
    (plain,) = tmp_path.glob("arm-plain-*.json")
    plain.write_text(json.dumps({"asked": {"model": "x"}}))  # of another budget: run again
    assert (
        ablation.ablate("last-only", "aura_tiny", tmp_path, small)["arms"]["balanced"]
        == arms["balanced"]
    )


def test_the_batches_are_the_same_and_know_their_turns(small):
    backend = load(ModelConfig("aura_tiny", device="cpu"))
    codec = PromptCodec(backend.tokenizer, backend.chat)
    one, other = (next(ablation.batches(codec, small)) for _ in range(2))
    assert torch.equal(one.ids, other.ids) and torch.equal(one.at, other.at)
    s = one.supervised
    assert not s.hard.any() and not s.event.any()
    for turn in s.turn.unique():
        of = s.turn == turn
        assert len(s.row[of].unique()) == 1 and (int(of.sum()) == 1) == bool(s.silent[of].all())
        assert bool(s.silent[of].all()) or int(s.target[of][-1]) == backend.chat.end_id


def test_an_unknown_ablation_is_refused(tmp_path):
    with pytest.raises(
        ConfigError, match="--what must be one of loss, last-only, window, not 'size'"
    ):
        ablation.ablate("size", "aura_tiny", tmp_path, ablation.Budget())


@pytest.mark.slow
def test_another_model_is_not_trained_on_the_first_ones_features(small, seen, tmp_path):
    """Regression: a second model in the same folder, or at the same path, got old features.

    They were those of the first vision tower, and a finished arm was taken from it, too.
    """
    from safetensors.torch import load_file, save_file

    from aura_core.models import AURA_TINY

    folder, work = tmp_path / "model", tmp_path / "work"
    shutil.copytree(AURA_TINY, folder)
    first = ablation.ablate("loss", str(folder), work, small)
    weights = load_file(folder / "model.safetensors")
    name = next(n for n in weights if "visual" in n)
    save_file(weights | {name: weights[name] + 1}, folder / "model.safetensors", {"format": "pt"})
    second = ablation.ablate("loss", str(folder), work, small)
    assert len(seen) == len(set(seen)) == 2 and len(list(work.glob("arm-*.json"))) == 4
    # done, and kept
    assert ablation.ablate("loss", str(folder), work, small) == second and len(seen) == 2
    shutil.copyfile(AURA_TINY / "model.safetensors", folder / "model.safetensors")
    assert ablation.ablate("loss", str(folder), work, small) == first and len(seen) == 2
