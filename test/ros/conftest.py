"""A rig and a running assistant for each test module. Every test leaves the assistant watching."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest
from rig import Process, Rig

_numbers = itertools.count()


@pytest.fixture
def rigs() -> Iterator[Callable[[], tuple[str, Rig]]]:
    """Makes a rig in a namespace of its own."""
    made: list[Rig] = []

    def make() -> tuple[str, Rig]:
        namespace = f"/t{os.getpid()}_{next(_numbers)}"
        made.append(Rig(namespace))
        return namespace, made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture(scope="module")
def assistant() -> Iterator[tuple[Process, Rig]]:
    """One assistant with the scripted model, which reports a missing camera after one second."""
    namespace = f"/t{os.getpid()}_{next(_numbers)}"
    rig = Rig(namespace)
    args = (
        "-p",
        "model.path:=scripted",
        "-p",
        "stale_after_s:=1.0",
        "-p",
        "generation.max_pending_questions:=4",
    )
    with Process("assistant_node", namespace, *args) as process:
        rig.matched()
        yield process, rig
    rig.close()
