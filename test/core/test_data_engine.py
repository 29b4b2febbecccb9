"""The whole run: a killed run that is started again writes the same bytes.

Damaged files and other settings are reported.
"""

from __future__ import annotations

import itertools
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from data_rig import REPOSITORY, shards, small_run

from aura_core.cli import main
from aura_core.data import STAGES, folder_lock, report
from aura_core.data.engine import run, write_sources
from aura_core.data.outcome import Outcome, Stage
from aura_core.data.prepare import Source, sim_sources
from aura_core.data.runners import RayWorker
from aura_core.data.schema import Sample
from aura_core.data.settings import DataConfig, StructureConfig
from aura_core.data.store import StageFolder, media_root, read_samples
from aura_core.data.video import read_clip
from aura_core.data.worker import Job, ShardWorker
from aura_core.errors import ConfigError, InputError, ModelError

SEEDS, SECONDS = range(1000, 1003), 24
ARGUMENTS = ("--source", "sim", "--seeds", "1000:1003", "--seconds", SECONDS, "--quiet")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was not disturbed."""
    out = tmp_path_factory.mktemp("whole")
    config = small_run(out, SEEDS, SECONDS)
    return out, config


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of that run, to be disturbed."""
    out, config = whole
    subprocess.run(["cp", "-r", str(out), str(tmp_path / "run")], check=True)
    return tmp_path / "run", config


def again(out: Path, config: DataConfig, **options) -> dict[str, tuple[str, ...]]:
    """Run every stage once more, and return the notes of each."""
    return {stage: run(Job(stage, out, out, config), **options).notes for stage in STAGES}


def test_an_interrupted_shard_ends_the_requests_of_its_threads(tmp_path):
    """Ctrl-C waited for the threads' requests: for minutes, where a server did not answer."""
    config = DataConfig()
    write_sources(tmp_path, sim_sources([1000, 1001], 4), config)
    worker = ShardWorker(Job("prepare", tmp_path, tmp_path, config))
    waits, closed, ended = threading.Event(), threading.Event(), []

    def work(source: Source) -> Outcome:
        if source.name == "sim:1000":
            assert waits.wait(10)
            raise KeyboardInterrupt
        waits.set()
        ended.append(closed.wait(10))  # a request that the server does not answer
        return Outcome()

    worker.stage = Stage(Source, work, close=closed.set, threads=2)
    with pytest.raises(KeyboardInterrupt):
        worker(0)
    assert ended == [True]


def test_a_finished_run_has_nothing_left_to_do(whole):
    out, config = whole
    files = [p for p in out.rglob("*") if p.is_file() and p.name != ".writers"]  # names the run
    before = {p: p.stat().st_mtime_ns for p in files}
    assert again(out, config) == dict.fromkeys(STAGES, ())
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_the_samples_are_read_back_with_their_videos(whole):
    out, _ = whole
    samples = list(read_samples(out))
    assert samples and all(isinstance(s, Sample) for s in samples)
    assert len({s.id for s in samples}) == len(samples)
    for clip in {s.clip for s in samples}:
        assert len(read_clip(media_root(out) / clip.video)) == 2 * clip.seconds == 2 * SECONDS


def test_two_processes_write_what_one_writes(whole, tmp_path):
    out, config = whole
    assert run(Job("synthesize", out, tmp_path, config), processes=2).made == 3
    assert shards(tmp_path) == {k: v for k, v in shards(out).items() if k.startswith("synthesize/")}


def test_an_error_in_a_worker_process_ends_the_run_in_one_line(whole, tmp_path):
    out, config = whole
    broken = replace(config, structure=StructureConfig(checkpoint=str(tmp_path / "nothing")))
    with pytest.raises(ModelError, match="does not exist"):
        run(Job("structure", out, tmp_path, broken), processes=2)


def test_a_later_stage_may_go_to_another_folder(whole, tmp_path):
    out, config = whole
    run(Job("synthesize", out, tmp_path, config))
    assert shards(tmp_path) == {k: v for k, v in shards(out).items() if k.startswith("synthesize/")}
    assert media_root(tmp_path, "synthesize").resolve() == out.resolve()
    run(Job("refine", tmp_path, tmp_path, config))
    run(Job("structure", tmp_path, tmp_path / "deeper", config))
    assert media_root(tmp_path / "deeper", "structure").resolve() == out.resolve()


# ---- damage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "name", "hurt", "told"),
    [
        (
            "structure",
            "shard-00001.jsonl",
            lambda p: p.write_bytes(p.read_bytes()[:-9]),
            "shard-00001.jsonl: damaged",
        ),
        ("structure", "shard-00001.done", lambda p: p.unlink(), "shard-00001.jsonl: half-written"),
        (
            "verify",
            "shard-00000.done",
            lambda p: p.write_text('{"seconds"'),
            "shard-00000.done: damaged",
        ),
        ("refine", "shard-00002.rejected", lambda p: p.unlink(), "shard-00002.rejected: missing"),
        ("prepare", "clips/sim-1001.mp4", lambda p: p.write_bytes(b"x"), "sim-1001.mp4: damaged"),
        ("prepare", "clips/sim-1002.mp4", lambda p: p.unlink(), "sim-1002.mp4: missing"),
    ],
)
def test_a_damaged_shard_is_named_and_made_again(whole, copy, stage, name, hurt, told):
    out, config = copy
    hurt(out / stage / name)
    if stage != "verify":
        following = STAGES[STAGES.index(stage) + 1]
        with pytest.raises(InputError):  # a later stage does not read it
            run(Job(following, out, out, config))
    notes = again(out, config)
    assert [n.endswith(f"{told}: made again") for n in notes.pop(stage)] == [True]
    assert set(notes.values()) == {()}
    assert shards(out) == shards(whole[0])


def test_what_a_killed_run_left_half_written_is_removed(copy):
    out, config = copy
    left = [
        out / "refine" / "shard-00001.part-77.jsonl",
        out / "prepare" / "clips" / "sim-1000.part-77.mp4",
    ]
    for path in left:
        path.write_bytes(b"half")
    again(out, config)
    assert not any(p.exists() for p in left)


def test_a_stage_before_that_is_not_finished_is_named(copy):
    out, config = copy
    for kind in ("done", "jsonl", "rejected"):
        (out / "refine" / f"shard-00001.{kind}").unlink()
    with pytest.raises(
        InputError, match=r"refine: 1 of 3 shards are there; run `aura data refine` again"
    ):
        run(Job("structure", out, out, config))
    with pytest.raises(InputError, match="nothing there; run `aura data prepare` first"):
        run(Job("synthesize", out / "nowhere", out, config))


@pytest.mark.parametrize(
    ("change", "stage", "told"),
    [
        ({"seed": 1}, "refine", "made with settings.seed = 0, now it is 1; take another --out"),
        (
            {"structure": StructureConfig(checkpoint="scripted")},
            "structure",
            "settings.checkpoint = 'aura_tiny'",
        ),
    ],
)
def test_other_settings_on_the_same_folder_are_refused(whole, change, stage, told):
    out, config = whole
    with pytest.raises(InputError) as e:
        run(Job(stage, out, out, replace(config, **change)))
    assert told in str(e.value)


def test_other_sources_on_the_same_folder_are_refused(whole):
    out, config = whole
    with pytest.raises(InputError, match=r"sources: made with input.count = '3', now it is '2'"):
        write_sources(out, sim_sources([1000, 1001], SECONDS), config)


def test_an_oracles_folder_is_not_an_mllms(whole):
    out, config = whole
    server = replace(config.server, url="http://127.0.0.1:1/v1", model="m")
    with pytest.raises(InputError, match=r"made with settings\.author"):
        run(Job("refine", out, out, replace(config, server=server), "mllm"))


def test_two_runs_do_not_write_one_folder(whole):
    out, config = whole
    with (
        StageFolder(out, "refine").lock(),
        pytest.raises(InputError, match="another run is writing here"),
    ):
        run(Job("refine", out, out, config))


LATE_WRITER = """
import pathlib, sys, time
from aura_core.data.folder_lock import Writers
with Writers(pathlib.Path(sys.argv[1]).parent, sys.argv[2]).shared():
    print("begun", flush=True)
    time.sleep(0.7)
    pathlib.Path(sys.argv[1]).write_bytes(b"late")
"""


def test_a_run_waits_for_the_processes_of_a_killed_run(copy):
    """Regression: a worker that was still alive wrote its file after the new run had cleaned up."""
    out, config = copy
    late = out / "refine" / "shard-00001.part-77.done"
    with StageFolder(out, "refine").lock() as lock:
        orphan = subprocess.Popen(
            [sys.executable, "-c", LATE_WRITER, str(late), lock.writers.run],
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
        )
        assert orphan.stdout is not None and orphan.stdout.readline() == b"begun\n"
    assert orphan.poll() is None
    again(out, config)
    assert orphan.wait(10) == 0
    assert not late.exists()


@pytest.mark.parametrize("began", ["a run", "nothing"])
def test_a_shard_that_is_being_made_keeps_other_runs_out(copy, monkeypatch, began):
    """Regression: with Ray, a second run began while workers of the first still wrote."""
    folder = StageFolder(copy[0], "refine")
    monkeypatch.setattr(folder_lock, "WAIT_S", 0.05)
    with folder.lock() as lock:
        # pickled, as for a process of this machine or of another one
        writers = pickle.loads(pickle.dumps(lock.writers))
    with (
        writers.shared(),
        pytest.raises(InputError, match="processes of a run that has ended still write here"),
        folder.lock(),
    ):
        pass
    if began == "a run":
        with folder.lock():
            pass
        with pytest.raises(InputError, match="the run of this worker has ended"), writers.shared():
            pass
    else:
        with writers.shared(), writers.shared():  # two workers at a time
            pass


def test_a_ray_worker_of_a_killed_run_makes_nothing_more(copy):
    """Its next shard, once another run has begun on the folder."""
    out, config = copy
    job = Job("refine", out, out, config)
    with job.folder.lock() as killed:
        worker = RayWorker(job, killed.writers)
        assert worker({"index": 0})["error"] == ""
    job.folder.drop(0)
    with job.folder.lock() as lock:
        told = worker({"index": 0})
        assert told["done"] == "" and told["error"].endswith("the run of this worker has ended")
        assert not job.folder.shard(0).exists()
        assert RayWorker(job, lock.writers)({"index": 0})["error"] == ""
        lock.settle()
        assert "has ended" in RayWorker(job, lock.writers)({"index": 1})["error"]


def test_an_unknown_engine_is_refused(whole):
    out, config = whole
    with pytest.raises(ConfigError, match="--engine must be one of local, ray, not 'spark'"):
        run(Job("refine", out, out, config), engine="spark")


# ---- the report ----------------------------------------------------------------------------------


def test_the_report_counts_what_the_stages_did(whole):
    out, _ = whole
    stages = report.save(out)["stages"]
    assert json.loads((out / "report.json").read_text())["stages"] == stages
    assert list(stages) == list(STAGES)
    for before, after in itertools.pairwise(STAGES):
        assert stages[after]["items"] == stages[before]["records"]
    assert stages["prepare"]["items"] == 3 and stages["prepare"]["counts"]["seconds"] == 3 * SECONDS
    assert stages["verify"]["records"] == len(list(read_samples(out)))
    for s in stages.values():
        assert s["shards"] == {"done": 3, "all": 3, "faults": []} and s["records_per_s"] > 0
        assert s["failed"] == 0 and s["runs"][0]["engine"] == "local"


def test_the_report_names_damage(copy):
    out, _ = copy
    (out / "verify" / "shard-00000.jsonl").write_bytes(b"")
    shards_told = report.summarise(out)["stages"]["verify"]["shards"]
    assert shards_told["done"] == 2 and "shard-00000.jsonl: damaged" in shards_told["faults"][0]


# ---- killed --------------------------------------------------------------------------------------


def killed_and_resumed(out: Path, kills: int, seed: int, processes: int, typical_s: float) -> int:
    """Start `aura data all` again and again, kill it at random points, then let it finish.

    Returns how often it was killed.
    """
    rng = random.Random(seed)
    command = [
        sys.executable,
        "-m",
        "aura_core.cli",
        "data",
        "all",
        "--out",
        str(out),
        *map(str, ARGUMENTS),
    ]
    command += ["--processes", str(processes), "--config", str(out.parent / "data.yaml")]
    done = 0
    for _ in range(10 * kills):
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stderr=subprocess.PIPE, start_new_session=True
        )
        # Wait until there is a new file, then a random time, so that the kills are spread over
        # the run on slow machines too.
        known, deadline = _files(out), time.monotonic() + 60
        while process.poll() is None and _files(out) == known and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(rng.random() * typical_s)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            done += 1
        process.communicate()
        if done == kills:
            break
    finished = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return done


def _files(out: Path) -> set[str]:
    return {p.name + p.parent.name for p in out.rglob("*")} if out.exists() else set()


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("kills", "processes"),
    [(2, 1), pytest.param(10, 1, marks=SLOW), pytest.param(10, 2, marks=SLOW)],
)
def test_killed_at_random_points_it_writes_the_same_bytes(whole, tmp_path, kills, processes):
    (tmp_path / "data.yaml").write_text("shard_size: 1\n")
    assert killed_and_resumed(tmp_path / "run", kills, kills + processes, processes, 0.6) == kills
    assert shards(tmp_path / "run") == shards(whole[0])
    assert not list((tmp_path / "run").rglob("*.part-*"))


# ---- the command ---------------------------------------------------------------------------------


def test_the_command_refuses_in_one_line(tmp_path, capsys):
    for arguments, told in (
        (
            ("all", "--out", tmp_path / "a", "--source", "moon"),
            "--source must be files or sim, not 'moon'",
        ),
        (("all", "--out", tmp_path / "a", "--in", tmp_path), "an MLLM is needed: give --mllm URL"),
        (
            ("prepare", "--out", tmp_path / "a", "--source", "sim", "--seeds", "499999:500001"),
            "held out for tests",
        ),
        (("report", "--out", tmp_path / "a"), "no run of the data engine there"),
    ):
        with pytest.raises(SystemExit) as e:
            main(["data", *map(str, arguments)])
        line = capsys.readouterr().err
        assert (e.value.code, line.count("\n")) == (1, 1) and told in line, line


def test_unknown_settings_are_named(tmp_path):
    path = tmp_path / "data.yaml"
    for text, told in (
        ("prepare: {crff: 3}", "unknown key 'crff'"),
        (
            "data: {structure: {window: {policy: fifo}}}",
            "structure.window.policy must be one of shadow",
        ),
        ("refine: {siblings: 5}", "refine.siblings must be in [0, 4], not 5"),
        ("- 1", "expected a mapping of settings"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError) as e:
            DataConfig.from_yaml(path)
        assert told in str(e.value)


# ---- shards and progress -------------------------------------------------------------------------


def test_sixteen_videos_are_work_for_four_processes(tmp_path):
    """Regression: they were one shard, which one process made, with progress only at its end."""
    config = DataConfig()
    write_sources(tmp_path, sim_sources(list(range(1000, 1016)), 8), config)
    assert StageFolder(tmp_path, "sources").manifest()["shards"] == 4


def test_progress_is_told_by_items(whole, tmp_path):
    out, config = whole
    told: list[tuple[int, int]] = []
    run(Job("structure", out, tmp_path, config), progress=lambda *now: told.append(now))
    assert told == [(n, 3) for n in range(4)]
    told.clear()
    (tmp_path / "structure" / "shard-00001.done").unlink()
    run(Job("structure", out, tmp_path, config), progress=lambda *now: told.append(now))
    assert told == [(2, 3), (3, 3)]
    samples = sum(d.records for d in StageFolder(tmp_path, "structure").all_done())
    told.clear()
    run(Job("verify", tmp_path, tmp_path, config), progress=lambda *now: told.append(now))
    assert (
        len(told) == 4
        and told[0] == (0, samples)
        and told[-1] == (samples, samples)
        and samples > 3
    )
