"""Requests that only warm the server: they fail without a word, and the newest of those that wait
is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("httpx")

from chat_double import Fault  # noqa: E402
from model_double import ModelDouble  # noqa: E402
from served import TEMPLATE, assistant_for, one, open_served, served_model  # noqa: E402

from aura_core.models.backend import Tokens  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return served_model(tmp_path_factory.mktemp("served"))


@pytest.fixture
def server(model: Any) -> Iterator[ModelDouble]:
    with ModelDouble(model, TEMPLATE, new_prefixes=3) as loopback:
        yield loopback


def test_background_requests_fail_without_a_word_to_the_engine(server: ModelDouble) -> None:
    backend = open_served(server, retries=0)
    assistant = assistant_for(backend)
    one(assistant, 0)
    session = backend.open()
    server.faults.append(Fault("drop"))
    session.warm(assistant.engine.window.pieces(assistant.engine.codec))
    assert backend.warmer.wait(10)
    assert (backend.counters.warm_requests, backend.counters.warm_failures) == (1, 1)
    assert one(assistant, 1) is not None
    backend.close()


def test_of_waiting_background_requests_the_newest_is_kept(server: ModelDouble) -> None:
    backend = open_served(server)
    assistant = assistant_for(backend)
    for i in range(3):
        one(assistant, i)
    pieces = assistant.engine.window.pieces(assistant.engine.codec)
    first, rest = pieces[:5], pieces[5:]
    assert len(pieces) == 1 + 3 * 4 and isinstance(first[-1], Tokens)
    release = threading.Event()
    server.faults.append(Fault("wait", release=release))
    server.new_prefixes += 1
    session = backend.open()
    session.warm(first)
    assert _until(lambda: backend.counters.warm_requests == 1)
    session.warm(rest[:4])
    session.warm(rest[4:])
    release.set()
    assert backend.warmer.wait(10)
    assert (backend.counters.warm_requests, backend.counters.warm_skipped) == (2, 1)
    assert server.log[-1].prompt == session.length + len(
        backend.tokenizer.encode(backend.chat.assistant[0])
    )


def _until(true: Any) -> bool:
    """Wait for `true`, at most 10 s."""
    pause = threading.Event()
    return any(true() or pause.wait(0.01) for _ in range(1000)) and true()
