"""Any server with OpenAI's chat API: standard fields only, and decisions from text."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("httpx")

from chat_double import Reply, Request
from openai_doubles import (
    DOUBLES,
    Body,
    Hosted,
    Ollama,
    OpenAIDouble,
    Refused,
    TransformersServe,
    Word,
)

from aura_core.config import (
    AssistantConfig,
    DeciderConfig,
    GenerationConfig,
    ModelConfig,
    ServerConfig,
    WindowConfig,
)
from aura_core.errors import ConfigError, ModelError
from aura_core.models import load
from aura_core.models.server import replies
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Query, Step

WINDOW = WindowConfig(keep=2, max=4)
GREYS = (10, 10, 200, 200, 10, 10)


def text_of(body: Body) -> str:
    """The text of the newest message."""
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part["type"] == "text")


def brightness(body: Body) -> float:
    """Of the newest image."""
    urls = [
        part["image_url"]["url"]
        for m in body["messages"]
        if isinstance(m["content"], list)
        for part in m["content"]
        if part["type"] == "image_url"
    ]
    data = base64.b64decode(urls[-1].partition("base64,")[2])
    return float(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).mean())


def says(body: Body) -> str:
    """A model that follows the prompts: a bright picture is worth words."""
    text = text_of(body)
    if "yes or no" in text.lower():
        return "Yes." if brightness(body) > 100 else "no"
    return "It is <|im_end|> bright, I think." if brightness(body) > 100 else "It is dark."


def client(server: OpenAIDouble, **options: Any) -> Any:
    settings = {"url": server.url, "model": server.model, "dialect": "openai", "retries": 0}
    return load(ModelConfig(path="nothing/here"), ServerConfig(**(settings | options)))


def watch(backend: Any, greys: tuple[int, ...] = GREYS, **config: Any) -> list[Step]:
    config = {
        "window": WINDOW,
        "decider": DeciderConfig(unsolicited=True),
        "generation": GenerationConfig(max_new_tokens=64),
    } | config
    lockstep = Lockstep(StreamEngine(backend, AssistantConfig(**config)), at_once=False)
    steps = []
    for i, grey in enumerate(greys):
        if i == 5:
            lockstep.ask(Query("What do you see?"))
        for half in range(2):
            image = np.full((48, 64, 3), grey, np.uint8)
            lockstep.push(Frame(image, (2 * i + half) * 500_000_000))
        while (step := lockstep.step()) is not None:
            steps.append(step)
    return steps


@pytest.mark.parametrize("name", DOUBLES)
def test_every_server_decides_and_answers(name: str) -> None:
    with DOUBLES[name](says) as server:
        backend = client(server)
        steps = watch(backend)
        assert [s.response is not None for s in steps] == [False, False, True, True, False, True]
        assert steps[2].response.text.startswith("It is") and "bright" in steps[2].response.text
        assert steps[5].response.text == "It is dark."
        assert backend.counters.retries == backend.counters.resends == 0
        assert backend.trouble == ""
        unknown = set().union(*(r.body for r in server.requests)) - server.now.known
        assert unknown == set()


def test_decisions_are_read_from_the_probabilities_where_they_are_told() -> None:
    def unsure(body: Body) -> Any:
        if "yes or no" not in text_of(body).lower():
            return "It is dark."
        return [Word("No", {"No": 0.6, "Yes": 0.2, " yes": 0.1, "Not": 0.05})]

    with Ollama(unsure) as server:
        steps = watch(client(server), (10, 10))
        assert [s.decision.p_silent for s in steps] == pytest.approx([2 / 3] * 2, abs=1e-4)
        spoken = watch(
            client(server), (10,), decider=DeciderConfig(unsolicited=True, threshold=0.7)
        )
        assert spoken[0].response.text == "It is dark."


@pytest.mark.parametrize("said", ["", "I do not know", "None of them", "Nothing to report"])
def test_what_is_neither_yes_nor_no_is_silence(said: str) -> None:
    with TransformersServe(lambda body: said) as server:
        assert [s.response for s in watch(client(server), (10, 10))] == [None, None]


def test_a_prompted_model_may_decide_by_the_silent_word() -> None:
    def prompted(body: Body) -> str:
        return "It is bright." if brightness(body) > 100 else "<|silent|>"

    with TransformersServe(prompted, specials=True) as server:
        steps = watch(client(server), decider=DeciderConfig(mode="token", unsolicited=True))
        assert [s.response.text if s.response else None for s in steps[:4]] == [
            None,
            None,
            "It is bright.",
            "It is bright.",
        ]


def test_fields_that_newer_models_refuse_are_given_up() -> None:
    with Hosted(says, max_tokens=False, temperature=False, key="k") as server:
        import os

        os.environ["AURA_TEST_KEY"] = "k"
        backend = client(server, api_key_env="AURA_TEST_KEY")
        assert watch(backend, (10, 200))[1].response is not None
        assert "the text decides" in backend.description
        assert "max_completion_tokens" in server.requests[-1].body
        assert "temperature" not in server.requests[-1].body


def test_further_fields_of_a_request_are_the_users() -> None:
    with Ollama(says) as server:
        watch(client(server, extra_body='{"seed": 7, "temperature": null}'), (10,))
        assert server.requests[-1].body["seed"] == 7
        assert "temperature" not in server.requests[-1].body
    with pytest.raises(ConfigError, match=r"server.extra_body must be a JSON object"):
        ServerConfig(extra_body="[1]")
    with pytest.raises(ConfigError, match=r"server.model must be the name"):
        ServerConfig(url="http://x/v1", dialect="openai")


def test_a_model_that_sees_nothing_is_told() -> None:
    with DOUBLES["llama_server"](says, vision=False) as server:
        backend = client(server)
        with pytest.raises(ModelError, match="image input is not supported"):
            watch(backend, (10,))
    with Ollama(says, parts=frozenset({"text"})) as server:
        backend = client(server)
        with pytest.raises(ModelError, match=r"the model must see images"):
            watch(backend, (10,))


def test_both_frames_of_each_chunk_in_view_go_with_each_request() -> None:
    with Ollama(says) as server:
        watch(client(server), (10, 10, 10))
        images = [
            sum(
                part["type"] == "image_url"
                for m in r.body["messages"]
                if isinstance(m["content"], list)
                for part in m["content"]
            )
            for r in server.requests
        ]
        assert images[-3:] == [2, 4, 6]
        assert all("uuid" not in str(r.body) for r in server.requests)


def test_an_answer_that_is_longer_than_a_stream_is_cut_and_said_once() -> None:
    with Ollama(says) as server:
        backend = client(server, answer_tokens=2)
        steps = watch(backend, (10, 200))
        assert steps[1].response is not None and backend.counters.cut_answers == 1


def test_a_field_that_is_refused_later_is_given_up_then() -> None:
    """The probe sends no stream; and a server may be restarted as another kind."""

    class Strict(Ollama):
        def check(self, body: Body) -> None:
            for field in ("stream_options", *(["logprobs"] if self.late else [])):
                if field in body:
                    message = f"Unsupported parameter: '{field}'"
                    raise Refused(400, self.error(400, message))

        late = False

    with Strict(says) as server:
        backend = client(server)
        assert watch(backend, (10, 200))[1].response is not None
        server.late = True
        assert watch(backend, (10, 200))[1].response is not None


def test_replies_without_words_that_end_at_their_limit_are_told() -> None:
    class Thinks(Ollama):
        def reply(self, request: Request) -> Any:
            message = {"role": "assistant", "content": "", "reasoning": "Got it"}
            choice = {"index": 0, "message": message, "finish_reason": "length"}
            return Reply({"choices": [choice]})

    with Thinks(says) as server:
        backend = client(server)
        assert [s.response for s in watch(backend, (10,))] == [None]
        assert "a model that thinks first must be told not to" in backend.trouble


def test_content_in_parts_is_read() -> None:
    choice = {"message": {"content": [{"type": "text", "text": "Ye"}, {"text": "s"}, None]}}
    assert replies.text_of(choice) == "Yes"
