"""The chat double as an MLLM: it looks at the pictures that it gets, and can fail.

It knows one clip: dark until second `LIGHT`, bright from then on.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from chat_double import ChatDouble, Fault, Reply, Request, completion

from aura_core.data.engine import run, write_sources
from aura_core.data.prepare import find_sources
from aura_core.data.schema import Conversation
from aura_core.data.settings import (
    AskingConfig,
    DataConfig,
    MLLMConfig,
    StructureConfig,
    SynthesizeConfig,
)
from aura_core.data.store import Done, StageFolder
from aura_core.data.video import ClipWriter
from aura_core.data.worker import Job

LIGHT, SECONDS = 8, 16
USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


def light_video(path: Path, dark: int = 20) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = ClipWriter(path, (64, 64), 18)
    for slot in range(2 * SECONDS):
        writer.add(np.full((64, 64, 3), 220 if slot >= 2 * LIGHT else dark, np.uint8))
    writer.close()
    return path


def light_run(out: Path) -> Path:
    """Return a run folder with two such clips, ready for synthesis."""
    for name, dark in (("a", 20), ("b", 40)):
        light_video(out / "in" / f"{name}.mp4", dark)
    config = DataConfig()
    write_sources(out, find_sources(out / "in"), config)
    run(Job("prepare", out, out, config))
    return out


class MLLMDouble(ChatDouble):
    """`kinds` counts the requests by prompt.

    `replies` replaces the reply to a kind of prompt. `failures` come first, by kind of prompt.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kinds: Counter[str] = Counter()
        self.replies: dict[str, Callable[[str, float], Any]] = {}
        self.failures: dict[str, list[Fault | Reply]] = {}
        self.pictures: list[tuple[str, list[str]]] = []  # kind, labels

    def reply(self, request: Request) -> Reply | Fault:
        """Return the JSON that the prompt asks for."""
        body = request.body
        assert body["model"] == "m" and body["temperature"] == 0
        parts = [
            p for m in body["messages"] if isinstance(m["content"], list) for p in m["content"]
        ]
        text = next(p["text"] for p in reversed(parts) if p["type"] == "text")
        kind = kind_of(text)
        images = [p["image_url"]["url"] for p in parts if p["type"] == "image_url"]
        labels = [p["text"] for p in parts if p["type"] == "text"][:-1]
        assert len(labels) == len(images)
        with self.lock:
            self.kinds[kind] += 1
            self.pictures.append((kind, labels))
            if self.failures.get(kind):
                return self.failures[kind].pop(0)
        level = _brightness(images[-1]) if images else 0.0
        answer = self.replies.get(kind, DEFAULTS[kind])(text, level)
        return says(answer if isinstance(answer, str) else json.dumps(answer))


def settings(mllm: MLLMDouble, **server: object) -> DataConfig:
    """Return the settings of a short run that asks `mllm`."""
    known = {"read_timeout_s": 10.0, "retries": 2, "retry_wait_s": 0.01, "retry_wait_max_s": 1.0}
    return DataConfig(
        asking=AskingConfig(personas=("anyone",)),
        synthesize=SynthesizeConfig(real_time=1, ask_scenes=False, never=0.0),
        structure=StructureConfig("scripted", after_last=0.0, unasked=0.0),
        server=MLLMConfig(url=mllm.url, model="m", **(known | server)),
    )


def synthesize(
    mllm: MLLMDouble, prepared: Path, out: Path, threads: int = 1, **server: object
) -> Done:
    """Run stage 2 on one shard."""
    run(Job("synthesize", prepared, out, settings(mllm, **server), "mllm", threads=threads))
    (done,) = StageFolder(out, "synthesize").all_done()
    return done


def talks(out: Path) -> list[Conversation]:
    """Return what `synthesize` wrote."""
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
    visible = bright if "on" in answer[1] or "bright" in answer[1] else not bright
    return {"reason": f"the last picture has {level:.0f} of 255", "visible": visible}


def _span(text: str, before: str) -> tuple[int, int]:
    """Return the seconds that a prompt names after these words."""
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
    return {"reason": f"it goes on at second {LIGHT}", "missed": first <= LIGHT <= last}


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
    "grounded": lambda t, b: {"reason": "it is to be seen", "grounded": True},
}


# ---- failures ------------------------------------------------------------------------------------

HANG_UP = Fault("drop")


def status(code: int, **headers: str) -> Fault:
    return Fault(
        "status", status=code, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def stall(seconds: float) -> Fault:
    return Fault("drop", after_s=seconds)


def says(text: str, finish_reason: str = "stop") -> Reply:
    return completion(text, USAGE, finish_reason)
