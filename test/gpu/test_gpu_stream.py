"""The stream on a CUDA device: the decisions of the CPU, an exact cache, and half precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import checkpoints  # noqa: E402
from exactness_rig import DISCARDED, cold, decided_pieces, run  # noqa: E402

from aura_core.config import AssistantConfig, ModelConfig, WindowConfig  # noqa: E402
from aura_core.evaluation.sim import play  # noqa: E402
from aura_core.models import load  # noqa: E402
from aura_core.replay.lockstep import Lockstep  # noqa: E402
from aura_core.sim.showcase import showcase  # noqa: E402
from aura_core.stream.engine import StreamEngine  # noqa: E402
from aura_core.types import Step  # noqa: E402

SEED, SECONDS = 900_001, 40
WINDOW = WindowConfig(keep=8, max=16)
# Logits of both devices differ by float32 rounding, some 1e-5 of a few units, and probabilities by
# less. Decisions are compared where the CPU's probability is farther from even than this.
MARGIN = 0.01


def played(device: str, dtype: str) -> tuple[Any, list[Step]]:
    """aura_tiny over the demo's room."""
    backend: Any = load(ModelConfig(device=device, dtype=dtype))
    assistant = StreamEngine(backend, AssistantConfig(window=WINDOW))
    return backend, play(Lockstep(assistant), showcase(SEED, SECONDS), SECONDS)


def test_the_embedded_model_decides_as_on_the_cpu(no_tf32: None) -> None:
    """In float32, over 40 s with three questions and three switches."""
    _, expected = played("cpu", "float32")
    assert min(abs(s.decision.p_silent - 0.5) for s in expected) > MARGIN
    assert sum(s.switched for s in expected) >= 3
    assert sum(s.response is not None for s in expected) >= 4
    backend, steps = played("cuda", "float32")
    assert backend.device.type == "cuda" and backend.model.dtype == torch.float32
    assert [s.decision.silent for s in steps] == [s.decision.silent for s in expected]
    assert [s.response and s.response.text for s in steps] == [
        s.response and s.response.text for s in expected
    ]
    p_silent, on_cpu = ([s.decision.p_silent for s in x] for x in (steps, expected))
    np.testing.assert_allclose(p_silent, on_cpu, rtol=0, atol=MARGIN)


@pytest.mark.parametrize("family", checkpoints.FAMILIES)
def test_the_shadow_equals_a_full_recompute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """In float64, which leaves no more than the float32 of the logits: 40 steps with switches,
    answers, and cancelled ones."""
    folder = checkpoints.write(tmp_path / family, family)
    backend = checkpoints.in_float64(load(ModelConfig(str(folder), "float32", "cuda", "sdpa")))
    switches = 0
    for i, (assistant, step, logits) in enumerate(run(backend, 40)):
        switches += step.switched
        if i not in DISCARDED:
            reference = cold(backend, decided_pieces(assistant), monkeypatch)
            assert np.abs(reference - logits).max() <= checkpoints.float32_steps(reference)
    assert switches >= 4


def test_half_precision_runs() -> None:
    """bfloat16 is what `auto` takes on a GPU."""
    backend, steps = played("cuda", "auto")
    assert backend.model.dtype == torch.bfloat16 and "bfloat16" in backend.description
    assert [s.chunk for s in steps] == list(range(SECONDS))
    assert all(np.isfinite(s.decision.p_silent) for s in steps)
    silent = [s for s in steps if s.response is None]
    assert len(silent) > SECONDS / 2
    assert all(s.forwards == 1 and s.decode_tokens == 0 for s in silent)
