"""The engine on a chat server: the same decisions as in this process, and what is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("httpx")

from engine_rig import FREE, free  # noqa: E402
from model_double import ModelDouble  # noqa: E402
from served import (  # noqa: E402
    CANCELLED,
    LONGEST,
    TEMPLATE,
    WINDOW,
    assistant_for,
    open_served,
    plain,
    run,
    served_model,
)

from aura_core.config import DeciderConfig, ServerConfig  # noqa: E402
from aura_core.models.backend import Tokens  # noqa: E402
from aura_core.models.server.replies import Token  # noqa: E402
from aura_core.replay.lockstep import Lockstep  # noqa: E402
from aura_core.stream.decision import Decider  # noqa: E402
from aura_core.stream.engine import StreamEngine  # noqa: E402
from aura_core.types import Step  # noqa: E402

STEPS = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return served_model(tmp_path_factory.mktemp("served"))


@pytest.fixture
def server(model: Any) -> Iterator[ModelDouble]:
    with ModelDouble(model, TEMPLATE) as loopback:
        yield loopback


@pytest.fixture(scope="module")
def local(model: Any) -> list[Step]:
    """The run in this process that every other run must equal."""
    return list(run(model, STEPS))


def test_the_run_has_everything_in_it(local: list[Step]) -> None:
    """Without these events the equality below would mean little."""
    assert sum(s.switched for s in local) == 2
    spoken = [s for s in local if s.response is not None]
    assert 1 <= STEPS - len(spoken) <= STEPS - 6
    assert {s.decode_tokens for s in spoken} == {1, 2, LONGEST}
    assert local[CANCELLED].decode_tokens == 2
    assert len({s.response.text for s in spoken if s.response}) >= 3


@pytest.mark.parametrize("one_request", [True, False])
def test_decisions_and_answers_are_those_of_the_model_in_this_process(
    local: list[Step], server: ModelDouble, one_request: bool
) -> None:
    """Twelve steps with two switches.

    Answers end by themselves, at the limit, and one is cancelled.
    """
    backend = open_served(server, one_request=one_request)
    server.new_prefixes = 3  # the first one and two switches
    remote = list(run(backend, STEPS))
    assert plain(remote) == plain(local)
    np.testing.assert_allclose(
        [s.decision.p_silent for s in remote],
        [s.decision.p_silent for s in local],
        rtol=1e-3,
        atol=1e-3,
    )  # the end token may not be among the 20 that a server tells
    c = backend.counters
    spoken = sum(s.response is not None for s in local)
    assert c.requests == len(server.log) == STEPS + (0 if one_request else spoken)
    assert (c.media_sent, c.retries, c.resends, c.prefix_violations, c.prompt_mismatches) == (
        STEPS,
        0,
        0,
        0,
        0,
    )
    assert c.media_sent + c.media_reused == sum(_media(e.body) for e in server.log)
    # Only a stream that is closed before its end closes its connection.
    assert server.connections == 1 + c.aborted_streams
    assert server.new_prefixes == 0


def test_a_request_adds_only_the_new_chunk_and_the_end_of_the_last_turn(
    server: ModelDouble,
) -> None:
    """All else is in the server's prefix cache. The ratio is exact, not measured."""
    server.new_prefixes = 3
    backend = open_served(server)
    assistant, steps = assistant_for(backend), list[Step]()
    end: tuple[int, ...] = ()
    for step in run(backend, STEPS, assistant):
        entry, before = server.log[-1], server.log[-2] if step.chunk else None
        assert entry.new_media == 1
        if before is not None and not step.switched:
            # Of the end of the last turn, what the server itself has generated is there already.
            same = next(
                (i for i, (a, b) in enumerate(zip(end, before.made, strict=False)) if a != b),
                len(before.made),
            )
            assert entry.reused == before.prompt + min(same, len(end))
            assert entry.prompt - entry.reused <= step.prefill_tokens
        steps.append(step)
        end = assistant.engine.codec.assistant(assistant.engine.window.turns[-1].answer_ids).ids
    steady = [e for s, e in zip(steps, server.log, strict=True) if s.chunk and not s.switched]
    ratio = sum(e.reused for e in steady) / sum(e.prompt for e in steady)
    assert ratio > 0.6
    print(f"\nreused {ratio:.3f} of the prompt tokens")
    # The counts come at the end of a stream. A cancelled answer, and one at the engine's limit, are
    # closed before it.
    assert 0 < backend.counters.cached_tokens <= sum(e.reused for e in server.log)
    assert backend.counters.cached_tokens < backend.counters.prompt_tokens


def test_the_shadow_makes_a_switch_an_ordinary_request(
    local: list[Step], server: ModelDouble
) -> None:
    """The server reads the next window in the background, one chunk per request.

    So no prompt begins with an empty cache.
    """
    backend = open_served(server)
    assistant = assistant_for(backend, policy="shadow")
    server.new_prefixes = 3  # the window's first prompt, and the first of each of two shadows
    steps, ahead = list[Step](), 0
    for step in run(backend, STEPS, assistant):
        steps.append(step)
        if step.switched:  # all but the new chunk and the end of the turn before it was read ahead
            decided = next(e for e in reversed(server.log) if e.max_tokens != 1)
            assert decided.reused >= ahead > 0
            assert decided.prompt - decided.reused <= step.prefill_tokens
        assert backend.warmer.wait(10)
        ahead = server.log[-1].prompt if server.log[-1].max_tokens == 1 else 0
    warmed = [e for e in server.log if e.max_tokens == 1]
    assert [e.new_media for e in warmed] == [0] * 4 and not any(e.stream for e in warmed)
    assert sum(s.switched for s in steps) == 2
    assert [(s.state, s.response) for s in steps] == [(s.state, s.response) for s in local]
    c = backend.counters
    assert (c.warm_requests, c.warm_failures, c.requests) == (4, 0, STEPS + 4)
    assert (c.media_sent, c.prefix_violations, c.prompt_mismatches, server.new_prefixes) == (
        STEPS,
        0,
        0,
        0,
    )


@pytest.mark.parametrize("threshold", [0.9, 0.05])
def test_a_threshold_decides_as_in_this_process(
    model: Any, server: ModelDouble, threshold: float
) -> None:
    """0.9 forces a word that the server did not choose: another request continues from it.

    0.05 forces silence where the server has begun to speak: its stream is closed.
    """
    config = free(decider=replace(FREE, threshold=threshold))
    expected = list(run(model, STEPS, config=config))
    silent = sum(s.decision.silent for s in expected)
    assert silent == 0 if threshold == 0.9 else 3 <= silent <= STEPS - 3
    server.new_prefixes = 3
    backend = open_served(server)
    assert plain(list(run(backend, STEPS, config=config))) == plain(expected)
    c = backend.counters
    assert (c.prefix_violations, c.prompt_mismatches, c.cut_answers) == (0, 0, 0)
    assert c.requests > STEPS if threshold == 0.9 else c.aborted_streams >= silent - 1


def test_a_prefill_without_a_question_is_only_warmed(server: ModelDouble) -> None:
    backend = open_served(server)
    assistant = Lockstep(StreamEngine(backend, free(window=WINDOW)))
    list(run(backend, 2, assistant))
    closed = assistant.engine.window.pieces(assistant.engine.codec)
    session = backend.open()
    logits = session.prefill(closed)
    assert logits.shape == (backend._replies.vocabulary,) and np.isnan(logits).all()
    assert backend.warmer.wait(10) and backend.counters.warm_requests == 1
    assert session.length == sum(len(p) for p in closed)
    with pytest.raises(Exception, match="returned nan as a logit"):
        Decider(DeciderConfig(), backend.chat).decide(logits)


def test_tenants_share_no_uuids(server: ModelDouble) -> None:
    """For another tenant the same frames have other uuids and another salt."""

    def first_body(tenant: str) -> dict[str, Any]:
        server.new_prefixes = 1
        list(run(open_served(server, tenant=tenant), 1))
        return server.log[-1].body

    one, again, other, nobody = (first_body(t) for t in ("red", "red", "blue", ""))
    assert one == again
    assert _uuid(one) != _uuid(other) != _uuid(nobody) != _uuid(one)
    assert one["cache_salt"] != other["cache_salt"] and "cache_salt" not in nobody
    assert "red" not in json.dumps(one).split('"messages"')[0]


def test_without_uuids_all_bytes_go_with_each_request(
    server: ModelDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[dict[str, Any]] = []
    backend = open_served(server, media_uuids=False, media="images", one_request=False)
    monkeypatch.setattr(
        backend._client,
        "post",
        lambda body: bodies.append(body) or _one_token(backend.chat.silent_id),
    )
    list(run(backend, 2))
    parts = bodies[1]["messages"][-1]["content"]
    assert [p["type"] for p in parts] == ["image_url", "image_url", "text"] and "uuid" not in parts[
        0
    ]
    assert parts[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert backend.counters.media_sent == 1 + 2 and backend.counters.media_reused == 0
    assert "media_io_kwargs" not in bodies[0]


def test_the_reported_probabilities_are_exact_and_the_rest_is_spread() -> None:
    token = Token(7, {7: np.log(0.5), 3: np.log(0.3), 9999: np.log(0.01)})
    logits = token.logits(102)
    assert logits.dtype == np.float32 and logits.argmax() == 7
    p = np.exp(logits.astype(np.float64))
    np.testing.assert_allclose([p[7], p[3], p[0], p.sum()], [0.5, 0.3, 0.2 / 100, 1.0], rtol=1e-5)
    tied = Token(9, {9: np.log(0.5), 3: np.log(0.5)}).logits(10)
    assert tied.argmax() == 9 and np.isfinite(tied).all()
    assert np.isfinite(Token(1, {1: 0.0, 2: -np.inf}).logits(4)).all()


def test_tokens_are_found_by_their_text_where_no_ids_come(model: Any, server: ModelDouble) -> None:
    backend = open_served(server)
    for text in (" the", "<|silent|>", "<|im_end|>", "q"):
        (token,) = backend._replies.tokens(
            {"logprobs": {"content": [{"token": text, "logprob": -0.1}]}}
        )
        assert [token.id] == backend.tokenizer.encode(text)


def test_a_rollback_is_exact(server: ModelDouble) -> None:
    backend = open_served(server)
    assistant = Lockstep(StreamEngine(backend, free(window=WINDOW)))
    list(run(backend, 1, assistant))
    pieces = assistant.engine.window.pieces(assistant.engine.codec)
    session = backend.open()
    codec = assistant.engine.codec
    ask = [*pieces, *codec.user(pieces[2], "And now?")]
    server.new_prefixes = 1
    before = session.prefill(ask)
    length = session.length
    session.prefill([Tokens((int(before.argmax()),))])
    session.rollback(length - 1)
    again = session.prefill([Tokens((codec.user(pieces[2], None)[-1].ids[-1],))])  # type: ignore[union-attr]
    np.testing.assert_array_equal(again, before)
    session.rollback(0)
    assert session.length == 0


def test_the_configuration_names_the_server(server: ModelDouble, model: Any) -> None:
    backend = open_served(server)
    assert backend.name == f"aura at {server.url}"
    assert backend.description.endswith(
        f"served as aura at {server.url}, frames as a video, each sent once; decides by <|silent|>"
    )
    assert ServerConfig().url == ""


def _one_token(token: int) -> dict[str, Any]:
    entry = {"token": f"token_id:{token}", "logprob": 0.0, "top_logprobs": []}
    return {"choices": [{"message": {"content": ""}, "logprobs": {"content": [entry]}}]}


def _media(body: dict[str, Any]) -> int:
    return sum(
        p["type"] == "video_url"
        for m in body["messages"]
        if isinstance(m["content"], list)
        for p in m["content"]
    )


def _uuid(body: dict[str, Any]) -> str:
    return next(
        p["uuid"] for m in body["messages"] if isinstance(m["content"], list) for p in m["content"]
    )
