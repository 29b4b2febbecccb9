"""Ray Data runs the same stage functions and writes the same bytes. Needs the extra `ray`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from data_rig import REPOSITORY, shards, small_run

from aura_core.data import STAGES
from aura_core.data.engine import run, write_sources
from aura_core.data.prepare import sim_sources
from aura_core.data.worker import Job
from aura_core.errors import ConfigError, InputError


def test_without_ray_it_says_what_to_install(tmp_path, monkeypatch):
    config = small_run(tmp_path, range(1000, 1001), 8)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"-m pip install 'ray\[data\]>="):
        run(Job("refine", tmp_path, tmp_path, config), engine="ray")


@pytest.mark.slow
def test_ray_writes_what_the_local_engine_writes(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), *filter(None, sys.path)]))
    seeds = range(1000, 1004)
    config = small_run(tmp_path / "local", seeds, 30, shard_size=1)
    out = tmp_path / "ray"
    write_sources(out, sim_sources(list(seeds), 30), config)
    try:
        for stage in STAGES:
            assert run(Job(stage, out, out, config), engine="ray", processes=2).made == 4
        assert shards(out) == shards(tmp_path / "local")
        (out / "structure" / "shard-00002.done").unlink()
        (told,) = run(Job("structure", out, out, config), engine="ray").notes
        assert told.endswith("shard-00002.jsonl: half-written: made again")
        assert shards(out) == shards(tmp_path / "local")
        (out / "prepare/clips/sim-1001.mp4").write_bytes(b"x")
        with pytest.raises(InputError, match=r"sim-1001\.mp4: damaged"):
            run(Job("synthesize", out, tmp_path / "more", config), engine="ray")
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_a_killed_run_is_gone_on_with_while_its_workers_may_still_live(tmp_path):
    """Regression: workers of Ray held no lock, so the next run cleaned up while they wrote."""
    pytest.importorskip("ray")
    small_run(tmp_path / "local", range(1000, 1006), 60)
    (tmp_path / "data.yaml").write_text("shard_size: 1\n")
    out = tmp_path / "ray"
    command = [sys.executable, "-m", "aura_core.cli", "data", "all", "--source", "sim"]
    command += ["--seeds", "1000:1006", "--seconds", "60", "--engine", "ray", "--processes", "2"]
    command += ["--config", str(tmp_path / "data.yaml"), "--out", str(out), "--quiet"]
    paths = os.pathsep.join([str(REPOSITORY), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": paths}
    killed = subprocess.Popen(command, env=environment, start_new_session=True)
    end = time.monotonic() + 240
    while not any((out / "prepare").glob("*.done")) and time.monotonic() < end:
        assert killed.poll() is None
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert shards(out) == shards(tmp_path / "local")
    assert not list(out.rglob("*.part-*"))
