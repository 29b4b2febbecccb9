"""The fingerprint of a checkpoint: it depends on the weights, and not on where they lie."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from aura_core.errors import ModelError
from aura_core.models import AURA_TINY, fingerprint
from aura_core.models.fingerprint import fingerprint as of


def weights(path: Path, **tensors: np.ndarray) -> Path:
    """A safetensors file: 8 bytes of length, the JSON header, the data."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, t in tensors.items():
        begin, data = len(data), data + t.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def checkpoint(folder: Path, seed: int = 0, bias: float = 0.0, name: str = "w") -> Path:
    big = np.random.default_rng(seed).normal(size=(300, 400))
    weights(folder / "model.safetensors", **{name: big, "bias": np.full(3, bias)})
    (folder / "config.json").write_text("{}")
    return folder


@pytest.mark.parametrize("whole", [fingerprint.WHOLE, 0], ids=["whole", "sampled"])
def test_other_weights_have_another_fingerprint(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(fingerprint, "WHOLE", whole)
    first = of(str(checkpoint(tmp_path / "a")))
    assert first == of(str(checkpoint(tmp_path / "copy"))) and len(first) == 16
    others = {"seed": 1, "bias": 0.5, "name": "v"}
    assert (
        len({first, *(of(str(checkpoint(tmp_path / k, **{k: v}))) for k, v in others.items())}) == 4
    )
    checkpoint(tmp_path / "a", seed=1)  # trained on, into the same folder
    assert of(str(tmp_path / "a")) != first
    (tmp_path / "copy" / "aura.json").write_text('{"trained_to_decide": true}')
    assert of(str(tmp_path / "copy")) != first
    (tmp_path / "copy" / "aura.json").unlink()
    (tmp_path / "copy" / "trainer_state.json").write_text("{}")  # does not decide
    assert of(str(tmp_path / "copy")) == first


def test_large_files_are_read_in_small_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "WHOLE", 1000)
    folder = tmp_path / "m"
    big = np.zeros((4, 1_000_000))
    weights(folder / "model-00001.safetensors", a=big, b=big[:2])
    first = of(str(folder))
    seen = {first}
    for place in (0, 3_999_999):  # the ends of a tensor are among the pieces
        changed = big.copy()
        changed.flat[place] = 1
        weights(folder / "model-00001.safetensors", a=changed, b=big[:2])
        seen.add(of(str(folder)))
    assert len(seen) == 3
    read: list[int] = []

    class File(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            data = super().read(size)
            read.append(len(data))
            return data

    monkeypatch.setattr(Path, "open", lambda path, mode: File(path))
    of(str(folder))
    assert sum(read) < 2 * fingerprint.SPANS * fingerprint.SPAN + 1000


def test_the_fingerprint_does_not_depend_on_the_place(tmp_path):
    shutil.copytree(AURA_TINY, tmp_path / "moved")
    assert of("aura_tiny") == of(str(AURA_TINY)) == of(str(tmp_path / "moved"))
    assert of("scripted") == "scripted"


def test_a_path_without_a_checkpoint_is_refused_by_name(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="does not exist"):
        of(str(tmp_path / "gone"))
    with pytest.raises(ModelError, match=r"there is no \*\.safetensors file in"):
        of(str(tmp_path))
    monkeypatch.setattr(fingerprint, "WHOLE", 0)
    for bad in (b"\xff" * 20, b"\x02" + b"\0" * 7 + b"[]", b"\x09" + b"\0" * 7 + b'{"a": {}}'):
        (tmp_path / "model.safetensors").write_bytes(bad)
        with pytest.raises(ModelError, match="not a safetensors file: its header cannot be read"):
            of(str(tmp_path))
