"""The JSON files of a checkpoint folder that this package reads itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from aura_core.errors import ModelError
from aura_core.memory.form import PLAIN, MemoryForm
from aura_core.models.grammar import FORMS


@dataclass(frozen=True)
class AuraSidecar:
    """`aura.json`: how a checkpoint was trained to decide. None means that it does not say.

    The tokens are one special token or a short text each (`grammar.py`); blanks at the end of
    `respond_token` and `delegate_token` stand between the marker and the words.
    """

    trained_to_decide: bool | None = None
    grammar: str | None = None  # a known form instead of the tokens: joyai, moss
    silent_token: str | None = None
    respond_token: str | None = None  # stands before words; none: words begin at once
    delegate_token: str | None = None  # stands before a task for somebody else
    system_prompt: str | None = None
    frame_timestamps: bool | None = None
    max_pixels: int | None = None  # per frame
    # the one size that it was trained at: frames of any other aspect are scaled to it
    frame_height: int | None = None
    frame_width: int | None = None
    chunk_frames: int | None = None  # how many of a chunk's frames a family of pictures shows
    memory: MemoryForm | None = None  # how it was trained to write notes and to use them


LANGUAGES = ("en", "zh")
_TYPES = {
    "trained_to_decide": bool,
    "grammar": str,
    "silent_token": str,
    "respond_token": str,
    "delegate_token": str,
    "system_prompt": str,
    "frame_timestamps": bool,
    "max_pixels": int,
    "frame_height": int,
    "frame_width": int,
    "chunk_frames": int,
    "memory": dict,
}
LEAST_BLOCK_S = 2.0  # of a note; `memory.block_s` of the settings has the same bound


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises `ModelError` when it cannot be read or is no object."""
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
    """The folder's `aura.json`; all fields are None without one.

    Raises `ModelError` for unknown keys and wrong types.
    """
    path = folder / "aura.json"
    return sidecar(read_json(path), path) if path.is_file() else AuraSidecar()


def sidecar(data: dict[str, Any], path: Path | str) -> AuraSidecar:
    """What `data`, the object in an `aura.json`, says; `path` is for messages.

    Raises `ModelError` for unknown keys, wrong types and what contradicts itself.
    """
    known = [f.name for f in fields(AuraSidecar)]
    for key, value in data.items():
        if key not in known:
            raise ModelError(f"{path}: unknown key '{key}'; known keys are {', '.join(known)}")
        if value is not None and type(value) is not _TYPES[key]:
            wanted = "an object" if _TYPES[key] is dict else _TYPES[key].__name__
            raise ModelError(f"{path}: {key} must be {wanted}, not {value!r}")
    memory = data.get("memory")
    told = AuraSidecar(**{**data, "memory": None if memory is None else memory_form(memory, path)})
    if told.max_pixels is not None and told.max_pixels < 1024:
        raise ModelError(f"{path}: max_pixels must be at least 1024, not {told.max_pixels}")
    tokens = (told.silent_token, told.respond_token, told.delegate_token)
    if any(token is not None and not token.strip() for token in tokens):
        raise ModelError(
            f"{path}: silent_token, respond_token and delegate_token must not be empty"
        )
    if told.grammar is not None and any(tokens):
        raise ModelError(f"{path}: grammar names the tokens already: give one or the other")
    if told.grammar is not None and told.grammar not in FORMS:
        raise ModelError(f"{path}: grammar must be one of {', '.join(FORMS)}, not {told.grammar!r}")
    if (tokens[1] or tokens[2]) and not tokens[0]:
        raise ModelError(f"{path}: respond_token and delegate_token need a silent_token")
    if told.chunk_frames not in (None, 1, 2):
        raise ModelError(f"{path}: chunk_frames must be 1 or 2, not {told.chunk_frames}")
    if (told.frame_height is None) != (told.frame_width is None):
        raise ModelError(f"{path}: frame_height and frame_width belong together: give both")
    return told


def memory_form(data: dict[str, Any], path: Path | str) -> MemoryForm:
    """What the object `memory` of an `aura.json` says; what it leaves out is as in `form.PLAIN`.

    Raises `ModelError`, which names `path`.
    """
    known = [f.name for f in fields(MemoryForm)]
    for key in data:
        if key not in known:
            raise ModelError(
                f"{path}: unknown key 'memory.{key}'; known keys are {', '.join(known)}"
            )
    note = _texts("note", data.get("note", PLAIN.note), LANGUAGES, path)
    persons = tuple(f"{language} person" for language in LANGUAGES)
    describes = data.get("describes")
    if describes is not None:
        describes = _texts("describes", describes, (*LANGUAGES, *persons), path)
    merges = data.get("merges")
    if merges is not None:
        merges = _texts("merges", merges, LANGUAGES, path)
    lengths: dict[str, float | None] = {}
    for key in ("block_s", "line_s"):
        length = data.get(key)
        if length is not None and (
            type(length) not in (int, float) or not LEAST_BLOCK_S <= length < float("inf")
        ):
            raise ModelError(
                f"{path}: memory.{key} must be at least {LEAST_BLOCK_S:g} seconds, not {length!r}"
            )
        lengths[key] = None if length is None else float(length)
    tokens = data.get("prefix_tokens")
    if tokens is not None and (type(tokens) is not int or tokens < 0):
        raise ModelError(f"{path}: memory.prefix_tokens must be 0 or more, not {tokens!r}")
    flags = {key: data.get(key, key == "uses") for key in ("sentences", "renames", "uses")}
    for key, value in flags.items():
        if type(value) is not bool:
            raise ModelError(f"{path}: memory.{key} must be bool, not {value!r}")
    overlap_s = data.get("overlap_s", 0.0)
    if type(overlap_s) not in (int, float) or not 0.0 <= overlap_s < float("inf"):
        raise ModelError(f"{path}: memory.overlap_s must be 0 seconds or more, not {overlap_s!r}")
    return MemoryForm(
        note,
        prefix_tokens=tokens,
        **lengths,
        **flags,
        merges=merges,
        describes=describes,
        overlap_s=float(overlap_s),
    )


def _texts(
    name: str, value: object, languages: tuple[str, ...], path: Path | str
) -> dict[str, str]:
    """A text for each of some languages, English at least. Raises `ModelError`."""
    named = isinstance(value, dict) and {"en"} <= {*value} <= {*languages}
    if isinstance(value, dict) and named and all(_is_text(text) for text in value.values()):
        return dict(value)
    raise ModelError(
        f"{path}: memory.{name} must have a text by language ({', '.join(languages)}), and one"
        f" for en, not {value!r}"
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def read_template(folder: Path, fallback: str | None) -> str | None:
    """Jinja source of the chat template; `fallback` where the folder has no file for it.

    `chat_template.json` comes first. Where the tokenizer has a template too (Qwen2.5-VL), the
    tokenizer's is for text only.
    """
    if (folder / "chat_template.json").is_file():
        template = read_json(folder / "chat_template.json").get("chat_template")
        return template if isinstance(template, str) else None
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    return fallback


def read_preprocessor(folder: Path) -> tuple[dict[str, Any], Path, bool]:
    """The image processor's settings, the file they are in, and whether their bounds are per frame.

    Raises `ModelError` where there are none.
    """
    newer = folder / "processor_config.json"  # transformers 5 saves all processors in one file
    if newer.is_file() and isinstance(image := read_json(newer).get("image_processor"), dict):
        return image, newer, True
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        if (folder / name).is_file():
            return read_json(folder / name), folder / name, not name.startswith("video")
    raise ModelError(f"{folder}: incomplete checkpoint: preprocessor_config.json is missing")


def read_video_preprocessor(folder: Path) -> dict[str, Any]:
    """The video processor's settings; empty where there are none."""
    newer = folder / "processor_config.json"
    if newer.is_file() and isinstance(video := read_json(newer).get("video_processor"), dict):
        return video
    older = folder / "video_preprocessor_config.json"
    return read_json(older) if older.is_file() else {}


def three_numbers(data: dict[str, Any], key: str, path: Path) -> tuple[float, float, float]:
    """`data[key]`, one number per colour. Raises `ModelError` naming `path` where it is not."""
    value = data.get(key)
    if (
        not isinstance(value, list)
        or len(value) != 3
        or not all(isinstance(v, int | float) for v in value)
    ):
        raise ModelError(f"{path}: {key} must be three numbers, not {value!r}")
    return float(value[0]), float(value[1]), float(value[2])
