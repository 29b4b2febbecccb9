"""How messages say which packages to install: into the Python that runs, wherever it comes from.

Regression: `pip install '.[voice]'` was told in a colcon workspace too, where there is no folder to
install from, and where `pip` may belong to another Python.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from test_programs import program

from aura_core import extras

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture
def system_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that its system manages: no virtual environment, and the marker of PEP 668."""
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sysconfig, "get_path", {"stdlib": str(tmp_path)}.get)
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    monkeypatch.setattr(sys, "prefix", "/usr")
    monkeypatch.setattr(sys, "base_prefix", "/usr")


def test_the_table_is_what_pyproject_says() -> None:
    optional = PROJECT["optional-dependencies"]
    assert list(extras.BASE.values()) == PROJECT["dependencies"]
    assert {name: list(lines) for name, lines in extras.EXTRAS.items()} == {
        name: optional[name] for name in extras.EXTRAS
    }
    # These belong to ROS 2 from wheels and to tests; no message names them.
    assert set(optional) - set(extras.EXTRAS) == {
        "ros",
        "camera",
        "dev-ros",
        "dev-voice",
        "dev-browser",
    }


def test_every_extra_that_a_message_names_is_in_the_table() -> None:
    named = {
        name
        for file in (ROOT / "aura_core").rglob("*.py")
        for name in re.findall(r"how_to_install\(['\"]([\w-]+)['\"]\)", file.read_text())
    }
    assert {"model", "voice", "faster-whisper"} <= named
    assert named <= {*extras.EXTRAS, "base"}


def test_no_message_names_a_pip_of_its_own() -> None:
    for folder in ("aura_core", "aura_ros"):
        for file in (ROOT / folder).rglob("*.py"):
            if file.name != "extras.py":
                assert "pip install" not in file.read_text(), file


def test_an_extra_that_brings_another_is_written_out() -> None:
    assert extras.requirements("train", "model", "judge") == [
        *extras.EXTRAS["model"],
        "accelerate>=1.15,<2",
        "peft>=0.21,<1",
        "httpx>=0.28,<1",
    ]


def test_the_line_names_the_python_that_runs_and_its_shell_reads_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extras, "externally_managed", lambda: False)
    monkeypatch.setattr(sys, "executable", "/home/me/my ws/venv/bin/python")
    assert shlex.split(extras.how_to_install("bench-voice")) == [
        "/home/me/my ws/venv/bin/python",
        "-m",
        "pip",
        "install",
        *extras.EXTRAS["voice"],
        "jiwer>=4,<5",
    ]


@pytest.mark.usefixtures("system_python")
def test_the_systems_python_gets_a_virtual_environment_first() -> None:
    assert extras.how_to_install("faster-whisper") == (
        "/usr/bin/python3 -m venv --system-site-packages venv && venv/bin/python -m pip install"
        " 'faster-whisper>=1.1,<2' (the system manages /usr/bin/python3, so pip needs a virtual"
        " environment, PEP 668; activate it and build the workspace again: docs/installation.md)"
    )


@pytest.mark.usefixtures("system_python")
def test_a_virtual_environment_of_the_systems_python_takes_pip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "prefix", "/home/me/ws/venv")
    assert not extras.externally_managed()


@pytest.mark.skipif(
    not list(Path("/usr/lib").glob("python3*/EXTERNALLY-MANAGED")), reason="none is managed here"
)
def test_a_python_that_debian_manages_is_known_as_such() -> None:
    done = subprocess.run(
        [
            "/usr/bin/python3",
            "-c",
            "from aura_core import extras; print(extras.how_to_install('whisper'))",
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("/usr/bin/python3 -m venv --system-site-packages venv && ")


def test_the_table_is_printed_for_pip(tmp_path: Path) -> None:
    def run(*names: str) -> subprocess.CompletedProcess[str]:
        # -S: no package is on its path
        words = [sys.executable, "-S", str(ROOT / ".ci" / "requirements"), *names]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)

    assert run("judge", "voice").stdout.splitlines() == [
        *extras.BASE.values(),
        *extras.requirements("judge", "voice"),
    ]
    refused = run("voices")
    assert refused.returncode == 1 and "no extra voices: use model, server" in refused.stderr


def test_the_documents_name_extras_that_exist() -> None:
    files = [ROOT / "README.md", ROOT / "package.xml", *(ROOT / "docs").glob("*.md")]
    lines = [
        line
        for file in files
        for line in re.findall(r"\.ci/requirements ([\w -]+)\)", file.read_text(encoding="utf-8"))
    ]
    assert len(lines) >= 3
    assert {name for line in lines for name in line.split()} <= set(extras.EXTRAS)


def told(folder: Path, module: str, *, imports: str) -> str:
    """What an installed program says whose module imports something that is not there."""
    (folder / f"{module}.py").write_text(f"import {imports}\ndef main(): ...\n")
    done = subprocess.run(
        [program(folder, "node", module)],
        env=os.environ | {"PYTHONPATH": f"{folder}:{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_program_without_a_package_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "av.py").write_text("raise ModuleNotFoundError(name='av')\n")
    assert told(tmp_path, "a_node", imports="av").startswith(
        f"error: av is not installed, and aura_ros needs it: {sys.executable} -m pip install 'numpy"
    )


def test_a_program_without_ros_names_the_setup_files(tmp_path: Path) -> None:
    assert told(tmp_path, "a_node", imports="some_msgs.msg") == (
        "error: No module named 'some_msgs': source the setup file of ROS 2 and that of the"
        " workspace, install/setup.bash, in this shell\n"
    )


def test_a_program_outside_its_workspace_names_the_setup_file(tmp_path: Path) -> None:
    path = program(tmp_path, "node", "aura_core.cli")
    done = subprocess.run(
        [sys.executable, "-I", "-S", path], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.endswith(
        "error: No module named 'aura_core': source the setup file of the workspace,"
        " install/setup.bash\n"
    )
