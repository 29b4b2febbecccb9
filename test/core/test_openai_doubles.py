"""The doubles of OpenAI-compatible servers have the limits that their docstrings tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai_doubles import (
    DOUBLES,
    Hosted,
    LlamaServer,
    Ollama,
    OpenAIDouble,
    SGLang,
    TransformersServe,
    Word,
)

httpx = pytest.importorskip("httpx")
HELLO = [{"role": "user", "content": "hello"}]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
BEGUN = [*HELLO, {"role": "assistant", "content": "It rains"}]


def ask(server: OpenAIDouble, messages: Any = HELLO, **body: Any) -> Any:
    reply = httpx.post(
        f"{server.url}/chat/completions",
        json={"messages": messages, **body},
        headers={"Authorization": "Bearer right"},
    )
    return reply.status_code, reply.json()


def text(answer: Any) -> str:
    status, value = answer
    assert status == 200, value
    return value["choices"][0]["message"]["content"]


def events(server: OpenAIDouble, **body: Any) -> list[Any]:
    url = f"{server.url}/chat/completions"
    reply = httpx.post(url, json={"messages": HELLO, "stream": True} | body)
    assert reply.status_code == 200
    datas = [line.removeprefix("data: ") for line in reply.text.split("\n\n") if line]
    return [json.loads(d) if d.startswith("{") else d for d in datas]


def image(url: str) -> list[Any]:
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "what?"}]
    return [{"role": "user", "content": parts}]


@pytest.mark.parametrize("name", DOUBLES)
def test_what_all_have(name: str) -> None:
    with DOUBLES[name]("It rains. Now.") as server:
        assert text(ask(server, image(PIXEL), model="model")) == "It rains. Now."
        assert text(ask(server, max_tokens=2)) == "It rains."
        if name != "transformers_serve":
            assert text(ask(server, stop="Now")) == "It rains."
        listed = httpx.get(f"{server.url}/models").json()["data"]
        sent = [e for e in events(server) if e != "[DONE]"]
        said = [e["choices"][0]["delta"].get("content") or "" for e in sent]
    assert [m["id"] for m in listed] == ["model"]
    assert "".join(said) == "It rains. Now."
    assert server.manner.source in ("observed", "documented") and server.manner.version


@pytest.mark.parametrize(
    ("name", "status", "where"),
    [
        ("transformers_serve", 422, "Unexpected fields in the request: {'stop_token_ids'}"),
        ("hosted", 400, "Unknown parameter: 'stop_token_ids'."),
        ("llama_server", 200, ""),
        ("ollama", 200, ""),
        ("sglang", 200, ""),
    ],
)
def test_unknown_fields(name: str, status: int, where: str) -> None:
    with DOUBLES[name]() as server:
        got, value = ask(server, stop_token_ids=[5])
    assert got == status
    assert where in str(value)


@pytest.mark.parametrize(
    ("name", "told"),
    [("transformers_serve", None), ("llama_server", 2), ("ollama", 2), ("sglang", 2)],
)
def test_logprobs(name: str, told: int | None) -> None:
    words = [Word("yes", {"yes": 0.6, "no": 0.3, "maybe": 0.1})]
    with DOUBLES[name](lambda _body: words) as server:
        _, value = ask(server, logprobs=True, top_logprobs=2)
    logprobs = value["choices"][0].get("logprobs")
    if told is None:
        assert logprobs is None
    else:
        (entry,) = logprobs["content"]
        assert [t["token"] for t in entry["top_logprobs"]] == ["yes", "no"]
        assert ("id" in entry) is (name == "llama_server")


def test_a_hosted_model_without_and_with_logprobs() -> None:
    with Hosted() as server:
        assert ask(server, logprobs=True)[0] == 403
    with Hosted(logprobs="yes") as server:
        assert ask(server, logprobs=True, top_logprobs=21)[0] == 400
        assert ask(server, logprobs=True, top_logprobs=20)[0] == 200


@pytest.mark.parametrize(
    ("name", "continues"),
    [
        ("transformers_serve", False),
        ("llama_server", True),
        ("ollama", False),
        ("sglang", False),
        ("hosted", False),
    ],
)
def test_the_last_message_of_the_assistant(name: str, continues: bool) -> None:
    with DOUBLES[name]("It rains. Now.") as server:
        begun = [*HELLO, {"role": "assistant", "content": "It rains."}]
        assert text(ask(server, begun)) == "It rains. Now."  # llama.cpp repeats what was begun
        sent = [e for e in events(server, messages=begun) if e != "[DONE]"]
    said = "".join(e["choices"][0]["delta"].get("content") or "" for e in sent)
    assert said == (" Now." if continues else "It rains. Now.")


def test_sglang_continues_where_it_is_asked_to() -> None:
    with SGLang("It rains. Now.") as server:
        begun = [*HELLO, {"role": "assistant", "content": "It rains."}]
        assert text(ask(server, begun, continue_final_message=True)) == " Now."


def test_special_tokens_and_stops() -> None:
    said, ids = "a<|silent|>b", {"<|silent|>": 7}
    with SGLang(said, ids=ids) as server:
        assert text(ask(server, stop_token_ids=[7])) == "a"
        assert text(ask(server, stop_token_ids=[7], skip_special_tokens=False)) == "a<|silent|>"
        sent = events(server, stop_token_ids=[7], logprobs=True)
        tokens = [e["choices"][0]["logprobs"] for e in sent[1:-2]]
        assert [t["content"][0]["token"] for t in tokens] == ["a"]  # not the one that ended it
    with LlamaServer(said, ids=ids) as server:
        assert text(ask(server, stop_token_ids=[7])) == "ab"


def test_the_end_of_a_stream() -> None:
    with TransformersServe("yes") as server:
        sent = events(server, stream_options={"include_usage": True})
    assert sent[-1]["choices"][0]["finish_reason"] == "stop" and sent[-1]["usage"]
    assert "[DONE]" not in sent and "finish_reason" not in sent[0]["choices"][0]
    with Ollama("yes") as server:
        asked = events(server, stream_options={"include_usage": True})
        plain = events(server)
    assert asked[-1] == plain[-1] == "[DONE]"
    assert asked[-2]["choices"] == [] and asked[-2]["usage"]
    assert "usage" not in plain[-2]


def test_pictures() -> None:
    with Ollama() as server:
        status, value = ask(server, image("http://host/a.png"))
        assert (status, value["error"]["message"]) == (400, "invalid image input")
        video = [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]}]
        assert ask(server, video)[0] == 400
    with Hosted() as server:
        assert "Supported values are: 'file'" in str(ask(server, video))
    with TransformersServe() as server:
        assert ask(server, video)[0] == 200
    with LlamaServer(vision=False) as server:
        for messages in (image(PIXEL), video):
            status, value = ask(server, messages)
            assert status == 500 and "mmproj" in value["error"]["message"]
    with LlamaServer() as server:
        assert ask(server, image("aGVsbG8="))[0] == 400
        odd = [{"role": "user", "content": [{"type": "odd"}]}]
        assert ask(server, odd)[1]["error"]["message"] == "unsupported content[].type"


def test_names_of_models() -> None:
    for kind, status in (
        (TransformersServe, 400),
        (Ollama, 404),
        (Hosted, 404),
        (LlamaServer, 200),
    ):
        with kind() as server:
            assert ask(server, model="other")[0] == status


def test_a_hosted_apis_other_refusals() -> None:
    with Hosted(key="wrong") as server:
        assert ask(server)[0] == 401
    with Hosted(key="right", max_tokens=False, temperature=False) as server:
        assert ask(server)[0] == 200
        assert "max_completion_tokens" in str(ask(server, max_tokens=5))
        assert "temperature" in str(ask(server, temperature=0.0))
        assert text(ask(server, max_completion_tokens=5, temperature=1)) == "yes"


def test_what_goes_wrong_in_transformers_serve_ends_the_connection() -> None:
    with TransformersServe() as server, httpx.Client() as client:
        url = f"{server.url}/chat/completions"
        for body in ({"messages": HELLO, "stop": "x"}, {"messages": image("aGVsbG8=")}, {}):
            try:
                reply = client.post(url, json=body)
            except httpx.TransportError:  # the connection of the request before
                reply = client.post(url, json=body)
            assert (reply.status_code, reply.text) == (500, "Internal Server Error")
    assert server.connections == 3


def test_the_prompts_end_before_an_answer_of_transformers_serve() -> None:
    with TransformersServe("yes", echo="<|im_start|> assistant") as server:
        assert text(ask(server)) == "<|im_start|> assistantyes"


def test_a_prompt_that_is_too_long() -> None:
    messages = [{"role": "system", "content": "be brief"}, *HELLO * 40]
    with LlamaServer(context=50) as server:
        status, value = ask(server, messages)
        assert (status, value["error"]["type"]) == (400, "exceed_context_size_error")
        assert ask(server)[0] == 200
    seen: list[Any] = []
    with Ollama(lambda body: seen.extend(body["messages"]) or "yes", context=50) as server:
        assert text(ask(server, messages)) == "yes"
    assert seen[0]["role"] == "system" and 1 < len(seen) < 10


def test_two_last_messages_of_the_assistant() -> None:
    with LlamaServer() as server:
        status, value = ask(server, [*BEGUN, BEGUN[-1]])
    assert status == 400 and "2 or more assistant messages" in value["error"]["message"]


# ---- what was observed: test/core/observed/SERVER_VERSION.jsonl, a reply a line ----------------

OBSERVED = Path(__file__).resolve().parent / "observed"
SENT: dict[str, dict[str, Any]] = {  # by the name of the observed reply
    "plain": {},
    "unknown field": {"flurb": 1},
    "field stop_token_ids": {"stop_token_ids": [2]},
    "logprobs": {"logprobs": True, "top_logprobs": 5},
    "stop text": {"stop": ["e", "a", "o"]},
    "image data png": {"messages": image(PIXEL)},
    "stream": {"stream": True},
    "stream usage": {"stream": True, "stream_options": {"include_usage": True}},
    "no messages": {"messages": None},
}


def observed(file: str) -> dict[str, Any]:
    lines = (OBSERVED / file).read_text(encoding="utf-8").splitlines()
    return {reply["name"]: reply for reply in map(json.loads, lines)}


def keys(value: Any) -> Any:
    """The keys of a reply, without what a client does not read."""
    skipped = ("id", "created", "model", "object", "system_fingerprint", "timings", "bytes", "role")
    if isinstance(value, dict):
        return {k: keys(v) for k, v in value.items() if k not in skipped}
    return [keys(v) for v in value[:1]] if isinstance(value, list) else None


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize(
    ("kind", "file"),
    [
        (TransformersServe, "transformers_serve_5.24.0.jsonl"),
        (LlamaServer, "llama_cpp_b11549.jsonl"),
    ],
    ids=["transformers", "llama"],
)
def test_a_double_replies_as_was_observed(kind: type[OpenAIDouble], file: str, name: str) -> None:
    real = observed(file)[name]
    body = {"messages": HELLO, "model": "model", "max_tokens": 4} | SENT[name]
    with kind("one two three four five") as server:
        url = f"{server.url}/chat/completions"
        reply = httpx.post(url, json={k: v for k, v in body.items() if v is not None})
    assert reply.status_code == real["status"]
    if not real["body"].startswith(("{", "data:")):  # plain text, or the reply of `plain` again
        assert real["body"] in (reply.text, "(as plain)")
    elif real["type"].startswith("application/json") and not real["body"].endswith("..."):
        assert keys(reply.json()) == keys(json.loads(real["body"]))
    elif not real["body"].endswith("..."):
        ends = [text.rstrip().split("\n\n")[-2:] for text in (reply.text, real["body"])]
        assert ("data: [DONE]" in ends[0]) == ("data: [DONE]" in ends[1])
        last = [json.loads(e.removeprefix("data: ")) for (e, *_) in ends if e.startswith("data: {")]
        assert keys(last[0]) == keys(last[1])
