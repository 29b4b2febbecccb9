"""`aura fit`: its numbers against real tensors of small random checkpoints."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import checkpoints  # noqa: E402
import family_checkpoints  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from aura_core.bench import fit  # noqa: E402
from aura_core.cli import app  # noqa: E402
from aura_core.config import AssistantConfig, ModelConfig, WindowConfig  # noqa: E402
from aura_core.errors import InputError, ModelError  # noqa: E402
from aura_core.models import kv_cache, kv_session, load  # noqa: E402
from aura_core.stream.engine import StreamEngine  # noqa: E402
from aura_core.types import Chunk, Frame  # noqa: E402

FRAME = (96, 128)  # height and width of the camera
WINDOW = WindowConfig(keep=2, max=4)


@pytest.fixture(scope="module", params=checkpoints.FAMILIES)
def folder(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.write(tmp_path_factory.mktemp(request.param) / "vlm", request.param)


@pytest.fixture(scope="module")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.write(tmp_path_factory.mktemp("fit") / "vlm", "qwen3_vl")


def config_alone(folder: Path, tmp_path: Path) -> Path:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copyfile(folder / "config.json", alone / "config.json")
    return alone


# ---- against real tensors -----------------------------------------------------------------------


def opened(folder: Path) -> Any:
    return load(ModelConfig(path=str(folder), device="cpu", dtype="float32", threads=1))


def played(backend: Any) -> StreamEngine:
    """An engine after three grey seconds."""
    engine = StreamEngine(backend, AssistantConfig(window=WINDOW))
    for i in range(3):
        frames = tuple(
            Frame(np.full((*FRAME, 3), 40 * i, np.uint8), (2 * i + k) * 500_000_000)
            for k in range(2)
        )
        engine.step(Chunk(i, frames, i * 10**9, (i + 1) * 10**9))
    return engine


def assert_cache_and_turn(plan: fit.Plan, engine: StreamEngine) -> None:
    """The plan's bytes of the cache and tokens of a turn are those of a real window."""
    session = engine.session
    layers = [layer for layer in session._cache.layers if layer.is_initialized]
    held = sum(t.nbytes for layer in layers for t in (layer.keys, layer.values))
    assert held == session.length * plan.kv_token("float32")
    buffers = sum(t.nbytes for layer in layers for t in layer._buffers)
    most = max(kv_cache.LEAST, fit.ROOM * session.length)
    assert held <= buffers <= most * plan.kv_token("float32")
    silent = replace(engine.window.turns[0], answer_ids=None)
    assert plan.visual == len(silent.video)
    assert plan.turn == sum(map(len, silent.pieces(engine.codec)))


def test_weights_window_and_turn_are_those_of_the_real_model(folder: Path) -> None:
    plan = fit.plan(str(folder), FRAME)
    backend = opened(folder)
    parameters = list(backend.model.parameters())
    assert plan.parameters == sum(p.numel() for p in parameters)
    assert fit.weights(plan, "float32", "none") == sum(p.nbytes for p in parameters)
    assert plan.context == backend.context
    assert_cache_and_turn(plan, played(backend))


@pytest.mark.parametrize("name", family_checkpoints.KINDS)
def test_every_family_is_computed(name: str, tmp_path: Path) -> None:
    """Layers of different widths, and layers that share their keys and values, too."""
    if name == "gemma3n":
        pytest.importorskip("timm")
    folder = family_checkpoints.write(tmp_path / name, name)
    plan = fit.plan(str(folder), FRAME)
    backend = opened(folder)
    numbers = sum(p.numel() for p in backend.model.parameters())
    buffers = sum(b.numel() for b in backend.model.buffers())  # some are stored too
    assert numbers <= plan.parameters <= numbers + buffers
    assert_cache_and_turn(plan, played(backend))
    alone = fit.plan(str(config_alone(folder, tmp_path)), FRAME)
    assert alone.parameters == numbers and alone.kv == plan.kv


def test_the_limits_are_those_of_the_session_and_its_cache() -> None:
    assert fit.BLOCK == kv_session.BLOCK_TOKENS and fit.ROOM == kv_cache.ROOM


def test_config_json_alone_gives_the_same_weights(folder: Path, tmp_path: Path) -> None:
    whole, alone = (fit.plan(str(path), FRAME) for path in (folder, config_alone(folder, tmp_path)))
    assert sorted(t.shape for t in alone.tensors.values()) == sorted(
        t.shape for t in whole.tensors.values()
    )
    assert alone.kv_token("bfloat16") == whole.kv_token("bfloat16")
    assert alone.template == fit.TEMPLATE and whole.template != fit.TEMPLATE
    for quantize in fit.QUANTIZE:
        assert fit.weights(alone, "bfloat16", quantize) == fit.weights(whole, "bfloat16", quantize)


def test_weights_that_are_tied_count_once(qwen3: Path, tmp_path: Path) -> None:
    alone = config_alone(qwen3, tmp_path)
    free = fit.plan(str(alone), FRAME)
    data = json.loads((alone / "config.json").read_text())
    data["tie_word_embeddings"] = data["text_config"]["tie_word_embeddings"] = True
    (alone / "config.json").write_text(json.dumps(data))
    tied = fit.plan(str(alone), FRAME)
    assert free.parameters - tied.parameters == free.vocabulary * free.hidden


# ---- the formulas -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantize", "matrix"),
    [
        ("none", 256 * 128 * 2),
        ("fp8", 256 * 128 + 2 * 1 * 4),  # scales of two tiles of 128 x 128
        ("int8", 256 * 128 + 256 * 4),  # a scale for each of 256 rows
        ("4bit", 256 * 128 / 2 + 256 * 128 / 64 * 4),
    ],
)
def test_what_quantization_saves_and_where(quantize: str, matrix: float) -> None:
    weight = fit.Tensor((256, 128))
    assert fit.bytes_of("model.layers.0.mlp.up_proj.weight", weight, "bfloat16", quantize) == matrix
    for name in ("model.embed_tokens.weight", "lm_head.weight", "visual.pos_embed.weight"):
        assert fit.bytes_of(name, weight, "bfloat16", quantize) == 256 * 128 * 2
    assert fit.bytes_of("layers.0.bias", fit.Tensor((256,)), "bfloat16", quantize) == 512


def test_window_and_shadow_follow_the_settings(qwen3: Path) -> None:
    plan = fit.plan(str(qwen3), FRAME)
    shadow, floating = (
        fit.need(plan, replace(WINDOW, policy=p), "float32") for p in ("shadow", "floating")
    )
    token, turn = plan.kv_token("float32"), plan.turn
    assert shadow.window == round(1.25 * (4 * turn + fit.WORDS) * token)
    assert shadow.shadow == round(1.25 * (2 * turn + fit.WORDS) * token)
    assert floating.shadow == 0 and floating.total == shadow.total - shadow.shadow
    half = fit.need(plan, WINDOW, "bfloat16")
    assert 2 * half.weights == shadow.weights and 2 * half.window == shadow.window


def test_the_largest_window_fits_and_one_chunk_more_does_not(qwen3: Path) -> None:
    plan = fit.plan(str(qwen3), FRAME)
    window = WindowConfig(keep=20, max=60)

    def total(chunks: int) -> int:
        made = WindowConfig(keep=chunks // 3, max=chunks)
        return fit.need(plan, made, "float32").total

    for room in (total(30), total(31) - 1):
        found = fit.largest(plan, window, room, "float32", "none")
        assert found is not None and (found.max, found.keep) == (30, 10)
    assert fit.largest(plan, window, total(60), "float32", "none") is window
    assert fit.largest(plan, window, total(60) * 9, "float32", "none") is window
    assert fit.largest(plan, window, 1000, "float32", "none") is None
    short = replace(plan, context=10 * plan.turn)
    bounded = fit.largest(short, window, total(60), "float32", "none")
    assert bounded is not None and bounded.max == 10


# ---- quantized checkpoints, and broken ones -----------------------------------------------------


def quantized(folder: Path) -> None:
    data = json.loads((folder / "config.json").read_text())
    data["quantization_config"] = {"quant_method": "awq"}
    (folder / "config.json").write_text(json.dumps(data))


def test_a_quantized_checkpoint_takes_what_its_files_take(qwen3: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(qwen3, tmp_path / "awq"))
    quantized(folder)
    plan = fit.plan(str(folder), FRAME)
    stored = sum(t.stored or 0 for t in plan.tensors.values())
    assert fit.weights(plan, "bfloat16", "none") == stored == 4 * plan.parameters
    with pytest.raises(InputError, match=r"its weights are quantized already \(awq\)"):
        fit.weights(plan, "bfloat16", "4bit")
    alone = config_alone(folder, tmp_path)
    with pytest.raises(InputError, match="only their files tell how large they are"):
        fit.weights(fit.plan(str(alone), FRAME), "bfloat16", "none")


def test_broken_files_are_one_line(qwen3: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(qwen3, tmp_path / "vlm"))
    shard = sorted(folder.glob("*.safetensors"))[0]
    for content in (b"", b"\xff" * 100, (50).to_bytes(8, "little") + b"{"):
        shard.write_bytes(content)
        with pytest.raises(ModelError, match="no readable safetensors file") as e:
            fit.plan(str(folder), FRAME)
        assert "\n" not in str(e.value)
    shard.unlink()
    assert fit.plan(str(folder), FRAME).tensors, "an incomplete download: config.json tells"
    (folder / "config.json").write_text('{"model_type": "qwen3_vl", "text_config": 3}')
    with pytest.raises(ModelError, match="does not describe a model") as error:
        fit.plan(str(folder), FRAME)
    assert "\n" not in str(error.value)


# ---- the command --------------------------------------------------------------------------------


def command(*args: str) -> Any:
    return CliRunner().invoke(app, ["fit", *args])


def test_the_command_prints_the_parts_and_a_table(qwen3: Path, tmp_path: Path) -> None:
    out = tmp_path / "fit.json"
    done = command("--model", str(qwen3), "--frame", "128x96", "--json", str(out))
    assert done.exit_code == 0, done.output
    plan = fit.plan(str(qwen3), FRAME)
    assert f"{plan.visual} visual tokens and {plan.template} around them" in done.output
    assert all(f"{gb} GB" in done.output for gb in fit.GPUS)
    assert "Computed, not measured on a GPU." in done.output
    figures = json.loads(out.read_text())
    need = fit.need(plan, WindowConfig())
    assert figures["bytes"]["weights"] == need.weights and figures["bytes"]["total"] == need.total


def test_a_gpu_that_is_too_small_is_told_with_what_fits(qwen3: Path) -> None:
    plan = fit.plan(str(qwen3), (480, 640))
    small = WindowConfig(keep=10, max=20)
    gb = (fit.need(plan, small).total + 1) / fit.GB
    assert command("--model", str(qwen3), "--gpu", "80").exit_code == 0
    tight = command("--model", str(qwen3), "--gpu", str(gb + 1e-5))
    fits = fit.largest(plan, WindowConfig(), round((gb + 1e-5) * fit.GB), "bfloat16", "none")
    assert tight.exit_code == 1 and fits is not None
    assert f"it fits with window.max {fits.max} and window.keep {fits.keep}" in tight.output
    none = command("--model", str(qwen3), "--gpu", "0.1")
    assert none.exit_code == 1 and "even with the smallest window" in none.output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--frame", "640"], "expected WIDTHxHEIGHT"),
        (["--frame", "0x480"], "expected WIDTHxHEIGHT"),
        (["--frame", "9999x1"], "too narrow"),
        (["--quantize", "3bit"], "--quantize must be one of none, fp8, int8, 4bit, not '3bit'"),
        (["--dtype", "int8"], "--dtype must be one of"),
        (["--model", "scripted"], "scripted has no weights"),
        (["--model", "/nowhere"], "does not exist"),
    ],
)
def test_wrong_options_are_refused(args: list[str], says: str) -> None:
    done = command(*args)
    assert isinstance(done.exception, InputError | ModelError) and says in str(done.exception)
