"""Asks an MLLM behind an OpenAI-compatible API for JSON.

A reply is validated, repaired at most once, stored on disk, and counted. A stored reply includes
its cost. A run that was killed therefore sends no request twice, writes the same bytes, and knows
its whole cost (see `costs.py`).

    replies/ab/abcd....json         the reply to one request
    replies/failed/....json         the cost of a request without a reply
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from aura_core.data.costs import PAID
from aura_core.data.locks import Locks
from aura_core.data.outcome import ItemError
from aura_core.data.prompts import Prompts
from aura_core.data.settings import MLLMConfig
from aura_core.data.store import write
from aura_core.errors import ConfigError, InputError, ModelError
from aura_core.http_client import HttpClient, HttpOptions, RefusedError
from aura_core.replies import CutOff, Malformed, Reply, ask, request

T = TypeVar("T")
FATAL = (401, 403, 404)  # with these statuses, the requests of all other items would fail too


class MLLM:
    """One server. `ask` may be called from many threads.

    Args:
        config: address, token variable, limits, time-outs and retries.
        prompts: for the system turn and the repair turn.
        replies: folder of stored replies; None: replies are not stored.

    Raises `ConfigError` without an address and a model name.
    """

    def __init__(self, config: MLLMConfig, prompts: Prompts, replies: Path | None = None) -> None:
        if not config.url or not config.model:
            raise ConfigError(
                "an MLLM is needed: give --mllm URL and --mllm-model NAME (or `server:` in the"
                " settings)"
            )
        self._client = HttpClient(HttpOptions.of(config))
        self._config, self._prompts, self._replies = config, prompts, replies
        self._spent: Counter[str] = Counter(dict.fromkeys(PAID, 0))
        self._lock, self._asking = threading.Lock(), Locks()

    def ask(self, content: Sequence[dict[str, Any]], parse: Callable[[Any], T]) -> T:
        """Send `content`, and return `parse` of the JSON object in the reply.

        A reply that cannot be used goes back with its fault, `repairs` times. Raises `ItemError`
        when the server refuses this request or gives up, or when the last reply is malformed too;
        `InputError` when the server would refuse every request.
        """
        messages = [
            {"role": "system", "content": self._prompts.texts["system"]},
            {"role": "user", "content": content},
        ]
        self._count(asked=1)
        try:
            return ask(
                self._reply,
                messages,
                parse,
                lambda fault: self._prompts.fill("repair", fault=fault),
                self._config.repairs,
                lambda: self._count(repairs=1),
            )
        except Malformed as e:
            self._count(malformed=1)
            limit = f"; server.max_tokens is {self._config.max_tokens}"
            detail = f"{e}{limit if isinstance(e, CutOff) else ''}"
            raise ItemError("malformed reply", detail) from e

    def cost(self) -> dict[str, float]:
        """Return what this object has paid, and what became of the replies.

        Paid are requests (retries included), tokens as the server reports them, and the seconds
        that replies took. Replies that were read from disk are counted as `remembered`, and cost
        nothing.
        """
        with self._lock:
            return {k: round(v, 3) for k, v in self._spent.items()}

    def close(self) -> None:
        """End all requests that are under way, in every thread, and close the connections."""
        self._client.close()

    def _reply(self, messages: Sequence[dict[str, Any]]) -> Reply:
        """Return a reply, from disk or from the server.

        Threads with the same request send it once.
        """
        body = request(self._config, messages)
        key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        if self._replies is None:
            return self._bought(body, key)
        path = self._replies / key[:2] / f"{key}.json"
        with self._asking.of(key):
            if not path.exists():
                return self._bought(body, key)
            try:
                kept = json.loads(path.read_text(encoding="utf-8"))
                reply = Reply(str(kept["text"]), kept.get("finish_reason"))
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
                raise InputError(f"{path}: a damaged reply; delete this file and run again") from e
        self._count(remembered=1)
        return reply

    def _bought(self, body: dict[str, Any], key: str) -> Reply:
        """Send a request, and store the reply with its cost; without a reply, the cost alone."""
        usage: dict[str, float] = dict.fromkeys(PAID, 0)
        start = time.monotonic()
        kept: dict[str, Any] = {"usage": usage}
        name = f"failed/{key[:16]}-{os.getpid()}-{time.time_ns()}"
        try:
            completion = self._send(body, usage)
            told = completion.get("usage")
            told = told if isinstance(told, dict) else {}
            usage |= {
                k: v
                for k in ("prompt_tokens", "completion_tokens")
                if isinstance(v := told.get(k), int)
            }
            try:
                reply = Reply.of(completion)
            except Malformed as e:
                self._count(malformed=1)
                raise ItemError("not a chat completion", str(completion)) from e
            kept, name = kept | asdict(reply), f"{key[:2]}/{key}"
            return reply
        finally:
            usage["seconds"] = round(time.monotonic() - start, 3)
            self._count(**usage)
            if self._replies is not None:
                path = self._replies / f"{name}.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                write(path, json.dumps(kept).encode())

    def _send(self, body: dict[str, Any], usage: dict[str, float]) -> dict[str, Any]:
        def attempt() -> dict[str, Any]:
            usage["retries"] += usage["requests"] > 0
            usage["requests"] += 1
            return self._client.post(body)

        try:
            return self._client.retry(attempt)
        except RefusedError as e:
            self._count(refused=1)
            if e.status in FATAL:
                raise InputError(str(e)) from e
            raise ItemError("refused by the MLLM's server", str(e)) from e
        except ModelError as e:
            self._count(gave_up=1)
            raise ItemError("no reply from the MLLM", str(e), transient=True) from e

    def _count(self, **amounts: float) -> None:
        with self._lock:
            self._spent.update(amounts)


def picture(jpeg: bytes, label: str) -> list[dict[str, Any]]:
    """Return the parts of a message that show a labelled JPEG."""
    url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    return [{"type": "text", "text": label}, {"type": "image_url", "image_url": {"url": url}}]
