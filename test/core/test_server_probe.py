"""What a server lacks is found before the first decision, said in one line, and not used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("httpx")

from chat_double import Fault, Reply, Request, Stream, refusal  # noqa: E402
from model_double import ModelDouble  # noqa: E402
from served import TEMPLATE, assistant_for, one, open_served, plain, run, served_model  # noqa: E402

from aura_core.errors import ModelError  # noqa: E402
from aura_core.models.server.prompt_check import SEEN, cause  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return served_model(tmp_path_factory.mktemp("served"))


class Doubling(ModelDouble):
    """Writes the vision markers twice, as vLLM does with the template of the checkpoint."""

    def reply(self, request: Request) -> Reply | Stream:
        done = super().reply(request)
        chunks = sum(
            part["type"] == "video_url"
            for m in request.body["messages"]
            if isinstance(m["content"], list)
            for part in m["content"]
        )
        usage = done.usage if isinstance(done, Stream) else done.value["usage"]
        usage["prompt_tokens"] += 2 * chunks
        if isinstance(done, Reply) and "prompt_token_ids" in done.value:
            ids, pad = done.value["prompt_token_ids"], self.pad
            at = ids.index(pad)
            done.value["prompt_token_ids"] = [*ids[:at], ids[at - 1], *ids[at:], ids[-1]]
        return done


class Deaf(ModelDouble):
    """Ignores `continue_final_message`: it begins a new turn, and says nothing about it."""

    def reply(self, request: Request) -> Reply | Stream:
        if request.body.get("continue_final_message"):
            body = request.body | {"continue_final_message": False, "add_generation_prompt": True}
            request = Request(body, request.authorization, request.fault)
        return super().reply(request)


class NoUuids(ModelDouble):
    def reply(self, request: Request) -> Reply | Stream:
        for m in request.body["messages"]:
            for part in m["content"] if isinstance(m["content"], list) else []:
                if part["type"] == "video_url" and part["video_url"] is None:
                    return refusal("cannot unpack non-iterable NoneType object")
        return super().reply(request)


class OtherWords(ModelDouble):
    """Writes another time before the frames: a prompt of the same length."""

    def reply(self, request: Request) -> Reply | Stream:
        done = super().reply(request)
        if isinstance(done, Reply) and "prompt_token_ids" in done.value:
            ids = done.value["prompt_token_ids"]
            ids[ids.index(self.pad) - 3] += 1
        return done


@pytest.fixture
def server(request: pytest.FixtureRequest, model: Any) -> Iterator[ModelDouble]:
    with getattr(request, "param", ModelDouble)(model, TEMPLATE, new_prefixes=99) as loopback:
        yield loopback


def test_a_server_that_can_all_is_asked_a_few_times_and_told_in_one_line(
    server: ModelDouble,
) -> None:
    backend = open_served(server, probe=True)
    assert "prompts" not in backend.description
    list(run(backend, 2))
    assert "a video, each sent once, prompts equal to the token" in backend.description
    assert backend.trouble == ""
    asked = backend.counters.requests
    assert asked <= 2 + 5
    list(run(backend, 2))
    assert backend.counters.requests == asked + 2  # it is asked once


@pytest.mark.parametrize("server", [Doubling], indirect=True)
def test_markers_that_are_written_twice_are_named_at_the_first_prompt(server: ModelDouble) -> None:
    backend = open_served(server, probe=True)
    one(assistant_for(backend), 0)
    assert "vision markers twice" in backend.trouble and "aura template" in backend.trouble
    assert "its prompts differ" in backend.description


@pytest.mark.parametrize("server", [Doubling], indirect=True)
def test_without_a_probe_they_are_named_after_a_few_prompts(server: ModelDouble) -> None:
    backend = open_served(server)
    list(run(backend, SEEN + 3))
    assert backend.counters.prompt_mismatches >= SEEN
    assert "vision markers twice" in backend.trouble


@pytest.mark.parametrize("server", [OtherWords], indirect=True)
def test_other_words_of_the_same_length_stay_told(server: ModelDouble) -> None:
    backend = open_served(server, probe=True)
    list(run(backend, 4))
    assert backend.counters.prompt_mismatches == 0
    assert "--media-io-kwargs" in backend.trouble


@pytest.mark.parametrize("server", [NoUuids], indirect=True)
def test_a_server_without_uuids_gets_every_frame_each_time(server: ModelDouble) -> None:
    backend = open_served(server, probe=True)
    list(run(backend, 4))
    assert "sent with each request" in backend.description
    assert backend.counters.resends == 0


@pytest.mark.parametrize("server", [Deaf], indirect=True)
def test_a_server_that_continues_no_turn_gets_none(server: ModelDouble) -> None:
    """Else it would begin its answer anew, and the words would come twice."""
    backend = open_served(server, probe=True, answer_tokens=1)
    list(run(backend, 4))
    assert "without" in backend.description and "continu" in backend.description
    assert not any(e.body.get("continue_final_message") for e in server.log[-4:])
    assert backend.counters.cut_answers >= 1


def test_a_server_that_is_not_there_is_asked_again(model: Any) -> None:
    with ModelDouble(model, TEMPLATE, new_prefixes=99) as server:
        backend = open_served(server, probe=True, retries=0)
        server.faults.append(Fault("status", status=503))
        assistant = assistant_for(backend)
        with pytest.raises(ModelError, match="503"):
            one(assistant, 0)
        assert "prompts" not in backend.description
        one(assistant, 1)
        assert "prompts equal" in backend.description


def test_a_server_of_another_kind_is_told_with_the_next_step(server: ModelDouble) -> None:
    backend = open_served(server, probe=True)
    server.faults.append(Fault("status", status=422))
    with pytest.raises(ModelError, match=r"set server.dialect: openai"):
        one(assistant_for(backend), 0)


def test_a_cache_that_is_too_small_is_noticed(server: ModelDouble) -> None:
    """Three losses in a row: from then on the bytes go with every request."""
    backend = open_served(server)
    assistant = assistant_for(backend)
    for i in range(6):
        server.faults.append(Fault("forget") if i else Fault("none"))
        one(assistant, i)
    assert backend.counters.resends == 3
    assert "media cache holds less than one window" in backend.trouble
    assert "sent with each request" in backend.description


class Forgetful(ModelDouble):
    """Answers one request that names a frame with `lost`, as if it had lost it."""

    lost: Reply | None = None

    def reply(self, request: Request) -> Reply | Stream:
        named = "None" in str([m["content"] for m in request.body["messages"]])
        if named and self.lost is not None:
            lost, self.lost = self.lost, None
            return lost
        return super().reply(request)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "cannot unpack non-iterable NoneType object"),
        (422, "anything"),
        (500, "Expected a cached item for mm_hash='1'"),
    ],
)
def test_whatever_a_server_says_of_a_lost_frame_it_gets_the_bytes(
    model: Any, status: int, said: str
) -> None:
    with (
        Forgetful(model, TEMPLATE, new_prefixes=99) as server,
        ModelDouble(model, TEMPLATE, new_prefixes=99) as other,
    ):
        server.lost = refusal(said, status)
        backend = open_served(server)
        assert plain(list(run(backend, 3))) == plain(list(run(open_served(other), 3)))
        assert (backend.counters.resends, backend.counters.retries) == (1, 0)
        assert server.lost is None


def test_the_cause_of_another_length() -> None:
    assert "vision markers twice" in cause(14, 7)
    assert "3 a chunk" in cause(21, 7) and "longer" in cause(21, 7)
    assert "shorter" in cause(-5, 7) and "a chunk" not in cause(-5, 7)
