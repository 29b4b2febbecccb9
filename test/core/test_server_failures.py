"""Servers that fail, stall, forget or reply nonsense: one line or a retry, and no word twice."""

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
from served import (  # noqa: E402
    LONGEST,
    TEMPLATE,
    assistant_for,
    frame,
    one,
    open_served,
    plain,
    run,
    served_model,
)

from aura_core.errors import ModelError  # noqa: E402
from aura_core.types import Step  # noqa: E402

STEPS = 7  # with one switch


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return served_model(tmp_path_factory.mktemp("served"))


@pytest.fixture
def server(model: Any) -> Iterator[ModelDouble]:
    with ModelDouble(model, TEMPLATE, new_prefixes=3) as loopback:
        yield loopback


@pytest.fixture(scope="module")
def local(model: Any) -> list[Step]:
    return list(run(model, STEPS))


@pytest.fixture(scope="module")
def spoken(local: list[Step]) -> int:
    """A step with a long answer that ends before it is cancelled."""
    return next(s.chunk for s in local if s.decode_tokens == LONGEST and not s.switched)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=503),
        Fault("status", status=500),
        Fault("status", status=429),
        Fault("status", status=503, headers={"Retry-After": "2"}),
        Fault("drop"),
        Fault("nonsense"),
        Fault("no_choices"),
        Fault("die", tokens=0),
        Fault("error_event"),
    ],
    ids=lambda f: f"{f.kind}-{f.status}-{len(f.headers)}",
)
def test_a_failure_that_passes_is_retried_and_changes_nothing(
    server: ModelDouble, local: list[Step], spoken: int, fault: Fault
) -> None:
    backend = open_served(server)
    assistant = assistant_for(backend)
    steps = []
    for i in range(spoken + 2):
        if i == spoken:
            server.faults.append(fault)
        steps.append(one(assistant, i))
    assert plain(steps) == plain(local[: spoken + 2])  # type: ignore[arg-type]
    assert (backend.counters.retries, backend.counters.cut_answers) == (1, 0)
    assert backend.counters.requests == spoken + 2 + 1 == server.posts
    (nap,) = backend._client.naps
    assert nap == 2.0 if fault.headers else 0.125 <= nap <= 0.25


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            Fault("status", status=503),
            "the server answered 503: told to fail; see its log (tries: 3)",
        ),
        (
            Fault("drop"),
            "(Server disconnected without sending a response.); see the server's log (tries: 3)",
        ),
        (
            Fault("nonsense"),
            (
                "expected a chat completion, got '<html>It works!</html>'; is this an"
                " OpenAI-compatible"
            ),
        ),
        (
            Fault("no_choices"),
            "a reply without choices: {'choices': []}; see the server's log (tries: 3)",
        ),
    ],
    ids=lambda p: getattr(p, "kind", ""),
)
def test_a_failure_that_lasts_is_one_line_and_the_stream_goes_on_after_it(
    server: ModelDouble, local: list[Step], fault: Fault, says: str
) -> None:
    """The chunk is lost, the session is as before, and the next step is decided as usual."""
    backend = open_served(server)
    assistant = assistant_for(backend)
    one(assistant, 0)
    length, pieces = assistant.engine.session.length, len(assistant.engine.session._pieces)
    server.faults.extend([fault] * 3)
    with pytest.raises(ModelError) as error:
        one(assistant, 1)
    assert str(error.value).startswith(f"{server.url}/chat/completions: ") and says in str(
        error.value
    )
    assert "\n" not in str(error.value)
    assert (assistant.engine.session.length, len(assistant.engine.session._pieces)) == (
        length,
        pieces,
    )
    assert backend.counters.retries == 2
    assert [round(n, 3) for n in map(_scale, backend._client.naps, (0.25, 0.5))] == [1.0, 1.0]
    step = one(assistant, 2)
    assert step is not None and step.chunk == 2 and len(assistant.engine.window.turns) == 2
    assert (backend.counters.prefix_violations, backend.counters.prompt_mismatches) == (0, 0)


def test_a_switch_that_fails_is_made_up_for_in_the_next_step(
    server: ModelDouble, local: list[Step]
) -> None:
    backend = open_served(server)
    assistant = assistant_for(backend)
    at = next(s.chunk for s in local if s.switched)
    for i in range(at):
        one(assistant, i)
    server.faults.extend([Fault("drop")] * 3)
    with pytest.raises(ModelError, match="the connection broke"):
        one(assistant, at)
    step = one(assistant, at + 1)
    assert step is not None and step.window_chunks == assistant.engine.config.window.keep + 1
    turns = server.log[-1].body["messages"]
    assert [m["role"] for m in turns[-5:]] == ["user", "assistant", "user", "assistant", "user"]
    assert assistant.engine.session.length == step.window_tokens


def test_a_server_that_fails_within_an_answer_continues_it(
    server: ModelDouble, local: list[Step], spoken: int
) -> None:
    """Two tokens came, the connection broke, and one more request gets the rest.

    No word comes twice, and none is lost.
    """
    backend = open_served(server)
    assistant = assistant_for(backend)
    steps = []
    for i in range(STEPS):
        if i == spoken:
            server.faults.append(Fault("die", tokens=2))
        steps.append(one(assistant, i))
    assert plain(steps) == plain(local)  # type: ignore[arg-type]
    assert (backend.counters.retries, backend.counters.cut_answers, backend.counters.requests) == (
        1,
        0,
        STEPS + 1,
    )
    resumed = server.log[spoken + 1].body
    assert resumed["continue_final_message"] and not resumed["add_generation_prompt"]
    words = resumed["messages"][-1]
    assert words["role"] == "assistant" and local[spoken].response is not None
    assert local[spoken].response.text.startswith(words["content"].strip())  # type: ignore[union-attr]


def test_a_server_that_stays_down_ends_the_answer_where_it_was(
    server: ModelDouble, local: list[Step], spoken: int
) -> None:
    """The words so far are kept, and the turn is closed.

    The next step, on a server that is back, has them once in its window.
    """
    backend = open_served(server)
    assistant = assistant_for(backend)
    for i in range(spoken):
        one(assistant, i)
    server.faults.extend([Fault("die", tokens=2), Fault("drop"), Fault("drop"), Fault("drop")])
    said: list[str] = []
    assistant.push(frame(2 * spoken))
    assistant.push(frame(2 * spoken + 1))
    step = assistant.step(lambda _id, text: said.append(text))
    assert step is not None and step.response is not None and step.decode_tokens == 2
    assert said[-1] == step.response.text
    assert local[spoken].response.text.startswith(step.response.text)  # type: ignore[union-attr]
    assert (backend.counters.cut_answers, backend.counters.retries) == (1, 1 + 2)
    server.new_prefixes += 1
    after = one(assistant, spoken + 1)
    assert after is not None
    messages = server.log[-1].body["messages"]
    answers = [m["content"].strip() for m in messages if m["role"] == "assistant"]
    assert answers[-1] == step.response.text and answers.count(step.response.text) == 1
    assert backend.counters.prompt_mismatches == 0


def test_a_slow_server_is_given_up_and_asked_again(server: ModelDouble) -> None:
    backend = open_served(server, read_timeout_s=0.2, retries=1)
    assistant = assistant_for(backend)
    release = threading.Event()
    server.faults.extend([Fault("wait", release=release)] * 2)
    with pytest.raises(ModelError) as error:
        one(assistant, 0)
    release.set()
    assert (
        "nothing came for 0.2 s (server.read_timeout_s); the server is too slow or stuck (tries: 2)"
        in str(error.value)
    )


def test_forgotten_media_are_sent_again_once(server: ModelDouble, local: list[Step]) -> None:
    backend = open_served(server)
    assistant = assistant_for(backend)
    steps = []
    for i in range(STEPS):
        if i == 4:
            server.faults.append(Fault("forget"))
        steps.append(one(assistant, i))
    assert plain(steps) == plain(local)  # type: ignore[arg-type]
    c = backend.counters
    assert (c.resends, c.retries, c.requests) == (1, 0, STEPS + 1)
    # Chunk 4's bytes twice, the four before it once more.
    assert c.media_sent == STEPS + 5 and server.log[4].new_media == 5
    assert c.media_bytes > 0


def test_a_server_that_forgets_again_at_once_is_an_error(server: ModelDouble) -> None:
    """A request is sent again once. A server that then still lacks the media is broken."""
    backend = open_served(server)
    assistant = assistant_for(backend)
    one(assistant, 0)
    refuse = {
        "error": {
            "message": "Cache miss for video at index 0 but data is not provided.",
            "code": 400,
        }
    }
    sends: list[int] = []

    def send(body: dict[str, Any]) -> Any:
        sends.append(1)
        raise backend._client.failure(400, refuse["error"]["message"])

    backend._client.stream = send
    with pytest.raises(
        ModelError, match="the server answered 400: Cache miss for video at index 0"
    ):
        one(assistant, 1)
    assert len(sends) == 2 and backend.counters.resends == 1


def test_a_cancelled_answer_closes_the_stream(server: ModelDouble, spoken: int) -> None:
    """The server sees the connection close within the answer; the window keeps what was said."""
    backend = open_served(server)
    assistant = assistant_for(backend)
    for i in range(spoken):
        one(assistant, i)
    server.faults.append(Fault("hold", tokens=2))
    assistant.push(frame(2 * spoken))
    assistant.push(frame(2 * spoken + 1))
    said: list[str] = []

    def on_text(_id: str, text: str) -> None:
        said.append(text)
        if len(said) == 2:
            assistant.engine.cancel()

    step = assistant.step(on_text)
    assert step is not None and step.decode_tokens == 2
    assert backend.counters.aborted_streams == 0  # until the engine says what comes next
    one(assistant, spoken + 1)
    assert backend.counters.aborted_streams == 1
    assert server.wait_cancelled(1)
    assert server.log[-1].body["messages"][-2]["content"].strip() == said[-1]


def test_a_stream_that_ends_without_its_stop_token_is_asked_once_more(
    server: ModelDouble, local: list[Step]
) -> None:
    """As SGLang's. Silence then comes from a request for one token.

    The end of an answer comes from the end of the stream.
    """
    backend = open_served(server)
    assistant = assistant_for(backend)
    steps = []
    for i in range(STEPS):
        server.faults.append(Fault("silent_stop"))
        steps.append(one(assistant, i))
        server.faults.clear()
    assert [(s.decision.silent, s.decision.token_id) for s in steps] == [  # type: ignore[union-attr]
        (s.decision.silent, s.decision.token_id) for s in local
    ]
    assert backend.counters.requests > STEPS and backend.counters.cut_answers == 0


def test_a_server_that_asks_for_too_long_a_wait_has_failed(server: ModelDouble) -> None:
    backend = open_served(server)
    server.faults.append(Fault("status", status=503, headers={"Retry-After": "600"}))
    with pytest.raises(ModelError, match=r"it asks to wait 600 s; see its log \(tries: 1\)"):
        one(assistant_for(backend), 0)
    assert backend._client.naps == []


def _scale(nap: float, full: float) -> float:
    """1.0 when `nap` is between half of `full` and `full`."""
    return 1.0 if full / 2 <= nap <= full else nap / full


def test_the_fallback_goes_on_while_the_server_is_down(model: Any, server: ModelDouble) -> None:
    """The words of the served model are seen by the other one, which has another tokenizer, and
    the other way round."""
    from collections import deque

    from host_rig import made_runs

    from aura_core.config import (
        AssistantConfig,
        DeciderConfig,
        FallbackConfig,
        GenerationConfig,
        ModelConfig,
        WindowConfig,
    )
    from aura_core.live.events import Moved, Problem
    from aura_core.models.scripted import ScriptedBackend

    heard: list[str] = []

    def second(moment: Any) -> str | None:
        heard.append(moment.words)
        return f"heard: {moment.question}" if moment.question else None

    server.new_prefixes = 1000  # each change and each probe begins a new prompt
    other = FallbackConfig(ModelConfig(path="other"), after=2, back=1, probe_s=0.02, chunks=2)
    config = AssistantConfig(
        decider=DeciderConfig(unsolicited=True),
        fallback=other,
        window=WindowConfig(keep=2, max=6, policy="floating"),
        generation=GenerationConfig(max_new_tokens=40, at_once=False),
    )
    served = open_served(server, retries=0)
    with made_runs() as make:
        fallback = ScriptedBackend(second)
        run = make(served, config=config, fallback=lambda: fallback).start()
        run.inbox.ask("What colour is the ball?")
        run.second(0)
        said = run.steps(1)[0].response
        server.faults = deque([Fault("status", status=503)] * 100_000)
        run.inbox.ask("Why?")
        for index in (1, 2):
            run.second(index)
            run.next(Problem)
        run.second(3)
        assert run.next(Moved).away
        assert run.steps(1)[0].response.text == "heard: Why?"
        assert "What colour is the ball?" in heard[-1]
        assert said is not None and said.text in heard[-1]
        server.faults.clear()
        for index in range(4, 400):
            run.second(index)
            run.steps(1)
            if not run.host.health().fallback:
                break
        assert run.host.health().model_changes == 2
        texts = [str(m["content"]) for m in server.log[-1].body["messages"]]
        assert any("heard: Why?" in text for text in texts)
