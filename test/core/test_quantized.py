"""Quantized weights: real ones where their packages are installed, and what is told where not."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import checkpoints  # noqa: E402

from aura_core.config import AssistantConfig, ModelConfig, WindowConfig  # noqa: E402
from aura_core.errors import ConfigError, ModelError  # noqa: E402
from aura_core.extras import pip_install  # noqa: E402
from aura_core.models import load, quantized  # noqa: E402
from aura_core.stream.engine import StreamEngine  # noqa: E402
from aura_core.types import Chunk, Frame  # noqa: E402

BITSANDBYTES = all(importlib.util.find_spec(m) for m in ("bitsandbytes", "accelerate"))
needs_bitsandbytes = pytest.mark.skipif(not BITSANDBYTES, reason="bitsandbytes is not installed")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.write(tmp_path_factory.mktemp("quantized") / "vlm", "qwen3_vl")


def config(path: Path, **options: Any) -> ModelConfig:
    return ModelConfig(path=str(path), device="cpu", threads=1, **options)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(ModelError) as e:
        load(config(path, **options))
    assert "\n" not in str(e.value)
    return str(e.value)


def play(backend: Any, policy: str = "shadow", seconds: int = 7) -> StreamEngine:
    """Plays pictures of noise through a switch; every chunk is silent or spoken."""
    settings = AssistantConfig(window=WindowConfig(keep=2, max=4, policy=policy))
    engine = StreamEngine(backend, settings)
    noise = np.random.default_rng(0)
    for i in range(seconds):
        frames = tuple(
            Frame(noise.integers(0, 255, (64, 64, 3), np.uint8), (2 * i + k) * 500_000_000)
            for k in range(2)
        )
        engine.step(Chunk(i, frames, i * 10**9, (i + 1) * 10**9))
        engine.idle()
    return engine


# ---- where the package is not there -------------------------------------------------------------


def test_every_kind_names_accelerate_too() -> None:
    assert all(p[-1] == ("accelerate", "accelerate") for p in quantized.PACKAGES.values())
    assert {"bitsandbytes", "awq", "gptq", "fp8", "compressed-tensors"} <= set(quantized.PACKAGES)


@pytest.mark.parametrize("how", ["int8", "4bit"])
def test_quantizing_names_what_it_needs(
    whole: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(quantized, "_installed", lambda module: module != "bitsandbytes")
    command = pip_install("bitsandbytes")
    assert refusal(whole, quantize=how) == (
        f"{whole}: model.quantize is {how}, and bitsandbytes, which that needs, is not installed:"
        f" {command}"
    )


def test_a_quantized_checkpoint_is_not_quantized_again(tmp_path: Path, whole: Path) -> None:
    folder = tmp_path / "awq"
    folder.mkdir()
    data = json.loads((whole / "config.json").read_text())
    data["quantization_config"] = {"quant_method": "awq"}
    (folder / "config.json").write_text(json.dumps(data))
    assert refusal(folder, quantize="4bit") == (
        f"{folder}: its weights are quantized already (awq); set model.quantize to none"
    )


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.quantize must be one of none, int8, 4bit"):
        ModelConfig(quantize="3bit")


def test_packed_weights_go_to_their_device_while_they_are_read(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: they were moved later, which bitsandbytes' 8-bit weights refuse."""
    given: list[dict[str, Any]] = []

    def read(folder: Path, **options: Any) -> Any:
        given.append(options)
        raise ImportError("no further")

    kind = transformers.Qwen3VLForConditionalGeneration
    monkeypatch.setattr(kind, "from_pretrained", staticmethod(read))
    monkeypatch.setattr(quantized, "_installed", lambda module: True)
    folder = tmp_path / "awq"
    shutil.copytree(whole, folder)
    data = json.loads((folder / "config.json").read_text())
    data["quantization_config"] = {"quant_method": "awq"}
    (folder / "config.json").write_text(json.dumps(data))
    assert "cannot be loaded: no further" in refusal(folder)
    assert "cannot be loaded: no further" in refusal(whole)
    assert given[0]["device_map"] == {"": torch.device("cpu")} and "device_map" not in given[1]


# ---- real weights -------------------------------------------------------------------------------


@needs_bitsandbytes
@pytest.mark.parametrize(("how", "kind"), [("int8", "Linear8bitLt"), ("4bit", "Linear4bit")])
def test_weights_are_quantized_while_they_are_read_and_the_stream_runs(
    whole: Path, tmp_path: Path, how: str, kind: str
) -> None:
    backend: Any = load(config(whole, quantize=how))
    layer = backend.model.model.language_model.layers[0]
    assert type(layer.mlp.up_proj).__name__ == kind
    assert type(backend.model.lm_head).__name__ == "Linear", "the head stays"
    assert "quantized (bitsandbytes)" in backend.description
    plain: Any = load(config(whole))
    assert backend.model.num_parameters() == plain.model.num_parameters()
    shadow, recomputed = play(backend), play(backend, "recompute")
    assert shadow.session.length == recomputed.session.length

    # written and read again: a checkpoint that is quantized
    saved = tmp_path / "saved"
    backend.model.save_pretrained(saved)
    for file in whole.iterdir():
        wanted = file.suffix in (".json", ".jinja") and "index" not in file.name
        if wanted and not (saved / file.name).exists():
            (saved / file.name).write_bytes(file.read_bytes())
    assert quantized.method(saved) == "bitsandbytes"
    again: Any = load(config(saved))
    assert type(again.model.model.language_model.layers[0].mlp.up_proj).__name__ == kind
    play(again)


def fp8(folder: Path, whole: Path) -> Path:
    """The checkpoint with the language model's matrices in blocks of FP8, as published ones are."""
    from safetensors.torch import load_file, save_file

    folder.mkdir()
    for file in whole.iterdir():
        if file.suffix in (".json", ".jinja") and "index" not in file.name:
            (folder / file.name).write_bytes(file.read_bytes())
    tensors: dict[str, Any] = {}
    for shard in sorted(whole.glob("*.safetensors")):
        tensors |= load_file(shard)
    out: dict[str, Any] = {}
    for name, tensor in tensors.items():
        if "language_model.layers" not in name or "_proj.weight" not in name:
            out[name] = tensor.to(torch.bfloat16)
            continue
        scale = tensor.abs().max() / 448.0  # one block: the matrices are smaller than 128 x 128
        out[name] = (tensor / scale).to(torch.float8_e4m3fn)
        out[f"{name}_scale_inv"] = scale.reshape(1, 1)
    save_file(out, folder / "model.safetensors", {"format": "pt"})
    data = json.loads((folder / "config.json").read_text())
    data["quantization_config"] = {
        "quant_method": "fp8",
        "activation_scheme": "dynamic",
        "weight_block_size": [128, 128],
        "modules_to_not_convert": ["lm_head", "model.visual"],
    }
    (folder / "config.json").write_text(json.dumps(data))
    return folder


@pytest.mark.skipif(not importlib.util.find_spec("accelerate"), reason="accelerate is missing")
def test_an_fp8_checkpoint_is_unpacked_where_no_gpu_computes_with_it(
    tmp_path: Path, whole: Path
) -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU computes with it")
    folder = fp8(tmp_path / "fp8", whole)
    backend: Any = load(config(folder))
    plain: Any = load(config(whole))
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    got, true = (dict(b.model.named_parameters())[name].float() for b in (backend, plain))
    # FP8 (e4m3) keeps 3 bits behind the first: half a step is 1/16 of the number
    step = true.abs() / 16 + true.abs().max() / 448 / 2**6
    assert bool(((got - true).abs() <= step * 1.01 + true.abs() / 2**8).all())
    assert not torch.equal(got, true)
    play(backend)
