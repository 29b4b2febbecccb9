"""The loopback server's side of the wire: what a request may meet, its log, and replies as vLLM
writes them."""

from __future__ import annotations

import contextlib
import json
import select
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from loopback import Loopback


@dataclass(frozen=True)
class Fault:
    """What the next request meets.

    kind: status (answers `status` with `headers`), drop (closes without a word), die (closes after
    `tokens` tokens), hold (waits after `tokens` tokens until the client is gone), nonsense,
    no_choices, no_logprobs, error_event, forget (loses all media first), wait (answers after
    `release` is set), silent_stop (ends a stream without telling its last token).
    """

    kind: str
    tokens: int = 0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    release: threading.Event | None = None


@dataclass(frozen=True)
class Entry:
    """One request that was answered: tokens of its prompt, and how many of these an earlier one
    began with."""

    prompt: int
    reused: int
    stream: bool
    max_tokens: int
    new_media: int
    made: tuple[int, ...]  # tokens that were generated
    body: dict[str, Any]
    authorization: str | None


class Refusal(Exception):
    """A 4xx with vLLM's body."""


class Server(ThreadingHTTPServer):
    """A client that goes away is no error worth a traceback."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing on stderr."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    loopback: Loopback

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""

    def do_POST(self) -> None:
        s = self.loopback
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with s.lock:
            s.posts += 1
            fault = s.faults.popleft() if s.faults else Fault("none")
        if self.path != "/v1/chat/completions":
            return self._json(404, {"detail": "Not Found"})
        if fault.kind == "wait":
            assert fault.release is not None
            fault.release.wait(10)
        if fault.kind == "status":
            return self._json(
                fault.status,
                {"error": {"message": "told to fail", "code": fault.status}},
                fault.headers,
            )
        if fault.kind == "drop":
            return self._hang_up()
        if fault.kind == "nonsense":
            return self._raw(b"<html>It works!</html>")
        if fault.kind == "no_choices":
            return self._raw(
                b'{"object":"chat.completion","choices":[]}'
                if not body.get("stream")
                else b'data: {"choices":[]}\n\ndata: [DONE]\n\n'
            )
        if fault.kind == "forget":
            s.forget()
        try:
            with s.lock:
                pieces, keys, new = s.pieces(body)
                reused = s.accept(keys)
                made = list(s.generate(pieces, body))
                s.seen.append(keys + [(t, 1) for t, _ in made])
                prompt = sum(len(p) for p in pieces)
                s.log.append(
                    Entry(
                        prompt,
                        reused,
                        bool(body.get("stream")),
                        body["max_tokens"],
                        new,
                        tuple(t for t, _ in made),
                        body,
                        self.headers.get("Authorization"),
                    )
                )
        except Refusal as e:
            return self._json(
                400, {"error": {"message": str(e), "type": "BadRequestError", "code": 400}}
            )
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": len(made),
            "prompt_tokens_details": {"cached_tokens": reused},
        }
        choices = [self._choice(token, p, body, fault) for token, p in made]
        finish = (
            "length"
            if made[-1][0] not in body.get("stop_token_ids", [s.model.chat.end_id])
            else "stop"
        )
        if body.get("stream"):
            with contextlib.suppress(OSError):  # the client may be gone
                self._stream(choices, finish, usage, fault)
        else:
            self._json(200, {"choices": [choices[0] | {"finish_reason": finish}], "usage": usage})

    def _choice(
        self, token: int, p: np.ndarray, body: dict[str, Any], fault: Fault
    ) -> dict[str, Any]:
        text = self.loopback.model.tokenizer.inner.decode([token])
        choice: dict[str, Any] = {
            "index": 0,
            "delta" if body.get("stream") else "message": {"content": text},
        }
        if body.get("logprobs") and fault.kind != "no_logprobs":
            best = np.argsort(-p, kind="stable")[: body["top_logprobs"]]
            top = [{"token": f"token_id:{i}", "logprob": float(p[i])} for i in best]
            choice["logprobs"] = {
                "content": [
                    {"token": f"token_id:{token}", "logprob": float(p[token]), "top_logprobs": top}
                ]
            }
        return choice

    def _stream(
        self, choices: list[dict[str, Any]], finish: str, usage: dict[str, Any], fault: Fault
    ) -> None:
        s = self.loopback
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        if fault.kind == "error_event":
            return self._event(
                {"error": {"message": "engine died", "type": "InternalServerError", "code": 500}}
            )
        for i, choice in enumerate(choices):
            if fault.kind == "die" and i == fault.tokens:
                return self._hang_up()
            if fault.kind == "hold" and i == fault.tokens:
                readable, _, _ = select.select([self.connection], [], [], 10)
                if readable and self.connection.recv(1) == b"":
                    s.cancelled.release()
                return self._hang_up()
            last = i == len(choices) - 1
            if last and fault.kind == "silent_stop":
                choice = choice | {"logprobs": None, "delta": {}}
            self._event({"choices": [choice | {"finish_reason": finish if last else None}]})
        self._event({"choices": [], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, value: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _json(
        self, status: int, value: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        self._raw(json.dumps(value).encode(), status, headers or {})

    def _raw(self, data: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        with contextlib.suppress(OSError):  # a client that did not wait
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def _hang_up(self) -> None:
        self.close_connection = True
