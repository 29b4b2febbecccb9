"""For the tests of the server: a random checkpoint, a run of the engine over it, and a client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import checkpoints
import numpy as np
import torch
from engine_rig import free
from model_double import ModelDouble

from aura_core.config import (
    AssistantConfig,
    GenerationConfig,
    ModelConfig,
    ServerConfig,
    WatchConfig,
    WindowConfig,
)
from aura_core.models import load
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.stream.notes import Memory
from aura_core.types import Frame, Query, Step

TEMPLATE = checkpoints.TEMPLATES["qwen3_vl"]
WINDOW = WindowConfig(keep=2, max=6, qa_groups=3, policy="floating")
QUESTIONS = {1: "What colour is the ball?", 4: "Tell me when the red cube appears.", 8: "Why?"}
CANCELLED = 3
LONGEST = 3  # tokens of an answer
NO_MS = {"step_ms": 0.0, "decide_ms": 0.0}


def served_model(folder: Path) -> Any:
    """A random Qwen3-VL that is often silent, and whose words are read back as the same tokens.

    A chat server takes text and not tokens, and random bytes would not come back the same.
    """
    path = checkpoints.write(folder / "vlm", "qwen3_vl")
    model: Any = load(ModelConfig(path=str(path), dtype="float32", device="cpu", threads=1))
    inner = model.tokenizer.inner
    words = [
        i
        for i in range(len(inner))
        if inner.decode([i]).startswith(" ") and inner.decode([i])[1:].isalpha()
    ]
    assert len(words) >= 10
    silent, end = model.chat.silent_id, model.chat.end_id
    bias = torch.full((model.model.lm_head.out_features,), -1e3)
    bias[words], bias[silent], bias[end] = 0.0, 4.2, -3.0
    # With these values some chunks are silent, and answers have one to four words (tested).
    torch.manual_seed(101)
    with torch.no_grad():
        weight = model.model.lm_head.weight
        weight.copy_(torch.randn_like(weight) * 0.15)
        weight[silent] *= 3
        weight[end] *= 2
    model.model.lm_head.register_forward_hook(lambda _module, _args, out: 2.0 * out + bias)
    # The server prefills a window at once, the engine in parts. In float64 both give the same order
    # of the likeliest words, also where two are nearly equal.
    return checkpoints.in_float64(model)


def open_served(server: ModelDouble, **options: Any) -> Any:
    """A client of `server` whose waits take no time.

    `naps` on its HTTP client lists the waits in seconds.
    """
    settings: dict[str, Any] = {
        "url": server.url,
        "model": "aura",
        "image_format": "png",
        "retries": 2,
        "answer_tokens": 8,
        "probe": False,  # the number of requests is compared
    } | options
    backend: Any = load(ModelConfig(path=server.model.name), ServerConfig(**settings))
    backend._client.naps = []
    backend._client.sleep = backend._client.naps.append
    return backend


def frame(index: int) -> Frame:
    """Frame `index` of a noise video at 2 FPS."""
    image = np.random.default_rng([7, index]).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return Frame(image, index * 500_000_000)


def assistant_for(
    backend: Any,
    config: AssistantConfig | None = None,
    policy: str = "floating",
    memory: Memory | None = None,
) -> Lockstep:
    """An engine in lockstep, with the tests' window and short answers."""
    config = config or free()
    config = AssistantConfig(
        window=replace(WINDOW, policy=policy),
        generation=GenerationConfig(max_new_tokens=LONGEST),
        decider=config.decider,
        # every word is told as it comes, and so can be cancelled
        watch=WatchConfig(duplicate_s=0.0),
    )
    return Lockstep(StreamEngine(backend, config, memory=memory))


def run(
    backend: Any,
    steps: int,
    assistant: Lockstep | None = None,
    config: AssistantConfig | None = None,
) -> Iterator[Step]:
    """`steps` steps with questions; one answer is cancelled at its second word."""
    assistant = assistant or assistant_for(backend, config)
    for i in range(steps):
        step = one(assistant, i)
        assert step is not None
        yield step


def one(assistant: Lockstep, i: int) -> Step | None:
    """Make step `i`."""
    if i in QUESTIONS:
        assistant.ask(Query(QUESTIONS[i]))
    assistant.push(frame(2 * i))
    assistant.push(frame(2 * i + 1))
    said = 0

    def on_text(_id: str, _text: str) -> None:
        nonlocal said
        said += 1
        if i == CANCELLED and said == 2:
            assistant.engine.cancel()

    return assistant.step(on_text)


def plain(steps: list[Step]) -> list[Step]:
    """Steps without times. p(silent) is compared separately."""
    return [replace(s, **NO_MS, decision=replace(s.decision, p_silent=0.0)) for s in steps]
