"""How a run is begun, continued and ended.

It continues with the same number of processes, and its result keeps the resolution of training.
"""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("peft")

import checkpoints  # noqa: E402
import tuning_rig  # noqa: E402
import yaml  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from aura_core.cli import app  # noqa: E402
from aura_core.errors import ConfigError  # noqa: E402
from aura_core.training.finetune.settings import TuneRecipe  # noqa: E402
from aura_core.training.finetune.trainer import Trainer  # noqa: E402


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return checkpoints.write(tmp_path_factory.mktemp("base"), "qwen3_vl", silent=False, layers=1)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tuning_rig.write_shards(tmp_path_factory.mktemp("data"), range(30, 34), chunks=3)


@pytest.fixture(autouse=True)
def one_process_many_precisions():
    """accelerate keeps its settings for the whole life of a process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


def small(base, shards, **changes):
    return tuning_rig.recipe(base, shards, **({"schedule": {"steps": 2, "lr": 1e-3}} | changes))


@pytest.mark.parametrize("noted", [True, False])
def test_a_run_of_more_processes_is_not_gone_on_with_by_fewer(base, shards, tmp_path, noted):
    """Regression: each of the fewer processes found its file.

    The places in the data of the other processes were lost without a message.
    """
    Trainer(small(base, shards), tmp_path / "run", device="cpu").run()
    at = tmp_path / "run" / "steps" / "000002"
    told = json.loads((at / "recipe.json").read_text())
    written = told.pop("processes", None)
    (at / "recipe.json").write_text(json.dumps(told | ({"processes": 2} if noted else {})))
    (at / "rank-1.pt").write_bytes((at / "rank-0.pt").read_bytes())
    with pytest.raises(
        ConfigError, match=r"000002: made by 2 processes, not 1; go on with as many as before"
    ):
        Trainer(small(base, shards), tmp_path / "run", resume=True, device="cpu")
    assert written == 1


def test_the_resolution_of_training_goes_with_the_adapter(base, shards, tmp_path):
    """Regression: `merge` used the base's resolution of 640x480.

    The model then ran at a resolution that it had never seen.
    """
    done = Trainer(
        small(base, shards, result="adapter", lora={"rank": 2}), tmp_path / "run", device="cpu"
    ).run()
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
    result = CliRunner().invoke(app, ["train", "merge", *told])
    assert result.exit_code == 0, result.exception
    assert json.loads((tmp_path / "m" / "aura.json").read_text())["max_pixels"] == 4096


def test_a_device_that_training_would_not_take_is_refused(base, shards, tmp_path):
    with pytest.raises(
        ConfigError,
        match="--device must be auto or cpu, not 'cuda:1': name a GPU with CUDA_VISIBLE",
    ):
        Trainer(small(base, shards), tmp_path / "run", device="cuda:1")


def test_a_finished_run_says_that_it_is_finished(base, shards, tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(
        yaml.safe_dump(tuning_rig.recipe_dict(base, shards, schedule={"steps": 1, "lr": 1e-3}))
    )
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
    assert "1 steps" in CliRunner().invoke(app, told).stdout
    weights = tmp_path / "run" / "model" / "model.safetensors"
    before = weights.read_bytes()
    said = CliRunner().invoke(app, [*told, "--resume"]).stdout
    assert (
        "nan" not in said and "the run was at its last step, 1; its result is written again" in said
    )
    assert weights.read_bytes() == before


def test_seeds_held_out_for_tests_are_not_looked_at_while_training(tmp_path):
    path = tmp_path / "recipe.yaml"
    for seeds in ("500000:500010", "499999:500001"):
        path.write_text(f"model: x\ndata: {{train: a}}\nsim_seeds: '{seeds}'\n")
        with pytest.raises(
            ConfigError, match=rf"sim_seeds {seeds}: seeds from 500000 on are held out for tests"
        ):
            TuneRecipe.read(str(path))
    path.write_text("model: x\ndata: {train: a}\nsim_seeds: '499990:500000'\n")
    assert TuneRecipe.read(str(path)).sim_seeds


def test_the_embedded_recipe_names_its_loss_as_the_others_do(tmp_path):
    """Regression: it was named `balanced`, which is the paper's formula, but was another one."""
    from aura_core.training.tiny.recipe import Recipe

    assert Recipe().loss == "balanced_all"
    result = CliRunner().invoke(
        app, ["train", "tiny", "--work", str(tmp_path), "--loss", "balanced"]
    )
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == "loss must be one of balanced_all, plain, not 'balanced'"


def test_init_is_not_ignored_where_a_run_is_gone_on_with(tmp_path):
    from aura_core.models import AURA_TINY
    from aura_core.training.tiny import recipe as tiny_recipe

    torch.save({}, tmp_path / "language.pt")
    with pytest.raises(
        ConfigError,
        match=r"language.pt: is gone on with, and --init would be ignored: leave it out",
    ):
        tiny_recipe.run(tmp_path, tmp_path / "out", tiny_recipe.Recipe(init=AURA_TINY))
