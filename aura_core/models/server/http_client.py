"""HTTP: requests with timeouts, retries with backoff, server-sent events. Knows no model and no
messages."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx

from aura_core.config import ServerConfig
from aura_core.errors import ConfigError, ModelError
from aura_core.models.server.counters import Counters

T = TypeVar("T")
# vLLM: "Cache miss for video at index 3 but data is ..."
_MEDIA_MISS = ("cache miss", "uuid", "data is not provided")


class Interrupted(ModelError):
    """A failure that the next try may not meet. `wait_s`: what the server asked for."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Refused(ModelError):
    """The server understood and said no: another try would get the same answer."""

    def __init__(self, message: str, media_miss: bool, status: int = 400) -> None:
        super().__init__(message)
        self.media_miss, self.status = media_miss, status


class Wire:
    """One server's chat endpoint. The constructor opens no connection.

    Raises:
        ConfigError: `server.api_key_env` names a variable that is not set.
    """

    def __init__(self, config: ServerConfig, counters: Counters) -> None:
        self.url = config.url.rstrip("/") + "/chat/completions"
        self.sleep: Callable[[float], None] = time.sleep
        self._config, self._counters = config, counters
        headers = {}
        if config.api_key_env:
            if not (token := os.environ.get(config.api_key_env, "").strip()):
                raise ConfigError(
                    f"server.api_key_env is {config.api_key_env}, but this variable is not set"
                )
            headers["Authorization"] = f"Bearer {token}"
        read, connect = config.read_timeout_s, config.connect_timeout_s
        self._client = httpx.Client(headers=headers, timeout=httpx.Timeout(read, connect=connect))

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def retrying(self, attempt: Callable[[], T]) -> T:
        """`attempt`, again after each `Interrupted`, up to `server.retries` times. Raises what the
        last one did."""
        c = self._config
        for tries in range(c.retries + 1):
            try:
                return attempt()
            except Interrupted as e:
                wait = min(c.retry_wait_s * 2**tries, c.retry_wait_max_s) * random.uniform(0.5, 1.0)
                if tries == c.retries or (e.wait_s or 0.0) > c.retry_wait_max_s:
                    raise ModelError(f"{e} (tries: {tries + 1})") from e
                self._counters.add(retries=1)
                self.sleep(wait if e.wait_s is None else e.wait_s)
        raise AssertionError("unreachable")

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """One request, its whole reply. Raises `Interrupted` or `Refused`."""
        reply = self._send(body)
        try:
            return _object(reply.read(), self.url)
        except httpx.TransportError as e:
            raise self._broken(e) from e
        finally:
            reply.close()

    def stream(self, body: dict[str, Any]) -> Events:
        """One request, its reply as events. Raises `Interrupted` or `Refused`."""
        return Events(self._send(body), self)

    def _send(self, body: dict[str, Any]) -> httpx.Response:
        """The reply, its body not read yet, when its status is 200."""
        self._counters.add(requests=1)
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        request = self._client.build_request(
            "POST", self.url, content=content, headers={"Content-Type": "application/json"}
        )
        try:
            reply = self._client.send(request, stream=True)
            if reply.status_code == 200:
                return reply
            text = reply.read().decode(errors="replace")
            reply.close()
        except httpx.TransportError as e:
            raise self._broken(e) from e
        raise self.failure(reply.status_code, _said(text), reply.headers.get("Retry-After"))

    def failure(
        self, status: int, said: str, retry_after: str | None = None
    ) -> Interrupted | Refused:
        """The error for a status that is not 200."""
        line = f"{self.url}: the server answered {status}: {said}"
        if status == 429 or (status >= 500 and not _is_media_miss(said)):
            wait = _seconds(retry_after)
            asked = f"; it asks to wait {wait:.0f} s" if wait is not None else ""
            return Interrupted(f"{line}{asked}; see its log", wait)
        if status in (401, 403):
            return Refused(
                f"{line}; put its token into the variable that server.api_key_env names",
                False,
                status,
            )
        if status == 404:
            return Refused(
                f"{line}; server.url must end in /v1, and server.model be a name that it serves",
                False,
                status,
            )
        return Refused(line, _is_media_miss(said), status)

    def _broken(self, e: httpx.TransportError) -> Interrupted:
        if isinstance(e, httpx.ConnectError | httpx.ConnectTimeout):
            return Interrupted(
                f"{self.url}: no connection; is the server running, and server.url right?"
            )
        if isinstance(e, httpx.TimeoutException):
            limit = f"{self._config.read_timeout_s:g} s (server.read_timeout_s)"
            return Interrupted(
                f"{self.url}: nothing came for {limit}; the server is too slow or stuck"
            )
        return Interrupted(
            f"{self.url}: the connection broke ({_short(str(e)) or type(e).__name__}); see its log"
        )


class Events:
    """The objects of a stream of server-sent events, up to `[DONE]`."""

    def __init__(self, reply: httpx.Response, wire: Wire) -> None:
        self._reply, self._wire = reply, wire
        self._lines = self._read()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._lines

    def close(self) -> None:
        """Close the connection: the server stops."""
        self._lines.close()
        self._reply.close()

    def _read(self) -> Any:
        try:
            for line in self._reply.iter_lines():
                if not line.startswith("data:"):
                    if line.strip() and not line.startswith((":", "event:", "id:", "retry:")):
                        raise _nonsense(self._wire.url, line)
                    continue
                data = line[5:].strip()
                if data == "[DONE]":
                    return
                event = _object(data.encode(), self._wire.url)
                if error := event.get("error"):
                    code = error.get("code") if isinstance(error, dict) else None
                    raise self._wire.failure(code if isinstance(code, int) else 500, _said(data))
                yield event
        except httpx.TransportError as e:
            raise self._wire._broken(e) from e
        raise Interrupted(f"{self._wire.url}: the stream ended in the middle; see the server's log")


def _object(data: bytes, url: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as e:
        raise _nonsense(url, data.decode(errors="replace")) from e
    if not isinstance(value, dict):
        raise _nonsense(url, repr(value))
    return value


def _nonsense(url: str, said: str) -> Interrupted:
    return Interrupted(
        f"{url}: expected a chat completion, got {_short(said)!r}; is this an OpenAI-compatible"
        " server?"
    )


def _said(text: str) -> str:
    """The message in an error's body."""
    try:
        value = json.loads(text)
    except ValueError:
        return _short(text)
    if isinstance(value, dict):
        value = value.get("error", value)
    if isinstance(value, dict):
        value = value.get("message") or value.get("detail") or value
    return _short(str(value))


def _is_media_miss(said: str) -> bool:
    return any(word in said.lower() for word in _MEDIA_MISS)


def _seconds(retry_after: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date."""
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
