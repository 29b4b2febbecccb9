"""What a run tells: memory before it begins, a bar, TensorBoard, and a log."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("peft")

import checkpoints  # noqa: E402
import tuning_rig  # noqa: E402
import yaml  # noqa: E402
from accelerate.state import AcceleratorState  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from aura_core.cli import app, output  # noqa: E402
from aura_core.data.reviews import Decision, decide, sha256_of_line  # noqa: E402
from aura_core.errors import ConfigError  # noqa: E402
from aura_core.training.finetune import memory  # noqa: E402
from aura_core.training.finetune.reports import Board, Log, numbers  # noqa: E402
from aura_core.training.finetune.trainer import Trainer  # noqa: E402

LINE = {
    "step": 3,
    "lr": 1e-3,
    "loss": 2.5,
    "tokens": 10,
    "tokens_per_s": 1234.5,
    "epoch": 0.5,
    "peak_gb": 1.25,
}
HELD = {"step": 3, "held_out": {"loss": {"silence": {"value": 0.25, "n": 4}}}}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return checkpoints.write(tmp_path_factory.mktemp("base"), "qwen3_vl", silent=False, layers=2)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tuning_rig.write_shards(tmp_path_factory.mktemp("data"), range(30, 40), chunks=4)


@pytest.fixture(autouse=True)
def one_process_many_precisions():
    """accelerate keeps its settings for the whole life of a process."""
    AcceleratorState._reset_state(reset_partial_state=True)


def size(tensors) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


@pytest.mark.parametrize(
    "changes",
    [{}, {"vision": "tuned"}, {"lora": {"rank": 4}}, {"precision": "bf16", "lora": {"rank": 4}}],
)
def test_what_is_told_before_is_what_the_step_holds(base, shards, tmp_path, changes):
    """Weights, gradients and moments are counted in the model and the optimizer while they live."""
    recipe = tuning_rig.recipe(base, shards, schedule={"steps": 2, "lr": 1e-3}, **changes)
    trainer = Trainer(recipe, tmp_path / "run", device="cpu")
    inner, seen = trainer.optimizer.optimizer, []
    step = inner.step

    def counted(*args, **kwargs):
        told = step(*args, **kwargs)
        parameters = list(trainer.opened.module.parameters())
        moments = [
            t
            for state in inner.state.values()
            for t in state.values()
            if t.ndim  # not its count
        ]
        seen.append(
            (size(parameters), size(p.grad for p in parameters if p.grad is not None), moments)
        )
        return told

    inner.step = counted
    trainer.run()
    need = trainer.need
    for weights, gradients, moments in seen:
        assert weights == need.weights
        # each trained weight has a gradient and two moments where the data reaches it
        assert gradients == need.gradients and size(moments) == need.optimizer
    assert len(seen) == 2


def test_disk_is_what_checkpoints_and_result_take(base, shards, tmp_path):
    recipe = tuning_rig.recipe(
        base, shards, schedule={"steps": 3, "lr": 1e-3}, save_every=1, keep=2
    )
    trainer = Trainer(recipe, tmp_path / "run", device="cpu")
    done, need = trainer.run(), trainer.need
    saved = sorted((tmp_path / "run" / "steps").iterdir())
    assert [p.name for p in saved] == ["000002", "000003"]
    whole = need.state + need.result
    # what is beside the numbers: names and shapes, random states (5 kB), settings
    assert 0 <= memory.size_of(saved[0]) - need.state < 300_000
    small = 50_000
    assert 0 <= (done.model / "model.safetensors").stat().st_size - need.result < small
    assert need.disk(2) == 3 * need.state + need.result > whole


def test_a_disk_that_is_too_small_is_told_before_the_run(base, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(ConfigError, match=r"take up to 0.0 GB, and 0.0 GB are free: name another"):
        Trainer(tuning_rig.recipe(base, shards), tmp_path / "run", device="cpu")


def test_a_folder_that_cannot_be_written_is_told_before_the_run(base, shards, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"--out .*file/run: cannot be written: Not a directory"):
        Trainer(tuning_rig.recipe(base, shards), tmp_path / "file" / "run", device="cpu")


def test_the_newest_checkpoint_alone_is_kept_by_default(base, shards, tmp_path):
    """Regression: two were kept, 12 bytes each for every trained weight, and nothing said so."""
    recipe = tuning_rig.recipe(base, shards, schedule={"steps": 3, "lr": 1e-3}, save_every=1)
    Trainer(recipe, tmp_path / "run", device="cpu").run()
    assert [p.name for p in (tmp_path / "run" / "steps").iterdir()] == ["000003"]


def told(base: Path, shards: str, tmp_path: Path, *more: str, **changes) -> str:
    path = tmp_path / "r.yaml"
    schedule = {"steps": 2, "lr": 1e-3}
    path.write_text(
        yaml.safe_dump(tuning_rig.recipe_dict(base, shards, schedule=schedule, **changes))
    )
    words = ["--recipe", str(path), "--out", str(tmp_path / "run"), "--device", "cpu", *more]
    result = CliRunner().invoke(app, ["train", "model", *words])
    assert result.exit_code == 0, result.exception
    return result.stdout


def test_the_command_says_the_memory_first_and_the_peak_last(base, shards, tmp_path):
    first, *middle, last = told(base, shards, tmp_path).splitlines()
    assert re.match(
        r"memory of a process: 0\.\d{3} weights \+ 0\.\d{3} gradients \+ 0\.\d{3} optimizer = ",
        first,
    )
    assert re.search(r"step 1/2: loss [\d.]+, lr 1.00e-03, [\d,]+ tokens/s, epoch", middle[0])
    assert middle[-1].startswith("step 2/2: ") and re.search(r"peak \d+\.\d{3} GB$", last)


def test_samples_that_a_review_rejected_are_told_with_the_reasons(base, tmp_path):
    """Regression: they were counted, and nobody was told."""
    tuning_rig.write_shards(tmp_path / "data", range(30, 40), chunks=4)
    shards = str(tmp_path / "data" / "shard-*.jsonl")
    lines = lines_of_shards(tmp_path / "data")
    reasons = [("person", "wrong colour"), ("person", "wrong colour"), ("duplicates", "like a")]
    chosen = zip(lines, [*reasons, ("person", "")], strict=False)
    decide(
        tmp_path / "data",
        [Decision(json.loads(r)["id"], sha256_of_line(r), False, *why, 0.0) for r, why in chosen],
    )
    shown = told(base, shards, tmp_path, "--eval", shards)
    words = "4 (2 wrong colour, 1 duplicates, 1 no reason given)"
    for name in ("data.train", "data.eval"):
        assert f"{name}: samples left out after a review: {words}\n" in shown
    assert "left out" not in told_none(base, tmp_path)


def lines_of_shards(folder: Path) -> list[bytes]:
    return [line for p in sorted(folder.glob("shard-*.jsonl")) for line in p.open("rb")]


def told_none(base: Path, tmp_path: Path) -> str:
    AcceleratorState._reset_state(reset_partial_state=True)
    shards = tuning_rig.write_shards(tmp_path / "clean", range(30, 34), chunks=4)
    (tmp_path / "more").mkdir()
    return told(base, shards, tmp_path / "more")


def test_model_names_the_checkpoint_over_the_recipe_and_without_one(base, shards, tmp_path):
    made = told("none", shards, tmp_path, "--model", str(base))
    assert "2 steps" in made
    saved = json.loads((tmp_path / "run" / "steps" / "000002" / "recipe.json").read_text())
    assert saved["recipe"]["model"] == str(base)
    run = ["train", "model", "--out", str(tmp_path / "other"), "--device", "cpu"]
    result = CliRunner().invoke(app, [*run, "--data", shards])
    assert "without --recipe: 'model' is missing in the recipe: give it, or --model" in str(
        result.exception
    )
    result = CliRunner().invoke(app, [*run, "--model", str(base)])
    assert "'data' is missing in the recipe: give it, or --data" in str(result.exception)
    AcceleratorState._reset_state(reset_partial_state=True)  # the defaults are bf16
    result = CliRunner().invoke(app, [*run, "--model", str(tmp_path / "no"), "--data", shards])
    assert "does not exist" in str(result.exception)


def test_tensorboard_gets_every_figure(base, shards, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    told(base, shards, tmp_path, "--tensorboard", "--eval", shards)
    board = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    lines = [json.loads(x) for x in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    steps = [x for x in lines if "loss" in x]
    seen = board.Scalars("loss")
    assert [s.step for s in seen] == [1, 2]
    assert [s.value for s in seen] == pytest.approx([x["loss"] for x in steps], rel=1e-6)
    held = lines[-1]["held_out"]["loss"]["silence"]["value"]
    assert board.Scalars("held_out/loss/silence")[0].value == pytest.approx(held, rel=1e-6)
    assert {"lr", "tokens_per_s", "grad_norm", "epoch"} <= set(board.Tags()["scalars"])


def test_a_board_that_goes_on_hides_what_came_after_the_checkpoint(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = Board(tmp_path / "b", 0)
    for step in (1, 2, 3):
        first({"step": step, "loss": float(step)})
    Board(tmp_path / "b", 1)({"step": 2, "loss": 20.0})
    seen = EventAccumulator(str(tmp_path / "b")).Reload().Scalars("loss")
    assert [(s.step, s.value) for s in seen] == [(1, 1.0), (2, 20.0)]


def test_numbers_are_named_by_their_place():
    assert dict(numbers(HELD | {"sim": {"n": 3, "ok": True, "words": "x"}})) == {
        "held_out/loss/silence": 0.25,
        "sim/n": 3.0,
    }


def test_a_log_that_goes_on_is_cut_at_the_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    Log(path, 2)({"step": 3, "loss": 1.0})
    assert [json.loads(x) for x in path.read_text().splitlines()] == [
        {"step": 1},
        {"step": 2},
        {"step": 3, "loss": 1.0},
    ]
    Log(path, 0)
    assert path.read_text() == ""


def test_without_a_terminal_there_are_few_lines(capsys):
    with output.step_bar(0, 50, every_s=3600.0) as bar:
        for step in range(1, 51):
            bar(LINE | {"step": step})
        bar(HELD)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["step 1/50", "step 50/50", "step 3"]
    assert "loss 2.5000, lr 1.00e-03, 1,234 tokens/s, epoch 0.50, peak 1.25 GB" in lines[0]
    assert lines[2] == "step 3: loss of silence 0.2500"


def test_on_a_terminal_there_is_a_bar(monkeypatch):
    import io

    from rich import console

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    real = console.Console
    monkeypatch.setattr(
        console, "Console", lambda **k: real(file=screen, force_terminal=True, width=120, **k)
    )
    with output.step_bar(2, 4) as bar:
        bar(LINE)
        bar(LINE | {"step": 4})
    assert "4/4" in screen.getvalue() and "tokens/s" in screen.getvalue()
