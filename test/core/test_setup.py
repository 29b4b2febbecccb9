"""Which build of PyTorch the set-up takes (`.ci/torch`): by GPU, by what can be reached, by what is
asked for."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="bash is not installed")

HEALTHY = "echo 'GPU 0: NVIDIA (UUID: GPU-1)'"
BROKEN = "echo 'NVIDIA-SMI has failed'; exit 9"
CHOOSE = (
    'wish=$(torch_wish); choose_torch "$wish"\n'
    'echo "$wish|$torch_label|${torch_from[*]}|$torch_note"'
)


@pytest.fixture
def index() -> Iterator[str]:
    """Address of a package index that has a page for torch."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/cpu/torch/" else 404)
            self.end_headers()
            self.wfile.write(b"<html></html>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/cpu"
        server.shutdown()


def shell(
    folder: Path,
    script: str,
    nvidia_smi: str = "",
    torch_index: str = "",
    python: str = f'exec {sys.executable} "$@"',
) -> str:
    """What `script` prints once `.ci/torch` is read. `nvidia_smi` and `python`, that of the virtual
    environment, are the texts of these programs."""
    programs = folder / "bin"
    programs.mkdir()
    for tool in ("timeout", "sh"):
        (programs / tool).symlink_to(str(shutil.which(tool)))
    for name, text in {"nvidia-smi": nvidia_smi, "python": python}.items():
        if text:
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
    head = f"set -euo pipefail\nvenv={folder}\ntorch=torch==1\ntorch_index='{torch_index}'\n"
    done = subprocess.run(
        [str(BASH), "-c", f"{head}source {REPOSITORY}/.ci/torch\n{script}"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("nvidia_smi", ["", BROKEN], ids=["no driver", "broken driver"])
def test_without_a_gpu_the_cpu_build_is_taken(tmp_path: Path, index: str, nvidia_smi: str) -> None:
    told = shell(tmp_path, f"torch_cpu_index={index}\n{CHOOSE}", nvidia_smi)
    assert told == f"cpu|PyTorch: CPU, about 0.2 GB|--index-url {index}|"


def test_an_index_that_cannot_be_reached_is_told_and_not_used(tmp_path: Path) -> None:
    told = shell(tmp_path, f"torch_cpu_index=http://127.0.0.1:9/cpu\n{CHOOSE}")
    wish, label, source, note = told.split("|")
    assert (wish, label, source) == ("cpu", "PyTorch: up to 2.7 GB", "")
    assert "does not answer" in note and "default index" in note


def test_with_a_gpu_the_default_index_is_taken_unasked(tmp_path: Path) -> None:
    assert shell(tmp_path, CHOOSE, HEALTHY) == "cuda|PyTorch: CUDA, about 2.7 GB||"


def test_an_index_of_the_users_own_comes_first(tmp_path: Path) -> None:
    told = shell(tmp_path, CHOOSE, HEALTHY, "http://127.0.0.1:9/mine")
    assert told == (
        "http://127.0.0.1:9/mine|PyTorch: from TORCH_INDEX|--index-url http://127.0.0.1:9/mine|"
    )


@pytest.mark.parametrize(
    ("wish", "installed", "removed"),
    [
        ("cpu", "", False),
        ("cpu", "cpu", False),
        ("cpu", "cuda", False),  # runs without a GPU as well
        ("cuda", "cuda", False),
        ("cuda", "cpu", True),
        ("http://127.0.0.1:9/mine", "cpu", True),
    ],
)
def test_a_build_that_would_not_do_is_removed_first(
    tmp_path: Path, wish: str, installed: str, removed: bool
) -> None:
    """pip calls any build of the same version satisfied."""
    stubs = f'torch_build() {{ echo "{installed}"; }}\npip() {{ echo "pip $*"; }}\ntorch_from=()\n'
    told = shell(tmp_path, f'{stubs}install_torch "{wish}"', python='echo "$@"').splitlines()
    before = ["-m pip uninstall --quiet --yes torch"] if removed else []
    assert told == [*before, "pip install torch==1", f"installed: {installed}".strip()]
