"""The trainer in processes of its own: killed by the system, and two at a time.

Two processes hold copies of the model, or shards of it (FSDP2).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("peft")

import checkpoints  # noqa: E402
import tuning_rig  # noqa: E402
import yaml  # noqa: E402
from tuning_rig import equal_weights  # noqa: E402

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("tuning_processes.py")
FSDP = str(ROOT / "config" / "accelerate" / "fsdp2.yaml")
LORA = {"rank": 4, "alpha": 8, "dropout": 0.1}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return checkpoints.write(tmp_path_factory.mktemp("base"), "qwen3_vl", silent=False, layers=2)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tuning_rig.write_shards(tmp_path_factory.mktemp("data"), range(30, 40), chunks=4)


def start(recipe, out, *flags, processes=1, **environment):
    run = (
        ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        if processes > 1
        else []
    )
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment
    command = [sys.executable, *run, str(PROGRAM), str(recipe), str(out), *flags]
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process):
    told = process.communicate(timeout=300)[0]
    assert process.returncode == 0, told
    return told


def write(path, *args, **changes):
    path.write_text(yaml.safe_dump(tuning_rig.recipe_dict(*args, **changes)))
    return path


def column(out, name):
    return [json.loads(line)[name] for line in (out / "log.jsonl").read_text().splitlines()]


def losses(out):
    return column(out, "loss")


@pytest.mark.parametrize("wait_lines", [1, 3])
def test_kill_9_and_resume_give_the_same_bytes(base, shards, tmp_path, wait_lines):
    recipe = write(tmp_path / "r.yaml", base, shards, schedule={"steps": 8, "lr": 1e-3}, lora=LORA)
    finish(start(recipe, tmp_path / "whole"))
    cut, log = start(recipe, tmp_path / "cut"), tmp_path / "cut" / "log.jsonl"
    while not (log.exists() and len(log.read_text().splitlines()) >= wait_lines):
        assert cut.poll() is None, cut.communicate()[0]
        time.sleep(0.005)
    cut.send_signal(signal.SIGKILL)
    cut.communicate()
    finish(start(recipe, tmp_path / "cut", "--resume"))
    one, other = (
        (tmp_path / d / "model" / "model.safetensors").read_bytes() for d in ("whole", "cut")
    )
    assert one == other
    assert losses(tmp_path / "whole") == losses(tmp_path / "cut")


@pytest.mark.parametrize(
    ("kind", "environment"),
    [("MULTI_CPU", {"ACCELERATE_USE_CPU": "true"}), ("FSDP", {"FORCE_FSDP": FSDP})],
)
@pytest.mark.parametrize("rank", [0, 4])
def test_two_processes_do_what_one_does(base, shards, tmp_path, kind, environment, rank):
    """Two processes with one sample each in a step do what one process with two does.

    They are stopped in between, and continue.
    """
    lora = {"rank": rank, "alpha": 8}
    one = write(tmp_path / "one.yaml", base, shards, batch={"tokens": 800, "rows": 1}, lora=lora)
    batch = {"tokens": 400, "rows": 1}
    two = write(tmp_path / "two.yaml", base, shards, batch=batch, lora=lora, keep=2)
    finish(start(one, tmp_path / "one", "--float64"))
    told = finish(start(two, tmp_path / "two", "--float64", processes=2, **environment))
    assert f"kind {kind}" in told
    # each process rounds its part of the loss to float32, and so is their sum
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=3 * 2**-24)
    equal_weights(tmp_path / "one" / "model", tmp_path / "two" / "model")
    # what is told of a step is the work of both processes
    for name in ("tokens", "samples", "epoch"):
        assert column(tmp_path / "two", name) == column(tmp_path / "one", name)
    shutil.copytree(tmp_path / "two" / "model", tmp_path / "whole")

    shutil.rmtree(tmp_path / "two" / "steps" / "000004")
    assert [p.name for p in (tmp_path / "two" / "steps").iterdir()] == ["000002"]
    # one finds a file of its own and all weights, and would go on from half of the data
    if kind == "MULTI_CPU":
        alone = start(two, tmp_path / "two", "--resume", "--float64")
        assert (
            "made by 2 processes, not 1" in alone.communicate(timeout=300)[0]
            and alone.returncode != 0
        )
    finish(start(two, tmp_path / "two", "--resume", "--float64", processes=2, **environment))
    equal_weights(tmp_path / "whole", tmp_path / "two" / "model")


@pytest.mark.parametrize(
    ("kind", "environment"),
    [("MULTI_CPU", {"ACCELERATE_USE_CPU": "true"}), ("FSDP", {"FORCE_FSDP": FSDP})],
)
def test_as_many_samples_in_a_step_on_two_processes_as_on_one(base, tmp_path, kind, environment):
    """The samples of a step need one row in one process, and two in the other.

    Regression: a process with fewer rows would wait forever for the other in FSDP.
    """
    folder = tmp_path / "data"
    folder.mkdir()
    for i in range(10):
        line = json.dumps(tuning_rig.sample(30 + i, 2, 4 + 4 * (i % 2)))
        (folder / f"shard-{i}.jsonl").write_text(f"{line}\n")
    shards, schedule = str(folder / "shard-*.jsonl"), {"epochs": 2.0, "lr": 1e-3, "warmup": 0.25}
    batch = {"tokens": 600, "samples": 4}
    recipe = write(tmp_path / "r.yaml", base, shards, batch=batch, schedule=schedule)
    finish(start(recipe, tmp_path / "one", "--float64"))
    told = finish(start(recipe, tmp_path / "two", "--float64", processes=2, **environment))
    assert f"kind {kind}" in told
    assert column(tmp_path / "two", "samples") == [4, 8, 12, 16, 20]
    assert column(tmp_path / "two", "tokens") == column(tmp_path / "one", "tokens")
    equal_weights(tmp_path / "one" / "model", tmp_path / "two" / "model")


def test_tied_weights_are_one_weight_in_two_shards(tmp_path, shards):
    """Process 0 gives the other its shares (`fsdp_cpu_ram_efficient_loading`).

    That makes new weights, which are tied again.
    """
    base = tuning_rig.tied(checkpoints.write(tmp_path / "base", "qwen3_vl", silent=False, layers=1))
    one = write(tmp_path / "one.yaml", base, shards, batch={"tokens": 800, "rows": 1})
    two = write(tmp_path / "two.yaml", base, shards, batch={"tokens": 400, "rows": 1})
    finish(start(one, tmp_path / "one", "--float64"))
    finish(start(two, tmp_path / "two", "--float64", processes=2, FORCE_FSDP=FSDP))
    equal_weights(tmp_path / "one" / "model", tmp_path / "two" / "model")
