"""Notes and recalled lines over a chat server: as in this process, and no decision differs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("httpx")

from memory_double import MemoryDouble  # noqa: E402
from model_double import ModelDouble  # noqa: E402
from served import TEMPLATE, assistant_for, frame, open_served, plain, run, served_model  # noqa: E402

from aura_core.stream.notes import Remembered  # noqa: E402

STEPS = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return served_model(tmp_path_factory.mktemp("served"))


@pytest.fixture
def server(model: Any) -> Iterator[ModelDouble]:
    with ModelDouble(model, TEMPLATE) as loopback:
        loopback.new_prefixes = 1000  # what is taken back is no prefix of the next request
        yield loopback


def test_notes_over_a_server_are_those_of_this_process_and_change_no_decision(
    model: Any, server: ModelDouble
) -> None:
    without = list(run(open_served(server), STEPS))
    here, there = MemoryDouble(block=2), MemoryDouble(block=2)
    local = list(run(model, STEPS, assistant_for(model, memory=here)))
    backend = open_served(server)
    remote = list(run(backend, STEPS, assistant_for(backend, memory=there)))
    assert plain(remote) == plain(local)
    assert [s.decision for s in remote] == [s.decision for s in without]
    assert [s.response for s in remote] == [s.response for s in without]
    notes = [(b.first, b.last, text) for b, text in there.notes]
    assert notes == [(b.first, b.last, text) for b, text in here.notes] and len(notes) >= 5
    assert backend.counters.prefix_violations == 0


def test_recalled_lines_and_pictures_reach_the_server(model: Any, server: ModelDouble) -> None:
    told = Remembered("From memory: nothing.\n", "Why?", (), ((frame(50), "2 hours ago"),))
    here, there = MemoryDouble(told=told), MemoryDouble(told=told)
    local = list(run(model, STEPS, assistant_for(model, memory=here)))
    backend = open_served(server)
    remote = list(run(backend, STEPS, assistant_for(backend, memory=there)))
    assert plain(remote) == plain(local)
    assert any("From memory: nothing." in str(r.body) for r in server.requests)
