"""Resizing and patches, compared with a direct computation and the library's own processor."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.models.families.qwen_vl import PixelSpec, patchify, target_size
from aura_core.models.pixels import resize

HALF = (0.5, 0.5, 0.5)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
QWEN3 = PixelSpec(16, 2, 2, 65_536, 640 * 480, HALF, HALF)
QWEN25 = PixelSpec(14, 2, 2, 3_136, 640 * 480, *CLIP)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "spec", "want"),
    [
        ((480, 640), QWEN3, (480, 640)),  # the live resolution stays as it is: 300 visual tokens
        ((480, 640), QWEN25, (476, 644)),
        ((1080, 1920), QWEN3, (384, 736)),
        ((100, 100), QWEN3, (256, 256)),
        ((1, 1), QWEN25, (56, 56)),
        ((720, 1280), QWEN25, (392, 728)),
    ],
)
def test_target_size(size: tuple[int, int], spec: PixelSpec, want: tuple[int, int]) -> None:
    assert target_size(*size, spec) == want


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([QWEN3, QWEN25]))
def test_target_size_is_a_multiple_within_bounds(height: int, width: int, spec: PixelSpec) -> None:
    if max(height, width) > 200 * min(height, width):
        with pytest.raises(ValueError, match="too narrow"):
            target_size(height, width, spec)
        return
    h, w = target_size(height, width, spec)
    assert h % spec.factor == w % spec.factor == 0
    if max(height, width) < 9 * min(height, width):
        assert spec.min_pixels <= h * w <= spec.max_pixels


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_a_frame_without_area_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no area"):
        target_size(*size, QWEN3)


def test_resize_keeps_a_frame_of_the_right_size_and_averages_when_shrinking() -> None:
    frame = noise(64, 64, 3)
    assert resize(frame, 64, 64) is frame
    flat = np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4), np.ones((8, 8), np.uint8))[
        ..., None
    ].repeat(3, 2)
    assert np.array_equal(resize(flat, 4, 4)[..., 0], np.arange(16).reshape(4, 4))
    assert resize(frame, 96, 160).shape == (96, 160, 3)


@pytest.mark.parametrize("spec", [QWEN3, QWEN25])
def test_patches_are_in_merge_order(spec: PixelSpec) -> None:
    """Each value is where a loop over blocks, patches, channels, frames and pixels puts it."""
    p, m = spec.patch, spec.merge
    frames = noise(2, 2 * spec.factor, 3 * spec.factor, 3)
    patches, grid = patchify(frames, spec)
    assert grid == (1, 2 * m, 3 * m)
    assert patches.dtype == np.float32 and patches.shape == (4 * 6, 3 * 2 * p * p)
    order = itertools.product(range(2), range(3), range(m), range(m))
    for row, (block_y, block_x, in_y, in_x) in zip(patches, order, strict=True):
        y, x = (block_y * m + in_y) * p, (block_x * m + in_x) * p
        cut = frames[:, y : y + p, x : x + p].astype(np.float64) / 255
        want = (cut - np.asarray(spec.mean)) / np.asarray(spec.std)
        assert np.allclose(row.reshape(3, 2, p, p), want.transpose(3, 0, 1, 2), atol=1e-6)


@pytest.mark.parametrize("spec", [QWEN3, QWEN25])
def test_equals_the_library_processor(spec: PixelSpec) -> None:
    """On a frame of the target size, the library's slow image processor gives the same patches.

    It repeats an image along time; for us that is a chunk of two equal frames.
    """
    module = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    frame = noise(4 * spec.factor, 3 * spec.factor, 3)
    theirs = module.Qwen2VLImageProcessorPil(
        patch_size=spec.patch,
        merge_size=spec.merge,
        temporal_patch_size=spec.temporal,
        image_mean=list(spec.mean),
        image_std=list(spec.std),
        size={"shortest_edge": 784, "longest_edge": spec.max_pixels},
    )(images=[frame], return_tensors="np")
    patches, grid = patchify(np.stack([frame, frame]), spec)
    assert [list(grid)] == theirs["image_grid_thw"].tolist()
    assert float(np.abs(patches - theirs["pixel_values"]).max()) <= 1e-6


def test_a_checkpoint_of_one_size_gets_frames_of_that_size(tmp_path):
    """A model that was trained at 96x128 alone got 96x160 or 64x128 from wide cameras."""
    from aura_core.errors import ModelError
    from aura_core.models import AURA_TINY
    from aura_core.models.families.qwen_vl import QwenVL

    family = QwenVL.open(AURA_TINY, "qwen3_vl", None)
    sizes = {family.frame_size(h, w) for h, w in ((480, 640), (720, 1280), (1280, 720), (90, 300))}
    assert sizes == {(96, 128)}
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_text((AURA_TINY / name).read_text())
    for text, says in (
        ('{"frame_height": 96}', "frame_height and frame_width belong together"),
        ('{"frame_height": 90, "frame_width": 128}', "must be multiples of 32, not 90 and 128"),
    ):
        (tmp_path / "aura.json").write_text(text)
        with pytest.raises(ModelError, match=says):
            QwenVL.open(tmp_path, "qwen3_vl", None)
