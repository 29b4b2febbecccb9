"""Piper's real API on a small voice that is made here: each letter is 10 ms of a ramp."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from aura_core.errors import ConfigError
from aura_core.speech.tts import SynthesisError, TtsConfig, open_synthesizer
from aura_core.speech.tts.piper import Piper

RATE = 16_000
HOP = 160  # samples a phoneme


@pytest.fixture(scope="module")
def voice_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice whose sound is each phoneme's number, held for HOP samples.

    The length is multiplied by the length scale.
    """
    pytest.importorskip("piper")
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "row": np.array([1, -1, 1]),
        "hop": np.array([1, 1, HOP]),
        "flat": np.array([1, 1, -1]),
    }
    nodes = [
        helper.make_node("Cast", ["input"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["ids", "row"], ["column"]),
        helper.make_node("Expand", ["column", "hop"], ["held"]),
        helper.make_node("Reshape", ["held", "flat"], ["sound"]),
        # takes the input, changes nothing
        helper.make_node("ReduceSum", ["scales"], ["scale"], keepdims=0),
        helper.make_node("Mul", ["scale", "zero"], ["nothing"]),
        helper.make_node("Add", ["sound", "nothing"], ["output"]),
    ]
    floats, ints = TensorProto.FLOAT, TensorProto.INT64
    graph = helper.make_graph(
        nodes,
        "voice",
        [
            helper.make_tensor_value_info("input", ints, [1, "n"]),
            helper.make_tensor_value_info("input_lengths", ints, [1]),
            helper.make_tensor_value_info("scales", floats, [3]),
        ],
        [helper.make_tensor_value_info("output", floats, [1, 1, "m"])],
        [numpy_helper.from_array(v.astype(np.int64), k) for k, v in constants.items()]
        + [numpy_helper.from_array(np.float32(0), "zero")],
    )
    path = tmp_path_factory.mktemp("voice") / "tiny.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9),
        str(path),
    )
    letters = "_^$ .,abcdefghijklmnopqrstuvwxyz"
    config = {
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": "en"},
        "phoneme_type": "text",
        "num_symbols": len(letters),
        "num_speakers": 1,
        "inference": {"noise_scale": 0, "length_scale": 1, "noise_w": 0},
        "phoneme_id_map": {letter: [i] for i, letter in enumerate(letters)},
    }
    Path(f"{path}.json").write_text(json.dumps(config))
    assert path.stat().st_size < 8000
    return path


@pytest.fixture
def voice(voice_path: Path) -> Iterator[Piper]:
    voice = Piper(TtsConfig("piper", str(voice_path)))
    yield voice
    voice.close()


def samples(voice: Piper, text: str) -> int:
    return sum(len(piece.samples) for piece in voice.speak(text))


def test_it_speaks_through_its_own_process(voice: Piper) -> None:
    assert (voice.rate, voice.description) == (RATE, "piper, voice tiny.onnx")
    pieces = list(voice.speak("a cup"))
    assert len(pieces) == 1 and pieces[0].rate == RATE
    heard = pieces[0].samples.reshape(-1, HOP)
    assert (heard == heard[:, :1]).all() and heard.max() == 32767
    # beginning, then each letter with a pad after it, then the end
    assert len(heard) >= len("a cup") * 2 and samples(voice, "a cup") == pieces[0].samples.size


def test_cancelling_kills_the_process_and_the_next_sentence_works(voice: Piper) -> None:
    pieces = voice.speak("a cup")
    next(pieces)
    child = voice._child
    pieces.close()  # type: ignore[attr-defined]
    assert child is not None and child.poll() is not None and voice._child is not child
    assert samples(voice, "a cup") > 0


def test_a_process_that_dies_is_one_line_and_the_next_sentence_works(voice: Piper) -> None:
    assert voice._child is not None
    voice._child.kill()
    voice._child.wait()
    with pytest.raises(
        SynthesisError, match=r"piper, voice tiny.onnx (has ended|ended in the middle)"
    ):
        samples(voice, "a cup")
    assert samples(voice, "a cup") > 0


def test_a_process_that_cannot_be_started_again_costs_a_sentence(
    voice: Piper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    pieces = voice.speak("some words")
    next(pieces)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "TemporaryFile", full)
        pieces.close()  # type: ignore[attr-defined]  # kills the process; the next one cannot be started
        with pytest.raises(
            SynthesisError, match=r"^piper does not start: \[Errno 28\] No space left on device$"
        ):
            samples(voice, "abc")
    assert samples(voice, "abc") > 0


def test_a_voice_that_cannot_be_loaded_is_one_line(tmp_path: Path, voice_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not ONNX")
    Path(f"{broken}.json").write_text(Path(f"{voice_path}.json").read_text())
    with pytest.raises(ConfigError, match=r"tts.voice .*broken.onnx cannot be loaded: ") as raised:
        open_synthesizer(TtsConfig("piper", str(broken)))
    assert "\n" not in str(raised.value)


def test_what_a_pinyin_voice_would_download_is_refused(tmp_path: Path, voice_path: Path) -> None:
    path = tmp_path / "chinese.onnx"
    path.write_bytes(voice_path.read_bytes())
    config = json.loads(Path(f"{voice_path}.json").read_text()) | {"phoneme_type": "pinyin"}
    Path(f"{path}.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="g2pW, and it is never downloaded"):
        open_synthesizer(TtsConfig("piper", str(path)))


@pytest.mark.skipif(importlib.util.find_spec("piper") is None, reason="piper is not installed")
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "must be the path of a piper voice"),
        ("en_US-amy-low", "there is no file en_US-amy-low; voices are never"),
    ],
)
def test_a_missing_voice_is_refused(path: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        open_synthesizer(TtsConfig("piper", path))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="-m pip install 'piper-tts>="):
        open_synthesizer(TtsConfig("piper", "a.onnx"))
