"""The programs that CMake installs (`aura` and the nodes), made from the same template."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from data_rig import shards

from aura_core.data import runners
from aura_core.data.engine import run, write_sources
from aura_core.data.prepare import sim_sources
from aura_core.data.settings import DataConfig
from aura_core.data.worker import Job
from aura_core.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[2]


def program(folder: Path, name: str, module: str) -> Path:
    """`name` as `install_program` of CMakeLists.txt writes it, for this Python and source tree."""
    text = (REPOSITORY / "cmake" / "program.in").read_text()
    for key, value in {"AURA_PYTHON": sys.executable, "module": module}.items():
        assert f"@{key}@" in text
        text = text.replace(f"@{key}@", value)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_every_program_is_made_from_the_template() -> None:
    cmake = (REPOSITORY / "CMakeLists.txt").read_text()
    (function,) = re.findall(r"function\(install_program .*?endfunction\(\)", cmake, re.DOTALL)
    assert "configure_file(cmake/program.in" in function
    assert set(re.findall(r"install\(PROGRAMS ([^)]*)", cmake)) <= set(
        re.findall(r"install\(PROGRAMS ([^)]*)", function)
    )


def test_the_installed_command_works_with_processes(tmp_path: Path) -> None:
    """Regression: without a guard each spawned worker ran the whole command again, and died."""
    config, one, two = tmp_path / "data.yaml", tmp_path / "one", tmp_path / "two"
    config.write_text("shard_size: 1\n")
    write_sources(one, sim_sources([1000, 1001], 8), DataConfig(shard_size=1))
    run(Job("prepare", one, one, DataConfig(shard_size=1)))
    arguments = ["--source", "sim", "--seeds", "1000:1002", "--seconds", "8", "--quiet"]
    arguments += ["--out", str(two), "--config", str(config), "--processes", "2"]
    done = subprocess.run(
        [program(tmp_path, "aura", "aura_core.cli"), "data", "prepare", *arguments],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert len(shards(one)) >= 4 and shards(two) == shards(one)


def test_a_worker_that_ends_early_is_told_with_its_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: "out of memory?" was said of workers that could not start."""
    config = DataConfig(shard_size=1)
    write_sources(tmp_path, sim_sources([1000, 1001], 8), config)
    monkeypatch.setattr(runners, "_make", os._exit)
    with pytest.raises(InputError, match=r"prepare: .*killed .*crashed.* could not start"):
        run(Job("prepare", tmp_path, tmp_path, config), processes=2)
