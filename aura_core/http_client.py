"""The HTTP client for OpenAI-compatible chat servers.

It is used by the served model, by the judge of `aura eval`, and by the writer of questions in `aura
data`. It sends a JSON body to `URL/chat/completions`, and returns the reply as a whole (`post`) or
as server-sent events (`stream`). It has time-outs and retries with capped exponential back-off and
jitter, obeys Retry-After, and can be cancelled from any thread. It knows nothing of models, prompts
or replies.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

from aura_core.config import ChatConfig, ServerConfig
from aura_core.errors import ConfigError, ModelError
from aura_core.extras import how_to_install

try:
    import httpx
except ImportError:  # `HttpClient` raises an error that names the extra
    httpx = None  # type: ignore[assignment]

T = TypeVar("T")
# Longest wait for the end of a stream after its [DONE]. The end comes in the same packet or in the
# next one. Where it does not come, the connection is closed and not used again.
STREAM_END_S = 1.0


@dataclass(frozen=True)
class HttpOptions:
    """Where requests go, and how long they may take.

    `url` is the base of the API, such as http://host:8000/v1. Other fields are those of
    `ServerConfig`. The `*_setting` fields name the user's settings for error messages, such as
    `server.url` or `--judge-url`; "" for a value that the user cannot set.
    """

    url: str
    api_key_env: str = ""  # environment variable with the token; empty: none is sent
    connect_timeout_s: float = 3.0
    read_timeout_s: float = 15.0  # longest silence of the server within a request
    retries: int = 3
    retry_wait_s: float = 0.25  # before the first retry; doubled for each further one
    retry_wait_max_s: float = 4.0  # longest wait; a server that asks for more has failed
    url_setting: str = "server.url"
    model_setting: str = "server.model"
    api_key_setting: str = "server.api_key_env"
    timeout_setting: str = "server.read_timeout_s"

    @classmethod
    def of(cls, config: ServerConfig | ChatConfig) -> HttpOptions:
        """The options in the section `server` of the settings."""
        return cls(
            config.url,
            config.api_key_env,
            config.connect_timeout_s,
            config.read_timeout_s,
            config.retries,
            config.retry_wait_s,
            config.retry_wait_max_s,
        )


class HttpError(ModelError):
    """A request failed.

    `status` is the reply's status; None where there was no reply. `said` is the server's own text.
    """

    def __init__(self, message: str, status: int | None = None, said: str = "") -> None:
        super().__init__(message)
        self.status, self.said = status, said


class TransientError(HttpError):
    """The request may succeed when it is tried again.

    The reason is 429, 5xx, a time-out, a broken connection, or a reply that is no chat completion.
    `wait_s` is the wait that the server asked for, in seconds.
    """

    wait_s: float | None = None


class RefusedError(HttpError):
    """The server refused the request; another try would get the same answer."""


class CancelledError(HttpError):
    """`HttpClient.cancel` or `HttpClient.close` ended the request."""


class HttpClient:
    """The chat endpoint of one server.

    All methods may be called from any thread. The constructor opens no connection.

    Args:
        options: the server, and how long requests may take.
        count: called with `requests=1` for each request sent, `retries=1` for each retry, and
            `connections=1` for each new connection.

    Raises:
        ConfigError: httpx is not installed, or `api_key_env` names a variable that is not set.
    """

    def __init__(self, options: HttpOptions, count: Callable[..., None] | None = None) -> None:
        if httpx is None:
            raise ConfigError(
                f"httpx is not installed, and {options.url_setting} needs it:"
                f" {how_to_install('judge')}"
            )
        self.options = options
        self.url = options.url.rstrip("/") + "/chat/completions"
        self.sleep: Callable[[float], object] | None = None  # for tests: instead of a real wait
        self._count = count or _ignore
        headers = {"Content-Type": "application/json"}
        if options.api_key_env:
            token = os.environ.get(options.api_key_env, "").strip()
            if not token:
                raise ConfigError(
                    f"{options.api_key_setting} is {options.api_key_env}, but this variable is"
                    " not set"
                )
            if not token.isascii():
                raise ConfigError(
                    f"{options.api_key_setting}: the token in {options.api_key_env} has characters"
                    " that no token has (it is not ASCII)"
                )
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(options.read_timeout_s, connect=options.connect_timeout_s),
            # The callers bound the number of requests. A wait for a free connection would look like
            # a slow server.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        )
        self._changed = threading.Condition()
        self._cancels = 0  # number of cancels; a request that began before the newest is cancelled
        self._sockets: set[socket.socket] = set()  # of all open connections

    def close(self) -> None:
        """Cancel all requests, and close all connections."""
        self.cancel()
        self._client.close()

    def cancel(self) -> None:
        """End every request, stream and back-off at once.

        Each raises `CancelledError` in its own thread. The client can be used again afterwards.
        """
        with self._changed:
            self._cancels += 1
            self._changed.notify_all()
            sockets, self._sockets = self._sockets, set()
        for connection in sockets:
            _shut_down(connection)

    def retry(self, attempt: Callable[[], T]) -> T:
        """The result of `attempt`, which is called again after each `TransientError`.

        Raises `HttpError` with the last failure and the number of tries when `retries` are used up,
        and whatever else `attempt` raises.
        """
        e, began = self.options, self._cancels
        for tries in range(1, e.retries + 2):
            try:
                return attempt()
            except TransientError as error:
                if self._cancels != began:
                    raise self._cancelled() from error
                asked = error.wait_s
                if tries > e.retries or (asked or 0.0) > e.retry_wait_max_s:
                    last = f"{error} (tries: {tries})"
                    raise HttpError(last, error.status, error.said) from error
                backoff = min(e.retry_wait_s * 2 ** (tries - 1), e.retry_wait_max_s)
                self._count(retries=1)
                self._wait(random.uniform(0.5, 1.0) * backoff if asked is None else asked, began)
        raise AssertionError("unreachable")

    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Send one request, without retries, and return the JSON object of its reply.

        Raises `TransientError`, `RefusedError` or `CancelledError`.
        """
        began = self._cancels
        reply = self._send(body, began)
        try:
            return self.parsed(reply.read())
        except httpx.TransportError as e:
            raise self.broken(e, began) from e
        finally:
            reply.close()

    def stream(self, body: dict[str, Any]) -> EventStream:
        """Send one request, without retries, and return its reply as events.

        Raises what `post` raises.
        """
        began = self._cancels
        return EventStream(self._send(body, began), self, began)

    # ---- one request -------------------------------------------------------------------------

    def _send(self, body: dict[str, Any], began: int) -> httpx.Response:
        """The reply with status 200; its body is not read yet."""
        self._count(requests=1)
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        request = self._client.build_request(
            "POST", self.url, content=content, extensions={"trace": partial(self._trace, began)}
        )
        try:
            reply = self._client.send(request, stream=True)
            if reply.status_code == 200:
                return reply
            text = reply.read().decode(errors="replace")
            reply.close()
        except httpx.TransportError as e:
            raise self.broken(e, began) from e
        raise self.failure(reply.status_code, _said(text), reply.headers.get("Retry-After"))

    def _trace(self, began: int, event: str, info: dict[str, Any]) -> None:
        """Keep the socket of each new connection, so that `cancel` can end it."""
        if not event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        connection = info["return_value"].get_extra_info("socket")
        if event.endswith(".connect_tcp.complete"):
            self._count(connections=1)
        with self._changed:
            # Closed sockets are removed; their number is negative. The socket of TLS replaces the
            # plain one, which is then closed.
            self._sockets = {s for s in self._sockets if s.fileno() >= 0} | {connection}
            cancelled = self._cancels != began
        if cancelled:
            _shut_down(connection)

    def _wait(self, seconds: float, began: int) -> None:
        """Wait before a retry. Raises `CancelledError` as soon as `cancel` is called."""
        if self.sleep is not None:
            self.sleep(seconds)
        with self._changed:
            wait = 0.0 if self.sleep is not None else seconds
            if self._changed.wait_for(lambda: self._cancels != began, wait):
                raise self._cancelled()

    # ---- errors ------------------------------------------------------------------------------

    def failure(self, status: int, said: str, retry_after: str | None = None) -> HttpError:
        """The error for a status that is not 200."""
        line, e = f"{self.url}: the server answered {status}: {said}", self.options
        if status == 429 or status >= 500:
            wait = _seconds(retry_after)
            asked = f"; it asks to wait {wait:.0f} s" if wait is not None else ""
            error = TransientError(f"{line}{asked}; see its log", status, said)
            error.wait_s = wait
            return error
        if status in (401, 403):
            line += f"; put its token into the variable that {e.api_key_setting} names"
        elif status == 404:
            line += (
                f"; {e.url_setting} must end in /v1, and {e.model_setting} be a name that it serves"
            )
        return RefusedError(line, status, said)

    def broken(self, error: httpx.TransportError, began: int) -> HttpError:
        """The error for a request without a complete reply."""
        e = self.options
        if self._cancels != began:
            return self._cancelled()
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return TransientError(
                f"{self.url}: no connection; is the server running, and {e.url_setting} right?"
            )
        if isinstance(error, httpx.TimeoutException):
            limit = f"{e.read_timeout_s:g} s"
            if e.timeout_setting:
                limit += f" ({e.timeout_setting})"
            return TransientError(
                f"{self.url}: nothing came for {limit}; the server is too slow or stuck"
            )
        why = _short(str(error)) or type(error).__name__
        return TransientError(f"{self.url}: the connection broke ({why}); see the server's log")

    def parsed(self, data: bytes) -> dict[str, Any]:
        """The JSON object in `data`."""
        try:
            value = json.loads(data)
        except ValueError as e:
            raise self.nonsense(data.decode(errors="replace")) from e
        if not isinstance(value, dict):
            raise self.nonsense(repr(value))
        return value

    def nonsense(self, said: str) -> TransientError:
        """The error for a reply that is no JSON object, such as the page of another server."""
        return TransientError(
            f"{self.url}: expected a chat completion, got {_short(said)!r}; is this an"
            " OpenAI-compatible server?"
        )

    def _cancelled(self) -> CancelledError:
        return CancelledError(f"{self.url}: the request was cancelled")


class EventStream:
    """The JSON objects of a stream of server-sent events, up to `[DONE]`.

    When a stream was iterated to its end, its connection is used again. A server that sends no
    `[DONE]` must have sent a `finish_reason`. A stream that ends without either raises
    `TransientError`.
    """

    def __init__(self, reply: httpx.Response, client: HttpClient, began: int) -> None:
        self._reply, self._client, self._began = reply, client, began
        self._events = self._read()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._events

    def close(self) -> None:
        """Close the connection, unless the stream was read to its end. The server then stops.

        Only the thread that iterates may call this; others use `HttpClient.cancel`.
        """
        self._events.close()
        self._reply.close()

    def _read(self) -> Any:
        finished = False
        try:
            lines = self._lines()
            for data in self._data(lines):
                if data == "[DONE]":
                    self._read_end(lines)
                    return
                event = self._client.parsed(data.encode())
                if error := event.get("error"):
                    code = error.get("code") if isinstance(error, dict) else None
                    status = code if isinstance(code, int) else 500
                    raise self._client.failure(status, _said(data))
                finished = finished or _is_last(event)
                yield event
        except httpx.TransportError as e:
            raise self._client.broken(e, self._began) from e
        if not finished:
            raise self._client.broken(
                httpx.ReadError("the stream ended in the middle"), self._began
            )

    def _lines(self) -> Iterator[str]:
        """The lines of the body, which end with a line feed only.

        A model may write other line separators of Unicode, and JSON need not escape them.
        """
        rest = b""
        for piece in self._reply.iter_bytes():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.removesuffix(b"\r").decode(errors="replace")
        if rest:
            yield rest.decode(errors="replace")

    def _data(self, lines: Iterator[str]) -> Iterator[str]:
        """The data of each event.

        An event ends with an empty line, and its data may have several lines.
        """
        data: list[str] = []
        for line in lines:
            name, _, value = line.partition(":")
            if name == "data":
                data.append(value.removeprefix(" "))
            elif not line and data:
                yield "\n".join(data)
                data.clear()
            elif name not in ("", "event", "id", "retry"):  # a comment has no name
                raise self._client.nonsense(line)
        if data:
            yield "\n".join(data)

    def _read_end(self, lines: Iterator[str]) -> None:
        """Read what follows `[DONE]`, because a connection is kept only after the whole body.

        A server that does not end the body is cut off after `STREAM_END_S`.
        """
        connection = self._reply.extensions["network_stream"].get_extra_info("socket")
        limit = threading.Timer(STREAM_END_S, _shut_down, (connection,))
        limit.daemon = True
        limit.start()
        try:
            for _ in lines:
                pass
        except httpx.TransportError:
            pass  # the reply is complete; the connection is not used again
        finally:
            limit.cancel()


def _is_last(event: dict[str, Any]) -> bool:
    """Whether the event has a `finish_reason`."""
    choices = event.get("choices")
    return isinstance(choices, list) and any(
        isinstance(c, dict) and c.get("finish_reason") for c in choices
    )


def _said(text: str) -> str:
    """The server's own text in the body of an error."""
    try:
        value = json.loads(text)
    except ValueError:
        return _short(text)
    if isinstance(value, dict):
        value = value.get("error", value)
    if isinstance(value, dict):
        value = value.get("message") or value.get("detail") or value
    return _short(str(value))


def _seconds(retry_after: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _shut_down(connection: socket.socket) -> None:
    """End a connection from any thread; a thread that waits for it wakes up."""
    with contextlib.suppress(OSError):  # it may be closed already
        # The method of the plain socket: that of SSLSocket changes what a reading thread uses.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _ignore(**_: int) -> None:
    pass
