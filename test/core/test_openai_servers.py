"""The engine over each kind of OpenAI-compatible server, through a window switch and with watches.

The servers are doubles. Regression: with `server.dialect: openai` every step failed after the first
switch, because a turn of text in the prefix was taken for one with a chunk.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

pytest.importorskip("httpx")

from openai_doubles import DOUBLES, Hosted, LlamaServer, OpenAIDouble

from aura_core.config import AssistantConfig, GenerationConfig, ServerConfig, WindowConfig
from aura_core.errors import ModelError
from aura_core.models import load
from aura_core.replay.lockstep import Asked, Lockstep, drive, insert
from aura_core.sources import open_source
from aura_core.stream.engine import StreamEngine
from aura_core.stream.recovery import Lost

if not any(f.name == "dialect" for f in dataclasses.fields(ServerConfig)):
    pytest.skip("this version has one dialect", allow_module_level=True)

SECONDS = 18.0
ASKED = [Asked("what is on the table?", 3.0), Asked("tell me when it rains", 5.0)]


def weather(body: dict[str, Any]) -> str:
    """There is a cup, and never anything to report."""
    last = body["messages"][-1]["content"]
    text = last if isinstance(last, str) else " ".join(p.get("text", "") for p in last)
    if "yes or no" in text:
        return "no"
    return "A cup." if "table" in text else "okay"


def run(server: OpenAIDouble, policy: str = "floating") -> tuple[Any, list[str], list[Lost]]:
    config = AssistantConfig(
        server=ServerConfig(url=server.url, dialect="openai", model="model", retries=0),
        window=WindowConfig(keep=4, max=8, policy=policy),
        generation=GenerationConfig(max_new_tokens=16),
    )
    backend = load(config.model, config.server)
    lost: list[Lost] = []
    events = insert(iter(open_source("sim:7", 2.0, SECONDS)), ASKED)
    steps = drive(Lockstep(StreamEngine(backend, config)), events, on_lost=lost.append)
    return backend, [s.response.text if s.response else "" for s in steps], lost


@pytest.mark.parametrize("policy", ["floating", "shadow"])
@pytest.mark.parametrize("name", DOUBLES)
def test_a_run_through_two_switches(name: str, policy: str) -> None:
    with DOUBLES[name](weather) as server:
        backend, said, lost = run(server, policy)
    assert [x.message for x in lost] == []
    assert [words for words in said if words] == ["A cup.", "okay"]
    assert len(said) == SECONDS + 2  # each question is answered in a step of its own
    assert backend.counters.prompt_mismatches == 0


def test_a_hosted_api_that_wants_other_fields() -> None:
    with Hosted(weather, key="") as server:
        assert [words for words in run(server)[1] if words] == ["A cup.", "okay"]
    bodies = [r.body for r in server.requests]
    assert sum("logprobs" in b for b in bodies) == 1  # it was refused once, and not sent again


def test_a_server_without_eyes_is_told_at_once() -> None:
    with LlamaServer(weather, vision=False) as server, pytest.raises(ModelError) as e:
        run(server)
    assert "image input is not supported" in str(e.value)
