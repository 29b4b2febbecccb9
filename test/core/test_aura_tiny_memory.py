"""`aura_tiny_memory` writes notes of its room, and answers from lines of memory, in both languages.

The bounds are far below what its card tells: they find a model that was not trained for it.
"""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from aura_core.config import ModelConfig
from aura_core.evaluation.recalled import evaluate
from aura_core.models import load

SEEDS = range(420_100, 420_104)  # of development


def test_the_shipped_model_notes_and_remembers() -> None:
    backend = load(ModelConfig(path="aura_tiny_memory", device="cpu", dtype="float32"))
    form = backend.chat.memory
    assert (form.block_s, form.overlap_s, form.line_s, form.prefix_tokens) == (5.0, 2.0, 10.0, 0)
    figures = evaluate(backend, SEEDS).figures()
    for language in ("en", "zh"):
        assert figures[f"answers in {language}"].value > 0.6
    assert figures["answers with memory in the system turn"].value > 0.6
    assert figures["facts that a note tells (recall)"].value > 0.5
    assert figures["facts of a note that are true (precision)"].value > 0.5
