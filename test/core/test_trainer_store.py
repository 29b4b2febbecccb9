"""The trainer on output of the data engine: several folders, unfinished runs, missing clips."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

import checkpoints  # noqa: E402
import data_rig  # noqa: E402
import tuning_rig  # noqa: E402

from aura_core.data import store  # noqa: E402
from aura_core.data.engine import run  # noqa: E402
from aura_core.data.settings import StructureConfig  # noqa: E402
from aura_core.data.worker import Job  # noqa: E402
from aura_core.errors import ConfigError, InputError  # noqa: E402
from aura_core.training.finetune.settings import TuneRecipe  # noqa: E402
from aura_core.training.finetune.shards import Shards  # noqa: E402
from aura_core.training.finetune.trainer import Trainer  # noqa: E402


@pytest.fixture(autouse=True)
def one_process_many_precisions():
    """accelerate keeps its settings for the whole life of a process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return checkpoints.write(tmp_path_factory.mktemp("base"), "qwen3_vl", silent=False, layers=1)


@pytest.fixture(scope="module")
def whole(base, tmp_path_factory):
    """A finished run for `base`, and its settings."""
    out = tmp_path_factory.mktemp("whole")
    return out, data_rig.small_run(out, range(1000, 1002), 12, structure=StructureConfig(str(base)))


@pytest.fixture
def copy(whole, tmp_path):
    subprocess.run(["cp", "-r", str(whole[0]), str(tmp_path / "run")], check=True)
    return tmp_path / "run"


def trainer(base, train, out, workers=0, **changes):
    data = {"train": str(train), "workers": workers}
    recipe = tuning_rig.recipe(
        base, str(train), **({"data": data, "batch": {"tokens": 1200, "rows": 1}} | changes)
    )
    return Trainer(recipe, out, device="cpu")


def patterns(folder):
    return folder, folder / "verify" / "shard-*.jsonl"


def test_a_run_folder_is_read_as_the_data_engine_reads_it(whole, monkeypatch, tmp_path):
    out, _ = whole
    monkeypatch.chdir(tmp_path)
    for source in patterns(out):
        shards = Shards(str(source))
        assert [r.id for r in shards] == [s.id for s in store.read_samples(out)]
        assert {r.clip for r in shards} == {
            str(out / s.clip.video) for s in store.read_samples(out)
        }


def test_stages_in_another_folder_keep_their_clips(whole, tmp_path):
    """`aura data structure --in RUN1 --out RUN2`: the clips are where the manifest says."""
    out, config = whole
    second = tmp_path / "second"
    run(Job("structure", out, second, config))
    run(Job("verify", second, second, config))
    for source in patterns(second):
        shards = Shards(str(source))
        assert {r.clip for r in shards} == {
            str(out / s.clip.video) for s in store.read_samples(out)
        }


def test_an_unfinished_run_is_not_trained_on(base, copy, tmp_path):
    for kind in ("done", "jsonl", "rejected"):
        (copy / "verify" / f"shard-00001.{kind}").unlink()
    for source in patterns(copy):
        with pytest.raises(
            InputError, match=r"verify: 1 of 2 shards are .*; run `aura data verify` again"
        ):
            trainer(base, source, tmp_path / "out")
    shutil.rmtree(copy / "verify")
    with pytest.raises(InputError, match=r"verify: nothing there; run `aura data verify` first"):
        trainer(base, copy, tmp_path / "out")


def test_a_shard_that_was_cut_off_in_a_run_folder_is_named(base, copy, tmp_path):
    shard = copy / "verify" / "shard-00001.jsonl"
    shard.write_bytes(b"".join(shard.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match=r"shard-00001.jsonl: damaged"):
        trainer(base, copy, tmp_path / "out")


def test_what_a_killed_write_left_is_no_shard(tmp_path):
    """A half-written file has the suffix of a shard, so `shard-*.jsonl` matches it."""
    pattern = tuning_rig.write_shards(tmp_path / "data", range(4))
    whole = len(Shards(pattern))
    left = store.temporary_of(tmp_path / "data" / "shard-00001.jsonl")
    left.write_text(json.dumps(tuning_rig.sample(9, 2, 8))[:50])
    assert left in (tmp_path / "data").glob("shard-*.jsonl") and len(Shards(pattern)) == whole


def test_clips_that_are_missing_are_counted_before_anything_is_trained(base, copy, tmp_path):
    lost = copy / "prepare" / "clips" / "sim-1001.mp4"
    lost.unlink()
    for source in patterns(copy):
        with pytest.raises(
            InputError,
            match=rf"1 of 2 clips are missing, the first is {lost} \(.*shard-00001.jsonl:1\)",
        ):
            trainer(base, source, tmp_path / "out")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_clip_that_cannot_be_read_ends_the_run_in_one_line(base, copy, tmp_path, workers):
    """Regression: with worker processes, the line contained a traceback.

    After the clip is repaired, the run continues.
    """
    clip = copy / "prepare" / "clips" / "sim-1001.mp4"
    good = clip.read_bytes()
    clip.write_bytes(b"no video")
    recipe = {
        "batch": {"tokens": 1200, "rows": 1},
        "save_every": 1,
        "schedule": {"steps": 8, "lr": 1e-3},
    }
    with pytest.raises(InputError) as e:
        trainer(base, copy, tmp_path / "out", workers, **recipe).run()
    told = str(e.value)
    assert "\n" not in told and "Traceback" not in told and "DataLoader" not in told
    assert (
        "shard-00001.jsonl:" in told
        and "cannot open the video" in told
        and told.endswith("go on with --resume")
    )
    clip.write_bytes(good)
    data = {"train": str(copy), "workers": workers}
    again = Trainer(
        tuning_rig.recipe(base, "", data=data, **recipe),
        tmp_path / "out",
        resume=True,
        device="cpu",
    )
    assert again.run().steps == 8


@pytest.mark.parametrize("silent", [False, True])
def test_samples_for_another_tokenizer_are_refused(base, whole, tmp_path, silent):
    """Training adds a silent token to a checkpoint without one.

    The data engine made the samples without it.
    """
    out, config = whole
    opened = trainer(base, out, tmp_path / "out").opened
    assert opened.added
    other = checkpoints.write(
        tmp_path / "other", "qwen2_5_vl" if not silent else "qwen3_vl", silent=silent, layers=1
    )
    with pytest.raises(
        InputError,
        match=rf"shard-00000.jsonl:1: was structured for another .* that of {other}; set",
    ):
        trainer(other, out, tmp_path / "out")
    made = replace(config, structure=StructureConfig(str(other)))
    run(Job("structure", out, tmp_path / "second", made))
    run(Job("verify", tmp_path / "second", tmp_path / "second", made))
    assert trainer(other, tmp_path / "second", tmp_path / "out").opened.added != silent
    # in the data that is evaluated on too
    with pytest.raises(InputError, match="was structured for another"):
        data = {"train": str(tmp_path / "second"), "eval": str(out), "workers": 0}
        Trainer(tuning_rig.recipe(other, "", data=data), tmp_path / "out", device="cpu")


def test_windows_that_are_longer_than_a_row_are_told_before_the_first_step(base, whole, tmp_path):
    out, _ = whole
    made = trainer(base, out, tmp_path / "out")
    lengths = [len(made._examples[i].ids) for i in range(len(made._examples))]
    most = max(lengths)
    trainer(base, out, tmp_path / "out", batch={"tokens": most, "rows": 1})
    told = (
        rf"{lengths.count(most)} of {len(lengths)} samples are longer than batch.tokens"
        rf" \({most - 1}\).* has {most} "
    )
    with pytest.raises(ConfigError, match=told):
        trainer(base, out, tmp_path / "out", batch={"tokens": most - 1, "rows": 1})


def test_a_clip_whose_size_is_not_told_is_looked_into(base, whole, tmp_path):
    pattern = tuning_rig.write_shards(tmp_path / "data", range(2), chunks=3)
    made = trainer(base, pattern, tmp_path / "out")
    most = max(len(made._examples[i].ids) for i in range(2))
    with pytest.raises(ConfigError, match=f"has {most} tokens"):
        trainer(base, pattern, tmp_path / "out", batch={"tokens": 100, "rows": 1})


def test_the_data_of_the_command_line_comes_before_the_recipes(base, whole, tmp_path):
    import yaml
    from typer.testing import CliRunner

    from aura_core.cli import app

    path, out = tmp_path / "r.yaml", tmp_path / "out"
    told = tuning_rig.recipe_dict(
        base, "runs/none", schedule={"steps": 1, "lr": 1e-3}, batch={"tokens": 1200, "rows": 1}
    )
    path.write_text(yaml.safe_dump(told))
    asked = ["train", "model", "--recipe", str(path), "--out", str(out), "--device", "cpu"]
    assert "runs/none: no file of this name" in str(CliRunner().invoke(app, asked).exception)
    result = CliRunner().invoke(app, [*asked, "--data", str(whole[0]), "--eval", str(whole[0])])
    assert result.exit_code == 0, result.exception
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [set(x) & {"loss", "held_out"} for x in lines] == [{"loss"}, {"held_out"}]


@pytest.mark.parametrize("name", ["qwen3_vl_8b_lora", "qwen3_vl_8b_full", "aura_tiny_sim"])
def test_packaged_recipes_read_run_folders(name):
    """They read runs as `aura data all --out runs/data` writes them.

    Shards in another folder must not make it necessary to edit a recipe.
    """
    data = TuneRecipe.read(name).data
    assert data.train in ("runs/data", "runs/sim_data") and not data.eval
