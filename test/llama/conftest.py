"""llama.cpp's server with a tiny random model, with eyes and without."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parents[1] / ".llama" / "bin" / "python"
sys.path.insert(0, str(HERE.parent / "core"))


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the model's files."""
    if not PYTHON.exists():
        pytest.skip("llama.cpp is not installed: make test-llama")
    folder = tmp_path_factory.mktemp("gguf")
    subprocess.run([PYTHON, HERE / "tiny_model.py", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def serve(files: Path) -> Iterator[Callable[[bool], str]]:
    """Starts a server, with a projector or without; its address."""
    running: list[subprocess.Popen[str]] = []

    def start(vision: bool) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        given = [files / "tiny.gguf", *([files / "tiny-mmproj.gguf"] if vision else [])]
        process = subprocess.Popen(
            [PYTHON, HERE / "serve.py", str(port), *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        return f"{process.stdout.readline().strip()}/v1"

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def seeing(serve: Callable[[bool], str]) -> str:
    """A server whose model sees images."""
    return serve(True)


@pytest.fixture(scope="session")
def blind(serve: Callable[[bool], str]) -> str:
    """A server whose model does not."""
    return serve(False)
