"""llama.cpp's own server: its double is true, and the engine runs over it."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import cv2
import numpy as np
import pytest
from openai_doubles import LlamaServer

from aura_core.config import AssistantConfig, GenerationConfig, ServerConfig, WindowConfig
from aura_core.doctor import server as doctor
from aura_core.models import load
from aura_core.replay.lockstep import Asked, Lockstep, drive, insert
from aura_core.sources import open_source
from aura_core.stream.engine import StreamEngine
from aura_core.stream.recovery import Lost

httpx = pytest.importorskip("httpx")
pytestmark = pytest.mark.slow
DIALECT = any(f.name == "dialect" for f in dataclasses.fields(ServerConfig))

HELLO = [{"role": "user", "content": "hello there"}]
BEGUN = [*HELLO, {"role": "assistant", "content": "It"}]
BASE: dict[str, Any] = {"model": "m", "messages": HELLO, "temperature": 0.0, "max_tokens": 3}


def picture(grey: int = 128) -> str:
    _, png = cv2.imencode(".png", np.full((48, 48, 3), grey, np.uint8))
    return f"data:image/png;base64,{base64.b64encode(png.tobytes()).decode()}"


def looks_at(image: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": image}]}]


REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "an unknown field": {"flurb": 1},
    "stop_token_ids": {"stop_token_ids": [2]},
    "logprobs": {"logprobs": True, "top_logprobs": 4},
    "many logprobs": {"logprobs": True, "top_logprobs": 21},
    "max_completion_tokens": {"max_completion_tokens": 2},
    "another model": {"model": "nobody"},
    "an answer that is begun": {"messages": BEGUN},
    "two answers at the end": {"messages": [*BEGUN, BEGUN[-1]]},
    "a picture": {"messages": looks_at({"url": picture()})},
    "a picture without its object": {"messages": looks_at(picture())},
    "a picture that is none": {"messages": looks_at({"url": "aGVsbG8="})},
    "another kind of part": {"messages": [{"role": "user", "content": [{"type": "odd"}]}]},
    "no messages": {"messages": None},
}


def ask(url: str, body: dict[str, Any]) -> tuple[int, Any]:
    sent = {k: v for k, v in (BASE | body).items() if v is not None}
    reply = httpx.post(f"{url}/chat/completions", json=sent, timeout=60, trust_env=False)
    return reply.status_code, reply.json()


def shape(value: Any) -> Any:
    """The keys of a reply, without what only one of the two tells."""
    if isinstance(value, dict):
        skipped = ("id", "created", "model", "system_fingerprint", "timings", "bytes")
        return {k: shape(v) for k, v in value.items() if k not in skipped}
    return [shape(v) for v in value[:1]] if isinstance(value, list) else None


@pytest.mark.parametrize("vision", [True, False])
@pytest.mark.parametrize("name", REQUESTS)
def test_the_double_is_true(request: pytest.FixtureRequest, name: str, vision: bool) -> None:
    real = ask(request.getfixturevalue("seeing" if vision else "blind"), REQUESTS[name])
    with LlamaServer("one two three four", vision=vision) as server:
        double = ask(server.url, REQUESTS[name])
    assert double[0] == real[0]
    if real[0] != 200:
        assert double[1] == real[1]
        return
    assert shape(double[1]) == shape(real[1])
    told, meant = (v[1]["choices"][0].get("logprobs") for v in (real, double))
    if told is not None:
        assert len(told["content"]) == len(meant["content"]) == 3


def events(url: str, **body: Any) -> list[Any]:
    sent = BASE | {"stream": True} | body
    reply = httpx.post(f"{url}/chat/completions", json=sent, timeout=60, trust_env=False)
    datas = [line.removeprefix("data: ") for line in reply.text.split("\n\n") if line.strip()]
    return [json.loads(d) if d.startswith("{") else d for d in datas]


@pytest.mark.parametrize("usage", [True, False])
def test_the_end_of_a_stream(seeing: str, usage: bool) -> None:
    options = {"stream_options": {"include_usage": usage}}
    with LlamaServer("one two three four") as server:
        double = events(server.url, **options)[1:]  # the first one is the double's own
    real = events(seeing, **options)
    assert real[-1] == double[-1] == "[DONE]"
    assert real[0]["choices"][0]["delta"] == double[0]["choices"][0]["delta"]
    for sent in (real, double):
        last = sent[-3 if usage else -2]
        assert last["choices"][0]["finish_reason"] == "length" and not last["choices"][0]["delta"]
        assert bool(sent[-2].get("usage")) is usage


def test_a_whole_reply_repeats_what_was_begun_and_a_stream_does_not(seeing: str) -> None:
    whole = ask(seeing, {"messages": BEGUN})[1]["choices"][0]["message"]["content"]
    sent = [e for e in events(seeing, messages=BEGUN) if e != "[DONE]"]
    said = "".join(e["choices"][0]["delta"].get("content") or "" for e in sent)
    assert whole == f"It{said}"


def test_a_prefix_with_a_picture_is_reused(seeing: str) -> None:
    first = looks_at({"url": picture(7)})
    ask(seeing, {"messages": first})
    more = [*first, {"role": "assistant", "content": "no"}, *looks_at({"url": picture(80)})]
    usage = ask(seeing, {"messages": more})[1]["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] >= usage["prompt_tokens"] // 3


def test_a_prompt_that_is_too_long(seeing: str) -> None:
    status, value = ask(seeing, {"messages": [{"role": "user", "content": "word " * 2000}]})
    with LlamaServer(context=2048) as server:
        double = ask(server.url, {"messages": [{"role": "user", "content": "word " * 2000}]})
    assert (status, value["error"]["type"]) == (double[0], double[1]["error"]["type"])
    assert value["error"].keys() == double[1]["error"].keys()


def test_doctor_finds_its_model(seeing: str) -> None:
    (name,) = doctor.served(seeing, "", 5.0)
    assert name.endswith("tiny.gguf")


@pytest.mark.skipif(not DIALECT, reason="this version has one dialect")
@pytest.mark.parametrize("policy", ["floating", "shadow"])
def test_the_engine_runs_over_it(seeing: str, policy: str) -> None:
    server: dict[str, Any] = {"url": seeing, "dialect": "openai", "model": "m", "retries": 0}
    config = AssistantConfig(
        server=ServerConfig(**server),
        window=WindowConfig(keep=4, max=8, policy=policy),
        generation=GenerationConfig(max_new_tokens=8),
    )
    lost: list[Lost] = []
    asked = [Asked("what is there?", 3.0), Asked("tell me when it falls", 5.0)]
    events = insert(iter(open_source("sim:7", 2.0, 24)), asked)
    backend = load(config.model, config.server)
    steps = list(drive(Lockstep(StreamEngine(backend, config)), events, on_lost=lost.append))
    assert [x.message for x in lost] == []
    assert [s.question for s in steps if s.question] == [a.text for a in asked]
    assert len(steps) == 26
    assert sum(s.switched for s in steps) >= 3
