"""A real HTTP server on loopback that plays an MLLM: it looks at the pictures that it is sent, and
misbehaves on order.

Its world is one clip: dark until second `LIGHT`, bright from then on.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from aura_core.config import ServerConfig
from aura_core.data.engine import run, write_sources
from aura_core.data.prepare import find_sources
from aura_core.data.schema import Conversation
from aura_core.data.settings import DataConfig, StructureConfig, SynthesizeConfig
from aura_core.data.store import Done, StageFolder
from aura_core.data.video import ClipWriter
from aura_core.data.worker import Job

LIGHT, SECONDS = 8, 16
Fault = Callable[[Any], bool]  # gets the handler; True when it has replied itself


def light_video(path: Path, dark: int = 20) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = ClipWriter(path, (64, 64), 18)
    for slot in range(2 * SECONDS):
        writer.add(np.full((64, 64, 3), 220 if slot >= 2 * LIGHT else dark, np.uint8))
    writer.close()
    return path


def light_run(out: Path) -> Path:
    """A run folder with two such clips, ready for synthesis."""
    for name, dark in (("a", 20), ("b", 40)):
        light_video(out / "in" / f"{name}.mp4", dark)
    config = DataConfig()
    write_sources(out, find_sources(out / "in"), config)
    run(Job("prepare", out, out, config))
    return out


class FakeMLLM:
    """`kinds` counts requests by prompt; `replies` overrides the reply to a kind of prompt;
    `faults` by kind too."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.replies: dict[str, Callable[[str, float], Any]] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.headers: list[str | None] = []
        self.pictures: list[tuple[str, list[str]]] = []  # kind, labels
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"mllm": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> FakeMLLM:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def reply(self, body: dict[str, Any], handler: Any) -> str | None:
        """The text of the reply; None when a fault has replied."""
        parts = [
            p for m in body["messages"] if isinstance(m["content"], list) for p in m["content"]
        ]
        text = next(p["text"] for p in reversed(parts) if p["type"] == "text")
        kind = kind_of(text)
        images = [p["image_url"]["url"] for p in parts if p["type"] == "image_url"]
        labels = [p["text"] for p in parts if p["type"] == "text"][:-1]
        assert len(labels) == len(images)
        with self._lock:
            self.kinds[kind] += 1
            self.pictures.append((kind, labels))
            fault = self.faults[kind].pop(0) if self.faults.get(kind) else None
        if fault is not None and fault(handler):
            return None
        level = _brightness(images[-1]) if images else 0.0
        answer = self.replies.get(kind, DEFAULTS[kind])(text, level)
        return answer if isinstance(answer, str) else json.dumps(answer)


def settings(mllm: FakeMLLM, **server: object) -> DataConfig:
    """Those of a short run that asks `mllm`."""
    known = {"read_timeout_s": 10.0, "retries": 2, "retry_wait_s": 0.01, "retry_wait_max_s": 1.0}
    return DataConfig(
        synthesize=SynthesizeConfig(real_time=1),
        structure=StructureConfig("scripted"),
        server=ServerConfig(url=mllm.url, model="m", **(known | server)),
    )


def synthesize(
    mllm: FakeMLLM, prepared: Path, out: Path, threads: int = 1, **server: object
) -> Done:
    """Stage 2 of a run of one shard."""
    run(Job("synthesize", prepared, out, settings(mllm, **server), "mllm", threads=threads))
    (done,) = StageFolder(out, "synthesize").all_done()
    return done


def talks(out: Path) -> list[Conversation]:
    """What `synthesize` wrote."""
    return list(StageFolder(out, "synthesize").read(0, Conversation))


def _brightness(url: str) -> float:
    head, data = url.split(",", 1)
    assert head == "data:image/jpeg;base64"
    image = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    return float(image.mean())


PHRASES = {
    "consist of these scenes": "scenes",
    "Write at most": "now",
    "to speak up later": "later",
    "to speak up:": "times",
    "it kept silent": "missed",
    "truthfully give this answer NOW": "visible",
    "one for each of the other difficulties": "siblings",
    "Answer in short": "answer",
    "in other words": "rephrase",
    "is not grounded": "grounded",
}


def kind_of(text: str) -> str:
    return next(kind for phrase, kind in PHRASES.items() if phrase in text)


def _visible(text: str, level: float) -> Any:
    answer = re.search(r"^Answer: (.*)$", text, re.M)
    assert answer
    bright = level > 128
    return {"visible": bright if "on" in answer[1] or "bright" in answer[1] else not bright}


def _span(text: str, before: str) -> tuple[int, int]:
    """The seconds that a prompt names behind some words."""
    found = re.search(rf"{before} (\d+) to (\d+)", text)
    assert found
    return int(found[1]), int(found[2])


def _times(text: str, level: float) -> Any:
    first, last = _span(text, "in seconds")
    numbers = [int(n) for n in re.findall(r"^(\d+)\. ", text, re.M)]
    on = first <= LIGHT <= last
    return {
        "times": [
            {"request": n, "second": LIGHT, "answer": "the light is on"} for n in numbers if on
        ]
    }


def _missed(text: str, level: float) -> Any:
    first, last = _span(text, "In seconds")
    return {"missed": first <= LIGHT <= last}


def request(
    kind: str, second: int, *answers: int, words: str = "the light is on"
) -> dict[str, Any]:
    text = (
        "tell me when the light goes on"
        if kind == "proactive"
        else "tell me every time the light goes on"
    )
    return {
        "kind": kind,
        "second": second,
        "request": text,
        "acknowledgment": "okay",
        "level": 2,
        "answers": [{"second": a, "answer": words} for a in answers],
    }


def question(second: int, text: str = "how is the light?") -> dict[str, Any]:
    answer = "it is bright" if second >= LIGHT else "it is dark"
    return {"second": second, "question": text, "answer": answer, "evidence": second, "level": 1}


DEFAULTS: dict[str, Callable[[str, float], Any]] = {
    "scenes": lambda t, b: {"scenes": [{"first": 0, "stop": SECONDS, "summary": "a lamp"}]},
    "now": lambda t, b: {
        "questions": [question(s) for s in (3, 12) if f"seconds {s // LIGHT * LIGHT} to" in t]
    },
    "later": lambda t, b: {
        "requests": [request("proactive", 2, LIGHT)] if "between\n0 and" in t else []
    },
    "times": _times,
    "visible": _visible,
    "missed": _missed,
    "siblings": lambda t, b: {
        "questions": [{"level": n, "question": f"level {n}?"} for n in (2, 3, 4, 5)]
    },
    "answer": lambda t, b: {"answer": "it is bright" if b > 128 else "it is dark"},
    "rephrase": (
        lambda t, b: (
            "Gladly. ```json\n" + json.dumps({"request": "say when the lamp turns on"}) + "\n```"
        )
    ),
    "grounded": lambda t, b: {"grounded": True, "reason": "it is to be seen"},
}


# ---- faults --------------------------------------------------------------------------------------


def status(code: int, **headers: str) -> Fault:
    def fault(handler: Any) -> bool:
        handler.send(code, {"error": {"message": "not now"}}, headers)
        return True

    return fault


def sleep(seconds: float) -> Fault:
    def fault(handler: Any) -> bool:
        time.sleep(seconds)
        return True

    return fault


def hang_up(handler: Any) -> bool:
    return True


def says(text: str) -> Fault:
    def fault(handler: Any) -> bool:
        handler.complete(text)
        return True

    return fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mllm: FakeMLLM

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.mllm.headers.append(self.headers["Authorization"])
        assert (
            self.path == "/v1/chat/completions"
            and body["model"] == "m"
            and body["temperature"] == 0
        )
        self._replied = False
        text = self.mllm.reply(body, self)
        if text is not None:
            self.complete(text)
        elif not self._replied:
            self.close_connection = True

    def complete(self, text: str) -> None:
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        self.send(
            200, {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}
        )

    def send(self, code: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self._replied = True
        self.send_response(code)
        for name, text in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass
