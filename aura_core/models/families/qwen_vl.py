"""Qwen3-VL, dense and MoE, and Qwen2.5-VL: `aura_tiny`, AURA's checkpoints, the published models.

A chunk is one video of two frames: one temporal grid of visual tokens between `<|vision_start|>`
and `<|vision_end|>`. In Qwen3-VL the time stands before it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ModelError
from aura_core.models.backend import Around, Video
from aura_core.models.families.base import Block, ChunkPrompt, Family, Features
from aura_core.models.pixels import normalised
from aura_core.models.positions import PositionTrack
from aura_core.models.sidecar import (
    AuraSidecar,
    read_aura,
    read_json,
    read_preprocessor,
    read_video_preprocessor,
    three_numbers,
)

if TYPE_CHECKING:
    import torch

OPEN, CLOSE = "<|vision_start|>", "<|vision_end|>"
WRITTEN = f"{OPEN}<|video_pad|>{CLOSE}"  # what every Qwen-VL template writes for a video
# Mean time of a chunk's two frames (0 s and 0.5 s) as Qwen3-VL's processor rounds it. It is counted
# from the start of the chunk, so it is the same in each chunk, and cached prompts stay valid.
TIME = "<0.2 seconds>"
DEFAULT_MAX_PIXELS = 640 * 480  # per frame: AURA's live resolution, about 300 visual tokens a chunk
MIN_TOKENS = 4  # smallest frame in merged visual tokens where the checkpoint names no bound
# patch size where config.json has none
_PATCH = {"qwen3_vl": 16, "qwen3_vl_moe": 16, "qwen2_5_vl": 14}


# ---- frames to patches ------------------------------------------------------------------------
# In numpy. It is equal to the checkpoint's own slow image processor on frames of the target size
# (tested), and needs no torchvision, which has no CPU build that fits CPU torch.


@dataclass(frozen=True)
class PixelSpec:
    """The sizes that a checkpoint wants its frames in.

    `patch` is in pixels, `merge` in patches, `temporal` in frames. `min_pixels` and `max_pixels`
    bound one resized frame. `mean` and `std` normalise each colour. `fixed` (height, width) is the
    one size of a checkpoint that was trained at a single size: every frame is scaled to it.
    """

    patch: int
    merge: int
    temporal: int
    min_pixels: int
    max_pixels: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fixed: tuple[int, int] | None = None

    @property
    def factor(self) -> int:
        """Side in pixels of one merged visual token."""
        return self.patch * self.merge


def read_pixels(folder: Path, vision: Any, max_pixels: int | None) -> PixelSpec:
    """The sizes that the checkpoint in `folder` wants its frames in.

    The least pixels come from the video processor, where there is one (`_least`): the image
    processor's are for single pictures, and would make a small frame three times as large. The most
    come from the image processor, where they are for one picture.

    Args:
        folder: the checkpoint.
        vision: the model's vision configuration; its patch sizes are used.
        max_pixels: most pixels of one frame; None: the checkpoint's own bound, at most 640 * 480.
    """
    data, path, per_frame = read_preprocessor(folder)
    size = data.get("size") if isinstance(data.get("size"), dict) else {}
    assert isinstance(size, dict)

    def bound(old: str, new: str) -> int | None:
        value = data.get(old) or size.get(new) or size.get(old)
        return int(value) if per_frame and value else None

    factor = _one(vision.patch_size) * vision.spatial_merge_size
    temporal = _one(vision.temporal_patch_size)
    least = (
        _least(folder, temporal) or bound("min_pixels", "shortest_edge") or MIN_TOKENS * factor**2
    )
    most = max_pixels or min(
        bound("max_pixels", "longest_edge") or DEFAULT_MAX_PIXELS, DEFAULT_MAX_PIXELS
    )
    return PixelSpec(
        patch=_one(vision.patch_size),
        merge=vision.spatial_merge_size,
        temporal=temporal,
        min_pixels=min(least, most),
        max_pixels=most,
        mean=three_numbers(data, "image_mean", path),
        std=three_numbers(data, "image_std", path),
        fixed=_fixed(folder, factor),
    )


def _least(folder: Path, frames: int) -> int | None:
    """Least pixels of a frame by the video processor; None where it says nothing about it.

    Qwen3-VL's bounds the total over all frames of a video. A chunk is a video of `frames` frames.
    Qwen2-VL's bounds each frame, with the image processor's number.
    """
    data = read_video_preprocessor(folder)
    size = data.get("size")
    total = size.get("shortest_edge") if isinstance(size, dict) else None
    if "Qwen2VL" in str(data.get("video_processor_type")) or not isinstance(total, int):
        return None
    return -(-total // frames)


def _fixed(folder: Path, factor: int) -> tuple[int, int] | None:
    """(height, width) that `aura.json` names, or None. Raises `ModelError`."""
    aura = read_aura(folder)
    if aura.frame_height is None or aura.frame_width is None:
        return None
    size = (aura.frame_height, aura.frame_width)
    if min(size) < factor or size[0] % factor or size[1] % factor:
        raise ModelError(
            f"{folder / 'aura.json'}: frame_height and frame_width must be multiples of {factor},"
            f" not {size[0]} and {size[1]}"
        )
    return size


def _one(value: Any) -> int:
    """A size that some configurations give once and others for each side."""
    return int(value[0] if isinstance(value, list | tuple) else value)


def target_size(height: int, width: int, spec: PixelSpec) -> tuple[int, int]:
    """Nearest (height, width) in multiples of `spec.factor` within the bounds; the aspect is kept.

    This is the rule of the Qwen2-VL family's image processor ("smart resize"). A checkpoint with
    one `fixed` size gets that size. Raises `ValueError`
    for a frame without area, or one narrower than 1:200.
    """
    f = spec.factor
    if min(height, width) < 1:
        raise ValueError(f"a frame of {width}x{height} pixels has no area")
    if max(height, width) / min(height, width) > 200:
        raise ValueError(f"a frame of {width}x{height} pixels is too narrow for the vision encoder")
    if spec.fixed is not None:
        return spec.fixed
    h, w = max(f, round(height / f) * f), max(f, round(width / f) * f)
    if h * w > spec.max_pixels:
        beta = math.sqrt(height * width / spec.max_pixels)
        h, w = max(f, math.floor(height / beta / f) * f), max(f, math.floor(width / beta / f) * f)
    elif h * w < spec.min_pixels:
        beta = math.sqrt(spec.min_pixels / (height * width))
        h, w = math.ceil(height * beta / f) * f, math.ceil(width * beta / f) * f
    return h, w


def patchify(
    frames: NDArray[np.uint8], spec: PixelSpec
) -> tuple[NDArray[np.float32], tuple[int, int, int]]:
    """Resized frames to the vision encoder's input.

    Args:
        frames: uint8 (T, H, W, 3); T is a multiple of `spec.temporal`, H and W of `spec.factor`.
        spec: the checkpoint's sizes.

    Returns:
        float32 patches (t*h*w, 3*temporal*patch*patch) in merge order, and the grid (t, h, w) in
        patches.
    """
    t, height, width, _ = frames.shape
    p, m, k = spec.patch, spec.merge, spec.temporal
    grid = (t // k, height // p, width // p)
    x = normalised(frames, spec.mean, spec.std)
    x = x.reshape(grid[0], k, 3, grid[1] // m, m, p, grid[2] // m, m, p)
    x = x.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8)  # t, h, w, merge_h, merge_w, channel, frame, y, x
    return np.ascontiguousarray(x).reshape(math.prod(grid), 3 * k * p * p), grid


# ---- positions --------------------------------------------------------------------------------


class MRopePositions(PositionTrack):
    """Multimodal RoPE: each token has a position in time, height and width.

    A text token has t = h = w, one more than before. A chunk is one temporal grid that begins at
    position s: t = s everywhere, h = s + row, w = s + column. What follows it begins at s +
    max(rows, columns). (Qwen2-VL, arXiv 2409.12191, section 2.1; equal to the library's
    `get_rope_index`, tested.)
    """

    axes = (3,)

    def place(self, video: Video, start: int) -> tuple[NDArray[np.int64], int]:
        """See `PositionTrack`."""
        return grid_positions(start, video.grid), start + max(video.grid)


def grid_positions(start: int, grid: tuple[int, int]) -> NDArray[np.int64]:
    """Positions, int64 (3, rows * columns), of one chunk, row by row."""
    return _grid_at_zero(grid) + start


@functools.lru_cache(maxsize=64)
def _grid_at_zero(grid: tuple[int, int]) -> NDArray[np.int64]:
    rows, columns = np.indices(grid, dtype=np.int64).reshape(2, -1)
    return np.stack([np.zeros_like(rows), rows, columns])


# ---- the family -------------------------------------------------------------------------------


class QwenVL(Family):
    """The Qwen-VL family (see the module)."""

    classes: ClassVar[Mapping[str, str]] = {
        "qwen3_vl": "Qwen3VLForConditionalGeneration",
        "qwen3_vl_moe": "Qwen3VLMoeForConditionalGeneration",
        "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
    }
    evicts = served = True
    trained = frozenset({"qwen3_vl", "qwen2_5_vl"})
    text_layers = (
        r".*language_model\.layers\.\d+\..*\."
        r"(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
    )
    vision_layers = (
        r".*visual\.blocks\.\d+\..*\.(qkv|proj|linear_fc1|linear_fc2|gate_proj|up_proj|down_proj)"
        r"|.*visual\.(merger|deepstack_merger_list\.\d+)\.(linear_fc1|linear_fc2|mlp\.0|mlp\.2)"
    )
    pixels: PixelSpec

    @classmethod
    def prompt(cls, model_type: str, sidecar: AuraSidecar) -> ChunkPrompt:
        """See `Family`.

        In Qwen3-VL the time stands before the frames, unless `aura.json` says otherwise.
        """
        stamped = sidecar.frame_timestamps
        if stamped is None:
            stamped = model_type != "qwen2_5_vl"
        return ChunkPrompt(
            content=({"type": "video", "video": "chunk"},),
            written=WRITTEN,
            special=(OPEN, CLOSE),
            format=Around((TIME + OPEN if stamped else OPEN, CLOSE)),
        )

    @classmethod
    def pictures(cls, model_type: str) -> ChunkPrompt:
        """See `Family`. An image has the tokens of the two frames' one temporal patch."""
        picture = f"{OPEN}<|image_pad|>{CLOSE}"
        return ChunkPrompt(
            content=({"type": "image", "image": "0"}, {"type": "image", "image": "1"}),
            written=picture * 2,
            special=(OPEN, CLOSE),
            format=Around((OPEN, CLOSE + OPEN, CLOSE)),
        )

    @classmethod
    def open(cls, folder: Path, model_type: str, max_pixels: int | None) -> Self:
        """See `Family`."""
        given = read_json(folder / "config.json").get("vision_config")
        sizes = {
            "patch_size": _PATCH[model_type],
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        }
        vision = SimpleNamespace(**(sizes | (given if isinstance(given, dict) else {})))
        return cls(model_type, read_pixels(folder, vision, max_pixels))

    def frame_size(self, height: int, width: int) -> tuple[int, int]:
        """See `target_size`."""
        return target_size(height, width, self.pixels)

    def grids(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """One grid of merged tokens: both frames are one temporal patch."""
        return ((height // self.pixels.factor, width // self.pixels.factor),)

    def arrays(self, frames: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """`patches` float32 (P, D) and `grids` int64 (1, 3), in patches."""
        patches, grid = patchify(frames, self.pixels)
        return {"patches": patches, "grids": np.asarray([grid], np.int64)}

    def vision(self, model: Any) -> torch.nn.Module:
        """See `Family`."""
        return model.model.visual

    def features(self, model: Any, arrays: Mapping[str, torch.Tensor]) -> Features:
        """See `Family`. Qwen3-VL has features of inner layers too."""
        tower = model.model.visual
        out = tower(arrays["patches"].to(tower.dtype), grid_thw=arrays["grids"])
        return Features(out.pooler_output, list(getattr(out, "deepstack_features", None) or []))

    def positions(self) -> MRopePositions:
        """See `Family`."""
        return MRopePositions()

    def beside(self, model: Any, block: Block, cache: Any) -> dict[str, Any]:
        """See `Family`.

        Features of inner vision layers are added in the first text layers of Qwen3-VL.
        """
        if block.features is None or not block.features.deepstack:
            return {}
        return {
            "visual_pos_masks": block.visual,
            "deepstack_visual_embeds": list(block.features.deepstack),
        }

    def vision_work(
        self, model: Any, arrays: Mapping[str, torch.Tensor]
    ) -> tuple[torch.nn.Module, int, float]:
        """See `Family`. The mergers are not counted: they are less than one percent."""
        config = model.config.vision_config
        looks = (n * n for n in arrays["grids"].prod(1).tolist())
        attention = sum(4 * n * config.hidden_size * config.depth for n in looks)
        return model.model.visual.blocks, len(arrays["patches"]), attention


FAMILY = QwenVL
