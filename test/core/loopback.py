"""A real HTTP server on loopback that stands for vLLM: an OpenAI-compatible chat endpoint over a model in this process.

It takes nothing from the client's code: messages go through the checkpoint's own chat template and tokenizer, frames
are decoded from their bytes, and every request is computed from nothing. It enforces what makes reuse possible: a
request must extend a prompt seen before (unless a new one was announced), and a uuid without bytes must be known.
It can be told to misbehave, one request after another.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import select
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

from aura_core.models.backend import Piece, Tokens, Video
from aura_core.types import Chunk, Frame

PAD = "<|video_pad|>"
PLACE = f"<|vision_start|>{PAD}<|vision_end|>"
Key = int | str  # a text token, or a frame's uuid


@dataclass(frozen=True)
class Fault:
    """What the next request meets.

    kind: status (answers `status` with `headers`), drop (closes without a word), die (closes after `tokens`
    tokens), hold (waits after `tokens` tokens until the client is gone), nonsense, no_choices, no_logprobs,
    error_event, forget (loses all media first), wait (answers after `release` is set), silent_stop (ends a
    stream without telling its last token).
    """

    kind: str
    tokens: int = 0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    release: threading.Event | None = None


@dataclass(frozen=True)
class Entry:
    """One request that was answered: tokens of its prompt, and how many of these an earlier one began with."""

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


class Loopback:
    """The server; use as a context manager.

    Args:
        model: an opened `QwenVLBackend`, which computes.
        template: its chat template.
        new_prefixes: so many prompts may extend no earlier one; add to it to announce a switch.
    """

    def __init__(self, model: Any, template: str, new_prefixes: int = 1) -> None:
        self.model, self.template, self.new_prefixes = model, template, new_prefixes
        self.log: list[Entry] = []
        self.faults: deque[Fault] = deque()
        self.media: dict[str, tuple[str, Video]] = {}
        self.cancelled = threading.Semaphore(0)  # released for each client that left a held stream
        self.posts = 0
        self._seen: list[list[tuple[Key, int]]] = []  # all that could be in a prefix cache
        self._tips: list[list[tuple[Key, int]]] = []  # the newest prompt of each conversation
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"loopback": self})
        self._http = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Loopback:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def forget(self) -> None:
        """Lose all media, as a server does that is started again."""
        with self._lock:
            self.media.clear()

    def wait_cancelled(self, count: int) -> bool:
        """Whether `count` clients have left a held stream, at the latest in 10 s."""
        return all(self.cancelled.acquire(timeout=10) for _ in range(count))

    # ---- one request -------------------------------------------------------------------------

    def pieces(self, body: dict[str, Any]) -> tuple[list[Piece], list[tuple[Key, int]], int]:
        """The prompt: pieces, keys with their lengths, and the number of frames that came with bytes."""
        videos: list[tuple[str, Video]] = []
        messages, new = [], 0
        for m in body["messages"]:
            content = m["content"]
            if isinstance(content, list):
                parts: list[dict[str, Any]] = []
                for part in content:
                    if part["type"] == "text":
                        parts.append(part)
                        continue
                    assert part["type"] == "video_url", part["type"]
                    new += part["video_url"] is not None
                    videos.append(self._video(part, len(videos)))
                    parts.append({"type": "video"})
                content = parts
            messages.append({"role": m["role"], "content": content})
        tokenizer = self.model.tokenizer.inner
        text = tokenizer.apply_chat_template(
            messages, chat_template=self.template, tokenize=False,
            add_generation_prompt=body["add_generation_prompt"], continue_final_message=body["continue_final_message"],
        )  # fmt: skip
        assert text.count(PLACE) == text.count(PAD) == len(videos)
        if self.model.family == "qwen3_vl":  # its processor writes the time of each pair of frames
            times = body["media_io_kwargs"]["video"]
            mean = sum(i / times["fps"] for i in times["frames_indices"]) / len(times["frames_indices"])
            text = text.replace(PLACE, f"<{mean:.1f} seconds>{PLACE}")
        pad = tokenizer.convert_tokens_to_ids(PAD)
        pieces: list[Piece] = []
        keys: list[tuple[Key, int]] = []
        left = iter(videos)
        for token in tokenizer.encode(text, add_special_tokens=False):
            if token == pad:
                uuid, video = next(left)
                pieces.append(video)
                keys.append((uuid, len(video)))
            else:
                pieces.append(Tokens((token,)))
                keys.append((token, 1))
        return _joined(pieces), keys, new

    def _video(self, part: dict[str, Any], index: int) -> tuple[str, Video]:
        uuid, url = part["uuid"], part["video_url"]
        if url is None:
            if uuid not in self.media:
                raise Refusal(f"Cache miss for video at index {index} but data is not provided.")
            return uuid, self.media[uuid][1]
        data = url["url"]
        if uuid in self.media:
            assert self.media[uuid][0] == data, "one uuid for two contents"
            return uuid, self.media[uuid][1]
        head, *coded = re.split("base64,|,", data.removeprefix("data:"))
        assert head == "video/jpeg;" and len(coded) == 2, head
        images = [cv2.imdecode(np.frombuffer(base64.b64decode(c), np.uint8), cv2.IMREAD_COLOR) for c in coded]
        frames = tuple(Frame(cv2.cvtColor(i, cv2.COLOR_BGR2RGB), n) for n, i in enumerate(images))
        self.media[uuid] = (data, self.model.encode(Chunk(0, frames, 0, 1)))
        return uuid, self.media[uuid][1]

    def accept(self, keys: list[tuple[Key, int]]) -> int:
        """Tokens of the longest prefix that an earlier request had. Refuses a prompt that extends none."""
        header = len(self.model.tokenizer.encode(self.model.chat.assistant[0]))
        best = max((sum(n for _, n in keys[: _same(old, keys)]) for old in self._seen), default=0)
        # A prompt that was only warmed ends in a header that is not in the next one.
        tips = [tip for tip in self._tips if _same(tip, keys) >= len(tip) - header]
        if tips:
            self._tips.remove(max(tips, key=len))
        elif self.new_prefixes:
            self.new_prefixes -= 1
        else:
            raise Refusal(f"prefix violation: {best} of {sum(n for _, n in keys)} tokens are known")
        self._tips.append(keys)
        return best

    def generate(self, pieces: list[Piece], body: dict[str, Any]) -> Iterator[tuple[int, np.ndarray]]:
        """Greedy tokens with float64 log-probabilities (vocabulary,), the stop token included."""
        session = self.model.open()
        logits = session.prefill(pieces)
        for _ in range(body["max_tokens"]):
            z = logits.astype(np.float64)
            logprobs = z - z.max() - np.log(np.exp(z - z.max()).sum())
            token = int(logits.argmax())
            yield token, logprobs
            if token in body.get("stop_token_ids", []) or token == self.model.chat.end_id:
                return
            logits = session.prefill([Tokens((token,))])


def _same(old: list[tuple[Key, int]], new: list[tuple[Key, int]]) -> int:
    """Entries that both begin with."""
    return next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))


class _Server(ThreadingHTTPServer):
    """A client that goes away is no error worth a traceback."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing on stderr."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    loopback: Loopback

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""

    def do_POST(self) -> None:
        s = self.loopback
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with s._lock:
            s.posts += 1
            fault = s.faults.popleft() if s.faults else Fault("none")
        if self.path != "/v1/chat/completions":
            return self._json(404, {"detail": "Not Found"})
        if fault.kind == "wait":
            assert fault.release is not None
            fault.release.wait(10)
        if fault.kind == "status":
            return self._json(fault.status, {"error": {"message": "told to fail", "code": fault.status}}, fault.headers)
        if fault.kind == "drop":
            return self._hang_up()
        if fault.kind == "nonsense":
            return self._raw(b"<html>It works!</html>")
        if fault.kind == "no_choices":
            return self._raw(b'{"object":"chat.completion","choices":[]}' if not body.get("stream") else
                             b'data: {"choices":[]}\n\ndata: [DONE]\n\n')  # fmt: skip
        if fault.kind == "forget":
            s.forget()
        try:
            with s._lock:
                pieces, keys, new = s.pieces(body)
                reused = s.accept(keys)
                made = list(s.generate(pieces, body))
                s._seen.append(keys + [(t, 1) for t, _ in made])
                prompt = sum(len(p) for p in pieces)
                s.log.append(Entry(prompt, reused, bool(body.get("stream")), body["max_tokens"], new,
                                   tuple(t for t, _ in made), body,
                                   self.headers.get("Authorization")))  # fmt: skip
        except Refusal as e:
            return self._json(400, {"error": {"message": str(e), "type": "BadRequestError", "code": 400}})
        usage = {"prompt_tokens": prompt, "completion_tokens": len(made),
                 "prompt_tokens_details": {"cached_tokens": reused}}  # fmt: skip
        choices = [self._choice(token, p, body, fault) for token, p in made]
        finish = "length" if made[-1][0] not in body.get("stop_token_ids", [s.model.chat.end_id]) else "stop"
        if body.get("stream"):
            with contextlib.suppress(OSError):  # the client may be gone
                self._stream(choices, finish, usage, fault)
        else:
            self._json(200, {"choices": [choices[0] | {"finish_reason": finish}], "usage": usage})

    def _choice(self, token: int, p: np.ndarray, body: dict[str, Any], fault: Fault) -> dict[str, Any]:
        text = self.loopback.model.tokenizer.inner.decode([token])
        choice: dict[str, Any] = {"index": 0, "delta" if body.get("stream") else "message": {"content": text}}
        if body.get("logprobs") and fault.kind != "no_logprobs":
            best = np.argsort(-p, kind="stable")[: body["top_logprobs"]]
            top = [{"token": f"token_id:{i}", "logprob": float(p[i])} for i in best]
            choice["logprobs"] = {"content": [
                {"token": f"token_id:{token}", "logprob": float(p[token]), "top_logprobs": top}
            ]}  # fmt: skip
        return choice

    def _stream(self, choices: list[dict[str, Any]], finish: str, usage: dict[str, Any], fault: Fault) -> None:
        s = self.loopback
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        if fault.kind == "error_event":
            return self._event({"error": {"message": "engine died", "type": "InternalServerError", "code": 500}})
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

    def _json(self, status: int, value: dict[str, Any], headers: dict[str, str] | None = None) -> None:
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


def _joined(pieces: list[Piece]) -> list[Piece]:
    """The pieces with runs of tokens put together."""
    out: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Tokens) and out and isinstance(out[-1], Tokens):
            out[-1] = Tokens((*out[-1].ids, *piece.ids))
        else:
            out.append(piece)
    return out
