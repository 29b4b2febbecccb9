"""How many cores there are for this process, and how many threads a model takes of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aura_core import cores as module
from aura_core.cores import SMALL, cores, model_threads


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "1600000 100000\n"}, 8),  # more than there are
        ({"cpu.max": "nonsense"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    ],
)
def test_the_quota_of_a_container_is_a_limit(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores(tmp_path) == expected


@pytest.mark.parametrize(
    ("parameters", "asked", "omp", "expected"),
    [
        (9_000_000, None, "", 1),
        (SMALL, None, "", 7),
        (SMALL, 0, "", 7),
        (SMALL, 3, "", 3),
        (9_000_000, 3, "", 3),
        (SMALL, None, "2", 2),  # torchrun gives each of its processes 1
        (SMALL, None, "4,2", 4),
        (SMALL, None, "many", 7),
        (9_000_000, None, "4", 1),
        (SMALL, 6, "2", 6),  # what is asked for is not limited
    ],
)
def test_threads_of_a_model(
    monkeypatch: pytest.MonkeyPatch,
    parameters: int,
    asked: int | None,
    omp: str,
    expected: int,
) -> None:
    monkeypatch.setattr(module, "cores", lambda: 8)
    if omp:
        monkeypatch.setenv("OMP_NUM_THREADS", omp)
    assert model_threads(parameters, asked) == expected


def test_one_core_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: 1)
    assert model_threads(8_000_000_000) == 1
