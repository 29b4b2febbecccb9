"""The HTTP client: kept connections, retries, time-outs, events, cancels and error messages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from chat_double import ChatDouble, Fault, Reply, Request, Stream

from aura_core import http_client
from aura_core.errors import ConfigError, ModelError
from aura_core.http_client import (
    CancelledError,
    HttpClient,
    HttpOptions,
    RefusedError,
    TransientError,
)

pytest.importorskip("httpx")
WORDS = ("one", "two", "three")


class Words(ChatDouble):
    """Says `WORDS`, one event each, or `text` as it is."""

    text: str | None = None

    def reply(self, request: Request) -> Reply | Stream:
        if self.text is not None:
            return Reply(self.text)
        if not request.body.get("stream"):
            return Reply({"said": list(WORDS)})
        ends = [None] * (len(WORDS) - 1) + ["stop"]
        return Stream(
            [
                {"delta": {"content": word}, "finish_reason": end}
                for word, end in zip(WORDS, ends, strict=True)
            ],
            {"prompt_tokens": 3},
        )


@pytest.fixture
def server() -> Iterator[Words]:
    with Words() as double:
        yield double


@pytest.fixture
def client(server: Words) -> Iterator[HttpClient]:
    client = HttpClient(HttpOptions(server.url))
    yield client
    client.close()


def events(client: HttpClient) -> list[dict[str, Any]]:
    return list(client.stream({"stream": True}))


def words(client: HttpClient) -> list[str]:
    deltas = (c.get("delta", {}) for e in events(client) for c in e["choices"])
    return [d["content"] for d in deltas if d.get("content")]


# ---- connections ---------------------------------------------------------------------------------


def test_many_streams_are_one_connection(server: Words, client: HttpClient) -> None:
    """Regression: 60 decisions took 61 connections.

    Reading stopped at [DONE], before the end of the body, and the connection was dropped.
    """
    for _ in range(10):
        assert words(client) == list(WORDS)
        assert client.post({}) == {"said": list(WORDS)}
    assert (server.posts, server.connections) == (20, 1)


def test_a_refusal_and_an_error_keep_the_connection(server: Words, client: HttpClient) -> None:
    server.faults.extend([Fault("status", status=400), Fault("status", status=503)])
    with pytest.raises(RefusedError):
        client.post({})
    with pytest.raises(TransientError):
        client.post({})
    client.post({})
    assert server.connections == 1


def test_a_server_that_does_not_end_its_stream_is_cut_off(
    server: Words, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply is complete at [DONE]: the wait for its end is far shorter than the time-out."""
    monkeypatch.setattr(http_client, "STREAM_END_S", 0.05)
    server.faults.append(Fault("no_end"))
    assert words(client) == list(WORDS)
    assert server.wait_cancelled(1)
    assert words(client) == list(WORDS) and server.connections == 2


def test_closing_a_stream_closes_its_connection_and_stops_the_server(
    server: Words, client: HttpClient
) -> None:
    server.faults.append(Fault("hold", tokens=1))
    stream = client.stream({"stream": True})
    assert len([next(iter(stream)) for _ in range(2)]) == 2
    stream.close()
    assert server.wait_cancelled(1)
    client.post({})
    assert server.connections == 2


# ---- events --------------------------------------------------------------------------------------


def test_a_stream_without_done_may_end_after_a_finish_reason(
    server: Words, client: HttpClient
) -> None:
    server.faults.append(Fault("no_done"))
    assert words(client) == list(WORDS)


def test_a_stream_that_ends_in_the_middle_is_an_error(server: Words, client: HttpClient) -> None:
    server.text = 'data: {"choices": [{"delta": {"content": "one"}}]}\n\n'
    with pytest.raises(TransientError, match=r"broke \(the stream ended in the middle\); see the"):
        events(client)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('data: {"a": 1}\r\n\r\ndata: [DONE]\r\n\r\n', [{"a": 1}]),
        (': ping\n\nevent: x\nid: 7\nretry: 3\ndata:{"a":\ndata: 1}\n\ndata: [DONE]', [{"a": 1}]),
        # line separators of Unicode are no ends of lines here
        ('data: {"a": "x\u2028y\x85z"}\n\ndata: [DONE]\n\n', [{"a": "x\u2028y\x85z"}]),
    ],
)
def test_events_are_read_as_the_standard_says(
    server: Words, client: HttpClient, text: str, values: list[Any]
) -> None:
    server.text = text
    assert events(client) == values


# ---- retries -------------------------------------------------------------------------------------


def test_the_waits_double_up_to_the_longest(server: Words) -> None:
    counted: list[str] = []
    client = HttpClient(
        HttpOptions(server.url, retries=4, retry_wait_s=1.0, retry_wait_max_s=3.0),
        lambda **amounts: counted.extend(amounts),
    )
    naps: list[float] = []
    client.sleep = naps.append
    server.faults.extend([Fault("drop")] * 5)
    with pytest.raises(ModelError, match=r"the connection broke .* \(tries: 5\)"):
        client.retry(lambda: client.post({}))
    assert all(full / 2 <= nap <= full for nap, full in zip(naps, (1, 2, 3, 3), strict=True))
    assert counted.count("requests") == 5 and counted.count("retries") == 4


def test_retry_after_may_be_a_date(server: Words, client: HttpClient) -> None:
    naps: list[float] = []
    client.sleep = naps.append
    soon = format_datetime(datetime.now(UTC) - timedelta(seconds=5), usegmt=True)
    server.faults.append(Fault("status", status=503, headers={"Retry-After": soon}))
    client.retry(lambda: client.post({}))
    assert naps == [0.0]
    far = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    server.faults.append(Fault("status", status=429, headers={"Retry-After": far}))
    with pytest.raises(ModelError, match=r"it asks to wait 3\d\d\d s; see its log \(tries: 1\)"):
        client.retry(lambda: client.post({}))


# ---- cancel --------------------------------------------------------------------------------------


def in_thread(work: Callable[[], object]) -> Callable[[], BaseException | None]:
    """Start `work` in a thread. The result waits for it, and tells what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except ModelError as e:
            raised.append(e)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join() -> BaseException | None:
        thread.join(20)
        assert not thread.is_alive(), "it was not cancelled"
        return raised[0] if raised else None

    return join


@pytest.mark.parametrize("warm", [False, True])
def test_another_thread_cancels_a_request_that_waits(server: Words, warm: bool) -> None:
    """On a new connection, and on one that is used again."""
    client = HttpClient(HttpOptions(server.url, read_timeout_s=600.0))
    if warm:
        client.post({})
        server.arrived.acquire()
    release = threading.Event()
    server.faults.append(Fault("wait", release=release))
    end = in_thread(lambda: client.retry(lambda: client.post({})))
    assert server.arrived.acquire(timeout=10)
    client.cancel()
    assert isinstance(end(), CancelledError)
    release.set()
    assert client.post({}) == {"said": list(WORDS)}  # it can be used again


def test_another_thread_cancels_a_stream(server: Words) -> None:
    client = HttpClient(HttpOptions(server.url, read_timeout_s=600.0))
    server.faults.append(Fault("hold", tokens=1))
    stream = client.stream({"stream": True})
    assert [next(iter(stream)) for _ in range(2)]
    end = in_thread(lambda: next(iter(stream)))
    client.cancel()
    assert isinstance(end(), CancelledError) and server.wait_cancelled(1)


def test_another_thread_cancels_the_wait_before_a_retry(server: Words) -> None:
    waits = threading.Event()
    client = HttpClient(
        HttpOptions(server.url, retry_wait_s=600.0, retry_wait_max_s=600.0),
        lambda **amounts: waits.set() if "retries" in amounts else None,
    )
    server.faults.append(Fault("status", status=503))
    end = in_thread(lambda: client.retry(lambda: client.post({})))
    assert waits.wait(10)
    client.cancel()
    assert isinstance(end(), CancelledError) and server.posts == 1


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (400, RefusedError, ""),
        (401, RefusedError, "; put its token into the variable that --key names"),
        (404, RefusedError, "; --at must end in /v1, and --name be a name that it serves"),
        (429, TransientError, "; see its log"),
        (500, TransientError, "; see its log"),
    ],
)
def test_an_error_names_url_status_and_the_servers_words(
    server: Words, status: int, kind: type[Exception], hint: str
) -> None:
    client = HttpClient(
        HttpOptions(server.url, url_setting="--at", model_setting="--name", api_key_setting="--key")
    )
    server.faults.append(Fault("status", status=status))
    with pytest.raises(kind) as error:
        client.post({})
    url = f"{server.url}/chat/completions"
    assert str(error.value) == f"{url}: the server answered {status}: told to fail{hint}"
    assert (error.value.status, error.value.said) == (status, "told to fail")  # type: ignore[attr-defined]


def test_without_httpx_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "httpx", None)
    with pytest.raises(ConfigError, match=r"--mllm needs it: .* -m pip install 'httpx>="):
        HttpClient(HttpOptions("http://127.0.0.1:1/v1", url_setting="--mllm"))
