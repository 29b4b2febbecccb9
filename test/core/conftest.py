"""What several tests of the data engine share: an MLLM behind a real HTTP server, and clips
of a light that goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def mllm() -> Iterator[object]:
    pytest.importorskip("httpx")
    from mllm_double import MLLMDouble

    with MLLMDouble() as server:
        yield server


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its first stage done; nothing is written to it."""
    from mllm_double import light_run

    return light_run(tmp_path_factory.mktemp("clips"))
