"""Asks an MLLM behind an OpenAI-compatible API for JSON: validated, repaired once, remembered on
disk, counted.

A reply that was paid for is kept, with its price: a run that was killed asks for nothing twice,
gives the same bytes, and knows what it has cost in all (see `costs.py`).

    replies/ab/abcd....json         the reply to one request
    replies/failed/....json         the price of a request that brought none
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
from pathlib import Path
from typing import Any, TypeVar

from aura_core.config import ServerConfig
from aura_core.data.costs import PAID
from aura_core.data.locks import Locks
from aura_core.data.outcome import ItemError
from aura_core.data.prompts import Prompts
from aura_core.data.store import write
from aura_core.errors import ConfigError, InputError, ModelError
from aura_core.http_client import HttpClient, HttpOptions, RefusedError
from aura_core.replies import objects

T = TypeVar("T")
FATAL = (401, 403, 404)  # nothing that another item would fare better with


class Malformed(Exception):
    """A reply that is not what was asked for; the message is told to the MLLM."""


class MLLM:
    """One server. `ask` may be called from many threads.

    Args:
        config: address, token variable, time-outs and retries (see `ServerConfig`).
        prompts: for the system turn and the repair turn.
        replies: folder of remembered replies; None: nothing is remembered.
    """

    def __init__(
        self, config: ServerConfig, prompts: Prompts, max_tokens: int, replies: Path | None = None
    ) -> None:
        if not config.url or not config.model:
            raise ConfigError(
                "an MLLM is needed: give --mllm URL and --mllm-model NAME (or `server:` in the"
                " settings)"
            )
        self._client = HttpClient(HttpOptions.of(config))
        self._config, self._prompts, self._max_tokens, self._replies = (
            config,
            prompts,
            max_tokens,
            replies,
        )
        self._spent: Counter[str] = Counter(dict.fromkeys(PAID, 0))
        self._lock, self._asking = threading.Lock(), Locks()

    def ask(self, content: Sequence[dict[str, Any]], parse: Callable[[Any], T]) -> T:
        """`parse` of the JSON object that the MLLM replies to `content`.

        Raises `ItemError` when the server refuses this request, gives up, or replies nonsense
        twice; `InputError` when it would refuse every request.
        """
        messages = [
            {"role": "system", "content": self._prompts.texts["system"]},
            {"role": "user", "content": content},
        ]
        text = self._reply(messages)
        try:
            return parse(_object(text))
        except Malformed as e:
            self._count(repairs=1)
            repair = self._prompts.fill("repair", fault=str(e))
            # half of a surrogate pair cannot be sent back
            sent = text.encode(errors="replace").decode()
            messages += [
                {"role": "assistant", "content": sent},
                {"role": "user", "content": repair},
            ]
        try:
            return parse(_object(self._reply(messages)))
        except Malformed as e:
            self._count(malformed=1)
            raise ItemError("malformed reply", str(e)) from e

    def cost(self) -> dict[str, float]:
        """What was paid by this object: requests (retries included), tokens as the server tells,
        seconds that replies took; and what became of the replies, those that were remembered and
        cost nothing included."""
        with self._lock:
            return {k: round(v, 3) for k, v in self._spent.items()}

    def _reply(self, messages: list[dict[str, Any]]) -> str:
        """The text of a reply, remembered or new. Threads with the same request pay for it once."""
        body = {
            "model": self._config.model,
            "messages": messages,
            "max_tokens": self._max_tokens,
            "temperature": 0,
        }
        key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        if self._replies is None:
            return self._bought(body, key)
        path = self._replies / key[:2] / f"{key}.json"
        with self._asking.of(key):
            if not path.exists():
                return self._bought(body, key)
            try:
                text = str(json.loads(path.read_text(encoding="utf-8"))["text"])
            except (OSError, ValueError, KeyError, TypeError) as e:
                raise InputError(f"{path}: a damaged reply; delete this file and run again") from e
        self._count(remembered=1)
        return text

    def _bought(self, body: dict[str, Any], key: str) -> str:
        """A new reply, kept with its price; the price alone where there is none."""
        usage: dict[str, float] = dict.fromkeys(PAID, 0)
        start = time.monotonic()
        kept, name = {"usage": usage}, f"failed/{key[:16]}-{os.getpid()}-{time.time_ns()}"
        try:
            reply = self._send(body, usage)
            told = reply.get("usage")
            told = told if isinstance(told, dict) else {}
            usage |= {
                k: v
                for k in ("prompt_tokens", "completion_tokens")
                if isinstance(v := told.get(k), int)
            }
            text = _text(reply)
            kept, name = {"text": text, "usage": usage}, f"{key[:2]}/{key}"
            return text
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
    """Parts of a message: a label, and a JPEG with it."""
    url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    return [{"type": "text", "text": label}, {"type": "image_url", "image_url": {"url": url}}]


def _text(reply: dict[str, Any]) -> str:
    try:
        text = reply["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError) as e:
        raise ItemError("not a chat completion", str(reply)) from e
    return text if isinstance(text, str) else ""


def _object(text: str) -> dict[str, Any]:
    """The last JSON object in a reply: what stands before it was thought aloud."""
    found = list(objects(text))
    if not found:
        raise Malformed(
            "there is no JSON object in it" if "{" not in text else "it is not valid JSON"
        )
    return found[-1]
