"""The loop on the embedded model: what it moves, what it writes, what it refuses."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace

import checkpoints
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import load_file  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from aura_core.cli import app  # noqa: E402
from aura_core.config import ModelConfig  # noqa: E402
from aura_core.errors import ConfigError, ModelError  # noqa: E402
from aura_core.models import checkpoint, load  # noqa: E402
from aura_core.training.preference import trainer as module  # noqa: E402
from aura_core.training.preference.lessons import OBJECTIVES  # noqa: E402
from aura_core.training.preference.saving import save, stored_dtype  # noqa: E402
from aura_core.training.preference.settings import PreferenceRecipe  # noqa: E402
from aura_core.training.preference.trainer import PreferenceTrainer, divergence  # noqa: E402

QUICK = PreferenceRecipe(
    rooms=2, seconds=40, least=1e-9, margin=60.0, batch=4, group=4, epochs=1, lr=1e-4
)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A trainer after the rollouts of one round of DPO, and its lessons."""
    out = tmp_path_factory.mktemp("dpo")
    trainer = PreferenceTrainer(QUICK, out)
    return trainer, trainer.collect()


def weights(model):
    return {k: v.detach().clone() for k, v in model.state_dict().items()}


def margins(trainer, lessons):
    """log pi of the better turn minus that of the worse one, of all pairs."""
    objective = OBJECTIVES["dpo"](lessons, trainer.recipe)
    out = []
    for lesson in lessons:
        with torch.no_grad():
            told, _ = module.predicted(trainer.family, trainer.model, lesson.row, trainer._silent)
        total = torch.zeros(len(lesson.row.outputs)).index_add(0, lesson.row.owner, told)
        out += [float(total[p.chosen] - total[p.rejected]) for p in objective._pairs[id(lesson)]]
    return out


def test_the_first_loss_is_that_of_a_model_that_has_learned_nothing(taught) -> None:
    """pi is ref, so each pair loses log 2, and no anchor has moved."""
    trainer, lessons = taught
    objective = OBJECTIVES["dpo"](lessons, trainer.recipe)
    n = sum(map(objective.number, lessons))
    assert n >= 4
    for lesson in lessons:
        log_p, told = module.predicted(trainer.family, trainer.model, lesson.row, trainer._silent)
        weight = sum(objective._weight[p.kind] for p in objective._pairs[id(lesson)])
        assert float(objective(lesson, log_p).detach()) == pytest.approx(
            weight * math.log(2), rel=1e-5
        )
        assert abs(float(divergence(lesson.taught, told).detach())) < 1e-3


def test_updates_move_the_language_model_towards_the_better_turns_alone(taught) -> None:
    trainer, lessons = taught
    before, was = weights(trainer.model), margins(trainer, lessons)
    objective = OBJECTIVES["dpo"](lessons, trainer.recipe)
    trainer._begun = module.time.monotonic()
    for _ in range(6):
        trainer.update(lessons, objective)
    after, now = weights(trainer.model), margins(trainer, lessons)
    assert sum(now) > sum(was)
    moved = {k for k in before if not torch.equal(before[k], after[k])}
    assert moved and not any(".visual." in k for k in moved)
    assert all(torch.equal(v, before[k]) for k, v in weights(trainer._first).items())


def test_a_group_whose_turns_are_worth_the_same_is_left_out() -> None:
    from aura_core.stream.prefix import Prefix
    from aura_core.training.preference.lessons import useful
    from aura_core.training.preference.rollouts import Choice, Output, View

    def choice(*rewards):
        return Choice(
            0,
            0,
            0.5,
            tuple(Output((i,) * (i > 0), True, r, 2, -1.0) for i, r in enumerate(rewards)),
        )

    view = View(Prefix(), (), (choice(0.0, 0.0), choice(0.0, 1.0)))
    grpo = replace(QUICK, method="grpo")
    assert useful(view, grpo) == [view.choices[1]]


def test_the_command_writes_a_checkpoint_that_loads(tmp_path) -> None:
    out = tmp_path / "out"
    arguments = ["train", "preference", "--method", "grpo", "--minutes", "0.02", "--rooms", "1"]
    arguments += ["--seconds", "20", "--group", "4", "--out", str(out)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "rollouts" in (out / "train.log").read_text()
    base = checkpoint.find("aura_tiny", "aura_tiny")
    for name in ("aura.json", "config.json", "tokenizer.json"):
        assert (out / "model" / name).read_bytes() == (base / name).read_bytes()
    one, other = (load_file(f / "model.safetensors") for f in (base, out / "model"))
    assert one.keys() == other.keys() and stored_dtype(out / "model") == stored_dtype(base)
    assert all(one[k].shape == other[k].shape for k in one)
    assert load(ModelConfig(str(out / "model"))).chat.trained_to_decide


def test_a_checkpoint_is_never_written_over_the_one_that_was_trained(tmp_path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(checkpoint.find("aura_tiny", "aura_tiny"), folder)
    with pytest.raises(ModelError, match="another folder"):
        save(load(ModelConfig(str(folder))), folder, folder)


def test_a_checkpoint_that_does_not_decide_is_refused(tmp_path) -> None:
    base = checkpoints.write(tmp_path / "base", "qwen3_vl", silent=False, layers=1)
    with pytest.raises(ConfigError, match="not trained to decide"):
        PreferenceTrainer(PreferenceRecipe(model=str(base)), tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"first": 500_000}, "held out for tests"),
        ({"method": "ppo"}, "method must be one of dpo, grpo"),
        ({"least": 0.5}, "least"),
        ({"group": 1}, "group"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(change, said) -> None:
    with pytest.raises(ConfigError, match=said):
        PreferenceRecipe(**change)
