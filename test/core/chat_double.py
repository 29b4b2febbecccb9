"""A real HTTP server on loopback that replaces an OpenAI-compatible chat server.

A test says what it replies and how it fails. All clients in the package are tested with it.
"""

from __future__ import annotations

import contextlib
import json
import select
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Fault:
    """What happens to a request instead of a correct reply.

    - kind, for any request: status (answers `status` with `headers`), drop (closes the connection
      after `after_s`), nonsense (a page of another server), wait (answers after `release` is set).
    - kind, for a stream: die (closes after `tokens` events with words), hold (waits after `tokens`
      events until the client has left), error_event, no_done (ends without [DONE]), no_end (does
      not end its body after [DONE]).

    A subclass of the double may know more kinds.
    """

    kind: str
    tokens: int = 0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    release: threading.Event | None = None
    after_s: float = 0.0


NONE = Fault("none")


@dataclass(frozen=True)
class Request:
    body: dict[str, Any]
    authorization: str | None
    fault: Fault


@dataclass(frozen=True)
class Reply:
    """A whole reply: a JSON value, or text as it is."""

    value: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stream:
    """A reply as events: one for each choice, then the usage and [DONE]."""

    choices: Sequence[dict[str, Any]]
    usage: dict[str, Any] | None = None


def completion(
    text: str, usage: dict[str, Any] | None = None, finish_reason: str = "stop"
) -> Reply:
    """Return the chat completion that says `text`."""
    message = {"role": "assistant", "content": text}
    choice = {"message": message, "finish_reason": finish_reason}
    return Reply({"choices": [choice], "usage": usage})


def refusal(message: str, status: int = 400) -> Reply:
    """Return an error as vLLM writes it."""
    return Reply({"error": {"message": message, "code": status}}, status)


class ChatDouble:
    """The server, as a context manager.

    Each request takes the next of `faults`, if there is one. Otherwise `reply` answers it.
    """

    def __init__(self) -> None:
        self.faults: deque[Fault] = deque()
        self.requests: list[Request] = []
        self.posts = 0
        self.connections = 0
        self.arrived = threading.Semaphore(0)  # released for each request
        self.cancelled = threading.Semaphore(0)  # released for each client that left a held stream
        self.lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"double": self}))
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def reply(self, request: Request) -> Reply | Stream | Fault:
        """Return the answer to a request."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening. May be called twice."""
        self._http.shutdown()
        self._http.server_close()

    def wait_cancelled(self, count: int) -> bool:
        """Whether `count` clients leave a held stream within 10 s."""
        return all(self.cancelled.acquire(timeout=10) for _ in range(count))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Print nothing: a client that leaves is no error."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    double: ChatDouble

    def setup(self) -> None:
        super().setup()
        with self.double.lock:
            self.double.connections += 1

    def log_message(self, *_: object) -> None:
        """Print nothing on stderr."""

    def do_POST(self) -> None:
        s = self.double
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with s.lock:
            s.posts += 1
            fault = s.faults.popleft() if s.faults else NONE
            request = Request(body, self.headers.get("Authorization"), fault)
            s.requests.append(request)
        s.arrived.release()
        if self.path != "/v1/chat/completions":
            return self._whole(Reply({"detail": "Not Found"}, 404))
        if self._failed(fault):
            return
        reply = s.reply(request)
        if isinstance(reply, Fault):
            if self._failed(reply):
                return
            raise AssertionError(f"a fault that a reply cannot be: {reply.kind}")
        with contextlib.suppress(OSError):  # the client may be gone
            self._whole(reply) if isinstance(reply, Reply) else self._stream(reply, fault)

    def _failed(self, fault: Fault) -> bool:
        """Play a fault that any request can meet. Returns whether it replaces the reply."""
        if fault.kind == "wait":
            assert fault.release is not None
            fault.release.wait(10)
            return False
        if fault.kind == "drop":
            threading.Event().wait(fault.after_s)
            self.close_connection = True
        elif fault.kind == "status":
            error = {"error": {"message": "told to fail", "code": fault.status}}
            self._whole(Reply(error, fault.status, fault.headers))
        elif fault.kind == "nonsense":
            self._whole(Reply("<html>It works!</html>"))
        else:
            return False
        return True

    def _stream(self, reply: Stream, fault: Fault) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        if fault.kind == "error_event":
            error = {"message": "engine died", "type": "InternalServerError", "code": 500}
            return self._event({"error": error})
        for i, choice in enumerate(reply.choices):
            if fault.kind == "die" and i == fault.tokens:
                self.close_connection = True
                return
            if fault.kind == "hold" and i == fault.tokens:
                return self._hold()
            self._event({"choices": [choice]})
        if reply.usage is not None:
            self._event({"choices": [], "usage": reply.usage})
        if fault.kind != "no_done":
            self._chunk(b"data: [DONE]\n\n")
        if fault.kind == "no_end":
            return self._hold()
        self._chunk(b"")

    def _hold(self) -> None:
        """Send nothing more until the client has left."""
        readable, _, _ = select.select([self.connection], [], [], 10)
        if readable and self.connection.recv(1) == b"":
            self.double.cancelled.release()
        self.close_connection = True

    def _event(self, value: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _whole(self, reply: Reply) -> None:
        value = reply.value
        data = (value if isinstance(value, str) else json.dumps(value)).encode()
        with contextlib.suppress(OSError):  # the client may have left
            self.send_response(reply.status)
            for name, text in {"Content-Length": str(len(data)), **reply.headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(data)
