"""What is saved here loads in transformers 4.57: same type, same ids, logits equal to the bit.

Another Python with that version reads each checkpoint (`reader.py`), and this one reads it too.
Both run the same torch, on the CPU and in one thread, so the logits must not differ at all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("peft")

import checkpoints
import tuning_rig

from aura_core.models.add_silent import add_silent
from aura_core.training.finetune.saving import base_folder
from aura_core.training.finetune.trainer import Trainer

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parents[1] / "build" / "transformers-457" / "bin" / "python"
TEXT = "<|im_start|>user\n" + 6 * "Tell me when the red cube appears. " + "<|im_end|>\n<|silent|>"

pytestmark = [
    pytest.mark.transformers_457,
    pytest.mark.skipif(not PYTHON.exists(), reason="`make test-transformers-457` sets it up"),
]


def read(python: Path | str, folder: Path, out: Path) -> tuple[dict[str, Any], np.ndarray]:
    """What a Python's transformers reads of a checkpoint, and its logits."""
    command = [python, HERE / "reader.py", folder, TEXT, out]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(out.read_text()), np.load(out.with_suffix(".npy"))


def same_in_both(folder: Path, dtype: str, tmp_path: Path) -> None:
    older, logits = read(PYTHON, folder, tmp_path / "older.json")
    newer, expected = read(sys.executable, folder, tmp_path / "newer.json")
    assert older["version"].startswith("4.57.") and newer["version"].startswith("5.")
    assert older["dtype"] == newer["dtype"] == dtype
    assert older["ids"] == newer["ids"] and len(older["ids"]) > 40
    assert older["silent"] == newer["silent"] == older["ids"][-1]
    assert logits.shape == expected.shape and np.isfinite(logits).all()
    assert logits.std() > 0 and (logits == expected).all()


@pytest.mark.parametrize("family", checkpoints.FAMILIES)
@pytest.mark.parametrize("lora", [0, 4])
def test_what_training_saves(family: str, lora: int, tmp_path: Path) -> None:
    base = checkpoints.write(tmp_path / "base", family, silent=False, layers=2)
    shards = tuning_rig.write_shards(tmp_path / "data", range(30, 34), chunks=3)
    changes = {"schedule": {"steps": 2, "lr": 1e-3}, "lora": {"rank": lora}}
    Trainer(tuning_rig.recipe(base, shards, **changes), tmp_path / "run", device="cpu").run()
    same_in_both(tmp_path / "run" / "model", "float32", tmp_path)


@pytest.mark.parametrize("family", checkpoints.FAMILIES)
def test_what_add_silent_saves(family: str, tmp_path: Path) -> None:
    base = checkpoints.write(tmp_path / "base", family, silent=False, layers=2)
    add_silent(str(base), tmp_path / "out")
    same_in_both(tmp_path / "out", "float32", tmp_path)


def test_the_embedded_model(tmp_path: Path) -> None:
    same_in_both(base_folder("aura_tiny"), "float16", tmp_path)
