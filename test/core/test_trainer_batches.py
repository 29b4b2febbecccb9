"""How samples become steps: by rows or by samples, and as many as some epochs need."""

from __future__ import annotations

import itertools
import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("peft")

import checkpoints  # noqa: E402
import numpy as np  # noqa: E402
import tuning_rig  # noqa: E402

from aura_core.errors import ConfigError  # noqa: E402
from aura_core.training.finetune.batches import share, steps_of  # noqa: E402
from aura_core.training.finetune.order import Order, at_random  # noqa: E402
from aura_core.training.finetune.settings import BatchSettings, ScheduleSettings  # noqa: E402
from aura_core.training.finetune.trainer import Trainer  # noqa: E402

STEP = {"lr": 1e-3, "warmup": 0.25}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return checkpoints.write(tmp_path_factory.mktemp("base"), "qwen3_vl", silent=False, layers=1)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Seven samples of different lengths."""
    folder = tmp_path_factory.mktemp("data")
    for i in range(7):
        lines = [json.dumps(tuning_rig.sample(30 + i, 2, 4 + i % 3))]
        (folder / f"shard-{i}.jsonl").write_text(lines[0] + "\n")
    return str(folder / "shard-*.jsonl")


@pytest.fixture(autouse=True)
def one_process_many_precisions():
    """accelerate keeps its settings for the whole life of a process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


def log(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("batch", "epochs"),
    [
        ({"tokens": 700, "rows": 1}, 2.0),
        ({"tokens": 500, "rows": 2}, 1.0),
        ({"tokens": 500, "samples": 3}, 2.0),
        ({"tokens": 4000, "samples": 7}, 3.0),
        ({"tokens": 500, "samples": 2}, 0.5),
    ],
)
def test_epochs_end_with_the_step_that_uses_the_last_sample(base, shards, tmp_path, batch, epochs):
    recipe = tuning_rig.recipe(base, shards, batch=batch, schedule=STEP | {"epochs": epochs})
    done = Trainer(recipe, tmp_path / "run", device="cpu").run()
    lines = log(tmp_path / "run")
    wanted = round(7 * epochs)
    used = [0, *(line["samples"] for line in lines)]
    assert used[-2] < wanted <= used[-1] and len(lines) == done.steps
    assert lines[-1]["epoch"] == pytest.approx(used[-1] / 7, abs=1e-4)
    if "samples" in batch:
        assert {b - a for a, b in itertools.pairwise(used)} == {batch["samples"]}


def test_every_process_uses_its_samples_in_the_steps_of_an_epoch():
    """Counted again by filling rows one sample at a time, for each process."""
    rng = np.random.default_rng(5)
    lengths = [int(n) for n in rng.integers(50, 400, 41)]
    batch = BatchSettings(tokens=900, rows=1)

    def tokens(entry: int) -> int:
        return lengths[entry % 41]

    needed, arrange = [], at_random(41, 7)
    for rank in range(3):
        order, rows, used = iter(Order(41, arrange, 0, rank, 3)), 1, 0  # 13 samples are an epoch
        for _ in range(2 * 13):
            n = tokens(next(order))
            rows, used = (rows + 1, n) if used + n > 900 else (rows, used + n)
        needed.append(rows)
    assert steps_of(2.0, 41, tokens, batch, arrange, 3) == max(needed)
    assert len(set(needed)) > 1  # otherwise the largest would not matter
    assert steps_of(2.0, 41, tokens, BatchSettings(samples=6), arrange, 3) == 13


def test_a_run_by_epochs_is_resumed_and_its_rate_is_that_of_its_steps(base, shards, tmp_path):
    batch = {"tokens": 700, "samples": 2}
    recipe = tuning_rig.recipe(
        base, shards, batch=batch, schedule=STEP | {"epochs": 2.0}, save_every=3, keep=9
    )
    whole = Trainer(recipe, tmp_path / "run", device="cpu").run()
    before = (whole.model / "model.safetensors").read_bytes()
    rates = [line["lr"] for line in log(tmp_path / "run")]
    assert whole.steps == 7 and rates[-1] == min(rates[2:])
    import shutil

    shutil.rmtree(tmp_path / "run" / "steps" / "000007")
    shutil.rmtree(tmp_path / "run" / "steps" / "000006")
    again = Trainer(recipe, tmp_path / "run", resume=True, device="cpu")
    assert again.done == 3
    assert (again.run().model / "model.safetensors").read_bytes() == before
    assert [line["lr"] for line in log(tmp_path / "run")] == rates


def test_three_samples_in_one_row_or_in_three_are_one_step(base, shards, tmp_path):
    runs = []
    for tokens in (450, 4000):
        recipe = tuning_rig.recipe(
            base, shards, batch={"tokens": tokens, "samples": 3}, schedule=STEP | {"steps": 3}
        )
        runs.append(tuning_rig.Float64Trainer(recipe, tmp_path / str(tokens), device="cpu").run())
    tuning_rig.equal_weights(*(run.model for run in runs))


def test_what_says_the_same_thing_twice_is_refused():
    with pytest.raises(ConfigError, match=r"batch.rows \(2\) and batch.samples \(8\) both say"):
        BatchSettings(rows=2, samples=8)
    with pytest.raises(ConfigError, match=r"schedule.steps \(5\) and schedule.epochs \(1.0\) both"):
        ScheduleSettings(steps=5, epochs=1.0)
    assert share(BatchSettings(samples=8), 4) == 2 and share(BatchSettings(rows=3), 4) is None
    with pytest.raises(
        ConfigError, match=r"batch.samples \(8\) cannot be shared equally by 3 processes: take 6 or"
    ):
        share(BatchSettings(samples=8), 3)
