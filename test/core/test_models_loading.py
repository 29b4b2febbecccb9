"""Opening checkpoints as a user does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import checkpoints  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from aura_core.config import ModelConfig  # noqa: E402
from aura_core.errors import InputError  # noqa: E402
from aura_core.memory.form import MemoryForm  # noqa: E402
from aura_core.models import load  # noqa: E402
from aura_core.models.backend import Around  # noqa: E402
from aura_core.models.families.qwen_vl import read_pixels, target_size  # noqa: E402
from aura_core.models.sidecar import read_aura  # noqa: E402
from aura_core.replay.lockstep import Lockstep  # noqa: E402
from aura_core.stream.engine import StreamEngine  # noqa: E402
from aura_core.types import Chunk, Frame  # noqa: E402


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.write(tmp_path_factory.mktemp("whole") / "vlm", "qwen3_vl")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of a checkpoint that a test changes."""
    return Path(shutil.copytree(whole, tmp_path / "vlm"))


def config(path: Path | str, **options: Any) -> ModelConfig:
    return ModelConfig(path=str(path), device="cpu", threads=1, **options)


def chunk(*sizes: tuple[int, int]) -> Chunk:
    frames = tuple(Frame(np.full((*s, 3), 99, np.uint8), i) for i, s in enumerate(sizes))
    return Chunk(0, frames, 0, 1)


@pytest.mark.parametrize("family", checkpoints.FAMILIES)
@pytest.mark.parametrize("silent", [True, False])
def test_both_families_load_from_the_published_layout(
    family: str, silent: bool, tmp_path: Path
) -> None:
    path = checkpoints.write(tmp_path / "vlm", family, silent=silent)
    shards = sorted(p.name for p in path.glob("*.safetensors"))
    assert len(shards) >= 2 and (path / "model.safetensors.index.json").is_file()
    backend: Any = load(config(path))
    decides = (
        "decides by <|silent|>"
        if silent
        else "not trained to be silent: asked yes or no each second"
    )
    assert backend.description.startswith(f"{path}: {family}, 0.")
    assert backend.description.endswith(
        f" M parameters, cpu, float32, sdpa, 1 CPU thread; {decides}"
    )
    assert "\n" not in backend.description
    assert backend.pixels.factor == (32 if family == "qwen3_vl" else 28)
    assert backend.pixels.max_pixels == 640 * 480
    weights = {k: v for s in shards for k, v in load_file(path / s).items()}
    assert torch.equal(weights["lm_head.weight"], backend.model.lm_head.weight)
    assert not backend.model.training


def test_a_camera_frame_gives_as_many_tokens_as_the_published_model(whole: Path) -> None:
    backend = load(config(whole))
    assert backend.encode(chunk((480, 640), (480, 640))).grid == (15, 20)
    assert backend.encode(chunk((1080, 1920), (1080, 1920))).grid == (12, 23)
    # the newest frame's shape counts
    assert backend.encode(chunk((100, 100), (64, 96))).grid == (2, 3)
    with pytest.raises(InputError, match="chunk 0: a frame of 1x999 pixels is too narrow"):
        backend.encode(chunk((999, 1), (999, 1)))


def test_max_pixels_of_the_configuration_beats_aura_json_beats_the_default(folder: Path) -> None:
    (folder / "aura.json").write_text(json.dumps({"max_pixels": 128 * 128}))
    backend: Any = load(config(folder))
    assert backend.pixels.max_pixels == 128 * 128
    backend = load(config(folder, max_pixels=64 * 64))
    assert backend.pixels.max_pixels == 64 * 64
    assert backend.encode(chunk((480, 640), (480, 640))).grid == (1, 2)


class Vision:
    patch_size, spatial_merge_size, temporal_patch_size = 16, 2, 2


@pytest.mark.parametrize(
    ("name", "bounds", "want"),
    [
        (
            "preprocessor_config.json",
            {"size": {"shortest_edge": 65_536, "longest_edge": 2**24}},
            (65_536, 307_200),
        ),
        (
            "preprocessor_config.json",
            {"min_pixels": 3_136, "max_pixels": 12_845_056},
            (3_136, 307_200),
        ),
        (
            "preprocessor_config.json",
            {"size": {"shortest_edge": 9_216, "longest_edge": 9_216}},
            (9_216, 9_216),
        ),
        ("preprocessor_config.json", {}, (4_096, 307_200)),
        # Totals over all frames of a video, which is a chunk of two.
        (
            "video_preprocessor_config.json",
            {"size": {"shortest_edge": 16_385, "longest_edge": 1}},
            (8_193, 307_200),
        ),
        ("processor_config.json", {"min_pixels": 2_048, "max_pixels": 4_096}, (2_048, 4_096)),
    ],
)
def test_pixel_bounds_are_per_frame(
    tmp_path: Path, name: str, bounds: dict[str, Any], want: tuple[int, int]
) -> None:
    data: dict[str, Any] = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.25, 1]} | bounds
    (tmp_path / name).write_text(
        json.dumps({"image_processor": data} if name == "processor_config.json" else data)
    )
    spec = read_pixels(tmp_path, Vision, None)
    assert (spec.min_pixels, spec.max_pixels) == want
    assert (spec.patch, spec.merge, spec.temporal) == (16, 2, 2)
    assert spec.std == (0.5, 0.25, 1.0)
    assert read_pixels(tmp_path, Vision, 1_024).min_pixels == 1_024


@pytest.mark.parametrize("one_file", [True, False])
@pytest.mark.parametrize("size", [(144, 176), (96, 96), (64, 80), (240, 320), (480, 640)])
def test_a_small_frame_has_as_many_tokens_as_in_the_librarys_video(
    tmp_path: Path, size: tuple[int, int], one_file: bool
) -> None:
    """Regression: the image processor's least size made 72 tokens of a frame of 176x144.

    With the bounds of the published Qwen3-VL, in the files of both generations of transformers.
    """
    module = pytest.importorskip("transformers.models.qwen3_vl.video_processing_qwen3_vl")
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    image = half | {"size": {"shortest_edge": 65_536, "longest_edge": 16_777_216}}
    video = half | {"size": {"shortest_edge": 4_096, "longest_edge": 25_165_824}}
    files = {"preprocessor_config.json": image, "video_preprocessor_config.json": video}
    if one_file:
        files = {"processor_config.json": {"image_processor": image, "video_processor": video}}
    for name, data in files.items():
        (tmp_path / name).write_text(json.dumps(data))
    want = module.smart_resize(2, *size, factor=32, min_pixels=4_096, max_pixels=25_165_824)
    assert target_size(*size, read_pixels(tmp_path, Vision, None)) == want
    assert size != (144, 176) or want[0] * want[1] // 32**2 == 24


def test_the_embedded_models_own_writer_is_read(tmp_path: Path) -> None:
    """A word-level tokenizer, half-precision weights, bounds of its own and `aura.json`."""
    from aura_core.training.tiny import model as tiny

    model, tokenizer = tiny.build_model(seed=3)
    tiny.save(model, tokenizer, tmp_path / "tiny")
    backend: Any = load(config(tmp_path / "tiny"))
    assert backend.pixels == tiny.PIXELS
    assert backend.chat.trained_to_decide
    assert backend.chat.chunk == Around(("<|vision_start|>", "<|vision_end|>"))
    assert backend.chat.system_prompt == tiny.SYSTEM_PROMPT
    assert backend.chat.silent_id == tokenizer.convert_tokens_to_ids("<|silent|>")
    text = "<|im_start|>user\nWhat's the LIVE table?<|im_end|>"
    assert backend.tokenizer.encode(text) == tokenizer.encode(text)
    assert backend.tokenizer.decode(tokenizer.encode("live table<|im_end|>")) == "live table"
    assert backend.encode(chunk((192, 192), (192, 192))).grid == (3, 4)  # it knows one size
    kept = model.state_dict()["model.visual.merger.linear_fc1.weight"]
    assert torch.equal(backend.model.model.visual.merger.linear_fc1.weight, kept.half().float())
    assistant = Lockstep(StreamEngine(backend))
    for i in range(4):
        assistant.push(Frame(np.full((192, 192, 3), i, np.uint8), i * 500_000_000))
    assert assistant.ready == 2
    step = assistant.step()
    assert step is not None and step.vision_encodes == 1


def test_a_checkpoint_tells_its_form_of_memory(folder: Path) -> None:
    assert read_aura(folder).memory is None
    memory = {"note": {"en": "note"}, "block_s": 10, "overlap_s": 2, "sentences": True}
    (folder / "aura.json").write_text(json.dumps({"memory": memory}))
    told = MemoryForm({"en": "note"}, 10.0, None, True, False, overlap_s=2.0)
    assert read_aura(folder).memory == told
