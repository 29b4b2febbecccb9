"""What `aura run` and `aura replay` print on the terminal: no library's warnings.

Regression: a release of transformers printed a deprecation at every start, because the package
called the language model with an argument's old name.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import checkpoints

ASK = ("--ask", "1.0:what is on the table?")


def aura(repository: Path, *args: object, told: str = "") -> None:
    """Run the command as a process, as a user does.

    FutureWarning and UserWarning end it. Nothing may stand on stderr, where libraries log, except
    one line of our own that contains `told`.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    warnings = ("-W", "error::FutureWarning", "-W", "error::UserWarning")
    done = subprocess.run(
        [sys.executable, *warnings, "-m", "aura_core.cli", *map(str, args)],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    if told:
        (line,) = done.stderr.splitlines()
        assert line.startswith("warning: ") and told in line
    else:
        assert done.stderr == ""
    assert "steps" in done.stdout


def test_a_run_prints_no_warning(repository: Path) -> None:
    aura(repository, "run", "sim:900001", "--seconds", 3, *ASK)


def test_a_replay_prints_no_warning(repository: Path, tmp_path: Path) -> None:
    from aura_core.replay.writer import write_bag
    from aura_core.sources import open_source

    with open_source("sim:900001", fps=2.0, duration_s=3.0) as source:
        write_bag(tmp_path / "bag", source)
    # whose pictures a bag holds cannot be known
    aura(repository, "replay", tmp_path / "bag", *ASK, told="aura_tiny, the embedded model")


@pytest.mark.slow
@pytest.mark.parametrize("family", checkpoints.FAMILIES)
def test_a_published_checkpoint_prints_no_warning(
    repository: Path, tmp_path: Path, family: str
) -> None:
    """A checkpoint without a silent token, which is asked yes or no."""
    folder = checkpoints.write(tmp_path / "vlm", family, silent=False)
    aura(repository, "run", "sim:900001", "--seconds", 3, "--model", folder, *ASK)
