"""Markers and thoughts with a real model: every policy computes what a full recompute does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import checkpoints  # noqa: E402

from aura_core.config import (  # noqa: E402
    AssistantConfig,
    DeciderConfig,
    GenerationConfig,
    ModelConfig,
    WindowConfig,
)
from aura_core.models import load  # noqa: E402
from aura_core.models.backend import Tokens  # noqa: E402
from aura_core.stream.engine import StreamEngine  # noqa: E402
from aura_core.types import Chunk, Frame, Query, Step  # noqa: E402

SECONDS = 9
OPENED = ("assistant\n' }}{%- endif", "assistant\n<think>\n' }}{%- endif")


def markers(folder: Path) -> None:
    (folder / "aura.json").write_text('{"grammar": "joyai"}')


def thought(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    template = path.read_text(encoding="utf-8")
    assert OPENED[0] in template
    path.write_text(template.replace(*OPENED), encoding="utf-8")


def both(folder: Path) -> None:
    """A checkpoint with markers that says itself that it must be asked."""
    thought(folder)
    (folder / "aura.json").write_text('{"grammar": "joyai", "trained_to_decide": false}')


@pytest.fixture(scope="module", params=[markers, thought, both], ids=lambda f: f.__name__)
def backend(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = checkpoints.write(
        tmp_path_factory.mktemp(request.param.__name__) / "vlm", "qwen3_vl", silent=False
    )
    request.param(folder)
    config = ModelConfig(path=str(folder), device="cpu", dtype="float32", threads=1)
    return checkpoints.in_float64(load(config))


def play(backend: Any, policy: str) -> tuple[list[Step], StreamEngine]:
    """Noise for a few seconds, through two switches, with a question in the middle."""
    settings = AssistantConfig(
        window=WindowConfig(keep=2, max=4, qa_groups=2, policy=policy),
        decider=DeciderConfig(unsolicited=True),
        generation=GenerationConfig(max_new_tokens=10),
    )
    engine = StreamEngine(backend, settings)
    noise = np.random.default_rng(3)
    steps = []
    for i in range(SECONDS):
        frames = tuple(
            Frame(noise.integers(0, 255, (64, 64, 3), np.uint8), (2 * i + k) * 500_000_000)
            for k in range(2)
        )
        query = engine.conversation.admit(Query("What is there?")) if i == 4 else None
        steps.append(engine.step(Chunk(i, frames, i * 10**9, (i + 1) * 10**9), query))
        engine.idle()
    return steps, engine


def task_of(step: Step) -> tuple[str, str, str] | None:
    task = step.delegate
    return None if task is None else (task.id, task.task, task.query_id)


@pytest.mark.parametrize("policy", ["shadow", "floating"])
def test_a_policy_decides_and_says_what_a_full_recompute_does(backend: Any, policy: str) -> None:
    (steps, engine), (true, reference) = play(backend, policy), play(backend, "recompute")
    assert any(s.switched for s in steps)
    for got, want in zip(steps, true, strict=True):
        close = checkpoints.float32_steps(1.0)  # logits are float32, and so p(silent) is, nearly
        assert abs(got.decision.p_silent - want.decision.p_silent) <= close
        assert (got.state, got.decision.token_id) == (want.state, want.decision.token_id)
        assert got.response == want.response
        assert task_of(got) == task_of(want)
    assert steps[4].state == "speak", "a question is answered, or handed over"
    assert [t.answer_ids for t in engine.window.turns] == [
        t.answer_ids for t in reference.window.turns
    ]


def test_the_cache_holds_the_conversation_and_no_thought(backend: Any) -> None:
    _, engine = play(backend, "shadow")
    pieces = engine.window.pieces(engine.codec)
    text = backend.tokenizer.written([i for p in pieces if isinstance(p, Tokens) for i in p.ids])
    assert "think" not in text
    turns = text.split("<|im_start|>assistant\n")[1:]
    assert len(turns) >= len(engine.window.turns)
    if backend.chat.grammar is not None:
        markers = backend.chat.grammar.form.markers
        assert all(turn.startswith(markers) for turn in turns)
    held = engine.session.length + sum(map(len, engine.policy.kv.waiting))
    assert held == sum(map(len, pieces))
