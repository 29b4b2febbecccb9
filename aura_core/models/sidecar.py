"""The JSON files of a checkpoint folder that this project reads itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from aura_core.errors import ModelError
from aura_core.models.pixels import PixelSpec

DEFAULT_MAX_PIXELS = 640 * 480  # per frame: AURA's live resolution, about 300 visual tokens a chunk
MIN_TOKENS = 4  # smallest frame in merged visual tokens where the checkpoint names no bound


@dataclass(frozen=True)
class AuraSidecar:
    """`aura.json`: how a checkpoint was trained to decide. None means that it does not say."""

    trained_to_decide: bool | None = None
    silent_token: str | None = None
    system_prompt: str | None = None
    frame_timestamps: bool | None = None
    max_pixels: int | None = None  # per frame
    # the one size that it was trained at: frames of any other aspect are scaled to it
    frame_height: int | None = None
    frame_width: int | None = None


_TYPES = {
    "trained_to_decide": bool,
    "silent_token": str,
    "system_prompt": str,
    "frame_timestamps": bool,
    "max_pixels": int,
    "frame_height": int,
    "frame_width": int,
}


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`. Raises `ModelError` when it cannot be read or is no JSON object."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise ModelError(f"{path}: cannot be read: {e.strerror}") from e
    except ValueError as e:
        raise ModelError(f"{path}: not valid JSON: {e}") from e
    if not isinstance(data, dict):
        raise ModelError(f"{path}: expected a JSON object, found {type(data).__name__}")
    return data


def read_aura(folder: Path) -> AuraSidecar:
    """The folder's `aura.json`; all None without one. Raises `ModelError` on unknown keys and wrong
    types."""
    path = folder / "aura.json"
    if not path.is_file():
        return AuraSidecar()
    data = read_json(path)
    known = [f.name for f in fields(AuraSidecar)]
    for key, value in data.items():
        if key not in known:
            raise ModelError(f"{path}: unknown key '{key}'; known keys are {', '.join(known)}")
        if value is not None and type(value) is not _TYPES[key]:
            raise ModelError(f"{path}: {key} must be {_TYPES[key].__name__}, not {value!r}")
    sidecar = AuraSidecar(**data)
    if sidecar.max_pixels is not None and sidecar.max_pixels < 1024:
        raise ModelError(f"{path}: max_pixels must be at least 1024, not {sidecar.max_pixels}")
    if (sidecar.frame_height is None) != (sidecar.frame_width is None):
        raise ModelError(f"{path}: frame_height and frame_width belong together: give both")
    return sidecar


def read_template(folder: Path, fallback: str | None) -> str | None:
    """Jinja source of the chat template. `chat_template.json` comes first: where both exist
    (Qwen2.5-VL), the tokenizer's own is the text-only one."""
    if (folder / "chat_template.json").is_file():
        template = read_json(folder / "chat_template.json").get("chat_template")
        return template if isinstance(template, str) else None
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    return fallback


def read_pixels(folder: Path, vision: Any, max_pixels: int | None) -> PixelSpec:
    """How the checkpoint wants its frames.

    Args:
        vision: the model's vision configuration, which has the last word on patch sizes.
        max_pixels: bound on one frame; None for the checkpoint's own, at most 640*480.

    The image processor's bounds count, which are for one picture: a video processor's are totals
    over all its frames and say nothing about one.
    """
    data, path, per_frame = _preprocessor(folder)
    size = data.get("size") if isinstance(data.get("size"), dict) else {}
    assert isinstance(size, dict)

    def bound(old: str, new: str) -> int | None:
        value = data.get(old) or size.get(new) or size.get(old)
        return int(value) if per_frame and value else None

    factor = _one(vision.patch_size) * vision.spatial_merge_size
    least = bound("min_pixels", "shortest_edge") or MIN_TOKENS * factor**2
    most = max_pixels or min(
        bound("max_pixels", "longest_edge") or DEFAULT_MAX_PIXELS, DEFAULT_MAX_PIXELS
    )
    aura = read_aura(folder)
    fixed = None
    if aura.frame_height and aura.frame_width:
        fixed = (aura.frame_height, aura.frame_width)
        if fixed[0] % factor or fixed[1] % factor:
            raise ModelError(
                f"{folder / 'aura.json'}: frame_height and frame_width must be multiples of"
                f" {factor}"
            )
    return PixelSpec(
        fixed=fixed,
        patch=_one(vision.patch_size),
        merge=vision.spatial_merge_size,
        temporal=_one(vision.temporal_patch_size),
        min_pixels=min(least, most),
        max_pixels=most,
        mean=_three(data, "image_mean", path),
        std=_three(data, "image_std", path),
    )


def _preprocessor(folder: Path) -> tuple[dict[str, Any], Path, bool]:
    """The image processor's settings, where they stand, and whether their bounds are for
    one frame."""
    newer = folder / "processor_config.json"  # transformers 5 saves all processors in one file
    if newer.is_file() and isinstance(image := read_json(newer).get("image_processor"), dict):
        return image, newer, True
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        if (folder / name).is_file():
            return read_json(folder / name), folder / name, not name.startswith("video")
    raise ModelError(f"{folder}: incomplete checkpoint: preprocessor_config.json is missing")


def _three(data: dict[str, Any], key: str, path: Path) -> tuple[float, float, float]:
    value = data.get(key)
    if (
        not isinstance(value, list)
        or len(value) != 3
        or not all(isinstance(v, int | float) for v in value)
    ):
        raise ModelError(f"{path}: {key} must be three numbers, not {value!r}")
    return float(value[0]), float(value[1]), float(value[2])


def _one(value: Any) -> int:
    """A size that some configurations give once and others per side."""
    return int(value[0] if isinstance(value, list | tuple) else value)
