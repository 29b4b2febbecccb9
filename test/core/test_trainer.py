"""The trainer on small random checkpoints: what it trains, saves and refuses.

A killed run continues with the same bits.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("peft")

import checkpoints  # noqa: E402
import tuning_rig  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from aura_core.config import ModelConfig  # noqa: E402
from aura_core.errors import ConfigError, InputError, ModelError  # noqa: E402
from aura_core.models import load  # noqa: E402
from aura_core.training.finetune import resume  # noqa: E402
from aura_core.training.finetune.opening import arguments  # noqa: E402
from aura_core.training.finetune.settings import ScheduleSettings, TuneRecipe  # noqa: E402
from aura_core.training.finetune.trainer import Trainer, rate  # noqa: E402

LORA = {"lora": {"rank": 4, "alpha": 8, "dropout": 0.1}}
HARD_LR = {"steps": 5, "lr": 1e-3, "warmup": 0.25}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return checkpoints.write(tmp_path_factory.mktemp("base"), "qwen3_vl", silent=False, layers=2)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tuning_rig.write_shards(tmp_path_factory.mktemp("data"), range(30, 40), chunks=4)


def train(recipe, out, **more):
    return Trainer(recipe, out, device="cpu", **more).run()


def train64(recipe, out):
    return tuning_rig.Float64Trainer(recipe, out, device="cpu").run()


def weights(folder):
    return load_file(folder / "model.safetensors")


def log(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture(autouse=True)
def one_process_many_precisions():
    """accelerate keeps its settings for the whole life of a process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


class Killed(Exception):
    """Replaces kill -9 inside a test process."""


@pytest.mark.parametrize(("changes", "dies_in"), [(LORA, 3), ({"vision": "tuned"}, 1)])
def test_a_run_that_was_killed_goes_on_to_the_same_bits(
    base, shards, tmp_path, monkeypatch, changes, dies_in
):
    """Weights, optimizer state, random states (dropout) and the place in the data are restored."""
    recipe = tuning_rig.recipe(
        base, shards, schedule=HARD_LR, batch={"tokens": 700, "rows": 2}, **changes
    )
    whole = train(recipe, tmp_path / "whole")
    step = Trainer._step
    counted = iter(range(100))

    def dying(self, *args):
        if next(counted) == dies_in:
            raise Killed
        return step(self, *args)

    monkeypatch.setattr(Trainer, "_step", dying)
    with pytest.raises(Killed):
        train(recipe, tmp_path / "cut")
    monkeypatch.setattr(Trainer, "_step", step)
    torch.manual_seed(99)  # another process would have another state
    cut = train(recipe, tmp_path / "cut", resume=True)
    assert (cut.model / "model.safetensors").read_bytes() == (
        whole.model / "model.safetensors"
    ).read_bytes()
    lines, expected = (
        [(x["step"], x["loss"], x["samples"]) for x in log(tmp_path / d)] for d in ("cut", "whole")
    )
    assert lines == expected and len(lines) == 5


def test_the_result_loads_decides_by_its_silent_token_and_has_learned(base, tmp_path):
    """A checkpoint that never saw the silent token learns to be silent."""
    folder = tmp_path / "data"
    folder.mkdir()
    lines = [json.dumps(tuning_rig.sample(s, 2, 6) | {"turns": []}) for s in range(6)]
    (folder / "a.jsonl").write_text("\n".join(lines) + "\n")
    pattern = str(folder / "*.jsonl")
    data = {"train": pattern, "eval": pattern, "workers": 0, "eval_samples": 2}
    recipe = tuning_rig.recipe(
        base, pattern, data=data, schedule={"steps": 15, "lr": 3e-2}, every=5, save_every=99
    )
    done = train(recipe, tmp_path / "run")
    quiet = [
        x["held_out"]["p_silent"]["quiet"]["value"]
        for x in log(tmp_path / "run")
        if "held_out" in x
    ]
    assert len(quiet) == 3 and quiet[-1] > max(0.95, quiet[0])
    backend = load(ModelConfig(str(done.model), device="cpu"))
    assert backend.chat.trained_to_decide and backend.chat.silent_id != backend.chat.end_id
    assert "decides by <|silent|>" in backend.description
    assert backend.tokenizer.encode("<|silent|>") == [backend.chat.silent_id]
    before = load(ModelConfig(str(base), device="cpu"))
    assert not before.chat.trained_to_decide
    assert backend.pixels == before.pixels.__class__(**(vars(before.pixels) | {"max_pixels": 4096}))
    assert (
        json.loads((done.model / "tokenizer_config.json").read_text())["tokenizer_class"]
        == "Qwen2Tokenizer"
    )


def test_lora_is_merged_into_what_was_trained(base, shards, tmp_path):
    """The merged checkpoint computes what base and adapter computed.

    This includes the silent token's own rows.
    """
    recipe = tuning_rig.recipe(base, shards, schedule=HARD_LR, lora={"rank": 4, "alpha": 8})
    trainer = Trainer(recipe, tmp_path / "run", device="cpu")
    done = trainer.run()
    trained = {n for n, p in trainer.opened.module.named_parameters() if p.requires_grad}
    assert any("lora_A" in n for n in trained) and all(
        "lora" in n or "trainable_tokens" in n for n in trained
    )
    assert len([n for n in trained if "trainable_tokens" in n]) == 2  # of embedding and head
    from aura_core.training.finetune.opening import open_for_training

    row = next(trainer._batches())[0]
    again = open_for_training(
        ModelConfig(str(done.model), "float32", "cpu", "sdpa"),
        trainer.recipe.lora.__class__(),
        "frozen",
        False,
        0,
    )
    module = trainer.opened.module.eval().double()
    again.module.double()
    with torch.no_grad():
        ours, theirs = module(**arguments(row)), again.module(**arguments(row))
        with module.model.disable_adapter():
            untrained = module(**arguments(row))
    # Only the merged weights are rounded, each by 2^-24 of its size. The adapter moves them by
    # about 1e-2 of it, so that its effect is 1e5 times larger than that of the rounding.
    assert float((ours - theirs).abs().max()) <= 1e-3 * float((ours - untrained).abs().max())
    old, new = weights_of(base), weights(done.model)
    changed = {n for n in old if old[n].shape == new[n].shape and not torch.equal(old[n], new[n])}
    assert not any("visual" in n for n in changed) and any("q_proj" in n for n in changed)


def weights_of(folder):
    return {
        k: v for file in sorted(folder.glob("*.safetensors")) for k, v in load_file(file).items()
    }


def test_the_adapter_alone_is_merged_later(base, shards, tmp_path):
    from typer.testing import CliRunner

    from aura_core.cli import app

    recipe = tuning_rig.recipe(base, shards, result="adapter", **LORA)
    done = train(recipe, tmp_path / "run")
    assert done.model == tmp_path / "run" / "adapter" and not (tmp_path / "run" / "model").exists()
    told = [
        "--model",
        str(base),
        "--adapter",
        str(done.model),
        "--out",
        str(tmp_path / "m"),
        "--dtype",
        "float32",
    ]
    assert CliRunner().invoke(app, ["train", "merge", *told]).exit_code == 0
    assert load(ModelConfig(str(tmp_path / "m"), device="cpu")).chat.trained_to_decide
    other = checkpoints.write(tmp_path / "other", "qwen3_vl", layers=1)
    result = CliRunner().invoke(app, ["train", "merge", "--model", str(other), *told[2:]])
    assert isinstance(result.exception, ModelError) and "does not fit" in str(result.exception)


@pytest.mark.parametrize(("vision", "moves"), [("frozen", False), ("tuned", True)])
def test_the_vision_encoder_is_frozen_or_not(base, shards, tmp_path, vision, moves):
    done = train(
        tuning_rig.recipe(base, shards, vision=vision, checkpointing=True), tmp_path / "run"
    )
    old, new = weights_of(base), weights(done.model)
    same = [torch.equal(old[n], new[n]) for n in old if "visual" in n]
    assert all(same) != moves
    assert not torch.equal(
        old["model.language_model.layers.0.mlp.up_proj.weight"],
        new["model.language_model.layers.0.mlp.up_proj.weight"],
    )


def test_rows_one_after_another_are_one_batch(base, shards, tmp_path):
    """Three samples in three rows of a step, and in one packed row, give the same result."""
    lengths = {"tokens": 400, "rows": 3}, {"tokens": 1150, "rows": 1}
    runs = [
        train64(tuning_rig.recipe(base, shards, batch=b), tmp_path / str(i))
        for i, b in enumerate(lengths)
    ]
    first, second = (log(tmp_path / d) for d in "01")
    assert [x["samples"] for x in first] == [x["samples"] for x in second] == [3, 6, 9, 12]
    # the loss of a step is the float32 sum of its rows: at most three roundings
    assert [x["loss"] for x in first] == pytest.approx([x["loss"] for x in second], rel=3 * 2**-24)
    tuning_rig.equal_weights(*(r.model for r in runs))


def test_recomputed_activations_and_worker_processes_change_nothing(base, shards, tmp_path):
    plain = train64(tuning_rig.recipe(base, shards), tmp_path / "plain")
    data = {"train": shards, "workers": 2}
    other = train64(
        tuning_rig.recipe(base, shards, checkpointing=True, data=data), tmp_path / "other"
    )
    tuning_rig.equal_weights(plain.model, other.model)


def test_bfloat16_trains_and_saves_bfloat16(base, shards, tmp_path):
    done = train(tuning_rig.recipe(base, shards, precision="bf16", **LORA), tmp_path / "run")
    assert np.isfinite(done.loss)
    assert {v.dtype for v in weights(done.model).values()} == {torch.bfloat16}


def test_the_log_says_how_fast_and_how_good(shards, tmp_path):
    """The embedded model is trained by the same code, and also played free-running."""
    data = {"train": shards, "eval": shards, "workers": 0, "eval_samples": 4}
    recipe = tuning_rig.recipe(
        "aura_tiny",
        shards,
        data=data,
        max_pixels=None,
        schedule={"steps": 1, "lr": 1e-6},
        sim_seeds="420000:420001",
    )
    train(recipe, tmp_path / "run")
    step, held = log(tmp_path / "run")
    assert step["tokens_per_s"] > 0 and 0 < step["peak_share"] < 1 and step["epoch"] > 0
    right = held["held_out"]["right"]
    assert right["quiet"]["value"] > 0.9 and right["asked"]["value"] > 0.9
    assert set(held["held_out"]["loss"]) == {"silence", "first", "word", "end"}
    assert held["sim"]["realtime"]["exact_match"]["value"] > 0.9


def test_a_loss_that_is_no_number_stops_the_run(base, shards, tmp_path):
    trainer = Trainer(tuning_rig.recipe(base, shards), tmp_path / "run", device="cpu")
    with torch.no_grad():
        trainer.opened.module.inner.model.language_model.norm.weight.fill_(float("nan"))
    with pytest.raises(
        ModelError,
        match=r"step 1: the loss is nan, .*lower schedule.lr; no checkpoint was saved yet",
    ):
        trainer.run()


def test_a_run_by_another_recipe_or_from_other_data_is_refused(base, shards, tmp_path):
    train(tuning_rig.recipe(base, shards), tmp_path / "run")
    with pytest.raises(ConfigError, match="holds a run of 4 steps; add --resume"):
        Trainer(tuning_rig.recipe(base, shards), tmp_path / "run", device="cpu")
    other = tuning_rig.recipe(
        base, shards, loss="plain", schedule={"steps": 4, "lr": 2e-3, "warmup": 0.25}
    )
    with pytest.raises(
        ConfigError, match=r"000004: made by another recipe \(other: loss, schedule.lr\)"
    ):
        Trainer(other, tmp_path / "run", resume=True, device="cpu")
    data = tuning_rig.write_shards(tmp_path / "data", range(3))
    with pytest.raises(ConfigError, match=r"made by another recipe \(other: data.train\)"):
        Trainer(tuning_rig.recipe(base, data), tmp_path / "run", resume=True, device="cpu")
    told = tmp_path / "run" / "steps" / "000004" / "recipe.json"
    told.write_text(json.dumps(json.loads(told.read_text()) | {"data": "0"}))
    with pytest.raises(ConfigError, match="made from other data"):
        Trainer(tuning_rig.recipe(base, shards), tmp_path / "run", resume=True, device="cpu")


def test_a_half_written_checkpoint_is_not_used(base, shards, tmp_path):
    train(tuning_rig.recipe(base, shards, keep=2), tmp_path / "run")
    steps = tmp_path / "run" / "steps"
    assert sorted(p.name for p in steps.iterdir()) == ["000002", "000004"]
    (steps / "000004").rename(steps / "000004.part")
    trainer = Trainer(tuning_rig.recipe(base, shards), tmp_path / "run", resume=True, device="cpu")
    assert trainer.done == 2 and [x["step"] for x in log(tmp_path / "run")] == [1, 2]


def test_the_rate_rises_and_falls():
    s = ScheduleSettings(steps=100, lr=1.0, warmup=0.1, floor=0.1)
    rates = [rate(i, s) for i in range(100)]
    assert rates[0] == pytest.approx(1 / 11) and rates[10] == 1.0 and max(rates) == 1.0
    assert rates[55] == pytest.approx(0.55) and rates == [
        *sorted(rates[:11]),
        *sorted(rates[11:], reverse=True),
    ]
    assert 0.1 <= rates[-1] < 0.101


@pytest.mark.parametrize("name", ["qwen3_vl_8b_lora", "qwen3_vl_8b_full", "aura_tiny_sim"])
def test_packaged_recipes_are_sound(name):
    recipe = TuneRecipe.read(name)
    assert recipe.loss == "balanced" and recipe.vision == "frozen"
    assert (recipe.lora.rank > 0) == name.endswith("lora")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: [", "not valid YAML"),
        ("model: x", "'data' is missing"),
        ("model: x\ndata: {train: a}\nlr: 1", "unknown key 'lr'"),
        ("model: x\ndata: {train: a}\nloss: focal", "loss must be one of"),
        ("model: x\ndata: {train: a}\nschedule: {steps: 0}", "schedule.steps must be at least 1"),
        ("model: x\ndata: {train: a}\nlora: {rank: -1}", "lora.rank must not be negative"),
        ("model: x\ndata: {train: a}\nresult: adapter", "adapter needs lora.rank"),
        ("model: x\ndata: {train: a}\nsim_seeds: 5-6", "sim_seeds must be FIRST:END"),
        ("model: x\ndata: {train: a}\nbatch: {tokens: many}", "tokens must be int"),
    ],
)
def test_a_recipe_that_is_wrong_is_told_in_one_line(tmp_path, text, said):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"{path}: .*{said}"):
        TuneRecipe.read(str(path))
    with pytest.raises(ConfigError, match=r"none.yaml: cannot read the recipe"):
        TuneRecipe.read(str(tmp_path / "none.yaml"))


def test_missing_data_and_models_are_told_before_anything_is_trained(base, tmp_path):
    with pytest.raises(InputError, match="none-\\*: no file of this name"):
        Trainer(tuning_rig.recipe(base, str(tmp_path / "none-*")), tmp_path / "run", device="cpu")
    shards = tuning_rig.write_shards(tmp_path / "data", range(3))
    with pytest.raises(ModelError, match="does not exist"):
        Trainer(tuning_rig.recipe(tmp_path / "none", shards), tmp_path / "run", device="cpu")


def test_the_command_trains_and_goes_on(base, shards, tmp_path):
    import yaml
    from typer.testing import CliRunner

    from aura_core.cli import app

    path = tmp_path / "r.yaml"
    recipe = tuning_rig.recipe_dict(base, shards, schedule={"steps": 2, "lr": 0.5})
    # Regression: a rate without a point was refused as a text, as YAML 1.1 has it
    path.write_text(yaml.safe_dump(recipe).replace("lr: 0.5", "lr: 1e-3"))
    told = [
        "train",
        "model",
        "--recipe",
        str(path),
        "--out",
        str(tmp_path / "run"),
        "--device",
        "cpu",
    ]
    result = CliRunner().invoke(app, [*told, "--loss", "harness"])
    assert result.exit_code == 0 and f"{tmp_path / 'run' / 'model'}: 2 steps" in result.stdout
    made_by = json.loads((tmp_path / "run" / "steps" / "000002" / "recipe.json").read_text())
    assert made_by["recipe"]["loss"] == "harness"
    assert made_by["recipe"]["schedule"]["lr"] == 1e-3
    assert "Writing model shards" not in result.stderr  # a bar, though there is no terminal
    assert "other: loss" in str(CliRunner().invoke(app, [*told, "--resume"]).exception)


def test_random_states_are_saved_as_plain_values(tmp_path):
    """They are read back without a pickle that could hold code."""

    def draws():
        return random.random(), float(np.random.random()), float(torch.rand(()))

    random.seed(3), np.random.seed(4), torch.manual_seed(5)
    np.random.standard_normal()  # the generator keeps a second value
    torch.save(resume._random(), tmp_path / "state.pt")
    expected = draws(), float(np.random.standard_normal())
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    resume._set_random(torch.load(tmp_path / "state.pt", weights_only=True))
    assert (draws(), float(np.random.standard_normal())) == expected


def test_a_state_that_holds_more_than_values_is_refused(base, shards, tmp_path):
    train(tuning_rig.recipe(base, shards), tmp_path / "run")
    mine = tmp_path / "run" / "steps" / "000004" / "rank-0.pt"
    torch.save({"random": Path("/"), "samples": 1}, mine)
    with pytest.raises(ConfigError, match=r"rank-0.pt holds more than numbers .*begin anew$"):
        Trainer(tuning_rig.recipe(base, shards), tmp_path / "run", resume=True, device="cpu").run()
