"""Tests that need a CUDA device: `make test-gpu`. They share the rigs of test/core."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "core"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is marked `gpu`, and skipped without a device."""
    import torch

    missing = not torch.cuda.is_available()
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("gpu")
            if missing:
                item.add_marker(pytest.mark.skip(reason="torch sees no CUDA device"))


@pytest.fixture
def no_tf32() -> Iterator[None]:
    """float32 is float32: a convolution may else be computed with a mantissa of 10 bits."""
    import torch

    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [kind.allow_tf32 for kind in kinds]
    for kind in kinds:
        kind.allow_tf32 = False
    yield
    for kind, allowed in zip(kinds, before, strict=True):
        kind.allow_tf32 = allowed
