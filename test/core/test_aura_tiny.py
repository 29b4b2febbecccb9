"""The shipped model: it loads as any checkpoint does, is small, and answers the demo's
questions."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from aura_core.config import ModelConfig
from aura_core.evaluation.scoring import score
from aura_core.evaluation.sim import play, said
from aura_core.models import load
from aura_core.replay.lockstep import Lockstep
from aura_core.sim.showcase import showcase
from aura_core.stream.engine import StreamEngine
from aura_core.types import Kind

FOLDER = Path(__file__).resolve().parents[2] / "aura_core" / "models" / "aura_tiny"
SEED, SECONDS = 900_001, 60


@pytest.fixture(scope="module")
def assistant() -> Lockstep:
    return Lockstep(StreamEngine(load(ModelConfig(device="cpu", dtype="float32"))))


def test_it_is_small_and_has_its_card() -> None:
    assert sum(f.stat().st_size for f in FOLDER.iterdir()) <= 20_000_000
    assert (FOLDER / "README.md").is_file() and (FOLDER / "aura.json").is_file()


def test_it_decides_by_its_silent_token(assistant: Lockstep) -> None:
    chat = assistant.engine.backend.chat
    assert chat.trained_to_decide and chat.silent_id != chat.end_id
    assert assistant.engine.codec.text((chat.silent_id, chat.end_id)) == ""


def test_the_demo_is_answered(assistant: Lockstep) -> None:
    episode = showcase(SEED, SECONDS)
    steps = play(assistant, episode, SECONDS)
    result = score(episode, said(steps), SECONDS)
    assert [s.chunk for s in steps] == list(range(SECONDS))
    assert all(a.text is not None for a in result.asked)
    for kind in (Kind.PROACTIVE, Kind.MULTI_RESPONSE):
        assert any(m.in_time for m in result.of_kind(kind))
    silent = [s for s in steps if s.response is None]
    assert len(silent) > SECONDS / 2
    assert all(
        s.forwards == 1 and s.decode_tokens == 0 and s.vision_encodes == 1
        for s in silent
        if not s.switched
    )


def test_a_second_run_decides_the_same(assistant: Lockstep) -> None:
    episode = showcase(SEED, 30)
    first, second = (play(assistant, episode, 30) for _ in range(2))
    assert [(s.decision, s.response) for s in first] == [(s.decision, s.response) for s in second]
